//! Who makes machine code of components, and what that may take.
//!
//! Never the process that serves: a compiler that hangs, panics or asks for all memory over one
//! component would take every actor with it. Each component has a child of its own, bounded in time
//! and memory and at low priority; the children are started by a small process that begins with the
//! engine and does nothing else, so that the host itself need not be able to start programs.
//!
//! A child bounds what compiling *takes*. It does not make hostile input harmless: what it returns is
//! believed because it is ours, and runs in the host. Somebody who can make the compiler emit what he
//! likes has broken out, child or not; what stands before him is `wattle-trust`, which lets only
//! components of believed issuers come this far.

#[cfg(feature = "compiler")]
pub mod child;
#[cfg(feature = "compiler")]
mod client;
#[cfg(feature = "compiler")]
mod ended;
#[cfg(feature = "compiler")]
mod maker;
#[cfg(feature = "compiler")]
pub mod server;
#[cfg(feature = "compiler")]
mod task;

use std::io;
#[cfg(feature = "compiler")]
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use wattle_trust::VerifiedComponent;

use crate::artifact::Artifact;
use crate::engine_id::EngineId;
use crate::limits;

/// Who compiles for an engine, and what that may take.
#[derive(Clone, Debug)]
pub struct CompileConfig {
    pub compiler: Compiler,
    /// Components compiled at once; the next one waits.
    pub at_once: usize,
    /// Threads of all compilers together; fewer than there are processors, so that serving goes on.
    pub threads: usize,
    /// Address space of one compiler, in bytes.
    pub memory_bytes_max: u64,
    /// How long one compiler may take. Its processor time is bounded by this times its threads.
    pub time_max: Duration,
}

/// Who compiles.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compiler {
    /// Nobody: only what is compiled already runs here.
    None,
    /// This process itself, bounded in nothing but number. For tests, and for whoever embeds the
    /// engine in a program of his own and believes what he runs.
    #[cfg(feature = "compiler")]
    InProcess,
    /// Children of a program, which is started with the engine and calls [`server::run`].
    #[cfg(feature = "compiler")]
    Child { program: PathBuf, args: Vec<String> },
}

impl Default for CompileConfig {
    fn default() -> Self {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let all_but_one = processors.saturating_sub(1).max(1);
        Self {
            compiler: Compiler::default(),
            at_once: all_but_one,
            threads: all_but_one,
            memory_bytes_max: limits::COMPILE_MEMORY_BYTES,
            time_max: limits::COMPILE_TIME,
        }
    }
}

impl Default for Compiler {
    #[cfg(feature = "compiler")]
    fn default() -> Self {
        Self::InProcess
    }

    #[cfg(not(feature = "compiler"))]
    fn default() -> Self {
        Self::None
    }
}

/// Why there is no code of a component.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    #[error("the compiler refused it: {words}")]
    Refused { words: String },
    #[error("it took more than {after:?} to compile")]
    Late { after: Duration },
    #[error("it took more than {bytes_max} bytes of memory to compile")]
    Memory { bytes_max: u64 },
    #[error("the compiler panicked: {words}")]
    Panicked { words: String },
    #[error("the compiler was killed by signal {signal}: {words}")]
    Killed { signal: i32, words: String },
    #[error("the process that starts compilers cannot be reached")]
    Unreachable(#[source] io::Error),
    #[error("this host compiles nothing")]
    Absent,
}

impl CompileError {
    /// Stable; `docs/errors/WT-ENGINE.md` says what would help.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "WT-ENGINE-COMPILE",
            Self::Late { .. } => "WT-ENGINE-COMPILE-TIME",
            Self::Memory { .. } => "WT-ENGINE-COMPILE-MEMORY",
            Self::Panicked { .. } => "WT-ENGINE-COMPILER-PANIC",
            Self::Killed { .. } => "WT-ENGINE-COMPILER-KILLED",
            Self::Unreachable(_) => "WT-ENGINE-COMPILER-GONE",
            Self::Absent => "WT-ENGINE-NO-COMPILER",
        }
    }
}

