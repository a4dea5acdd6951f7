use super::*;
use crate::testing::{
    self, applied, assignment, controller, host, lattice, leads, sealed, stranger,
};
use wattle_trust::KeyPair;
use wattle_types::Generation;

/// A host that follows `web` and `db` by epoch 5, generation 10.
fn following() -> (Acceptance, [BTreeSet<ActorId>; 1]) {
    let mut acceptance = fresh();
    let first = sealed(&assignment(5, 10, &[("web", 1), ("db", 1)]));
    assert!(acceptance.judge(&first, &[]).unwrap().is_some());
    acceptance.writes(Generation(10));
    (acceptance, [BTreeSet::from([testing::id("web"), testing::id("db")])])
}

fn fresh() -> Acceptance {
    let keys = BTreeSet::from([controller().public()]);
    Acceptance::new(lattice(), host(1), keys, Epoch::ZERO, None)
}

fn by(key: &KeyPair, context: Context, assignment: &Assignment) -> Vec<u8> {
    signed::seal(context, &assignment.encode(), key)
}

#[test]
fn only_a_signed_newer_assignment_for_this_host_is_followed() {
    let next = || assignment(5, 11, &[("web", 1), ("db", 2)]);
    let with = |change: &dyn Fn(&mut Assignment)| {
        let mut assignment = next();
        change(&mut assignment);
        sealed(&assignment)
    };
    let mut tampered = sealed(&next());
    *tampered.last_mut().unwrap() ^= 1;
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("the next one", sealed(&next()), "followed"),
        ("a new leader's", with(&|a| a.epoch = Epoch(6)), "followed"),
        ("one later than the next", with(&|a| a.generation = Generation(40)), "followed"),
        ("the same again", sealed(&assignment(5, 10, &[("web", 1), ("db", 1)])), "known"),
        ("a deposed leader's", with(&|a| a.epoch = Epoch(4)), "WT-HOST-LOWER-EPOCH"),
        ("an older one", with(&|a| a.generation = Generation(9)), "WT-HOST-LOWER-GENERATION"),
        (
            "an older one by a new leader",
            with(&|a| (a.epoch, a.generation) = (Epoch(6), Generation(9))),
            "WT-HOST-LOWER-GENERATION",
        ),
        (
            "another one with the same number",
            with(&|a| a.generation = Generation(10)),
            "WT-HOST-SAME-GENERATION",
        ),
        (
            "the same content and number by a new leader",
            sealed(&assignment(6, 10, &[("web", 1), ("db", 1)])),
            "WT-HOST-SAME-GENERATION",
        ),
        ("another host's", with(&|a| a.host = host(2)), "WT-HOST-OTHER-HOST"),
        (
            "another lattice's",
            with(&|a| a.lattice = "prod".parse().unwrap()),
            "WT-HOST-OTHER-LATTICE",
        ),
        ("a stranger's", by(&stranger(), Context::Assignment, &next()), "WT-HOST-SIGNATURE"),
        (
            "signed as something else",
            by(&controller(), Context::Leader, &next()),
            "WT-HOST-SIGNATURE",
        ),
        ("a changed one", tampered, "WT-HOST-SIGNATURE"),
        ("an unsigned one", next().encode(), "WT-HOST-SIGNATURE"),
        ("nothing", Vec::new(), "WT-HOST-SIGNATURE"),
        (
            "signed nonsense",
            signed::seal(Context::Assignment, b"nonsense", &controller()),
            "WT-HOST-UNREADABLE",
        ),
        ("one that asks for no instance", with(&|a| a.entries[0].count = 0), "WT-HOST-UNREADABLE"),
        ("out of order", with(&|a| a.entries.reverse()), "WT-HOST-UNREADABLE"),
    ];
    for (name, bytes, expected) in cases {
        let (mut acceptance, running) = following();
        let verdict = match acceptance.judge(&bytes, &running) {
            Ok(Some(_)) => "followed",
            Ok(None) => "known",
            Err(refusal) => refusal.code(),
        };
        assert_eq!(verdict, expected, "{name}");
    }
}

