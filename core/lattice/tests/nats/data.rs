use bytes::Bytes;
use wattle_lattice::data::{DataBucket, DataConfig, DataError};
use wattle_lattice::testing::NatsServer;
use wattle_lattice::{DataStore, Expect, WriteOutcome};

use crate::{SOON, join};

async fn data(server: &NatsServer) -> DataStore {
    let data = DataStore::new(join(server).await, DataConfig { within: SOON, replicas: 1 });
    data.ensure().await.unwrap();
    data
}

fn open(data: &DataStore, scope: &str, store: &str) -> DataBucket {
    data.open(scope, &store.parse().unwrap()).unwrap()
}

#[tokio::test]
async fn what_an_actor_wrote_it_reads_and_lists_and_deletes() {
    let server = NatsServer::start();
    let data = data(&server).await;
    let bucket = open(&data, "app_shop", "visits");
    assert_eq!(bucket.get("/a=20b").await.unwrap(), None);
    assert!(bucket.keys().await.unwrap().is_empty());
    let seq = bucket.put("/a=20b", "1".into()).await.unwrap();
    let found = bucket.get("/a=20b").await.unwrap().unwrap();
    assert_eq!((found.value(), found.seq), (Some(&Bytes::from("1")), seq));
    bucket.put("z", Bytes::new()).await.unwrap();
    assert_eq!(bucket.keys().await.unwrap(), ["/a=20b", "z"]);
    bucket.delete("/a=20b").await.unwrap();
    bucket.delete("/a=20b").await.unwrap();
    assert_eq!(bucket.get("/a=20b").await.unwrap(), None);
    assert_eq!(bucket.keys().await.unwrap(), ["z"]);
}

#[tokio::test]
async fn a_conditional_put_loses_against_another_writer() {
    let server = NatsServer::start();
    let data = data(&server).await;
    let bucket = open(&data, "app_shop", "visits");
    let first = bucket.put_if("k", "1".into(), Expect::Absent).await.unwrap();
    let WriteOutcome::Ok(seq) = first else { panic!("{first:?}") };
    let again = bucket.put_if("k", "2".into(), Expect::Absent).await.unwrap();
    assert_eq!(again, WriteOutcome::Conflict);
    bucket.delete("k").await.unwrap();
    let stale = bucket.put_if("k", "2".into(), Expect::Revision(seq)).await.unwrap();
    assert_eq!(stale, WriteOutcome::Conflict, "what it read is gone");
    let fresh = bucket.put_if("k", "2".into(), Expect::Absent).await.unwrap();
    assert!(matches!(fresh, WriteOutcome::Ok(_)), "{fresh:?}");
}

#[tokio::test]
async fn a_key_or_scope_that_could_break_a_subject_is_refused() {
    let server = NatsServer::start();
    let data = data(&server).await;
    let store = "s".parse().unwrap();
    for scope in ["", "a.b", "*", ">", "a b", "a\r\n", &"a".repeat(300)] {
        let refused = data.open(scope, &store);
        assert!(matches!(refused, Err(DataError::Malformed { .. })), "{scope:?}");
    }
    let bucket = open(&data, "app_shop", "s");
    for key in ["", "a.b", "*", ">", "a b", "a\r\nPUB x 0"] {
        assert!(matches!(bucket.get(key).await, Err(DataError::Malformed { .. })), "{key:?}");
        let put = bucket.put(key, Bytes::new()).await;
        assert!(matches!(put, Err(DataError::Malformed { .. })), "{key:?}");
        let deleted = bucket.delete(key).await;
        assert!(matches!(deleted, Err(DataError::Malformed { .. })), "{key:?}");
    }
}

#[tokio::test]
async fn an_outcome_nobody_knows_is_told_as_such() {
    let server = NatsServer::start();
    let within = std::time::Duration::from_millis(300);
    let ready = data(&server).await;
    let hasty = DataStore::new(join(&server).await, DataConfig { within, replicas: 1 });
    let bucket = open(&hasty, "app_shop", "s");
    server.pause();
    assert!(matches!(bucket.put("k", "v".into()).await, Err(DataError::Unknown { .. })));
    assert!(matches!(bucket.get("k").await, Err(DataError::Unknown { .. })));
    server.resume();
    drop(ready);
}