/// Compiles, so many components at once as it may.
#[derive(Debug)]
pub struct Compilers {
    config: CompileConfig,
    turns: Arc<Semaphore>,
    running: Arc<AtomicUsize>,
    #[cfg(feature = "compiler")]
    server: Option<client::Server>,
}

impl Compilers {
    /// Starts what the compiler needs to be there.
    ///
    /// # Errors
    /// The program of [`Compiler::Child`] could not be started.
    pub fn start(config: CompileConfig) -> io::Result<Self> {
        #[cfg(feature = "compiler")]
        let server = match &config.compiler {
            Compiler::Child { program, args } => Some(client::Server::start(program, args)?),
            Compiler::InProcess | Compiler::None => None,
        };
        Ok(Self {
            turns: Arc::new(Semaphore::new(config.at_once.max(1))),
            running: Arc::default(),
            #[cfg(feature = "compiler")]
            server,
            config,
        })
    }

    /// The process that starts compilers; none if there is none, or it has ended.
    pub fn pid(&self) -> Option<u32> {
        #[cfg(feature = "compiler")]
        return self.server.as_ref().and_then(client::Server::pid);
        #[cfg(not(feature = "compiler"))]
        None
    }

    /// Makes code of `component` for `engine`. Dropping the future ends a child that is at it.
    ///
    /// # Errors
    /// See [`CompileError`].
    pub async fn compile(
        &self,
        engine: EngineId,
        component: &VerifiedComponent,
    ) -> Result<Artifact, CompileError> {
        if self.config.compiler == Compiler::None {
            return Err(CompileError::Absent);
        }
        let turn = self.turns.clone().acquire_owned().await;
        let turn = Turn::new(turn.expect("nobody closes it"), self.running.clone());
        let threads = (self.config.threads / turn.of).max(1);
        let (source, bytes) = (component.claims().hash, component.bytes().len());
        tracing::info!(%source, %engine, bytes, threads, "compiling");
        let started = Instant::now();
        let made = self.make(engine, component, threads, turn).await;
        let took = started.elapsed();
        match &made {
            Ok(_) => tracing::info!(%source, %engine, bytes, ?took, "compiled"),
            Err(error) => tracing::warn!(%source, %engine, bytes, ?took, %error, "not compiled"),
        }
        made
    }

    #[cfg(feature = "compiler")]
    async fn make(
        &self,
        engine: EngineId,
        component: &VerifiedComponent,
        threads: usize,
        turn: Turn,
    ) -> Result<Artifact, CompileError> {
        let bytes = component.bytes().clone();
        match &self.server {
            Some(server) => {
                let CompileConfig { memory_bytes_max, time_max, .. } = self.config;
                let task = task::Task { engine, threads, memory_bytes_max, time_max };
                server.compile(task, bytes).await
            }
            None => maker::in_process(engine, bytes, threads, turn).await,
        }
    }

    #[cfg(not(feature = "compiler"))]
    async fn make(
        &self,
        _engine: EngineId,
        _component: &VerifiedComponent,
        _threads: usize,
        _turn: Turn,
    ) -> Result<Artifact, CompileError> {
        Err(CompileError::Absent)
    }
}

/// One compilation under way.
struct Turn {
    /// How many there were when it began, itself included: each has its share of the threads. One
    /// that comes alone has all of them, and keeps them if others come; the system divides then.
    of: usize,
    running: Arc<AtomicUsize>,
    _permit: tokio::sync::OwnedSemaphorePermit,
}

impl Turn {
    fn new(permit: tokio::sync::OwnedSemaphorePermit, running: Arc<AtomicUsize>) -> Self {
        let of = running.fetch_add(1, Ordering::Relaxed) + 1;
        Self { of, running, _permit: permit }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.running.fetch_sub(1, Ordering::Relaxed);
    }
}
