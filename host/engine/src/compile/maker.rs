//! The one place where a component becomes machine code.

use bytes::Bytes;
use rayon::ThreadPoolBuilder;
use wasmtime::Engine;

use super::{CompileError, Turn};
use crate::artifact::{self, Artifact};
use crate::engine_id::EngineId;

/// Why [`make`] made nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unmade {
    #[error("could not start the compiler's threads")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// wasmtime's own words, causes included.
    #[error("{0}")]
    Refused(String),
}

/// Makes code on `threads` threads of its own: on those of the process it would take every processor
/// from the calls that are being served.
pub(super) fn make(engine: EngineId, component: &[u8], threads: usize) -> Result<Vec<u8>, Unmade> {
    let name = |n| format!("compiler-{n}");
    let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(name).build()?;
    let refused = |error: wasmtime::Error| Unmade::Refused(format!("{error:#}"));
    // Instances are allocated on demand here, not from a pool: that makes no difference to the code,
    // and needs no terabytes of address space.
    let wasmtime = Engine::new(&engine.compiling().map_err(refused)?).map_err(refused)?;
    pool.install(|| wasmtime.precompile_component(component)).map_err(refused)
}

pub(super) async fn in_process(
    engine: EngineId,
    component: Bytes,
    threads: usize,
    turn: Turn,
) -> Result<Artifact, CompileError> {
    let made = tokio::task::spawn_blocking(move || {
        // Held until the work is done, also when whoever asked for it has gone.
        let _turn = turn;
        let code = make(engine, &component, threads)
            .map_err(|error| CompileError::Refused { words: error.to_string() })?;
        in_memory(&code).map_err(CompileError::Unreachable)
    });
    let panicked = |_| CompileError::Panicked { words: "its message is in the log".to_owned() };
    made.await.map_err(panicked)?
}

fn in_memory(code: &[u8]) -> std::io::Result<Artifact> {
    let mut file = artifact::in_memory("code")?;
    std::io::Write::write_all(&mut file, code)?;
    Artifact::seal(file)
}
