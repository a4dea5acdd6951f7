//! Components, an engine to run them on, and what they are bound to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tempfile::TempDir;
use tokio::time::Instant;
use wattle_capability::keyvalue::testing::InMemoryStores;
use wattle_capability::log::{Log, LogLine};
use wattle_capability::messaging::{Messaging, Silent};
use wattle_capability::secrets::{NoSecrets, Secrets};
use wattle_capability::{
    Body, BodyError, CallContext, KeyValue, Outbound, StoreScope, body, outbound,
};
use wattle_engine::{
    Actor, ActorConfig, ActorLimits, CacheConfig, CacheKey, CallError, Caps, Engine, EngineConfig,
    Loaded,
};
use wattle_trust::{KeyPair, SignRequest, TrustFile, TrustPolicy, VerifiedComponent, claims};
use wattle_types::{InstancePolicy, Role, SpecLimits};

/// Time enough for a call that should answer, on a machine that is busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A component that `cargo xtask guests` has built.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let beside = || Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("guests");
    let dir = std::env::var_os("WATTLE_GUESTS").map_or_else(beside, PathBuf::from);
    let path = dir.join(format!("{name}.wasm"));
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run cargo xtask guests", path.display()))
}

pub(crate) fn wat(text: &str) -> Vec<u8> {
    ::wat::parse_str(text).unwrap()
}

/// Signs and verifies as an author and a host would. The same bytes have the same digest.
pub(crate) fn verified(component: &[u8]) -> VerifiedComponent {
    static MODULE: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(Role::Module).unwrap());
    verified_as(&MODULE, component)
}

/// The same, under a signature that was never there before.
pub(crate) fn verified_again(component: &[u8]) -> VerifiedComponent {
    verified_as(&KeyPair::generate(Role::Module).unwrap(), component)
}

fn verified_as(module: &KeyPair, component: &[u8]) -> VerifiedComponent {
    static ISSUER: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(Role::Account).unwrap());
    static NOW: LazyLock<u64> =
        LazyLock::new(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs());
    let request = SignRequest::new(module.public().try_into().unwrap(), "test");
    let signed = claims::sign(component, &request, &ISSUER, *NOW).unwrap();
    let trust = TrustFile::new().with_issuer(&ISSUER.public().try_into().unwrap(), "tests");
    let policy = TrustPolicy::try_from(&trust).unwrap();
    wattle_trust::verify(signed.into(), &policy, *NOW).unwrap()
}

/// A small engine of its own; compiled code is shared, so that each guest is compiled once.
pub(crate) fn engine() -> Engine {
    engine_of(EngineConfig { permits: 16, nested_permits: 8, ..EngineConfig::default() })
}

pub(crate) fn engine_of(mut config: EngineConfig) -> Engine {
    static CACHE: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());
    let cache = CacheConfig::new(CACHE.path().join("cache"), CacheKey::derive(b"tests"));
    config.cache = Some(cache);
    Engine::new(config).unwrap()
}

/// What an actor is made of; change what a test is about.
pub(crate) struct Setup {
    pub(crate) engine: Engine,
    pub(crate) id: &'static str,
    pub(crate) config: BTreeMap<String, String>,
    pub(crate) keyvalue: Arc<dyn KeyValue>,
    pub(crate) outbound: Arc<dyn Outbound>,
    pub(crate) messaging: Arc<dyn Messaging>,
    pub(crate) secrets: Arc<dyn Secrets>,
    pub(crate) log: Arc<Heard>,
    pub(crate) limits: ActorLimits,
    pub(crate) instances: InstancePolicy,
}

impl Setup {
    pub(crate) fn new() -> Self {
        Self {
            engine: engine(),
            id: "exerciser",
            config: BTreeMap::new(),
            keyvalue: Arc::new(InMemoryStores::default()),
            outbound: Arc::new(outbound::Closed),
            messaging: Arc::new(Silent),
            secrets: Arc::new(NoSecrets),
            log: Arc::default(),
            limits: ActorLimits::default(),
            instances: InstancePolicy::Fresh,
        }
    }

    pub(crate) fn limited(limits: SpecLimits) -> Self {
        Self { limits: ActorLimits::grant(&limits, &Caps::default()).unwrap(), ..Self::new() }
    }

    pub(crate) async fn run(self, name: &str) -> Actor {
        let loaded = self.engine.load(verified(&guest(name))).await.unwrap();
        self.actor(loaded)
    }

    pub(crate) fn actor(self, loaded: Arc<Loaded>) -> Actor {
        let config = ActorConfig {
            id: self.id.parse().unwrap(),
            config: self.config,
            keyvalue: self.keyvalue,
            scope: StoreScope::App("tests".parse().unwrap()),
            outbound: self.outbound,
            messaging: self.messaging,
            secrets: self.secrets,
            log: self.log,
            limits: self.limits,
            instances: self.instances,
            count: 1,
        };
        Actor::new(loaded, config)
    }
}

/// The exerciser with everything as it is by default.
pub(crate) async fn exerciser() -> Actor {
    Setup::new().run("exerciser").await
}

pub(crate) fn outside(actor: &Actor, patience: Duration) -> CallContext {
    CallContext::outside(actor.id().clone(), Instant::now() + patience)
}

pub(crate) fn request(target: &str) -> Request<Body> {
    Request::get(format!("http://example.test{target}")).body(body::empty()).unwrap()
}

/// The whole answer to a GET.
pub(crate) async fn get(actor: &Actor, target: &str) -> Result<(StatusCode, String), CallError> {
    let response = actor.http(outside(actor, PATIENCE), request(target)).await?;
    let status = response.status();
    Ok((status, text(response).await.unwrap()))
}

/// The text of a 200.
pub(crate) async fn ok(actor: &Actor, target: &str) -> String {
    let (status, text) = get(actor, target).await.unwrap();
    assert_eq!(status, StatusCode::OK, "{target}: {text}");
    text
}

pub(crate) async fn text(response: http::Response<Body>) -> Result<String, BodyError> {
    let bytes: Bytes = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Waits until something is so, and says what it was waiting for if it never is.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Remembers what actors say.
#[derive(Debug, Default)]
pub(crate) struct Heard(Mutex<Vec<(String, String)>>);

impl Heard {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|(line, _)| line.clone()).collect()
    }

    /// The names of the threads on which guests spoke.
    pub(crate) fn threads(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|(_, thread)| thread.clone()).collect()
    }
}

impl Log for Heard {
    fn line(&self, line: LogLine<'_>) {
        let LogLine { actor, source, level, context, message } = line;
        let line = format!("{actor} {source:?} {level:?} {context:?} {message}");
        let thread = thread::current().name().unwrap_or_default().to_owned();
        self.0.lock().unwrap().push((line, thread));
    }
}
