//! The scripts against the model, and what only moods bring about.

use super::*;

fn lease(value: &str, expect: Expect) -> Write {
    Write { key: Key::Lease, value: Some(value.as_bytes().to_vec()), expect }
}

#[test]
fn every_script_has_its_outcomes() {
    for script in scripts() {
        let mut store = Store::new();
        for (number, (ask, expected)) in script.steps.iter().enumerate() {
            let outcome = store.ask(ask, Mood::Fine);
            assert_eq!(outcome, *expected, "{}, step {number}: {ask:?}", script.name);
        }
    }
}

#[test]
fn silence_may_mean_that_it_was_done() {
    let mut store = Store::new();
    let put = Ask::Put(lease("1", Expect::Absent));
    assert_eq!(store.ask(&put, Mood::Mute { done: false }), Outcome::Unknown);
    assert_eq!(store.last_seq(), 0);
    assert_eq!(store.ask(&put, Mood::Mute { done: true }), Outcome::Unknown);
    assert_eq!(store.last_seq(), 1);
    assert_eq!(store.ask(&put, Mood::Fine), Outcome::Conflict, "the first one was stored");
}

#[test]
fn what_meets_another_write_stores_nothing() {
    let mut store = Store::new();
    let batch = Ask::Batch(vec![lease("1", Expect::Absent)]);
    assert_eq!(store.ask(&batch, Mood::Busy), Outcome::InFlight);
    assert_eq!(store.last_seq(), 0);
    let twice = Ask::Batch(vec![lease("1", Expect::Absent), lease("2", Expect::Absent)]);
    assert_eq!(store.ask(&twice, Mood::Fine), Outcome::InFlight);
}

#[test]
fn only_direct_reads_are_stale() {
    let mut store = Store::new();
    store.ask(&Ask::Put(lease("1", Expect::Absent)), Mood::Fine);
    store.ask(&Ask::Put(lease("2", Expect::Seq(1))), Mood::Fine);
    let value = |value: &str, seq| Outcome::Found { seq, value: value.as_bytes().to_vec() };
    let direct = Ask::ReadDirect(Key::Lease);
    assert_eq!(store.ask(&direct, Mood::Behind(1)), value("1", 1));
    assert_eq!(store.ask(&direct, Mood::Behind(2)), Outcome::Nothing);
    assert_eq!(store.ask(&Ask::ReadLeader(Key::Lease), Mood::Behind(2)), value("2", 2));
}

#[test]
fn a_follower_that_lags_is_not_sent_what_was_replaced() {
    let mut store = Store::new();
    let app = Write { key: Key::App("a".parse().unwrap()), ..lease("a", Expect::Absent) };
    store.ask(&Ask::Put(lease("1", Expect::Absent)), Mood::Fine);
    store.ask(&Ask::Put(app), Mood::Fine);
    store.ask(&Ask::Put(lease("2", Expect::Seq(1))), Mood::Fine);
    let mut seqs = Vec::new();
    while let Some(message) = store.next_after(seqs.last().copied().unwrap_or(0)) {
        seqs.push(message.seq);
    }
    assert_eq!(seqs, [2, 3]);
}
