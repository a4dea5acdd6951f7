//! One engine per process: wasmtime, its pool, the linker, and who may run how much.

use std::fmt;
use std::io;
use std::sync::Arc;

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use wasmtime::component::Linker;

use crate::cache::{Cache, CacheError};
use crate::config::EngineConfig;
use crate::lane::Lane;
use crate::limits::PERMITS_CEILING;
use crate::load::Loader;
use crate::permits::Permits;
use crate::state::State;
use crate::{profile, state, ticker};

/// Runs components of WASI 0.2. Cheap to clone; lives as long as a clone, a component or an actor
/// of it.
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
}

/// What all components of one engine share.
pub(crate) struct Shared {
    pub(crate) wasmtime: wasmtime::Engine,
    pub(crate) linker: Linker<State>,
    pub(crate) loader: Loader,
    pub(crate) lane: Lane,
    /// For calls from outside.
    pub(crate) permits: Arc<Permits>,
    /// For calls that a call makes.
    pub(crate) nested: Arc<Permits>,
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    #[error("{permits} permits are asked for, and an engine has 1 to {max}")]
    Permits { permits: u32, max: u32 },
    #[error("could not set up wasmtime for {slots} instances")]
    Wasmtime { slots: u32, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("could not link the capabilities of this host")]
    Link(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("could not start the thread that counts epochs")]
    Ticker(#[source] io::Error),
    #[error("could not start the compiler's threads")]
    Compilers(#[source] ThreadPoolBuildError),
    #[error(transparent)]
    Cache(#[from] CacheError),
}

impl EngineError {
    /// Stable; `docs/errors/WT-ENGINE.md` says what would help.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Permits { .. } => "WT-ENGINE-PERMITS",
            Self::Cache(_) => "WT-ENGINE-CACHE",
            _ => "WT-ENGINE-SETUP",
        }
    }
}

impl Engine {
    /// Reserves address space for all calls that may run at once (4 GiB each, none of it used
    /// yet) and starts the ticker.
    ///
    /// # Errors
    ///
    /// See [`EngineError`]; each is a matter of configuration or of what the system allows.
    pub fn new(config: EngineConfig) -> Result<Self, EngineError> {
        let permits = config.permits.saturating_add(config.nested_permits);
        if config.permits == 0 || PERMITS_CEILING < permits {
            return Err(EngineError::Permits { permits, max: PERMITS_CEILING });
        }
        // More slots than permits: the store of a call that has just ended is dropped a moment
        // after its permit is free for the next one.
        let slots = permits + permits / 8 + 8;
        let failed = |error: wasmtime::Error| EngineError::Wasmtime {
            slots,
            source: error.into_boxed_dyn_error(),
        };
        let wasmtime = profile::config(slots).map_err(failed)?;
        let wasmtime = wasmtime::Engine::new(&wasmtime).map_err(failed)?;
        ticker::start(&wasmtime).map_err(EngineError::Ticker)?;
        let linker = state::linker(&wasmtime)
            .map_err(|error| EngineError::Link(error.into_boxed_dyn_error()))?;
        let cache = config.cache.map(Cache::open).transpose()?;
        let compilers = compilers(config.compile_threads).map_err(EngineError::Compilers)?;
        let shared = Shared {
            wasmtime,
            linker,
            loader: Loader::new(cache, config.component_bytes_max, compilers),
            lane: Lane::new(config.slow_permits.max(1)),
            permits: Permits::new(config.permits),
            nested: Permits::new(config.nested_permits),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Calls that are running, nested ones included.
    pub fn in_flight(&self) -> u32 {
        self.shared.permits.taken() + self.shared.nested.taken()
    }

    /// Calls from outside that may run at once.
    pub fn permits(&self) -> u32 {
        self.shared.permits.limit()
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("permits", &self.permits())
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}

/// The compiler's own threads. In the pool of the process it would take every processor from the
/// calls that are being served.
fn compilers(threads: usize) -> Result<ThreadPool, ThreadPoolBuildError> {
    ThreadPoolBuilder::new()
        .num_threads(threads.max(1))
        .thread_name(|n| format!("compiler-{n}"))
        .build()
}
