use wattle_types::Epoch;

use super::*;

const T0: Millis = Millis(1_000);

fn lease(beat: u64) -> Stored {
    let mut lease = Stored::vacant();
    lease.holder = Some("c1".to_owned());
    lease.boot = 7;
    lease.epoch = Epoch(3);
    lease.beat = beat;
    lease
}

fn reading(seq: u64, lease: &Stored) -> LeaseReading {
    LeaseReading::Found { seq, bytes: stored::encode(lease) }
}

/// A journal with a batch of three messages under way: lease (beat 5, expecting 40) and two more.
fn begun() -> (Journal, OpId) {
    let mut journal = Journal::default();
    let rest = ["a", "b"].map(|id| Write {
        key: Key::Id(id.parse().unwrap()),
        payload: Payload::Plain(vec![1]),
        expect: Expect::Absent,
    });
    let effect = journal.begin(T0, Purpose::Renew, lease(5), Expect::Seq(40), rest.to_vec());
    let op = sent(&effect);
    (journal, op)
}

fn sent(effect: &Effect) -> OpId {
    match effect {
        Effect::Commit { op, writes } => {
            assert_eq!(writes.len(), 3);
            assert_eq!(writes[0].key, Key::Lease, "the lease goes first");
            *op
        }
        other => panic!("{other:?}"),
    }
}

fn asked(journal: &mut Journal, now: Millis) -> OpId {
    match journal.tick(now) {
        Some(Effect::ReadLease { op }) => op,
        other => panic!("{other:?}"),
    }
}

fn stored_at(lease_seq: u64) -> Settled {
    let keys = ["a", "b"].map(|id| Key::Id(id.parse().unwrap())).to_vec();
    Settled::Stored { purpose: Purpose::Renew, lease: lease(5), lease_seq, keys, sent_at: T0 }
}

#[test]
fn an_answer_settles_it() {
    let (mut journal, op) = begun();
    let settled = journal.wrote(T0, op, &Wrote::Ok { last_seq: 43 }, &mut Dice::default());
    assert_eq!(settled, Some(stored_at(41)));
    assert!(journal.is_idle());
}

#[test]
fn an_unknown_outcome_is_read_back() {
    let (mut journal, op) = begun();
    assert_eq!(journal.wrote(T0, op, &Wrote::Unknown, &mut Dice::default()), None);
    let look = asked(&mut journal, T0);
    let settled = journal.read(T0, look, &reading(41, &lease(5)), &mut Dice::default());
    assert_eq!(settled, Some(stored_at(41)));
}

#[test]
fn what_was_not_stored_is_sent_again_unchanged_and_counts_once() {
    let (mut journal, op) = begun();
    let mut dice = Dice::default();
    journal.wrote(T0, op, &Wrote::Unknown, &mut dice);
    let look = asked(&mut journal, T0);
    assert_eq!(journal.read(T0, look, &reading(40, &lease(4)), &mut dice), None);
    let again = sent(&journal.tick(T0 + 200).expect("sent again"));
    // The first attempt arrived after all, so the second meets a conflict.
    journal.wrote(T0 + 200, again, &Wrote::Conflict, &mut dice);
    let look = asked(&mut journal, T0 + 200);
    let settled = journal.read(T0 + 200, look, &reading(41, &lease(5)), &mut dice);
    assert_eq!(settled, Some(stored_at(41)), "valid from the first attempt on");
}

#[test]
fn a_conflict_tells_a_lost_lease_from_another_stale_key() {
    let mut other = lease(5);
    other.holder = Some("c2".to_owned());
    let mut other_boot = lease(5);
    other_boot.boot = 8;
    let cases = [
        (reading(40, &lease(4)), Settled::Refused { purpose: Purpose::Renew }),
        (reading(41, &other), Settled::Lost { purpose: Purpose::Renew }),
        (reading(41, &other_boot), Settled::Lost { purpose: Purpose::Renew }),
        (LeaseReading::Absent, Settled::Lost { purpose: Purpose::Renew }),
        (
            LeaseReading::Found { seq: 44, bytes: b"garbage".to_vec() },
            Settled::Lost { purpose: Purpose::Renew },
        ),
    ];
    for (read, expected) in cases {
        let (mut journal, op) = begun();
        journal.wrote(T0, op, &Wrote::Conflict, &mut Dice::default());
        let look = asked(&mut journal, T0);
        assert_eq!(journal.read(T0, look, &read, &mut Dice::default()), Some(expected), "{read:?}");
        assert!(journal.is_idle());
    }
}

