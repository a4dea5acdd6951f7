use std::time::Duration;

use bytes::Bytes;
use wattle_lattice::store::{BATCH_MAX, EnsureError, StoreConfig, first_of_batch};
use wattle_lattice::testing::NatsServer;
use wattle_lattice::{Expect, ReadBack, Refusal, Store, Write, WriteOutcome};
use wattle_types::{ActorId, Key};

use crate::{SOON, host, join, soon};

/// Patient, so that a loaded machine does not make outcomes unknown.
fn config() -> StoreConfig {
    StoreConfig { write_within: SOON, read_within: SOON, ..StoreConfig::default() }
}

async fn store(server: &NatsServer) -> Store {
    let store = Store::new(join(server).await, config());
    store.ensure().await.unwrap();
    store
}

fn id(n: usize) -> Key {
    Key::Id(format!("actor-{n}").parse::<ActorId>().unwrap())
}

fn stored(outcome: WriteOutcome) -> u64 {
    match outcome {
        WriteOutcome::Ok(seq) => seq,
        other => panic!("not stored: {other:?}"),
    }
}

#[tokio::test]
async fn a_write_is_stored_only_on_its_condition() {
    let server = NatsServer::start();
    let store = store(&server).await;
    let first = stored(store.write(&Write::put(Key::Lease, "a", Expect::Absent)).await);
    let again = store.write(&Write::put(Key::Lease, "b", Expect::Absent)).await;
    assert_eq!(again, WriteOutcome::Conflict);
    let second = store.write(&Write::put(Key::Lease, "b", Expect::Revision(first))).await;
    let second = stored(second);
    let stale = store.write(&Write::put(Key::Lease, "c", Expect::Revision(first))).await;
    assert_eq!(stale, WriteOutcome::Conflict);
    for read in [store.read_leader(&Key::Lease).await, store.read_direct(&Key::Lease).await] {
        let found = read.unwrap().unwrap();
        assert_eq!((found.value(), found.seq), (Some(&Bytes::from("b")), second));
    }
}

#[tokio::test]
async fn what_was_never_written_and_what_was_deleted_are_told_apart() {
    let server = NatsServer::start();
    let store = store(&server).await;
    for read in [store.read_leader(&id(1)).await, store.read_direct(&id(1)).await] {
        assert_eq!(read.unwrap(), None);
    }
    let put = stored(store.write(&Write::put(id(1), "", Expect::Absent)).await);
    assert_eq!(store.read_leader(&id(1)).await.unwrap().unwrap().value(), Some(&Bytes::new()));
    let deleted = stored(store.write(&Write::delete(id(1), Expect::Revision(put))).await);
    for read in [store.read_leader(&id(1)).await, store.read_direct(&id(1)).await] {
        let marker = read.unwrap().unwrap();
        assert!(marker.deleted && marker.value().is_none() && marker.seq == deleted, "{marker:?}");
    }
    let blind = store.write(&Write::put(id(1), "x", Expect::Absent)).await;
    assert_eq!(blind, WriteOutcome::Conflict, "a marker is not absence");
    let known = Expect::unchanged(store.read_leader(&id(1)).await.unwrap().as_ref());
    stored(store.write(&Write::put(id(1), "x", known)).await);

    store.purge(&id(1)).await.unwrap();
    assert_eq!(store.read_leader(&id(1)).await.unwrap(), None, "a purge leaves nothing");
}

#[tokio::test]
async fn a_batch_is_stored_wholly_and_in_one_piece() {
    let server = NatsServer::start();
    let store = store(&server).await;
    let lease = stored(store.write(&Write::put(Key::Lease, "1", Expect::Absent)).await);
    let doomed = stored(store.write(&Write::put(id(9), "x", Expect::Absent)).await);
    let batch = [
        Write::put(Key::Lease, "2", Expect::Revision(lease)),
        Write::put(Key::Assign(host(1)), "a", Expect::Absent),
        Write::delete(id(9), Expect::Revision(doomed)),
    ];
    let last = stored(store.commit(&batch).await);
    let first = first_of_batch(last, batch.len());
    for (seq, write) in (first..).zip(&batch) {
        let found = store.read_leader(&write.key).await.unwrap().unwrap();
        assert_eq!((found.seq, found.value()), (seq, write.value.as_ref()), "{}", write.key);
    }
    assert_eq!(first_of_batch(last, 1), last);
}

