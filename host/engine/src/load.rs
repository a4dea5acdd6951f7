//! How a component gets in, once for all actors that share it: looked at; its code found, or made;
//! linked.
//!
//! Code is looked for where it costs least: in use; in this host's own cache; made elsewhere, by
//! somebody whom the host believes. Only then is it compiled. What was compiled is run from the file
//! of the cache, whose pages the system can drop and read again, and not from memory.

mod early;
mod error;
mod loaded;
mod loader;
mod precompiled;

use std::sync::Arc;

use bytes::Bytes;
use wasmtime::component::Component;
use wattle_tasks::Chain;
use wattle_trust::VerifiedComponent;
use wattle_types::Digest;

use crate::artifact::{self, Artifact};
use crate::cache::{Key, Miss};
use crate::compile::CompileError;
use crate::engine::{Engine, Shared};
use crate::link::{Linked, NotLinked};
use crate::runtime::Runtime;
use crate::shape::{Shape, Unfit};

pub use crate::link::Unlinkable;
pub use crate::shape::Missing;
pub use crate::signature::Uncarried;
pub use early::Early;
pub use error::LoadError;
pub use loaded::{Loaded, Origin};
pub(crate) use loader::Loader;
pub use precompiled::{Found, Precompiled};

/// Code, and where it came from.
type Code = (Component, Origin);

impl Engine {
    /// Makes a component ready for actors: from memory, from the cache, or by compiling it.
    ///
    /// Returns at once for a component in use. Otherwise takes milliseconds with the cache, and up
    /// to minutes without; the work is done on threads and in processes of its own. Dropping the
    /// future ends it.
    ///
    /// # Errors
    ///
    /// See [`LoadError`]. Hardly any goes away by trying again.
    pub async fn load(&self, component: VerifiedComponent) -> Result<Arc<Loaded>, LoadError> {
        self.load_with(component, None).await
    }

    /// As [`Engine::load`], and looks for code that was made elsewhere before it compiles.
    ///
    /// # Errors
    ///
    /// See [`LoadError`].
    pub async fn load_with(
        &self,
        component: VerifiedComponent,
        precompiled: Option<Arc<dyn Precompiled>>,
    ) -> Result<Arc<Loaded>, LoadError> {
        self.load_begun(component, precompiled, None).await
    }

    /// As [`Engine::load_with`], with what [`Engine::look_early`] finds meanwhile.
    ///
    /// # Errors
    ///
    /// See [`LoadError`].
    pub async fn load_begun(
        &self,
        component: VerifiedComponent,
        precompiled: Option<Arc<dyn Precompiled>>,
        early: Option<Early>,
    ) -> Result<Arc<Loaded>, LoadError> {
        let loader = &self.shared.loader;
        let digest = component.digest();
        if let Some(loaded) = loader.get(digest) {
            return Ok(loaded);
        }
        let shape = look_at(digest, component.bytes(), loader.component_bytes_max)?;
        let _turn = loader.turn(component.claims().hash).await;
        // Somebody else may have loaded it while this call stood in line.
        if let Some(loaded) = loader.get(digest) {
            return Ok(loaded);
        }
        let runtime = self.shared.runtimes.of(shape.wasi()).map_err(LoadError::Runtime)?;
        let key = Key { source: component.claims().hash, engine: runtime.own };
        let found = match early {
            Some(early) => early.code(key).await,
            None => None,
        };
        let (code, origin) = match found {
            Some(code) => (code, Origin::Cache),
            None => self.shared.code(&runtime, &component, precompiled).await?,
        };
        let loaded = self.link(runtime, &code, origin, shape, &component)?;
        Ok(loader.keep(loaded))
    }

    /// The process that starts compilers, if there is one: the only child of an engine.
    pub fn compiler_pid(&self) -> Option<u32> {
        self.shared.loader.compilers.pid()
    }

    fn link(
        &self,
        runtime: Arc<Runtime>,
        code: &Component,
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
        let linked = Linked::new(runtime, code, &shape).map_err(failed)?;
        let (engine, claims) = (self.shared.clone(), verified.claims().clone());
        Ok(Loaded { engine, digest, claims, imports: shape.imports, origin, linked })
    }
}

