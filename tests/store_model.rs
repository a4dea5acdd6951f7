//! The simulator's store against the real one: the same scripts, the same outcomes. Whatever NATS
//! answers differently is a mistake in the model, and everything simulated on it would be worth
//! nothing.

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::json;
use tempfile::TempDir;
use wattle_lattice::store::{JetStreamError, StoreConfig};
use wattle_lattice::testing::{NatsCluster, NatsServer};
use wattle_lattice::{Refusal, Store, WriteOutcome};
use wattle_sim::store::{Ask, Expect, Mood, Outcome, Step, Write, scripts};
use wattle_types::{Key, LatticeId};

/// An election takes four to six seconds on a machine that is free.
const PATIENCE: Duration = Duration::from_secs(60);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

#[tokio::test]
async fn nats_answers_every_script_as_the_model_does() {
    for script in scripts() {
        let mut real = Real::start().await;
        let (mut model, mut backup) = (wattle_sim::store::Store::new(), 0);
        for (step, what) in script.steps.iter().enumerate() {
            let place = format!("{}, step {step}: {what:?}", script.name);
            match what {
                Step::Asked(ask, expected) => {
                    assert_eq!(&model.ask(ask, Mood::Fine), expected, "the model: {place}");
                    assert_eq!(&put(&real.store, ask).await, expected, "NATS: {place}");
                }
                other => {
                    model.undergo(other, &mut backup);
                    real.undergo(other).await;
                }
            }
        }
    }
}

/// Of many writes of one key at once, all on the same condition, the servers store one; the
/// others meet it while it is copied ([`Mood::Busy`]), or come after it.
#[tokio::test]
async fn of_writes_at_once_one_is_stored_and_the_others_meet_it() {
    let (_cluster, store) = copied_thrice().await;
    let (mut expect, mut met) = (Expect::Absent, 0);
    let until = Instant::now() + PATIENCE;
    while met == 0 {
        assert!(Instant::now() < until, "no write ever met one that was being decided");
        let asks = (0..20).map(|number| lease(&number.to_string(), expect));
        let (store, asks) = (&store, asks.collect::<Vec<_>>());
        let outcomes = futures::future::join_all(asks.iter().map(|ask| put(store, ask))).await;
        let stored = outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Stored { last_seq } => Some(*last_seq),
            _ => None,
        });
        let [seq] = stored.collect::<Vec<_>>()[..] else { panic!("not one of {outcomes:?}") };
        let others = outcomes.iter().filter(|outcome| !matches!(outcome, Outcome::Stored { .. }));
        let others: Vec<_> = others.collect();
        assert!(
            others.iter().all(|other| matches!(other, Outcome::InFlight | Outcome::Conflict)),
            "{outcomes:?}"
        );
        met += others.iter().filter(|other| ***other == Outcome::InFlight).count();
        expect = Expect::Seq(seq);
    }
}

