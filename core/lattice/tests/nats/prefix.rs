//! Reading all keys that begin alike.

use std::collections::BTreeSet;

use wattle_lattice::store::{Prefix, StoreConfig};
use wattle_lattice::testing::NatsServer;
use wattle_lattice::{Expect, Store, Write, WriteOutcome};
use wattle_types::Key;

use crate::{SOON, join};

fn link(source: &str, name: &str) -> Key {
    let [namespace, package] = ["acme", "billing"].map(|word| word.parse().unwrap());
    let (source, name) = (source.parse().unwrap(), name.parse().unwrap());
    Key::Link { source, namespace, package, name }
}

async fn store(server: &NatsServer) -> Store {
    let config = StoreConfig { write_within: SOON, read_within: SOON, ..StoreConfig::default() };
    let store = Store::new(join(server).await, config);
    store.ensure().await.unwrap();
    store
}

async fn put(store: &Store, key: Key) -> u64 {
    match store.write(&Write::put(key, "value", Expect::Absent)).await {
        WriteOutcome::Ok(seq) => seq,
        other => panic!("not stored: {other:?}"),
    }
}

#[tokio::test]
async fn the_links_of_an_actor_are_read_with_how_far_they_are_known() {
    let server = NatsServer::start();
    let store = store(&server).await;
    let web = Prefix::LinksOf("web".parse().unwrap());
    let nothing = store.read_prefix(&web).await.unwrap();
    assert_eq!((nothing.found.len(), nothing.up_to), (0, 0), "an empty stream knows nothing");

    let kept = put(&store, link("web", "kept")).await;
    let gone = put(&store, link("web", "gone")).await;
    put(&store, link("web-2", "other")).await;
    let deleted = store.write(&Write::delete(link("web", "gone"), Expect::Revision(gone))).await;
    let WriteOutcome::Ok(deleted) = deleted else { panic!("{deleted:?}") };
    let read = store.read_prefix(&web).await.unwrap();
    let found: Vec<_> = read.found.iter().map(|(key, stored)| (key.clone(), stored.seq)).collect();
    assert_eq!(found, [(link("web", "kept"), kept)]);
    assert_eq!(read.up_to, deleted);

    // Where there are none, somebody else's key tells how far the replica has come.
    let absent = Prefix::LinksOf("absent".parse().unwrap());
    assert_eq!(store.read_prefix(&absent).await.unwrap().up_to, 0);
    let lease = put(&store, Key::Lease).await;
    let read = store.read_prefix(&absent).await.unwrap();
    assert_eq!((read.found.len(), read.up_to), (0, lease));
}

#[tokio::test]
async fn more_links_than_are_given_at_once_are_all_read() {
    const LINKS: usize = 1_100;
    let server = NatsServer::start();
    let store = store(&server).await;
    for n in 0..LINKS {
        put(&store, link(&format!("actor-{n}"), "default")).await;
    }
    let read = store.read_prefix(&Prefix::Links).await.unwrap();
    let keys: BTreeSet<&Key> = read.found.iter().map(|(key, _)| key).collect();
    assert_eq!(keys.len(), LINKS);
    assert_eq!(read.up_to, LINKS as u64);
}