#[test]
fn a_new_leader_need_not_know_of_what_never_went_to_the_disk() {
    let cases = [
        ("counted on from what the disk has", 6, 9, "followed"),
        ("with the number of what was accepted", 6, 10, "followed"),
        ("no newer than what the disk may have", 6, 8, "WT-HOST-LOWER-GENERATION"),
        ("older than what the same leader said", 5, 9, "WT-HOST-LOWER-GENERATION"),
    ];
    for (name, epoch, generation, expected) in cases {
        let mut acceptance = fresh();
        acceptance.writes(Generation(8));
        let accepted = sealed(&assignment(5, 10, &[("web", 1)]));
        assert!(acceptance.judge(&accepted, &[]).unwrap().is_some());
        let next = sealed(&assignment(epoch, generation, &[("web", 2)]));
        let verdict = acceptance.judge(&next, &[]);
        let verdict = verdict.map_or_else(|refusal| refusal.code(), |_| "followed");
        assert_eq!(verdict, expected, "{name}");
    }
}

#[test]
fn so_many_actors_end_only_if_that_is_meant() {
    let of_four = ["a", "b", "c", "d"];
    let cases: [(&[&str], &[&str], bool, bool); 9] = [
        (&[], &[], false, true),
        (&[], &["a"], false, true),
        (&of_four, &["a", "b"], false, true),
        (&of_four, &["a"], false, false),
        (&of_four, &["a"], true, true),
        (&of_four, &[], false, false),
        (&of_four, &[], true, true),
        // Other actors in their place are no excuse.
        (&of_four, &["w", "x", "y", "z"], false, false),
        (&["a"], &[], false, false),
    ];
    for (running, named, mass, followed) in cases {
        let running = [running.iter().map(|name| testing::id(name)).collect()];
        let entries: Vec<(&str, u32)> = named.iter().map(|name| (*name, 1)).collect();
        let next = Assignment { mass, ..assignment(1, 1, &entries) };
        let verdict = fresh().judge(&sealed(&next), &running);
        assert_eq!(verdict.is_ok(), followed, "{running:?} -> {named:?}, mass: {mass}");
    }
}

#[test]
fn a_refused_mass_end_is_followed_once_it_is_marked() {
    let (mut acceptance, running) = following();
    let unmarked = assignment(5, 11, &[]);
    assert!(acceptance.judge(&sealed(&unmarked), &running).is_err());
    let marked = Assignment { mass: true, ..assignment(5, 12, &[]) };
    assert!(acceptance.judge(&sealed(&marked), &running).unwrap().is_some());
}

#[test]
fn the_highest_epoch_rises_by_whatever_is_signed_and_never_falls() {
    let (mut acceptance, running) = following();
    assert_eq!(acceptance.hear_leader(&leads(7)), Ok(true));
    assert_eq!(acceptance.hear_leader(&leads(7)), Ok(false));
    let lower = acceptance.hear_leader(&leads(6)).unwrap_err();
    assert_eq!((lower.code(), lower.is_alarm()), ("WT-HOST-LOWER-EPOCH", false));
    // Its own leader was current a moment ago; now it is deposed.
    let deposed = acceptance.judge(&sealed(&assignment(6, 11, &[("web", 1)])), &running);
    assert_eq!(deposed.unwrap_err().code(), "WT-HOST-LOWER-EPOCH");
    // Also an assignment that is refused for another reason shows that its leader was chosen.
    let old = acceptance.judge(&sealed(&assignment(9, 1, &[("web", 1)])), &running);
    assert_eq!(old.unwrap_err().code(), "WT-HOST-LOWER-GENERATION");
    // Nor is a word that was believed before believed again.
    let again = acceptance.hear_leader(&leads(7));
    assert_eq!(again.unwrap_err().code(), "WT-HOST-LOWER-EPOCH");
    assert_eq!(acceptance.epoch_max(), Epoch(9));
}

#[test]
fn a_leader_nobody_trusts_or_of_another_lattice_raises_nothing() {
    let word =
        |lattice: &str| Leadership::new(lattice.parse().unwrap(), "c", 1, Epoch(99)).encode();
    let cases = [
        ("a stranger", signed::seal(Context::Leader, &word("test"), &stranger())),
        ("another lattice", signed::seal(Context::Leader, &word("prod"), &controller())),
        ("another kind", signed::seal(Context::Assignment, &word("test"), &controller())),
        ("nonsense", signed::seal(Context::Leader, b"no", &controller())),
        ("nothing", Vec::new()),
    ];
    for (name, bytes) in cases {
        let (mut acceptance, _) = following();
        assert!(acceptance.hear_leader(&bytes).is_err(), "{name}");
        assert_eq!(acceptance.epoch_max(), Epoch(5), "{name}");
    }
}