/// Decides by the outside of the file; cheap beside compiling.
pub(crate) fn look_at(digest: Digest, bytes: &Bytes, max: usize) -> Result<Shape, LoadError> {
    let len = bytes.len();
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

impl Shared {
    /// The code of a component that is not in use.
    async fn code(
        self: &Arc<Self>,
        runtime: &Arc<Runtime>,
        component: &VerifiedComponent,
        precompiled: Option<Arc<dyn Precompiled>>,
    ) -> Result<Code, LoadError> {
        let digest = component.digest();
        let key = Key { source: component.claims().hash, engine: runtime.own };
        let (shared, on, elsewhere) = (self.clone(), runtime.clone(), precompiled.clone());
        let there = blocking(digest, move || shared.code_there(&on, key, elsewhere.as_deref()));
        let refused = match there.await? {
            Ok(code) => return Ok(code),
            Err(refused) => refused,
        };
        let compiled = self.loader.compilers.compile(runtime.own, component).await;
        let artifact = compiled.map_err(|source| match source {
            CompileError::Absent => {
                let name = precompiled.as_ref().map_or("FILE", |elsewhere| elsewhere.name());
                let engine = runtime.wanted();
                LoadError::NotCompiled { digest, name: name.to_owned(), engine, refused }
            }
            source => LoadError::Compile { digest, source },
        })?;
        let (shared, on) = (self.clone(), runtime.clone());
        blocking(digest, move || shared.keep(&on, digest, key, &artifact)).await?
    }

    /// What is there already, or why what was found is not used. Blocks.
    fn code_there(
        &self,
        runtime: &Runtime,
        key: Key,
        precompiled: Option<&dyn Precompiled>,
    ) -> Result<Code, Vec<String>> {
        if let Some(component) = self.cached(runtime, key) {
            return Ok((component, Origin::Cache));
        }
        let Some(precompiled) = precompiled else { return Err(Vec::new()) };
        let Found { artifact, mut refused } = precompiled.find(key.source, &runtime.accepted());
        for reason in &refused {
            tracing::warn!(
                component = precompiled.name(),
                reason,
                "code made elsewhere is not used"
            );
        }
        let Some(artifact) = artifact else { return Err(refused) };
        let statement = artifact.statement();
        let (engine, compiler) = (&statement.engine, &statement.compiler);
        match map_verified(runtime, &artifact) {
            Ok(component) => {
                let component_name = precompiled.name();
                tracing::info!(component = component_name, engine, %compiler, "uses code made elsewhere");
                Ok((component, Origin::Elsewhere))
            }
            Err(error) => {
                let reason = format!("wasmtime does not accept the code of {compiler}: {error:#}");
                tracing::warn!(
                    component = precompiled.name(),
                    reason,
                    "code made elsewhere is not used"
                );
                refused.push(reason);
                Err(refused)
            }
        }
    }

    fn cached(&self, runtime: &Runtime, key: Key) -> Option<Component> {
        let cache = self.loader.cache.as_ref()?;
        match cache.load(&runtime.wasmtime, key) {
            Ok(component) => {
                tracing::debug!(source = %key.source, "compiled code read from the cache");
                Some(component)
            }
            Err(Miss::Absent) => None,
            Err(miss) => {
                let reason = Chain(&miss);
                tracing::warn!(source = %key.source, %reason, "cached code is not used");
                cache.remove(key);
                None
            }
        }
    }

    /// Keeps what was compiled for the next start. Blocks.
    fn keep(
        &self,
        runtime: &Runtime,
        digest: Digest,
        key: Key,
        artifact: &Artifact,
    ) -> Result<Code, LoadError> {
        let unsuitable = |error: wasmtime::Error| LoadError::Unsuitable {
            digest,
            source: error.into_boxed_dyn_error(),
        };
        // First, so that nothing is kept that this engine does not take.
        let component = artifact.map(&runtime.wasmtime).map_err(unsuitable)?;
        let Some(cache) = &self.loader.cache else { return Ok((component, Origin::Compiled)) };
        if let Err(error) = cache.store(key, artifact) {
            // The next start compiles again; this one can go on.
            tracing::warn!(source = %key.source, %error, "compiled code could not be cached");
            return Ok((component, Origin::Compiled));
        }
        drop(component);
        let component = match self.cached(runtime, key) {
            Some(component) => component,
            None => artifact.map(&runtime.wasmtime).map_err(unsuitable)?,
        };
        Ok((component, Origin::Compiled))
    }
}

#[allow(unsafe_code)]
fn map_verified(
    runtime: &Runtime,
    artifact: &wattle_trust::VerifiedArtifact<std::fs::File>,
) -> wasmtime::Result<Component> {
    // SAFETY: whom the host believes in this says that these bytes are what wasmtime of this version
    // made, and `Precompiled::find` promises that they do not change.
    unsafe { artifact::map(&runtime.wasmtime, artifact.code()) }
}

async fn blocking<T: Send + 'static>(
    digest: Digest,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, LoadError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| LoadError::Panicked { digest })
}
