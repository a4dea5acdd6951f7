//! One component without a lattice.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use bytes::Bytes;
use http::StatusCode;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wattle_host::standalone::{self, StandaloneConfig, StandaloneError};
use wattle_tasks::CancellationToken;
use wattle_trust::{KeyPair, SignRequest, TrustFile, TrustPolicy, claims};
use wattle_types::Role;

use crate::kit::{self, guest, now_unix_s};

struct Alone {
    addr: SocketAddr,
    stop: CancellationToken,
    ended: JoinHandle<Result<(), StandaloneError>>,
}

impl Alone {
    async fn start(config: StandaloneConfig) -> Result<Self, StandaloneError> {
        let stop = CancellationToken::new();
        let (ready, is_ready) = oneshot::channel();
        let on_ready = |addr| ready.send(addr).unwrap();
        let ended = tokio::spawn(standalone::run(config, on_ready, stop.clone()));
        match is_ready.await {
            Ok(addr) => Ok(Self { addr, stop, ended }),
            Err(_) => Err(ended.await.unwrap().unwrap_err()),
        }
    }

    async fn stopped(self) {
        self.stop.cancel();
        self.ended.await.unwrap().unwrap();
    }
}

fn config(dir: &Path, component: Vec<u8>, issuer: &KeyPair) -> StandaloneConfig {
    let trust = TrustFile::new().with_issuer(&issuer.public().try_into().unwrap(), "tests");
    StandaloneConfig {
        addr: "127.0.0.1:0".parse().unwrap(),
        component: Bytes::from(component),
        file: None,
        name: "my component.v1".to_owned(),
        trust: TrustPolicy::try_from(&trust).unwrap(),
        data_dir: dir.to_owned(),
        code: wattle_host::code::CodeConfig::default(),
        config: BTreeMap::from([("greeting".to_owned(), "hi".to_owned())]),
        outbound: Vec::new(),
    }
}

fn sign(component: &[u8], issuer: &KeyPair) -> Vec<u8> {
    let module = KeyPair::generate(Role::Module).unwrap().public().try_into().unwrap();
    claims::sign(component, &SignRequest::new(module, "test"), issuer, now_unix_s()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_alone_serves_and_remembers() {
    let (dir, issuer) = (tempfile::tempdir().unwrap(), KeyPair::generate(Role::Account).unwrap());
    let counter = sign(&guest("http-counter"), &issuer);
    for visit in 1..=2 {
        let alone = Alone::start(config(dir.path(), counter.clone(), &issuer)).await.unwrap();
        let (status, text) = kit::get(alone.addr, "/any/path").await;
        assert_eq!(status, StatusCode::OK);
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&answer["path"], &answer["visits"]), (&"/any/path".into(), &visit.into()));
        alone.stopped().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_configured_by_what_it_was_started_with() {
    let (dir, issuer) = (tempfile::tempdir().unwrap(), KeyPair::generate(Role::Account).unwrap());
    let component = sign(&guest("exerciser"), &issuer);
    let alone = Alone::start(config(dir.path(), component, &issuer)).await.unwrap();
    let (_, text) = kit::get(alone.addr, "/config").await;
    assert!(text.contains(r#"("greeting", "hi")"#), "{text}");
    alone.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_served_alone_is_refused_at_once() {
    let (dir, issuer) = (tempfile::tempdir().unwrap(), KeyPair::generate(Role::Account).unwrap());
    let stranger = KeyPair::generate(Role::Account).unwrap();
    let hello = guest("http-hello");
    let start = async |component: Vec<u8>| {
        let started = Alone::start(config(dir.path(), component, &issuer)).await;
        started.map(drop).unwrap_err()
    };
    let unsigned = start(hello.clone()).await;
    assert!(matches!(unsigned, StandaloneError::Untrusted(_)), "{unsigned:?}");
    let foreign = start(sign(&hello, &stranger)).await;
    assert!(matches!(foreign, StandaloneError::Untrusted(_)), "{foreign:?}");
    let core = start(b"\0asm\x01\0\0\0".to_vec()).await;
    assert!(matches!(core, StandaloneError::Untrusted(_)), "{core:?}");
    let not_http = start(sign(&guest("greet"), &issuer)).await;
    assert!(matches!(not_http, StandaloneError::NotHttp), "{not_http:?}");
    let unlinked = start(sign(&guest("relay"), &issuer)).await;
    assert_eq!(unlinked.code(), Some("WT-HOST-UNLINKED"));
    let words = unlinked.to_string();
    assert!(words.contains("wattle-test:echo/echo@0.1.0"), "{words}");
}
