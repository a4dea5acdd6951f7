//! The back-end on a real file.

use wattle_capability::keyvalue::testing;
use wattle_capability::{Bucket, KeyValue, StoreScope};
use wattle_keyvalue_redb::{OpenError, RedbStores};

use std::sync::Arc;

async fn counters(stores: &RedbStores) -> Arc<dyn Bucket> {
    let scope = StoreScope::App("app".parse().unwrap());
    stores.open(&scope, &"default".parse().unwrap()).await.unwrap()
}

#[tokio::test]
async fn it_conforms() {
    let dir = tempfile::tempdir().unwrap();
    let stores = RedbStores::open(&dir.path().join("kv.redb")).unwrap();
    testing::conforms(&stores).await;
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("kv.redb");
    for sum in 1..=3 {
        let stores = RedbStores::open(&file).unwrap();
        assert_eq!(counters(&stores).await.increment("/a b", 1).await, Ok(sum));
    }
}

#[tokio::test]
async fn a_file_in_use_is_refused_and_free_again_once_everything_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("kv.redb");
    let stores = RedbStores::open(&file).unwrap();
    let bucket = counters(&stores).await;
    drop(stores);
    assert!(matches!(RedbStores::open(&file), Err(OpenError::InUse { .. })));
    assert_eq!(bucket.increment("still", 1).await, Ok(1));
    drop(bucket);
    RedbStores::open(&file).unwrap();
}

#[tokio::test]
async fn a_file_that_is_something_else_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("kv.redb");
    std::fs::write(&file, "not a database, but long enough to have a header ".repeat(200)).unwrap();
    assert!(matches!(RedbStores::open(&file), Err(OpenError::Open { .. })));
}
