//! Why a verified file does not become an actor that can be called.

use std::fmt;

use wattle_types::Digest;

use crate::compile::CompileError;
use crate::engine::EngineError;
use crate::engine_id::EngineId;
use crate::link::Unlinkable;
use crate::shape::Missing;

/// What can go wrong between a verified file and an actor that can be called.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    #[error("{digest} is not a WebAssembly file")]
    NotWasm { digest: Digest },
    #[error(
        "{digest} is a core module and not a component; build it for wasm32-wasip2, or wrap it \
         with `wasm-tools component new`"
    )]
    CoreModule { digest: Digest },
    #[error("{digest} is malformed: {reason}")]
    Malformed { digest: Digest, reason: String },
    #[error("{digest} has {len} bytes, and this host compiles at most {max}")]
    TooLarge { digest: Digest, len: usize, max: usize },
    #[error("{digest} cannot run here: {}", Listed(missing, ". "))]
    Unprovided { digest: Digest, missing: Vec<Missing> },
    #[error("{digest} imports what no link can serve: {}", Listed(imports, ", "))]
    Unlinkable { digest: Digest, imports: Vec<Unlinkable> },
    #[error("this host cannot run components of WASI 0.3 now")]
    Runtime(#[source] EngineError),
    #[error("{digest} could not be compiled")]
    Compile { digest: Digest, source: CompileError },
    /// There is no code, and nobody here who could make it.
    #[error(
        "{digest} is not compiled for {engine}, and this host compiles nothing itself; make the code \
         where there is a compiler: wattle compile {name} {}{}",
        engine.flags(),
        Refused(refused)
    )]
    NotCompiled { digest: Digest, name: String, engine: EngineId, refused: Vec<String> },
    #[error("what was compiled of {digest} does not fit this engine")]
    Unsuitable { digest: Digest, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("{digest} could not be linked")]
    Link { digest: Digest, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("loading {digest} panicked")]
    Panicked { digest: Digest },
}

impl LoadError {
    /// Stable; `docs/errors/WT-ENGINE.md` says what would help.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotWasm { .. } => "WT-ENGINE-NOT-WASM",
            Self::CoreModule { .. } => "WT-ENGINE-CORE-MODULE",
            Self::Malformed { .. } => "WT-ENGINE-MALFORMED",
            Self::TooLarge { .. } => "WT-ENGINE-TOO-LARGE",
            Self::Unprovided { .. } => "WT-ENGINE-IMPORT",
            Self::Unlinkable { .. } => "WT-ENGINE-UNLINKABLE",
            Self::Runtime(_) => "WT-ENGINE-SETUP",
            Self::Compile { source, .. } => source.code(),
            Self::NotCompiled { .. } => "WT-ENGINE-NO-COMPILER",
            Self::Unsuitable { .. } => "WT-ENGINE-COMPILE",
            Self::Link { .. } => "WT-ENGINE-LINK",
            Self::Panicked { .. } => "WT-ENGINE-INTERNAL",
        }
    }
}

struct Listed<'a, T>(&'a [T], &'static str);

impl<T: fmt::Display> fmt::Display for Listed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, import) in self.0.iter().enumerate() {
            let between = if n == 0 { "" } else { self.1 };
            write!(f, "{between}{import}")?;
        }
        Ok(())
    }
}

/// Code that was there and was not used.
struct Refused<'a>(&'a [String]);

impl fmt::Display for Refused<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => Ok(()),
            refused => write!(f, ". Not used: {}", Listed(refused, ". ")),
        }
    }
}
