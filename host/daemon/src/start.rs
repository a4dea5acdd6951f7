//! Starts a run: fetch, verify, compile, link. Everything off the serving path.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::sync::Semaphore;
use wattle_agent::{Component, Failure};
use wattle_capability::log::ToTracing;
use wattle_capability::secrets::NoSecrets;
use wattle_capability::{KeyValue, Secrets, StoreScope};
use wattle_engine::{
    Actor, ActorConfig, ActorLimits, Caps, Early, Engine, LimitError, LoadError, Loaded,
};
use wattle_tasks::Chain;
use wattle_trust::{Claims, Refusal, TrustPolicy, VerifiedComponent};
use wattle_types::{ActorSpec, Digest, SpecHash};

use crate::artifact::{self, FetchError};
use crate::bindings::Binding;
use crate::disk::{Disk, DiskError};
use crate::egress::{Server, ServerError};
use crate::exit::Exit;
use crate::keyvalue::Owned;
use crate::messages::Post;
use crate::outbound::Gate;
use crate::precompiled::Places;
use crate::router::Router;
use crate::secrets::{PlaceError, SecretFiles};

/// Components read, hashed and verified at once: each is held in memory.
pub(crate) const FETCHES_MAX: usize = 4;

#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("{image} may not run here")]
    Untrusted { image: String, source: Box<Refusal> },
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Limit(#[from] LimitError),
    #[error("it may reach {raw:?}")]
    Outbound { raw: String, source: ServerError },
    #[error("it has routes, and {digest} does not export wasi:http/incoming-handler")]
    NotHttp { digest: Digest },
    #[error(transparent)]
    Secret(#[from] PlaceError),
    #[error("it has secrets, and this host keeps none; give it a folder of secrets")]
    NoSecrets,
    #[error("this host was built without what its spec asks for (feature `{0}`)")]
    Without(&'static str),
    #[error("it listens for messages, and {digest} does not export wasmcloud:messaging/handler")]
    NoHandler { digest: Digest },
    #[error("the host's own disk failed")]
    Disk(#[source] DiskError),
    #[error("reading or verifying it panicked")]
    Panicked,
}

impl StartError {
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Fetch(error) => error.code(),
            Self::Untrusted { source, .. } => source.code(),
            Self::Load(error) => error.code(),
            Self::Limit(error) => error.code(),
            Self::Outbound { .. } => "WT-HOST-OUTBOUND",
            Self::NotHttp { .. } => "WT-HOST-NOT-HTTP",
            Self::Secret(_) => "WT-HOST-SECRET",
            Self::NoSecrets => "WT-HOST-NO-SECRETS",
            Self::Without(_) => "WT-HOST-WITHOUT",
            Self::NoHandler { .. } => "WT-HOST-NO-HANDLER",
            Self::Disk(_) => "WT-HOST-DISK",
            Self::Panicked => "WT-HOST-PANIC",
        }
    }
}

impl From<&StartError> for Failure {
    fn from(error: &StartError) -> Self {
        Self { code: error.code().to_owned(), message: Chain(error).to_string() }
    }
}

/// What every start of a host needs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Starter {
    pub(crate) engine: Engine,
    pub(crate) trust: Arc<TrustPolicy>,
    pub(crate) keyvalue: Arc<dyn KeyValue>,
    pub(crate) gate: Gate,
    /// None: actors that have secrets do not start here.
    pub(crate) secrets: Option<SecretFiles>,
    pub(crate) post: Post,
    /// What no actor gets more of.
    pub(crate) caps: Arc<Caps>,
    /// A folder of code that was made elsewhere.
    artifacts_dir: Option<PathBuf>,
    router: Weak<Router>,
    fetches: Arc<Semaphore>,
}

/// What came of a start.
pub(crate) struct Started {
    pub(crate) actor: Actor,
    pub(crate) component: Component,
    pub(crate) stores: Arc<Owned>,
}

impl Starter {
    pub(crate) fn new(
        engine: Engine,
        trust: TrustPolicy,
        keyvalue: Arc<dyn KeyValue>,
        gate: Gate,
        secrets: Option<SecretFiles>,
        router: &Arc<Router>,
    ) -> Self {
        let (trust, fetches) = (Arc::new(trust), Arc::new(Semaphore::new(FETCHES_MAX)));
        let (post, router) = (Post::new(router), Arc::downgrade(router));
        let (caps, artifacts_dir) = (Arc::default(), None);
        Self { engine, trust, keyvalue, gate, secrets, post, caps, artifacts_dir, router, fetches }
    }

    pub(crate) fn with_caps(self, caps: Arc<Caps>) -> Self {
        Self { caps, ..self }
    }

    pub(crate) fn with_artifacts(self, dir: Option<PathBuf>) -> Self {
        Self { artifacts_dir: dir, ..self }
    }

