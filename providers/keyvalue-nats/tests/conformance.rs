//! The stores in NATS, against a real server.

use std::time::Duration;

use bytes::Bytes;
use wattle_capability::keyvalue::testing;
use wattle_capability::{KeyValue, KvError, StoreScope};
use wattle_keyvalue_nats::NatsStores;
use wattle_lattice::DataStore;
use wattle_lattice::data::DataConfig;
use wattle_lattice::testing::NatsServer;
use wattle_types::LatticeId;

/// Patient, so that a loaded machine does not decide a test.
const WITHIN: Duration = Duration::from_secs(15);

async fn stores(server: &NatsServer, within: Duration) -> NatsStores {
    let lattice: LatticeId = "prod".parse().unwrap();
    let config = DataConfig { within, ..DataConfig::default() };
    let data = DataStore::new(server.join(&lattice).await, config);
    data.ensure().await.unwrap();
    NatsStores::new(data)
}

fn scope() -> StoreScope {
    StoreScope::App("shop".parse().unwrap())
}

#[tokio::test]
async fn the_stores_in_nats_conform() {
    let server = NatsServer::start();
    testing::conforms(&stores(&server, WITHIN).await).await;
}

#[tokio::test]
async fn a_store_at_the_limits_of_every_name_still_fits_the_wire() {
    let server = NatsServer::start();
    let stores = stores(&server, WITHIN).await;
    let long = "a".repeat(128);
    let scope = StoreScope::Actor(long.parse().unwrap());
    let bucket = stores.open(&scope, &long.parse().unwrap()).await.unwrap();
    // Every byte of it is escaped, so it is stored three times as long.
    let key = ".".repeat(1 << 10);
    assert_eq!(bucket.set(&key, "v".into()).await, Ok(()));
    assert_eq!(bucket.get(&key).await, Ok(Some("v".into())));
    assert_eq!(bucket.increment(&format!("{key:.1023}"), 2).await, Ok(2));
    assert_eq!(bucket.list_keys(None).await.unwrap().keys.len(), 2);
    assert_eq!(bucket.delete(&key).await, Ok(()));
    assert_eq!(bucket.exists(&key).await, Ok(false));
}

#[tokio::test]
async fn many_hosts_count_on_one_key_and_lose_no_count() {
    const HOSTS: u64 = 4;
    const EACH: u64 = 25;
    let server = NatsServer::start();
    let mut hosts = Vec::new();
    for _ in 0..HOSTS {
        let bucket = stores(&server, WITHIN).await;
        let bucket = bucket.open(&scope(), &"visits".parse().unwrap()).await.unwrap();
        hosts.push(tokio::spawn(async move {
            for _ in 0..EACH {
                bucket.increment("/", 1).await.unwrap();
            }
        }));
    }
    for host in hosts {
        host.await.unwrap();
    }
    let bucket = stores(&server, WITHIN).await;
    let bucket = bucket.open(&scope(), &"visits".parse().unwrap()).await.unwrap();
    assert_eq!(bucket.get("/").await, Ok(Some(Bytes::from((HOSTS * EACH).to_string()))));
}

#[tokio::test]
async fn counts_outlive_the_server() {
    let mut server = NatsServer::start();
    let before = stores(&server, WITHIN).await;
    let before = before.open(&scope(), &"visits".parse().unwrap()).await.unwrap();
    assert_eq!(before.increment("/", 3).await, Ok(3));
    server.restart();
    let after = stores(&server, WITHIN).await;
    let after = after.open(&scope(), &"visits".parse().unwrap()).await.unwrap();
    assert_eq!(after.increment("/", 1).await, Ok(4));
}

#[tokio::test]
async fn a_server_that_hangs_is_a_time_out_and_one_that_is_gone_an_error() {
    let mut server = NatsServer::start();
    let stores = stores(&server, Duration::from_millis(300)).await;
    let bucket = stores.open(&scope(), &"visits".parse().unwrap()).await.unwrap();
    server.pause();
    assert_eq!(bucket.increment("/", 1).await, Err(KvError::Timeout));
    assert_eq!(bucket.set("/", "1".into()).await, Err(KvError::Timeout));
    server.resume();
    server.kill();
    // Until the loss is noticed, operations time out; then they fail at once.
    let failed = loop {
        match bucket.get("/").await {
            Err(KvError::Timeout) => {}
            other => break other,
        }
    };
    let Err(KvError::Other(told)) = failed else { panic!("{failed:?}") };
    for internal in ["nats", "127.0.0.1", "KV_", "$"] {
        assert!(!told.contains(internal), "{told:?} is for a guest to read");
    }
}
