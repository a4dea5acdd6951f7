//! One engine per process: what runs components, and who may run how much.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::cache::{Cache, CacheError};
use crate::compile::Compilers;
use crate::config::EngineConfig;
use crate::lane::Lane;
use crate::limits::PERMITS_CEILING;
use crate::load::Loader;
use crate::permits::Permits;
use crate::runtime::Runtimes;

/// Runs components of WASI 0.2 and 0.3. Cheap to clone; lives as long as a clone, a component or an actor
/// of it.
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
}

/// What all components of one engine share.
pub(crate) struct Shared {
    pub(crate) runtimes: Runtimes,
    pub(crate) loader: Loader,
    pub(crate) lane: Lane,
    /// For calls from outside.
    pub(crate) permits: Arc<Permits>,
    /// For calls that a call makes.
    pub(crate) nested: Arc<Permits>,
    /// For instances that wait for their next call.
    pub(crate) idle: Arc<Permits>,
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    #[error("{permits} permits and idle instances are asked for, and an engine has 1 to {max}")]
    Permits { permits: u32, max: u32 },
    #[error("could not set up wasmtime for {slots} instances")]
    Wasmtime { slots: u32, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("could not link the capabilities of this host")]
    Link(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("could not start the thread that counts epochs")]
    Ticker(#[source] io::Error),
    #[error("could not start the threads of the slow lane")]
    SlowLane(#[source] io::Error),
    #[error("could not start the process that starts compilers")]
    Compilers(#[source] io::Error),
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
        let places = permits.saturating_add(config.idle_instances);
        if config.permits == 0 || PERMITS_CEILING < places {
            return Err(EngineError::Permits { permits: places, max: PERMITS_CEILING });
        }
        // More slots than permits: the store of a call that has just ended is dropped a moment
        // after its permit is free for the next one.
        let slots = permits + permits / 8 + 8 + config.idle_instances;
        let runtimes = Runtimes::new(config.space, config.target, slots)?;
        let cache = config.cache.map(Cache::open).transpose()?;
        let compilers = Compilers::start(config.compile).map_err(EngineError::Compilers)?;
        let shared = Shared {
            runtimes,
            loader: Loader::new(cache, config.component_bytes_max, compilers),
            lane: Lane::new(config.slow_threads.max(1)).map_err(EngineError::SlowLane)?,
            permits: Permits::new(config.permits),
            nested: Permits::new(config.nested_permits),
            idle: Permits::new(config.idle_instances),
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