    /// Makes the actor of a spec, whose component comes from its image, or from the host's own
    /// disk if it ran here before.
    pub(crate) async fn start(
        &self,
        disk: Disk,
        hash: SpecHash,
        spec: &ActorSpec,
        binding: Arc<Binding>,
        count: u32,
    ) -> Result<Started, StartError> {
        let fetch = self.fetches.acquire().await;
        let fetch = fetch.expect("the semaphore of fetches is never closed");
        let (starter, image, from) = (self.clone(), spec.image.clone(), disk.clone());
        let (verified, early) = blocking(move || starter.obtain(&from, hash, &image)).await?;
        let (at, kept) = (disk.artifacts().clone(), verified.clone());
        let kept = blocking(move || Ok(at.keep(kept.digest(), kept.bytes())?));
        let places = Places {
            kept: disk.artifacts().dir().to_owned(),
            given: self.artifacts_dir.clone(),
            trust: self.trust.clone(),
        };
        let file = artifact::path_of(&spec.image).ok();
        let search = places.search(&spec.image, file, verified.digest());
        let load = self.engine.load_begun(verified, Some(Arc::new(search)), Some(early));
        let load = async { Ok(load.await?) };
        let (loaded, ()) = tokio::try_join!(load, kept)?;
        drop(fetch);
        let component = describe(&loaded);
        let stores = Arc::new(Owned::new(self.keyvalue.clone(), StoreScope::of(spec)));
        let actor = self.actor_with(loaded, spec, binding, count, stores.clone())?;
        // Only now: what could not be started may be repaired in its place.
        let digest = component.digest;
        blocking(move || disk.pin(hash, digest).map_err(StartError::Disk)).await?;
        Ok(Started { actor, component, stores })
    }

    /// Binds a loaded component to what its spec says.
    pub(crate) fn actor(
        &self,
        loaded: Arc<Loaded>,
        spec: &ActorSpec,
        binding: Arc<Binding>,
        count: u32,
    ) -> Result<Actor, StartError> {
        self.actor_with(loaded, spec, binding, count, self.keyvalue.clone())
    }

    fn actor_with(
        &self,
        loaded: Arc<Loaded>,
        spec: &ActorSpec,
        binding: Arc<Binding>,
        count: u32,
        keyvalue: Arc<dyn KeyValue>,
    ) -> Result<Actor, StartError> {
        if !spec.routes.is_empty() && !loaded.exports_http() {
            return Err(StartError::NotHttp { digest: loaded.digest() });
        }
        if !spec.messaging.is_empty() && !cfg!(feature = "messaging-nats") {
            return Err(StartError::Without("messaging-nats"));
        }
        if !spec.messaging.subscribe.is_empty() && !loaded.exports_messaging() {
            return Err(StartError::NoHandler { digest: loaded.digest() });
        }
        let servers: Vec<Server> =
            spec.outbound.iter().map(|raw| server(raw)).collect::<Result<_, _>>()?;
        let exit = Exit::new(binding, self.router.clone(), self.gate.servers(servers));
        let config = ActorConfig {
            id: spec.id.clone(),
            config: spec.config.clone(),
            keyvalue,
            scope: StoreScope::of(spec),
            outbound: Arc::new(exit),
            messaging: self.post.voice(&spec.messaging),
            secrets: self.secrets_of(spec)?,
            log: Arc::new(ToTracing),
            limits: ActorLimits::grant(&spec.limits, &self.caps)?,
            instances: spec.instances,
            count,
        };
        Ok(Actor::new(loaded, config))
    }
}

impl Starter {
    /// The component a spec stands for, the one that ran here under it before if any did; and its
    /// code, which is looked for meanwhile. Blocks.
    fn obtain(
        &self,
        disk: &Disk,
        hash: SpecHash,
        image: &str,
    ) -> Result<(VerifiedComponent, Early), StartError> {
        let judged = |file: Bytes| {
            let early = self.engine.look_early(file.clone());
            Ok((verify(file, image, &self.trust)?, early))
        };
        let pinned = disk.pinned(hash).map_err(StartError::Disk)?;
        if let Some(digest) = pinned
            && let Some(file) = disk.artifacts().kept(digest)
        {
            match judged(file.clone()) {
                Ok(found) if found.0.digest() == digest => return Ok(found),
                Err(refused) if Digest::of(&file) == digest => return Err(refused),
                // The kept file is not what it was.
                Ok(_) | Err(_) => {}
            }
        }
        let found = judged(disk.artifacts().fetch(image)?)?;
        match pinned {
            // Its place has something else by now. What the spec stands for is what ran; anything
            // else needs a new spec.
            Some(expected) if expected != found.0.digest() => {
                Err(FetchError::NotFound { image: format!("{image} ({expected})") }.into())
            }
            _ => Ok(found),
        }
    }

    fn secrets_of(&self, spec: &ActorSpec) -> Result<Arc<dyn Secrets>, StartError> {
        match &self.secrets {
            _ if spec.secrets.is_empty() => Ok(Arc::new(NoSecrets)),
            Some(files) => Ok(Arc::new(files.for_actor(&spec.secrets)?)),
            None => Err(StartError::NoSecrets),
        }
    }
}

/// A server as a manifest or an operator writes it.
pub(crate) fn server(raw: &str) -> Result<Server, StartError> {
    raw.parse().map_err(|source| StartError::Outbound { raw: raw.to_owned(), source })
}

/// Verifies by the clock of now.
pub(crate) fn verify(
    file: Bytes,
    image: &str,
    trust: &TrustPolicy,
) -> Result<VerifiedComponent, StartError> {
    let now_unix_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    wattle_trust::verify(file, trust, now_unix_s).map_err(|source| StartError::Untrusted {
        image: image.to_owned(),
        source: Box::new(source),
    })
}

/// On a thread for work that blocks.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StartError> + Send + 'static,
) -> Result<T, StartError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| StartError::Panicked)?
}

fn describe(loaded: &Loaded) -> Component {
    let claims: &Claims = loaded.claims();
    Component {
        digest: loaded.digest(),
        issuer: claims.issuer,
        name: claims.name.clone(),
        revision: claims.rev,
        exports: loaded.signatures().exports(),
        imports: loaded.linkable().0.keys().cloned().collect(),
    }
}