#[tokio::test]
async fn a_batch_with_one_stale_condition_stores_nothing() {
    let server = NatsServer::start();
    let store = store(&server).await;
    let lease = stored(store.write(&Write::put(Key::Lease, "1", Expect::Absent)).await);
    let other = stored(store.write(&Write::put(id(0), "x", Expect::Absent)).await);
    // Another leader took over.
    let newer = stored(store.write(&Write::put(Key::Lease, "2", Expect::Revision(lease))).await);
    let with = |lease: u64, other: u64| {
        [
            Write::put(Key::Lease, "3", Expect::Revision(lease)),
            Write::put(id(0), "y", Expect::Revision(other)),
            Write::put(id(1), "y", Expect::Absent),
        ]
    };
    for (why, batch) in [("a stale lease", with(lease, other)), ("a stale id", with(newer, lease))]
    {
        assert_eq!(store.commit(&batch).await, WriteOutcome::Conflict, "{why}");
        assert_eq!(store.read_leader(&Key::Lease).await.unwrap().unwrap().seq, newer, "{why}");
        assert_eq!(store.read_leader(&id(0)).await.unwrap().unwrap().seq, other, "{why}");
        assert_eq!(store.read_leader(&id(1)).await.unwrap(), None, "{why}");
    }
    stored(store.commit(&with(newer, other)).await);
}

#[tokio::test]
async fn a_thousand_writes_are_one_batch_and_one_more_is_refused() {
    let server = NatsServer::start();
    let store = store(&server).await;
    let batch = |len: usize, lease: Expect| {
        let mut writes = vec![Write::put(Key::Lease, "l", lease)];
        writes.extend((1..len).map(|n| Write::put(id(n), "x", Expect::Absent)));
        writes
    };
    let too_many = store.commit(&batch(BATCH_MAX + 1, Expect::Absent)).await;
    let (len, max) = (BATCH_MAX + 1, BATCH_MAX);
    assert_eq!(too_many, WriteOutcome::Refused(Refusal::TooMany { len, max }));
    assert_eq!(store.read_leader(&Key::Lease).await.unwrap(), None, "nothing was sent");
    let last = stored(store.commit(&batch(BATCH_MAX, Expect::Absent)).await);
    assert_eq!(store.read_leader(&id(BATCH_MAX - 1)).await.unwrap().unwrap().seq, last);
}

#[tokio::test]
async fn a_batch_that_could_not_be_right_is_refused_before_it_is_sent() {
    let server = NatsServer::start();
    let store = store(&server).await;
    let put = |key: Key| Write::put(key, "x", Expect::Absent);
    let max = server.join(&crate::lattice()).await.max_payload();
    let huge = Write::put(id(1), vec![0; max], Expect::Absent);
    let refusals = [
        (vec![], Refusal::Empty),
        (vec![put(id(1))], Refusal::LeaseNotFirst),
        (vec![put(Key::Lease), put(id(1)), put(id(1))], Refusal::Twice(id(1))),
    ];
    for (batch, refusal) in refusals {
        assert_eq!(store.commit(&batch).await, WriteOutcome::Refused(refusal));
    }
    let too_large = store.commit(&[put(Key::Lease), huge.clone()]).await;
    assert!(matches!(too_large, WriteOutcome::Refused(Refusal::TooLarge { .. })), "{too_large:?}");
    let too_large = store.write(&huge).await;
    assert!(matches!(too_large, WriteOutcome::Refused(Refusal::TooLarge { .. })), "{too_large:?}");
    assert_eq!(store.read_leader(&Key::Lease).await.unwrap(), None, "nothing was sent");
}

