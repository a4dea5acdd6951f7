use std::collections::BTreeMap;

use bytes::Bytes;
use wattle_lattice::store::StoreConfig;
use wattle_lattice::testing::NatsServer;
use wattle_lattice::{Change, Expect, Follow, Store, Write, WriteOutcome};
use wattle_types::{ActorId, Key};

use crate::{SOON, join, soon};

async fn store(server: &NatsServer) -> Store {
    let config = StoreConfig { write_within: SOON, read_within: SOON, ..StoreConfig::default() };
    let store = Store::new(join(server).await, config);
    store.ensure().await.unwrap();
    store
}

fn id(n: usize) -> Key {
    Key::Id(format!("actor-{n}").parse::<ActorId>().unwrap())
}

/// Writes, whatever is there.
async fn put(store: &Store, key: Key, value: &str) -> u64 {
    let expect = Expect::unchanged(store.read_leader(&key).await.unwrap().as_ref());
    match store.write(&Write::put(key, value.to_owned(), expect)).await {
        WriteOutcome::Ok(seq) => seq,
        other => panic!("{other:?}"),
    }
}

/// What a follower knows.
#[derive(Default)]
struct Known {
    values: BTreeMap<Key, Option<Bytes>>,
    complete: Option<u64>,
    replaced: u32,
}

impl Known {
    async fn until(&mut self, follow: &mut Follow, what: &str, enough: impl Fn(&Self) -> bool) {
        soon(what, async {
            while !enough(self) {
                match follow.next().await.expect("following goes on") {
                    Change::Entry(key, stored) => {
                        self.values.insert(key, stored.value().cloned());
                    }
                    Change::Complete { at } => self.complete = Some(at),
                    Change::Replaced => {
                        *self = Self { replaced: self.replaced + 1, ..Self::default() };
                    }
                }
            }
        })
        .await;
    }

    fn has(&self, key: &Key, value: &str) -> bool {
        self.values.get(key).is_some_and(|found| found.as_deref() == Some(value.as_bytes()))
    }
}

#[tokio::test]
async fn a_follower_gets_the_snapshot_first_and_then_each_change() {
    let server = NatsServer::start();
    let store = store(&server).await;
    for n in 0..300 {
        put(&store, id(n), "old").await;
    }
    let last = put(&store, id(0), "new").await;
    let mut follow = store.follow();
    let mut known = Known::default();
    known.until(&mut follow, "the snapshot", |known| known.complete.is_some()).await;
    assert_eq!(known.complete, Some(last));
    assert_eq!(known.values.len(), 300);
    assert!(known.has(&id(0), "new") && known.has(&id(299), "old"));

    put(&store, id(7), "changed").await;
    let expect = Expect::unchanged(store.read_leader(&id(8)).await.unwrap().as_ref());
    store.write(&Write::delete(id(8), expect)).await;
    known.until(&mut follow, "the deletion", |known| known.values[&id(8)].is_none()).await;
    assert!(known.has(&id(7), "changed"), "changes come in the order they were stored");
    assert_eq!(known.values.len(), 300);
    soon("the end", follow.close()).await;
}

#[tokio::test]
async fn a_stream_with_nothing_in_it_is_complete_at_once() {
    let server = NatsServer::start();
    let store = store(&server).await;
    let mut follow = store.follow();
    assert_eq!(soon("the mark", follow.next()).await, Some(Change::Complete { at: 0 }));
    put(&store, id(1), "x").await;
    let change = soon("the change", follow.next()).await;
    assert!(matches!(change, Some(Change::Entry(key, _)) if key == id(1)));
}

#[tokio::test]
async fn a_slow_reader_gets_everything() {
    let server = NatsServer::start();
    let store = store(&server).await;
    let mut follow = store.follow();
    // Many times the queue, before anything is read.
    for n in 0..1_500 {
        put(&store, id(n), "x").await;
    }
    let mut known = Known::default();
    known.until(&mut follow, "all of it", |known| known.values.len() == 1_500).await;
}

#[tokio::test]
async fn following_survives_a_restart_of_the_server() {
    let mut server = NatsServer::start();
    let store = store(&server).await;
    put(&store, id(1), "before").await;
    let mut follow = store.follow();
    let mut known = Known::default();
    known.until(&mut follow, "the snapshot", |known| known.complete.is_some()).await;

    server.restart();
    let writer = join(&server).await;
    let writer = Store::new(writer, StoreConfig { write_within: SOON, ..StoreConfig::default() });
    put(&writer, id(1), "after").await;
    put(&writer, id(2), "new").await;
    known.until(&mut follow, "what was written after", |known| known.has(&id(2), "new")).await;
    assert!(known.has(&id(1), "after"));
    assert_eq!(known.replaced, 0, "it is the same stream");
}

#[tokio::test]
async fn a_stream_that_was_replaced_is_told_again_from_the_start() {
    let mut server = NatsServer::start();
    let store_before = store(&server).await;
    for n in 0..5 {
        put(&store_before, id(n), "lost").await;
    }
    let mut follow = store_before.follow();
    let mut known = Known::default();
    known.until(&mut follow, "the snapshot", |known| known.complete.is_some()).await;

    server.restart_empty();
    let store_after = store(&server).await;
    put(&store_after, id(3), "again").await;
    known.until(&mut follow, "the new state", |known| known.has(&id(3), "again")).await;
    assert_eq!(known.replaced, 1);
    known.until(&mut follow, "the new snapshot", |known| known.complete.is_some()).await;
    assert_eq!(known.values.len(), 1, "nothing of the old stream is left");
}

#[tokio::test]
async fn a_consumer_that_was_taken_away_is_replaced() {
    let server = NatsServer::start();
    let store = store(&server).await;
    put(&store, id(1), "x").await;
    let mut follow = store.follow();
    let mut known = Known::default();
    known.until(&mut follow, "the snapshot", |known| known.complete.is_some()).await;

    let raw = async_nats::connect(server.url()).await.unwrap();
    let stream = format!("KV_{}", Store::bucket_name(&crate::lattice()));
    let names = raw.request(format!("$JS.API.CONSUMER.NAMES.{stream}"), Bytes::new()).await;
    let names: serde_json::Value = serde_json::from_slice(&names.unwrap().payload).unwrap();
    let name = names["consumers"][0].as_str().expect("one consumer");
    raw.request(format!("$JS.API.CONSUMER.DELETE.{stream}.{name}"), Bytes::new()).await.unwrap();
    put(&store, id(2), "y").await;
    let heartbeats = tokio::time::timeout(SOON * 2, async {
        known.until(&mut follow, "the change", |known| known.has(&id(2), "y")).await;
    });
    heartbeats.await.unwrap();
}

#[tokio::test]
async fn a_follower_that_ends_leaves_no_consumer() {
    let server = NatsServer::start();
    let store = store(&server).await;
    let mut follow = store.follow();
    soon("the mark", follow.next()).await;
    soon("the end", follow.close()).await;
    let raw = async_nats::connect(server.url()).await.unwrap();
    let stream = format!("KV_{}", Store::bucket_name(&crate::lattice()));
    let info = raw.request(format!("$JS.API.STREAM.INFO.{stream}"), Bytes::new()).await.unwrap();
    let info: serde_json::Value = serde_json::from_slice(&info.payload).unwrap();
    assert_eq!(info["state"]["consumer_count"], 0);
}
