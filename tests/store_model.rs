//! The simulator's store against the real one: the same scripts, the same outcomes. Whatever NATS
//! answers differently is a mistake in the model, and everything simulated on it would be worth
//! nothing.

use bytes::Bytes;
use wattle_lattice::store::StoreConfig;
use wattle_lattice::testing::NatsServer;
use wattle_lattice::{Refusal, Store, WriteOutcome};
use wattle_sim::store::{Ask, Expect, Mood, Outcome, Write, scripts};

#[tokio::test]
async fn nats_answers_every_script_as_the_model_does() {
    let server = NatsServer::start();
    for (number, script) in scripts().into_iter().enumerate() {
        // A lattice of its own, so that each script begins on an empty stream.
        let lattice = format!("script-{number}").parse().unwrap();
        let real = Store::new(server.join(&lattice).await, StoreConfig::default());
        real.ensure().await.unwrap();
        let mut model = wattle_sim::store::Store::new();
        for (step, (ask, expected)) in script.steps.iter().enumerate() {
            let place = format!("{}, step {step}: {ask:?}", script.name);
            assert_eq!(&model.ask(ask, Mood::Fine), expected, "the model: {place}");
            assert_eq!(&put(&real, ask).await, expected, "NATS: {place}");
        }
    }
}

async fn put(store: &Store, ask: &Ask) -> Outcome {
    let stored = |read: Option<wattle_lattice::Stored>| match read {
        None => Outcome::Nothing,
        Some(found) if found.deleted => Outcome::Marker { seq: found.seq },
        Some(found) => Outcome::Found { seq: found.seq, value: found.bytes.to_vec() },
    };
    match ask {
        Ask::Put(write) => outcome(store.write(&real(write)).await),
        Ask::Batch(writes) => {
            outcome(store.commit(&writes.iter().map(real).collect::<Vec<_>>()).await)
        }
        Ask::ReadLeader(key) => stored(store.read_leader(key).await.unwrap()),
        Ask::ReadDirect(key) => stored(store.read_direct(key).await.unwrap()),
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
        WriteOutcome::Refused(refusal) => panic!("{refusal}"),
    }
}