#[tokio::test]
async fn of_many_writers_on_one_condition_one_wins() {
    let server = NatsServer::start();
    let store = store(&server).await;
    let writers = (0..16).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            store.write(&Write::put(Key::Lease, n.to_string(), Expect::Absent)).await
        })
    });
    let mut won = 0;
    for writer in writers.collect::<Vec<_>>() {
        match writer.await.unwrap() {
            WriteOutcome::Ok(_) => won += 1,
            WriteOutcome::Conflict | WriteOutcome::InFlight => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn an_unknown_outcome_is_read_back() {
    let server = NatsServer::start();
    let patient = store(&server).await;
    let hasty_config = StoreConfig { write_within: Duration::from_millis(300), ..config() };
    let hasty = Store::new(join(&server).await, hasty_config);
    let lease = stored(hasty.write(&Write::put(Key::Lease, "1", Expect::Absent)).await);

    // The server hangs: nobody can say what became of the write, and it is stored later.
    let write = Write::put(Key::Lease, "2", Expect::Revision(lease));
    server.pause();
    assert_eq!(hasty.write(&write).await, WriteOutcome::Unknown);
    let batch = [Write::put(Key::Lease, "3", Expect::Revision(lease))];
    assert_eq!(hasty.commit(&batch).await, WriteOutcome::Unknown);
    server.resume();

    let mine = soon("the write arrives", async {
        loop {
            match patient.read_back(&write).await.unwrap() {
                ReadBack::Unchanged => tokio::task::yield_now().await,
                found => return found,
            }
        }
    });
    let ReadBack::Mine(seq) = mine.await else { panic!("somebody else's value") };
    assert!(lease < seq);
    // The batch was on the same condition, so it lost, and its read-back says so.
    let other = patient.read_back(&batch[0]).await.unwrap();
    assert!(matches!(other, ReadBack::Other(Some(found)) if found.seq == seq));
    assert_eq!(patient.write(&write).await, WriteOutcome::Conflict, "repeating does no harm");
}

#[tokio::test]
async fn a_write_without_a_stream_or_a_connection_is_certainly_not_stored() {
    let mut server = NatsServer::start();
    let store = Store::new(join(&server).await, config());
    let write = Write::put(Key::Lease, "1", Expect::Absent);
    assert_eq!(store.write(&write).await, WriteOutcome::Refused(Refusal::NoResponders));
    let batch = std::slice::from_ref(&write);
    assert_eq!(store.commit(batch).await, WriteOutcome::Refused(Refusal::NoResponders));
    let connection = join(&server).await;
    let store = Store::new(connection.clone(), config());
    server.kill();
    soon("the loss", connection.connected().wait_for(|link| !link.up)).await.unwrap();
    assert_eq!(store.write(&write).await, WriteOutcome::Refused(Refusal::NotConnected));
    assert_eq!(store.commit(batch).await, WriteOutcome::Refused(Refusal::NotConnected));
    assert!(store.read_leader(&Key::Lease).await.is_err());
}

#[tokio::test]
async fn the_stream_is_made_once_and_one_with_other_settings_is_refused() {
    let server = NatsServer::start();
    let (one, two) = (store(&server).await, store(&server).await);
    let both = tokio::join!(one.ensure(), two.ensure());
    both.0.unwrap();
    both.1.unwrap();

    let other = "other".parse().unwrap();
    let raw = async_nats::connect(server.url()).await.unwrap();
    let name = Store::bucket_name(&other);
    let plain = format!(
        r#"{{"name":"KV_{name}","subjects":["$KV.{name}.>"],"storage":"file","max_msgs_per_subject":1,"allow_direct":true}}"#
    );
    raw.request(format!("$JS.API.STREAM.CREATE.KV_{name}"), plain.into()).await.unwrap();
    let store = Store::new(server.join(&other).await, config());
    match store.ensure().await {
        Err(EnsureError::OtherSettings { setting, .. }) => assert_eq!(setting, "allow_atomic"),
        other => panic!("{other:?}"),
    }
}
