//! One component, served at once with everything embedded: no NATS, no controller, no lattice.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use wattle_agent::RunId;
use wattle_capability::KeyValue;
use wattle_engine::{Engine, LoadError, Precompiled};
use wattle_tasks::CancellationToken;
use wattle_trust::{Refusal, TrustPolicy};
use wattle_types::stored::VERSION;
use wattle_types::{
    ActorId, ActorSpec, Digest, Exports, HttpRoute, InterfaceName, ServeDelta, ServeEntry,
    ServeState, Token,
};

use crate::artifact::Artifacts;
use crate::code::CodeConfig;
use crate::identity::Identity;
use crate::keyvalue::{self, OpenError};
use crate::listener::Listener;
use crate::precompiled::Places;
use crate::router::Router;
use crate::run::{RunError, gate};
use crate::start::{self, StartError, Starter};

/// How long requests in flight may take after the stop.
const GRACE: Duration = Duration::from_secs(30);

/// What `wattle run` is given.
#[derive(Clone, Debug)]
pub struct StandaloneConfig {
    /// Where to listen. Port 0 lets the system choose.
    pub addr: SocketAddr,
    /// The signed component.
    pub component: Bytes,
    /// Where it was read from, if from a file: code that was made elsewhere may be beside it.
    pub file: Option<PathBuf>,
    /// What it is called: its key-value stores are kept under this name.
    pub name: String,
    pub trust: TrustPolicy,
    /// Where stores and compiled code are kept.
    pub data_dir: PathBuf,
    /// Where machine code comes from.
    pub code: CodeConfig,
    /// What `wasi:config` answers.
    pub config: BTreeMap<String, String>,
    /// Servers it may reach over HTTP.
    pub outbound: Vec<String>,
}

/// Why a component is not served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StandaloneError {
    #[error(transparent)]
    Host(#[from] RunError),
    #[error("the component may not run here")]
    Untrusted(#[source] Box<Refusal>),
    #[error(transparent)]
    Load(LoadError),
    #[error("the component does not export wasi:http/incoming-handler, so it cannot be served")]
    NotHttp,
    /// Nobody is there that a link could lead to.
    #[error(
        "the component calls other components, and there are none: it imports {}; run it in a \
         lattice (`wattle up`) and link it, or compose it with what it needs",
        listed(.0)
    )]
    Unlinked(Vec<InterfaceName>),
    #[error("could not bind the component")]
    Bind(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Stores(#[from] OpenError),
}

impl StandaloneError {
    /// Stable; the page of its family in `docs/errors` says what to do. None for what is no
    /// fault of the component.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Untrusted(refusal) => Some(refusal.code()),
            Self::Load(error) => Some(error.code()),
            Self::NotHttp => Some("WT-HOST-NOT-HTTP"),
            Self::Unlinked(_) => Some("WT-HOST-UNLINKED"),
            Self::Host(_) | Self::Bind(_) | Self::Stores(_) => None,
        }
    }
}

fn listed(interfaces: &[InterfaceName]) -> String {
    let names: Vec<String> = interfaces.iter().map(ToString::to_string).collect();
    names.join(", ")
}

impl From<StartError> for StandaloneError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Untrusted { source, .. } => Self::Untrusted(source),
            StartError::Load(error) => Self::Load(error),
            StartError::NotHttp { .. } => Self::NotHttp,
            other => Self::Bind(Box::new(other)),
        }
    }
}

