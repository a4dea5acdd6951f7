//! How a component gets in: looked at, compiled or read from the cache, and linked, once for all
//! actors that share it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, Weak};

use bytes::Bytes;
use rayon::ThreadPool;
use tokio::sync::Semaphore;
use wasmtime::component::{Component, InstancePre};
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wattle_capability::Invocation;
use wattle_tasks::Chain;
use wattle_trust::{Claims, VerifiedComponent};
use wattle_types::Digest;
use wattle_value::Signatures;

use crate::bindings::told::ToldPre;
use crate::cache::{Cache, Miss};
use crate::call::CallError;
use crate::engine::{Engine, Shared};
use crate::limits;
use crate::link::{Linked, NotLinked};
use crate::shape::{Shape, Unfit};
use crate::state::State;

pub use crate::link::Unlinkable;
pub use crate::shape::Missing;
pub use crate::signature::Uncarried;

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
    #[error(
        "{digest} uses async, streams or futures, which need WASI 0.3; hosts here run 0.2, so build \
         it for wasm32-wasip2"
    )]
    Async { digest: Digest },
    #[error("{digest} could not be compiled")]
    Compile { digest: Digest, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("the compiler panicked over {digest}")]
    CompilerPanic { digest: Digest },
    #[error("{digest} could not be linked")]
    Link { digest: Digest, source: Box<dyn std::error::Error + Send + Sync> },
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
            Self::Async { .. } => "WT-ENGINE-ASYNC",
            Self::Compile { .. } => "WT-ENGINE-COMPILE",
            Self::CompilerPanic { .. } => "WT-ENGINE-COMPILER-PANIC",
            Self::Link { .. } => "WT-ENGINE-LINK",
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

/// Where the code of a component came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Compiled,
    Cache,
}

/// A component, compiled and linked. All actors with its digest share it.
pub struct Loaded {
    pub(crate) engine: Arc<Shared>,
    digest: Digest,
    claims: Claims,
    imports: Vec<String>,
    origin: Origin,
    linked: Linked,
}

impl Loaded {
    pub fn digest(&self) -> Digest {
        self.digest
    }

    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Whether it can answer HTTP: it exports `wasi:http/incoming-handler` 0.2.
    pub fn exports_http(&self) -> bool {
        self.linked.proxy.is_some()
    }

    /// Whether it can be told messages: it exports `wasmcloud:messaging/handler` 0.2.
    pub fn exports_messaging(&self) -> bool {
        self.linked.told.is_some()
    }

    /// What others can call of it. Functions whose values cannot be carried are not among them.
    pub fn signatures(&self) -> &Signatures {
        &self.linked.signatures
    }

    /// What it imports and this host does not provide itself: its links must lead to an actor that
    /// exports it.
    pub fn linkable(&self) -> &Signatures {
        &self.linked.linkable
    }

    /// Whether the arguments of a call that came from elsewhere are what its function takes. One
    /// made by an actor of this host needs no check: the engine that wrote it reads it.
    ///
    /// # Errors
    ///
    /// [`CallError::NoSuchFunction`] and [`CallError::BadArguments`].
    pub fn check(&self, invocation: &Invocation) -> Result<(), CallError> {
        let Invocation { callee, args, streams } = invocation;
        self.linked.check(callee, args, streams.len())
    }

    /// The interfaces it imports, as it names them.
    pub fn imports(&self) -> &[String] {
        &self.imports
    }

    pub fn origin(&self) -> Origin {
        self.origin
    }

    pub(crate) fn linked(&self) -> &Linked {
        &self.linked
    }

    pub(crate) fn pre(&self) -> &InstancePre<State> {
        &self.linked.pre
    }

    pub(crate) fn proxy(&self) -> Option<&ProxyPre<State>> {
        self.linked.proxy.as_ref()
    }

    pub(crate) fn told(&self) -> Option<&ToldPre<State>> {
        self.linked.told.as_ref()
    }
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded").field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// Compiles, and remembers what is in use.
#[derive(Debug)]
pub(crate) struct Loader {
    pub(crate) cache: Option<Cache>,
    pub(crate) component_bytes_max: usize,
    pub(crate) compilers: ThreadPool,
    compiles: Arc<Semaphore>,
    in_use: Mutex<HashMap<Digest, Weak<Loaded>>>,
}

impl Loader {
    pub(crate) fn new(
        cache: Option<Cache>,
        component_bytes_max: usize,
        compilers: ThreadPool,
    ) -> Self {
        Self {
            cache,
            component_bytes_max,
            compilers,
            compiles: Arc::new(Semaphore::new(limits::COMPILES_MAX)),
            in_use: Mutex::default(),
        }
    }

    fn get(&self, digest: Digest) -> Option<Arc<Loaded>> {
        self.in_use().get(&digest).and_then(Weak::upgrade)
    }