#[test]
fn a_conflict_in_flight_is_no_lost_lease() {
    let (mut journal, op) = begun();
    assert_eq!(journal.wrote(T0, op, &Wrote::InFlight, &mut Dice::default()), None);
    assert_eq!(journal.tick(T0), None, "not at once");
    sent(&journal.tick(T0 + 100).expect("sent again"));
}

#[test]
fn what_is_too_large_is_not_tried_for_ever() {
    let (mut journal, op) = begun();
    let settled = journal.wrote(T0, op, &Wrote::TooLarge, &mut Dice::default());
    assert_eq!(settled, Some(Settled::TooLarge { purpose: Purpose::Renew }));
    assert!(journal.is_idle());
}

#[test]
fn a_look_that_failed_is_repeated_for_as_long_as_it_takes() {
    let (mut journal, op) = begun();
    journal.wrote(T0, op, &Wrote::Unknown, &mut Dice::default());
    let mut now = T0;
    for _ in 0..100 {
        let look = asked(&mut journal, now);
        assert_eq!(journal.read(now, look, &LeaseReading::Failed, &mut Dice::default()), None);
        assert_eq!(journal.tick(now), None);
        now = now + READ_AGAIN_MS;
    }
    assert!(!journal.is_idle());
}

#[test]
fn late_answers_to_earlier_attempts_are_ignored() {
    let (mut journal, op) = begun();
    let mut dice = Dice::default();
    journal.wrote(T0, op, &Wrote::InFlight, &mut dice);
    sent(&journal.tick(T0 + 100).expect("sent again"));
    assert_eq!(journal.wrote(T0 + 100, op, &Wrote::Ok { last_seq: 43 }, &mut dice), None);
    assert_eq!(journal.read(T0 + 100, op, &reading(41, &lease(5)), &mut dice), None);
    assert!(!journal.is_idle());
}

#[test]
fn where_nobody_takes_writes_it_is_asked_whether_the_stream_is_there() {
    let (mut journal, op) = begun();
    assert_eq!(journal.wrote(T0, op, &Wrote::Nobody, &mut Dice::default()), None);
    let op = asked(&mut journal, T0 + 50);
    assert_eq!(journal.read(T0 + 60, op, &LeaseReading::NoStream, &mut Dice::default()), None);
    let op = asked(&mut journal, T0 + 1_000);
    // It was made again, and the lease with which we began is not in it.
    let settled = journal.read(T0 + 1_010, op, &LeaseReading::Absent, &mut Dice::default());
    assert_eq!(settled, Some(Settled::Lost { purpose: Purpose::Renew }));
}

#[test]
fn what_a_server_refuses_is_given_up_unless_it_may_still_arrive() {
    let refused = || Wrote::Refused { reason: "insufficient storage".to_owned() };
    let (mut journal, op) = begun();
    let settled = journal.wrote(T0, op, &refused(), &mut Dice::default());
    assert_eq!(settled, Some(Settled::NotTaken { purpose: Purpose::Renew }));

    let (mut journal, op) = begun();
    let mut dice = Dice::default();
    journal.wrote(T0, op, &Wrote::Unknown, &mut dice);
    let op = asked(&mut journal, T0);
    journal.read(T0, op, &reading(40, &lease(4)), &mut dice);
    let op = sent(&journal.tick(T0 + 200).expect("it is sent again"));
    assert_eq!(journal.wrote(T0 + 200, op, &refused(), &mut dice), None, "the first may arrive");
    assert!(!journal.is_idle());
    sent(&journal.tick(T0 + 1_200).expect("the very same batch is sent again"));
}
