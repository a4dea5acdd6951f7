use super::*;

const C1: &str = "c1";

fn candidate(epoch_known: u64) -> Lease {
    let identity = Identity {
        holder: C1.parse().unwrap(),
        boot: 7,
        version: "0.2.0".to_owned(),
        min_version: "0.1.5".to_owned(),
    };
    Lease::new(identity, Epoch(epoch_known))
}

fn stored(change: impl FnOnce(&mut Stored)) -> Vec<u8> {
    let mut lease = Stored::vacant();
    lease.holder = Some("other".to_owned());
    lease.epoch = Epoch(5);
    change(&mut lease);
    stored::encode(&lease)
}

fn found(seq: u64) -> LeaseReading {
    LeaseReading::Found { seq, bytes: stored(|_| {}) }
}

/// Reads once a second what `reading` says for the time, until the candidate takes the lease or
/// `until` has passed.
fn watch(
    lease: &mut Lease,
    until: u64,
    reading: impl Fn(u64) -> LeaseReading,
) -> Option<(u64, Stored)> {
    let mut dice = Dice::default();
    for at in (0..until).step_by(50) {
        let (now, op) = (Millis(at), OpId(at));
        match lease.tick(now, op) {
            Some(Move::Read) => {
                lease.read(now, op, &reading(at), &mut dice);
            }
            Some(Move::Take { lease, .. }) => return Some((at, lease)),
            None => {}
        }
    }
    None
}

#[test]
fn a_lease_that_stands_still_is_taken_after_three_seconds() {
    let (at, taken) = watch(&mut candidate(0), 10_000, |_| found(9)).expect("it was free");
    assert!((3_000..5_000).contains(&at), "{at}");
    assert_eq!((taken.holder.as_deref(), taken.boot, taken.epoch), (Some(C1), 7, Epoch(6)));
}

#[test]
fn a_lease_that_is_renewed_is_never_taken() {
    assert_eq!(watch(&mut candidate(0), 60_000, |at| found(at / 1_000)), None);
}

#[test]
fn time_in_which_reads_failed_does_not_count() {
    // Every other read fails, so no time between two reads was watched.
    let every_other =
        |at: u64| if (at / 1_000).is_multiple_of(2) { found(9) } else { LeaseReading::Failed };
    assert_eq!(watch(&mut candidate(0), 20_000, every_other), None);
}

#[test]
fn a_pause_of_the_candidate_does_not_count() {
    let mut lease = candidate(0);
    let mut dice = Dice::default();
    for (at, op) in [(0, 1), (30_000, 2), (60_000, 3)] {
        assert_eq!(lease.tick(Millis(at), OpId(op)), Some(Move::Read));
        lease.read(Millis(at), OpId(op), &found(9), &mut dice);
    }
    assert!(matches!(lease.tick(Millis(61_500), OpId(4)), Some(Move::Read)), "taken after a pause");
}

#[test]
fn a_lease_without_holder_is_taken_at_once() {
    let vacant = |_| LeaseReading::Found { seq: 3, bytes: stored(|lease| lease.holder = None) };
    let (at, _) = watch(&mut candidate(0), 10_000, vacant).expect("it was free");
    assert!(at < 200, "{at}");
}

#[test]
fn a_lattice_without_lease_is_listened_to_first() {
    let (at, taken) = watch(&mut candidate(0), 10_000, |_| LeaseReading::Absent).expect("free");
    assert!((1_000..2_000).contains(&at), "{at}");
    assert_eq!(taken.epoch, Epoch(1));
}

#[test]
fn the_epoch_rises_above_all_that_is_known() {
    for (known, beats, epoch) in [(0, 0, 6), (9, 0, 10), (0, 12, 13), (4, 3, 6)] {
        let mut lease = candidate(known);
        assert!(lease.hear_epoch(Epoch(beats)));
        let (_, taken) = watch(&mut lease, 10_000, |_| found(1)).expect("it was free");
        assert_eq!(taken.epoch, Epoch(epoch), "known {known}, beats {beats}");
    }
}

#[test]
fn an_epoch_nobody_can_have_reached_is_not_believed() {
    let mut lease = candidate(5);
    assert!(!lease.hear_epoch(Epoch(u64::MAX)));
    assert_eq!(lease.epoch_known(), Epoch(5));
}

#[test]
fn a_holder_decides_until_two_and_a_half_seconds_after_it_sent() {
    let mut lease = candidate(0);
    lease.held(candidate_lease(), 1, Millis(1_000));
    assert!(lease.is_valid(Millis(3_499)));
    assert!(!lease.is_valid(Millis(3_500)));
    assert!(lease.is_held());
}

#[test]
fn a_holder_rises_above_an_epoch_that_hosts_remember() {
    let mut lease = candidate(0);
    lease.held(candidate_lease(), 4, Millis(0));
    assert!(lease.hear_epoch(Epoch(9)));
    let (next, seq) = lease.renewed().expect("held");
    assert_eq!((next.epoch, next.beat, seq), (Epoch(10), 1, 4));
}

#[test]
fn a_controller_older_than_the_lease_asks_for_does_not_lead() {
    for (wanted, refuses) in [("", false), ("0.2.0", false), ("0.1.9", false), ("0.10.0", true)] {
        let mut lease = candidate(0);
        let mut dice = Dice::default();
        lease.tick(Millis(0), OpId(1));
        let bytes = stored(|lease| {
            lease.holder = None;
            lease.min_version = wanted.to_owned();
        });
        let refused =
            lease.read(Millis(0), OpId(1), &LeaseReading::Found { seq: 1, bytes }, &mut dice);
        assert_eq!(refused.is_some(), refuses, "{wanted:?}");
        let moves = lease.tick(Millis(500), OpId(2));
        assert_eq!(moves.is_none(), refuses, "{wanted:?}");
    }
}

#[test]
fn the_lowest_version_that_may_lead_only_rises() {
    // What the lease asks for, and what it asks for once this controller has written it.
    for (before, after) in [("", "0.1.5"), ("0.1.4", "0.1.5"), ("0.1.10", "0.1.10")] {
        let reading = |_| LeaseReading::Found {
            seq: 1,
            bytes: stored(|lease| before.clone_into(&mut lease.min_version)),
        };
        let mut lease = candidate(0);
        let (_, taken) = watch(&mut lease, 10_000, reading).expect("it stood still");
        assert_eq!(taken.min_version, after, "taken from {before:?}");
        let held = Stored { min_version: before.to_owned(), ..taken };
        lease.held(held, 2, Millis(5_000));
        let (renewed, _) = lease.renewed().expect("held");
        assert_eq!(renewed.min_version, after, "renewed from {before:?}");
    }
}

#[test]
fn a_lease_of_a_newer_format_is_never_taken_however_long_it_stands_still() {
    let mut lease = candidate(0);
    let mut dice = Dice::default();
    let newer = stored(|lease| {
        lease.v = stored::VERSION + 1;
        lease.holder = None;
    });
    for second in 0..20 {
        let (now, op) = (Millis(second * 2_000), OpId(second));
        assert_eq!(lease.tick(now, op), Some(Move::Read));
        let reading = LeaseReading::Found { seq: 1, bytes: newer.clone() };
        let refused = lease.read(now, op, &reading, &mut dice);
        assert_eq!(refused.is_some(), second == 0, "it is said once");
        assert_eq!(lease.tick(Millis(now.0 + 600), OpId(1_000 + second)), None);
    }
}

fn candidate_lease() -> Stored {
    let mut lease = Stored::vacant();
    lease.holder = Some(C1.to_owned());
    lease.boot = 7;
    lease.epoch = Epoch(6);
    lease
}