/// [`Mood::Leaderless`]: nothing is stored, and afterwards every condition is as it was.
#[tokio::test]
async fn a_stream_whose_leader_died_takes_nothing_until_it_has_another() {
    let (mut cluster, store) = copied_thrice().await;
    let stored_at = |last_seq| Outcome::Stored { last_seq };
    assert_eq!(put(&store, &lease("1", Expect::Absent)).await, stored_at(1));
    let stream = format!("KV_{}", Store::bucket_name(&lattice()));
    cluster.until_copied(&stream).await;
    let leader = cluster.until_led(&stream, &[]).await;
    cluster.nodes[leader].kill();
    let (begin, mut refused) = (Instant::now(), 0);
    let seq = loop {
        assert!(begin.elapsed() < PATIENCE, "nobody takes writes any more");
        match put(&store, &lease("2", Expect::Seq(1))).await {
            Outcome::Stored { last_seq } => break last_seq,
            // An attempt before was stored after all.
            Outcome::Conflict => match put(&store, &Ask::ReadLeader(Key::Lease)).await {
                Outcome::Found { seq, value } => {
                    assert_eq!(value, b"2", "the condition held for this one only");
                    break seq;
                }
                other => panic!("the lease is {other:?}"),
            },
            Outcome::Nobody | Outcome::Unknown | Outcome::InFlight => refused += 1,
            other => panic!("while nobody leads: {other:?}"),
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    };
    assert_eq!(seq, 2, "nothing else was stored");
    assert!(0 < refused, "the stream was never without a leader");
}

/// [`Mood::Behind`]: whoever asks any replica is told a state that there was, not before the one
/// that was acknowledged to all; whoever asks the leader, the newest.
#[tokio::test]
async fn a_replica_that_hung_answers_with_what_it_had() {
    let (cluster, store) = copied_thrice().await;
    let stream = format!("KV_{}", Store::bucket_name(&lattice()));
    assert!(matches!(put(&store, &lease("0", Expect::Absent)).await, Outcome::Stored { .. }));
    cluster.until_copied(&stream).await;
    let leader = cluster.until_led(&stream, &[]).await;
    let hung = (leader + 1) % cluster.nodes.len();
    cluster.nodes[hung].pause();
    // Through the leader's server: the one that hangs passes nothing on.
    let of_leader =
        Store::new(cluster.nodes[leader].join(&lattice()).await, StoreConfig::default());
    let mut seq = 1;
    for number in 1..=200 {
        let outcome = put(&of_leader, &lease(&number.to_string(), Expect::Seq(seq))).await;
        assert_eq!(outcome, Outcome::Stored { last_seq: seq + 1 }, "two of three are enough");
        seq += 1;
    }
    let newest = Outcome::Found { seq, value: b"200".to_vec() };
    assert_eq!(put(&of_leader, &Ask::ReadLeader(Key::Lease)).await, newest);
    cluster.nodes[hung].resume();
    let until = Instant::now() + PATIENCE;
    let mut fresh = 0;
    while fresh < 50 {
        assert!(Instant::now() < until, "the replica never catches up");
        match put(&of_leader, &Ask::ReadDirect(Key::Lease)).await {
            Outcome::Found { seq: found, value } => {
                let number: u64 = String::from_utf8(value).unwrap().parse().unwrap();
                assert_eq!(found, number + 1, "there never was such a state");
                fresh = if found == seq { fresh + 1 } else { 0 };
            }
            Outcome::Unknown | Outcome::Nobody => fresh = 0,
            other => panic!("a replica says {other:?}"),
        }
        assert_eq!(put(&of_leader, &Ask::ReadLeader(Key::Lease)).await, newest);
    }
}

/// One server, whose streams can be set back.
struct Real {
    server: NatsServer,
    streams: TempDir,
    backup: TempDir,
    store: Store,
}

impl Real {
    async fn start() -> Self {
        let [streams, backup] = [(), ()].map(|()| tempfile::tempdir().unwrap());
        let path = streams.path().to_str().unwrap();
        let server = NatsServer::start_with(&["--store_dir", path]);
        let store = joined(&server).await;
        let real = Self { server, streams, backup, store };
        real.make().await;
        real
    }

    /// As the controller makes it, but for what lets a key expire.
    async fn make(&self) {
        self.store.ensure().await.unwrap();
        let info = self.api("STREAM.INFO", &json!({})).await;
        let mut config = info["config"].clone();
        config["allow_msg_ttl"] = json!(true);
        config["subject_delete_marker_ttl"] = json!(60_000_000_000_u64);
        let updated = self.api("STREAM.UPDATE", &config).await;
        assert!(updated["error"].is_null(), "{updated}");
    }

    async fn undergo(&mut self, step: &Step) {
        match step {
            Step::Asked(..) => {}
            Step::Expires(key) => self.expire(key).await,
            Step::BackedUp => {
                self.server.kill();
                copy(self.streams.path(), self.backup.path());
                self.again().await;
            }
            Step::GoneBack => {
                self.server.kill();
                std::fs::remove_dir_all(self.streams.path()).unwrap();
                copy(self.backup.path(), self.streams.path());
                self.again().await;
            }
            Step::Deleted => {
                let deleted = self.api("STREAM.DELETE", &json!({})).await;
                assert_eq!(deleted["success"], true, "{deleted}");
            }
            Step::Made => self.make().await,
        }
    }

    async fn again(&mut self) {
        self.server.restart();
        self.store = joined(&self.server).await;
        let until = Instant::now() + PATIENCE;
        while !self.api("STREAM.INFO", &json!({})).await["error"].is_null() {
            assert!(Instant::now() < until, "the stream does not come back");
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Lets what is there be so old that the server takes it away.
    async fn expire(&self, key: &Key) {
        let info = self.api("STREAM.INFO", &json!({})).await;
        let mut config = info["config"].clone();
        config["max_age"] = json!(1_000_000_000_u64);
        config["duplicate_window"] = json!(1_000_000_000_u64);
        let updated = self.api("STREAM.UPDATE", &config).await;
        assert!(updated["error"].is_null(), "{updated}");
        let until = Instant::now() + PATIENCE;
        let read = Ask::ReadLeader(key.clone());
        while !matches!(put(&self.store, &read).await, Outcome::Marker { .. }) {
            assert!(Instant::now() < until, "{key} does not expire");
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        config["max_age"] = json!(0);
        let updated = self.api("STREAM.UPDATE", &config).await;
        assert!(updated["error"].is_null(), "{updated}");
    }

    async fn api(&self, verb: &str, body: &serde_json::Value) -> serde_json::Value {
        let client = async_nats::connect(self.server.url()).await.unwrap();
        let subject = format!("$JS.API.{verb}.KV_{}", Store::bucket_name(&lattice()));
        let answer = client.request(subject, body.to_string().into()).await.unwrap();
        serde_json::from_slice(&answer.payload).unwrap()
    }
}

async fn joined(server: &NatsServer) -> Store {
    Store::new(server.join(&lattice()).await, StoreConfig::default())
}

/// Three servers, each with all of the stream.
async fn copied_thrice() -> (NatsCluster, Store) {
    let cluster = NatsCluster::start(3).await;
    let config = StoreConfig { replicas: 3, ..StoreConfig::default() };
    let store = Store::new(cluster.join(&lattice()).await, config);
    store.ensure().await.unwrap();
    let stream = format!("KV_{}", Store::bucket_name(&lattice()));
    cluster.until_led(&stream, &[]).await;
    (cluster, store)
}

fn lattice() -> LatticeId {
    "script".parse().unwrap()
}

fn lease(value: &str, expect: Expect) -> Ask {
    Ask::Put(Write { key: Key::Lease, value: Some(value.as_bytes().to_vec()), expect })
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

async fn put(store: &Store, ask: &Ask) -> Outcome {
    match ask {
        Ask::Put(write) => outcome(store.write(&real(write)).await),
        Ask::Batch(writes) => {
            outcome(store.commit(&writes.iter().map(real).collect::<Vec<_>>()).await)
        }
        Ask::ReadLeader(key) => read(store.read_leader(key).await),
        Ask::ReadDirect(key) => read(store.read_direct(key).await),
    }
}

fn read(read: Result<Option<wattle_lattice::Stored>, JetStreamError>) -> Outcome {
    match read {
        Ok(None) => Outcome::Nothing,
        Ok(Some(found)) if found.deleted => Outcome::Marker { seq: found.seq },
        Ok(Some(found)) => Outcome::Found { seq: found.seq, value: found.bytes.to_vec() },
        Err(error) if error.is_no_stream() => Outcome::Nobody,
        Err(_) => Outcome::Unknown,
    }
}

fn real(write: &Write) -> wattle_lattice::Write {
    let expect = match write.expect {
        Expect::Absent => wattle_lattice::Expect::Absent,
        Expect::Seq(seq) => wattle_lattice::Expect::Revision(seq),
    };
    wattle_lattice::Write {
        key: write.key.clone(),
        value: write.value.clone().map(Bytes::from),
        expect,
    }
}

fn outcome(written: WriteOutcome) -> Outcome {
    match written {
        WriteOutcome::Ok(last_seq) => Outcome::Stored { last_seq },
        WriteOutcome::Conflict => Outcome::Conflict,
        WriteOutcome::InFlight => Outcome::InFlight,
        WriteOutcome::Unknown => Outcome::Unknown,
        WriteOutcome::Refused(Refusal::TooMany { .. }) => Outcome::TooMany,
        WriteOutcome::Refused(Refusal::NoResponders | Refusal::NotConnected) => Outcome::Nobody,
        WriteOutcome::Refused(refusal) => panic!("{refusal}"),
    }
}