    /// Keeps `loaded`, or gives back what another load of the same component kept meanwhile.
    fn keep(&self, loaded: Loaded) -> Arc<Loaded> {
        let mut in_use = self.in_use();
        in_use.retain(|_, loaded| loaded.strong_count() != 0);
        if let Some(first) = in_use.get(&loaded.digest).and_then(Weak::upgrade) {
            return first;
        }
        let loaded = Arc::new(loaded);
        in_use.insert(loaded.digest, Arc::downgrade(&loaded));
        loaded
    }

    fn in_use(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, Weak<Loaded>>> {
        self.in_use.lock().expect("nothing panics while it holds this lock")
    }
}

impl Engine {
    /// Makes a component ready for actors: from memory, from the cache, or by compiling it.
    ///
    /// Returns at once for a component in use. Otherwise takes milliseconds with the cache, and up
    /// to seconds without; the work is done on threads of its own, one component at a time.
    ///
    /// # Errors
    ///
    /// See [`LoadError`]. None of them goes away by trying again.
    pub async fn load(&self, component: VerifiedComponent) -> Result<Arc<Loaded>, LoadError> {
        let shared = &self.shared;
        let digest = component.digest();
        if let Some(loaded) = shared.loader.get(digest) {
            return Ok(loaded);
        }
        let shape = self.look_at(digest, component.bytes())?;
        let turn = shared.loader.compiles.clone().acquire_owned().await;
        let turn = turn.expect("the compiler's semaphore is never closed");
        // Somebody else may have loaded it while this call stood in line.
        if let Some(loaded) = shared.loader.get(digest) {
            return Ok(loaded);
        }
        let (engine, bytes) = (shared.clone(), component.bytes().clone());
        let made = tokio::task::spawn_blocking(move || {
            // Held until the work is done, also when whoever asked for it has gone.
            let _turn = turn;
            engine.cached_or_compiled(digest, &bytes)
        });
        let made = made.await.map_err(|_| LoadError::CompilerPanic { digest })??;
        let (made, origin) = made;
        let loaded = self.link(&made, origin, shape, &component)?;
        Ok(shared.loader.keep(loaded))
    }

    /// Decides by the outside of the file; cheap beside compiling.
    fn look_at(&self, digest: Digest, bytes: &Bytes) -> Result<Shape, LoadError> {
        let (len, max) = (bytes.len(), self.shared.loader.component_bytes_max);
        if max < len {
            return Err(LoadError::TooLarge { digest, len, max });
        }
        let shape = Shape::of(bytes).map_err(|unfit| match unfit {
            Unfit::NotWasm => LoadError::NotWasm { digest },
            Unfit::CoreModule => LoadError::CoreModule { digest },
            Unfit::Malformed(reason) => LoadError::Malformed { digest, reason },
        })?;
        let missing = shape.missing();
        if !missing.is_empty() {
            return Err(LoadError::Unprovided { digest, missing });
        }
        Ok(shape)
    }

    fn link(
        &self,
        component: &Component,
        origin: Origin,
        shape: Shape,
        verified: &VerifiedComponent,
    ) -> Result<Loaded, LoadError> {
        let digest = verified.digest();
        let failed = |error| match error {
            NotLinked::Unlinkable(imports) => LoadError::Unlinkable { digest, imports },
            NotLinked::Failed(error) => {
                LoadError::Link { digest, source: error.into_boxed_dyn_error() }
            }
        };
        let linked = Linked::new(&self.shared, component, &shape).map_err(failed)?;
        Ok(Loaded {
            engine: self.shared.clone(),
            digest,
            claims: verified.claims().clone(),
            imports: shape.imports,
            origin,
            linked,
        })
    }
}

impl Shared {
    fn cached_or_compiled(
        &self,
        digest: Digest,
        bytes: &[u8],
    ) -> Result<(Component, Origin), LoadError> {
        let Some(cache) = &self.loader.cache else {
            return Ok((self.compile(digest, bytes)?, Origin::Compiled));
        };
        match cache.load(&self.wasmtime, digest) {
            Ok(component) => {
                tracing::debug!(%digest, "compiled code read from the cache");
                return Ok((component, Origin::Cache));
            }
            Err(Miss::Absent) => {}
            Err(miss) => {
                tracing::warn!(%digest, reason = %Chain(&miss), "cached code is not used");
                cache.remove(digest);
            }
        }
        let component = self.compile(digest, bytes)?;
        if let Err(error) = cache.store(digest, &component) {
            // The next start compiles again; this one can go on.
            tracing::warn!(%digest, %error, "compiled code could not be cached");
        }
        Ok((component, Origin::Compiled))
    }

    fn compile(&self, digest: Digest, bytes: &[u8]) -> Result<Component, LoadError> {
        let started = std::time::Instant::now();
        let made = self.loader.compilers.install(|| Component::new(&self.wasmtime, bytes));
        let made = made.map_err(|error| {
            // The validator has no other way to say which of the proposals was missing.
            if format!("{error:#}").contains("component model async") {
                return LoadError::Async { digest };
            }
            LoadError::Compile { digest, source: error.into_boxed_dyn_error() }
        })?;
        tracing::info!(%digest, bytes = bytes.len(), took = ?started.elapsed(), "compiled");
        Ok(made)
    }
}