/// Serves one component on all paths until `stop`; `on_ready` is told where.
///
/// # Errors
/// See [`StandaloneError`]: nothing was served.
pub async fn run(
    config: StandaloneConfig,
    on_ready: impl FnOnce(SocketAddr),
    stop: CancellationToken,
) -> Result<(), StandaloneError> {
    let listener = Listener::bind(config.addr).map_err(RunError::from)?;
    let gate = gate(&config.outbound)?;
    let (folder, code) = (config.data_dir.clone(), config.code.clone());
    let opened = tokio::task::spawn_blocking(move || open(&folder, &code));
    let (identity, engine, stores) = opened.await.map_err(|_| RunError::Ended)??;

    let name = config.name.clone();
    let verified = start::verify(config.component.clone(), &name, &config.trust)?;
    let search = search(&config, verified.claims().hash).map_err(RunError::Artifacts)?;
    let loaded = engine.load_with(verified, Some(search)).await.map_err(StandaloneError::Load)?;
    let unlinked: Vec<_> = loaded.linkable().0.keys().cloned().collect();
    if !unlinked.is_empty() {
        return Err(StandaloneError::Unlinked(unlinked));
    }
    let id = id_of(&config.name);
    let everywhere = HttpRoute { host: None, path: "/".to_owned() };
    let spec = ActorSpec {
        config: config.config,
        routes: vec![everywhere.clone()],
        outbound: config.outbound,
        ..ActorSpec::new(id.clone(), name)
    };
    let router = Router::new(identity.id, engine.clone());
    let starter = Starter::new(engine.clone(), config.trust, stores, gate, None, &router);
    // As many calls as the engine has places for: nobody shares it.
    let actor = starter.actor(loaded, &spec, router.bindings.of(&id), engine.permits())?;

    let (run, revision) = (RunId(1), spec.hash());
    router.actors.add(run, revision, actor, Arc::new(spec), None);
    router.actors.serve(&id, run, router.load().limit);
    let entry = ServeEntry {
        actor: id,
        revision,
        state: ServeState::Ready,
        routes: vec![everywhere],
        exports: Exports::new(),
    };
    let (host, entries) = (identity.id, vec![entry]);
    router.hear(ServeDelta { v: VERSION, host, boot: 1, seq: 1, full: true, entries });

    on_ready(listener.addr());
    listener.run(router, stop, GRACE).await;
    Ok(())
}

/// Where code of the component may be that was made elsewhere. That of another one, which was run
/// from this folder before, is removed. `source` is of what was signed: a file that comes without a
/// signature gets another each time.
fn search(config: &StandaloneConfig, source: Digest) -> io::Result<Arc<dyn Precompiled>> {
    let kept = Artifacts::open(config.data_dir.join("precompiled"), 0)?;
    kept.keep_only(&[source].into())?;
    let places = Places {
        kept: kept.dir().to_owned(),
        given: config.code.artifacts_dir.clone(),
        trust: Arc::new(config.trust.clone()),
    };
    let file = config.file.clone();
    let name =
        file.as_deref().map_or_else(|| config.name.clone(), |file| file.display().to_string());
    Ok(Arc::new(places.search(&name, file, source)))
}

/// Blocks: files, and gigabytes of address space.
fn open(
    dir: &Path,
    code: &CodeConfig,
) -> Result<(Identity, Engine, Arc<dyn KeyValue>), StandaloneError> {
    let identity = Identity::of(dir).map_err(RunError::from)?;
    let stores = keyvalue::on_disk(&dir.join("keyvalue.redb"))?;
    let engine = code.engine(dir, &identity).map_err(RunError::from)?;
    Ok((identity, engine, stores))
}

/// A file's name as an id: what is not allowed in one becomes `-`.
fn id_of(name: &str) -> ActorId {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let plain: String =
        name.chars().map(|c| if allowed(c) { c } else { '-' }).take(Token::LEN_MAX).collect();
    plain.parse().unwrap_or_else(|_| "component".parse().expect("a word is an id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_file_name_gives_an_id() {
        let long = "x".repeat(300);
        let cases = [
            ("http-counter", "http-counter"),
            ("my app.v2", "my-app-v2"),
            ("", "component"),
            ("ä", "-"),
            (long.as_str(), &long[..128]),
        ];
        for (name, id) in cases {
            assert_eq!(id_of(name).as_str(), id);
        }
    }
}