/// An assignment's bytes with another field or version than this program writes.
fn with_field(assignment: &Assignment, name: &str, value: rmpv::Value) -> Vec<u8> {
    let mut read = &assignment.encode()[..];
    let rmpv::Value::Map(mut fields) = rmpv::decode::read_value(&mut read).unwrap() else {
        panic!("an assignment is a map")
    };
    fields.retain(|(key, _)| key.as_str() != Some(name));
    fields.push((name.into(), value));
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, &rmpv::Value::Map(fields)).unwrap();
    bytes
}

#[test]
fn a_field_of_a_later_version_is_passed_over_and_is_part_of_what_is_acknowledged() {
    let next = assignment(5, 11, &[("web", 1), ("db", 2)]);
    let newer = with_field(&next, "added-later", 7.into());
    let seal = |body: &[u8]| signed::seal(Context::Assignment, body, &controller());
    let (mut acceptance, running) = following();
    let accepted = acceptance.judge(&seal(&newer), &running).unwrap().expect("it is followed");
    assert_eq!(accepted.assignment, next);
    assert_eq!(accepted.applied.hash, Digest::of(&newer));
    assert_ne!(accepted.applied.hash, Digest::of(&next.encode()));
    // Without the field it is another one with the same number.
    let without = acceptance.judge(&seal(&next.encode()), &running);
    assert_eq!(without.unwrap_err().code(), "WT-HOST-SAME-GENERATION");
    assert_eq!(acceptance.judge(&seal(&newer), &running), Ok(None));
}

#[test]
fn another_version_and_bytes_behind_an_assignment_are_not_readable() {
    let next = assignment(5, 11, &[("web", 1), ("db", 2)]);
    let trailing = [&next.encode()[..], b"\0"].concat();
    let twice = [next.encode(), next.encode()].concat();
    let cut = next.encode()[..next.encode().len() - 1].to_vec();
    for (name, body) in [
        ("version 2", with_field(&next, "v", 2.into())),
        ("version 0", with_field(&next, "v", 0.into())),
        ("a byte behind it", trailing),
        ("it twice", twice),
        ("a part of it", cut),
    ] {
        let (mut acceptance, running) = following();
        let sealed = signed::seal(Context::Assignment, &body, &controller());
        let refusal = acceptance.judge(&sealed, &running).unwrap_err();
        assert_eq!(refusal.code(), "WT-HOST-UNREADABLE", "{name}");
        assert!(refusal.is_alarm(), "{name}");
        // Nothing of it is believed, and the next one is followed as if it had not been.
        assert_eq!(acceptance.epoch_max(), Epoch(5), "{name}");
        let next = acceptance.judge(&testing::sealed(&next), &running);
        assert!(next.unwrap().is_some(), "{name}");
    }
    // Nor is a byte behind what is signed.
    let (mut acceptance, running) = following();
    let behind = [&sealed(&next)[..], b"\0"].concat();
    assert_eq!(acceptance.judge(&behind, &running).unwrap_err().code(), "WT-HOST-SIGNATURE");
}

#[test]
fn what_was_on_disk_is_judged_by_its_marks() {
    let stored = assignment(5, 10, &[("web", 1)]);
    let older = assignment(5, 9, &[("web", 1)]);
    let other = assignment(5, 10, &[("web", 2)]);
    let cases = [
        ("as it was", &stored, 8, Some(applied(&stored)), "taken"),
        ("without marks", &stored, 0, None, "taken"),
        ("put back from a backup", &older, 8, Some(applied(&stored)), "WT-HOST-LOWER-GENERATION"),
        ("exchanged", &other, 8, Some(applied(&stored)), "WT-HOST-SAME-GENERATION"),
    ];
    for (name, on_disk, epoch_max, mark, expected) in cases {
        let keys = BTreeSet::from([controller().public()]);
        let mut acceptance = Acceptance::new(lattice(), host(1), keys, Epoch(epoch_max), mark);
        let verdict = match acceptance.restore(&sealed(on_disk)) {
            Ok(_) => "taken",
            Err(refusal) => refusal.code(),
        };
        assert_eq!(verdict, expected, "{name}");
        assert!(Epoch(epoch_max) <= acceptance.epoch_max(), "{name}");
    }
}

#[test]
fn an_assignment_of_which_only_the_mark_survived_is_taken_again() {
    let lost = assignment(5, 10, &[("web", 1)]);
    let keys = BTreeSet::from([controller().public()]);
    let mut acceptance = Acceptance::new(lattice(), host(1), keys, Epoch(5), Some(applied(&lost)));
    assert!(acceptance.judge(&sealed(&lost), &[]).unwrap().is_some());
    assert!(acceptance.judge(&sealed(&lost), &[]).unwrap().is_none());
}
