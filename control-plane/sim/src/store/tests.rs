//! The scripts against the model, and what only moods bring about.

use super::*;

fn lease(value: &str, expect: Expect) -> Write {
    Write { key: Key::Lease, value: Some(value.as_bytes().to_vec()), expect }
}

#[test]
fn every_script_has_its_outcomes() {
    for script in scripts() {
        let mut store = Store::new();
        let mut backup = 0;
        for (number, step) in script.steps.iter().enumerate() {
            match step {
                Step::Asked(ask, expected) => {
                    let outcome = store.ask(ask, Mood::Fine);
                    assert_eq!(outcome, *expected, "{}, step {number}: {ask:?}", script.name);
                }
                other => store.undergo(other, &mut backup),
            }
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

#[test]
fn a_stream_without_leader_takes_nothing_and_keeps_its_conditions() {
    let mut store = Store::new();
    store.ask(&Ask::Put(lease("1", Expect::Absent)), Mood::Fine);
    let put = Ask::Put(lease("2", Expect::Seq(1)));
    assert_eq!(store.ask(&put, Mood::Leaderless), Outcome::Nobody);
    assert_eq!(store.ask(&Ask::ReadLeader(Key::Lease), Mood::Leaderless), Outcome::Unknown);
    let direct = store.ask(&Ask::ReadDirect(Key::Lease), Mood::Leaderless);
    assert_eq!(direct, Outcome::Found { seq: 1, value: b"1".to_vec() });
    assert_eq!(store.ask(&put, Mood::Fine), Outcome::Stored { last_seq: 2 });
}

#[test]
fn a_tail_is_lost_in_whole_writes() {
    let mut store = Store::new();
    let app = Write { key: Key::App("a".parse().unwrap()), ..lease("a", Expect::Absent) };
    store.ask(&Ask::Put(lease("1", Expect::Absent)), Mood::Fine);
    store.ask(&Ask::Batch(vec![lease("2", Expect::Seq(1)), app]), Mood::Fine);
    store.lose(Loss::Tail(1));
    assert_eq!(store.last_seq(), 1);
    assert_eq!(store.next_after(0).map(|message| message.seq), Some(1), "it is the newest again");
    store.lose(Loss::Tail(7));
    assert_eq!((store.last_seq(), store.next_after(0)), (0, None));
}
