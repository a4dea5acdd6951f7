use super::*;
use wattle_types::{Digest, PublicKey, Role, ServeEntry};

const WEB: &str = "web";

fn host(number: u8) -> HostId {
    HostId::try_from(PublicKey::new(Role::Server, [number; 32])).unwrap()
}

fn actor(name: &str) -> ActorId {
    name.parse().unwrap()
}

fn entry(name: &str, state: ServeState) -> ServeEntry {
    let route = HttpRoute { host: None, path: format!("/{name}") };
    let revision = SpecHash(Digest::of(name.as_bytes()));
    ServeEntry {
        actor: actor(name),
        revision,
        state,
        routes: vec![route],
        exports: wattle_types::Exports::new(),
    }
}

fn delta(from: u8, seq: u64, entries: Vec<ServeEntry>) -> ServeDelta {
    ServeDelta { v: 1, host: host(from), boot: 1, seq, full: false, entries }
}

fn full(from: u8, seq: u64, entries: Vec<ServeEntry>) -> ServeDelta {
    ServeDelta { full: true, ..delta(from, seq, entries) }
}

fn ready(name: &str) -> Vec<ServeEntry> {
    vec![entry(name, ServeState::Ready)]
}

/// Host 1 is this host; the others serve `web`.
fn table(others: &[u8]) -> Table {
    let mut table = Table::new(host(1));
    for other in others {
        table.hear(delta(*other, 1, ready(WEB)), Millis(0));
    }
    table
}

/// All hosts that any throw of the dice chooses.
fn chosen(table: &Table, tried: &[u8], now: u64) -> BTreeSet<HostId> {
    let tried: BTreeSet<HostId> = tried.iter().map(|number| host(*number)).collect();
    let mut chosen = BTreeSet::new();
    for a in 0..12 {
        for b in 0..12 {
            match table.choose(&actor(WEB), &tried, Millis(now), [a, b]) {
                Choice::Here => chosen.insert(host(1)),
                Choice::There(host) => chosen.insert(host),
                Choice::Nobody => false,
            };
        }
    }
    chosen
}

fn hosts(numbers: &[u8]) -> BTreeSet<HostId> {
    numbers.iter().map(|number| host(*number)).collect()
}

#[test]
fn a_call_stays_here_if_the_actor_is_here() {
    let mut table = table(&[2, 3]);
    table.hear(delta(1, 1, ready(WEB)), Millis(0));
    assert_eq!(chosen(&table, &[], 0), hosts(&[1]));
    assert_eq!(chosen(&table, &[1], 0), hosts(&[2, 3]), "unless it was tried here");
}

#[test]
fn every_host_that_serves_is_chosen_by_some_dice() {
    assert_eq!(chosen(&table(&[2, 3, 4, 5]), &[], 0), hosts(&[2, 3, 4, 5]));
    assert_eq!(chosen(&table(&[]), &[], 0), hosts(&[]));
}

#[test]
fn of_two_the_less_busy_is_chosen() {
    let mut table = table(&[2, 3]);
    let cases = [
        // In flight and limit of host 2, then of host 3.
        ((9, 10), (1, 10), 3),
        ((1, 10), (9, 10), 2),
        // By the share, not by the number.
        ((50, 100), (9, 10), 2),
        ((0, 0), (1, 10), 2),
    ];
    for ((flight_2, limit_2), (flight_3, limit_3), expected) in cases {
        let (load_2, load_3) = (
            Load { in_flight: flight_2, limit: limit_2 },
            Load { in_flight: flight_3, limit: limit_3 },
        );
        table.answered(&host(2), Some(load_2), Millis(0));
        table.answered(&host(3), Some(load_3), Millis(0));
        assert_eq!(chosen(&table, &[], 0), hosts(&[expected]), "{flight_2}/{limit_2}");
    }
}

#[test]
fn the_busiest_of_many_is_never_chosen() {
    let mut table = table(&[2, 3, 4]);
    table.answered(&host(3), Some(Load { in_flight: 10, limit: 10 }), Millis(0));
    assert_eq!(chosen(&table, &[], 0), hosts(&[2, 4]));
    table.answered(&host(3), None, Millis(1));
    assert_eq!(chosen(&table, &[], LOAD_MS - 1), hosts(&[2, 4]));
    assert_eq!(chosen(&table, &[], LOAD_MS), hosts(&[2, 3, 4]), "it may be idle by now");
}

/// Whoever asks leaves before anybody finds out that a host is gone.
#[test]
fn who_owes_answers_is_asked_last_until_it_is_tried_again() {
    let mut table = table(&[2, 3]);
    for at in [0, 100, OWES_MS - 1] {
        table.asked(&host(2), Millis(at));
        assert_eq!(chosen(&table, &[], at), hosts(&[2, 3]), "{at}");
    }
    for at in [OWES_MS, 3_000, OWES_MS + SUSPECT_MS - 1] {
        assert_eq!(chosen(&table, &[], at), hosts(&[3]), "{at}");
        assert_eq!(chosen(&table, &[3], at), hosts(&[2]), "better than nobody");
        table.asked(&host(2), Millis(at));
    }
    let again = OWES_MS + SUSPECT_MS;
    assert_eq!(chosen(&table, &[], again), hosts(&[2, 3]));
    table.asked(&host(2), Millis(again));
    assert_eq!(chosen(&table, &[], again + OWES_MS), hosts(&[3]));
    table.answered(&host(2), None, Millis(again + OWES_MS));
    assert_eq!(chosen(&table, &[], again + OWES_MS), hosts(&[2, 3]));
    // A long call is no reason while others are answered.
    table.asked(&host(2), Millis(10_000));
    table.asked(&host(2), Millis(10_400));
    table.answered(&host(2), None, Millis(10_450));
    assert_eq!(chosen(&table, &[], 10_900), hosts(&[2, 3]));
}

#[test]
fn a_host_that_drains_or_is_gone_gets_nothing_new() {
    for state in [ServeState::Draining, ServeState::Gone] {
        let mut table = table(&[2, 3]);
        table.hear(delta(2, 2, vec![entry(WEB, state)]), Millis(0));
        assert_eq!(chosen(&table, &[], 0), hosts(&[3]), "{state:?}");
    }
    let mut table = table(&[2, 3]);
    table.refused(&host(2), &actor(WEB));
    assert_eq!(chosen(&table, &[], 0), hosts(&[3]), "it said so itself");
    table.hear(full(2, 1, ready(WEB)), Millis(0));
    assert_eq!(chosen(&table, &[], 0), hosts(&[2, 3]), "until it says otherwise");
}

#[test]
fn a_suspect_is_asked_only_if_nobody_else_is_there() {
    let mut table = table(&[2, 3]);
    table.suspect(&host(2), Millis(0));
    assert_eq!(chosen(&table, &[], 1), hosts(&[3]));
    assert_eq!(chosen(&table, &[3], 1), hosts(&[2]));
    assert_eq!(chosen(&table, &[], SUSPECT_MS), hosts(&[2, 3]), "for a while");
    table.suspect(&host(2), Millis(0));
    table.hear(delta(2, 1, vec![]), Millis(1));
    assert_eq!(chosen(&table, &[], 2), hosts(&[2, 3]), "or until it is heard");
}

#[test]
fn a_missed_announcement_is_noticed_and_nothing_wrong_is_learned_from_the_next() {
    let gap = Heard { gap: true, ..Heard::default() };
    let mut table = table(&[2]);
    // 2 was missed.
    assert_eq!(table.hear(delta(2, 3, vec![entry(WEB, ServeState::Gone)]), Millis(0)), gap);
    assert_eq!(chosen(&table, &[], 0), hosts(&[2]));
    // Its number alone tells as much.
    assert_eq!(table.hear(delta(2, 4, vec![]), Millis(0)), gap);
    let changed = Heard { serves_changed: true, ..Heard::default() };
    assert_eq!(table.hear(full(2, 4, vec![]), Millis(0)), changed);
    assert_eq!(chosen(&table, &[], 0), hosts(&[]));
    assert_eq!(table.hear(delta(2, 5, ready(WEB)), Millis(0)), changed);
    assert_eq!(chosen(&table, &[], 0), hosts(&[2]));
}

#[test]
fn a_host_first_heard_in_the_middle_is_asked_for_everything() {
    let mut table = Table::new(host(1));
    assert!(table.hear(delta(2, 7, ready(WEB)), Millis(0)).gap);
    assert_eq!(chosen(&table, &[], 0), hosts(&[]), "what was missed may contradict it");
    let quiet = delta(3, 0, vec![]);
    assert!(!table.hear(quiet, Millis(0)).gap, "a host that serves nothing missed nothing");
}

#[test]
fn what_is_old_or_repeated_changes_nothing() {
    let mut table = table(&[2]);
    table.hear(delta(2, 2, ready("db")), Millis(0));
    for old in [
        delta(2, 1, vec![entry("db", ServeState::Gone)]),
        delta(2, 2, vec![entry(WEB, ServeState::Gone)]),
        full(2, 1, vec![]),
    ] {
        assert_eq!(table.hear(old, Millis(0)), Heard::default());
    }
    assert_eq!(chosen(&table, &[], 0), hosts(&[2]));
    assert_eq!(table.routes().count(), 2);
}

#[test]
fn another_boot_starts_from_nothing() {
    let mut table = table(&[2]);
    let reborn = ServeDelta { boot: 2, ..delta(2, 1, ready("db")) };
    assert!(!table.hear(reborn, Millis(0)).gap);
    assert_eq!(chosen(&table, &[], 0), hosts(&[]));
    let late = delta(2, 2, ready(WEB));
    // From the boot before: not a continuation of anything known now.
    assert!(table.hear(late, Millis(0)).gap);
}

#[test]
fn who_is_silent_for_long_is_forgotten_but_never_this_host() {
    let mut table = table(&[2, 3]);
    table.hear(delta(1, 1, ready("db")), Millis(0));
    table.hear(delta(3, 1, vec![]), Millis(SILENT_MS));
    assert!(!table.sweep(Millis(SILENT_MS + 1)));
    assert_eq!(chosen(&table, &[], 0), hosts(&[3]));
    let lost_at = SILENT_MS * 10;
    table.sweep(Millis(lost_at));
    assert_eq!(chosen(&table, &[], lost_at), hosts(&[]));
    assert!(!table.sweep(Millis(lost_at + REMEMBERED_AFTER_LOSS_MS)), "it may come back");
    assert!(table.sweep(Millis(lost_at + REMEMBERED_AFTER_LOSS_MS + 1)));
    let left: Vec<_> = table.routes().map(|(route, _)| route.path).collect();
    assert_eq!(left, ["/db"]);
}

#[test]
fn a_route_is_known_for_a_while_after_its_last_host_ended() {
    let mut table = table(&[2, 3]);
    let gone = || vec![entry(WEB, ServeState::Gone)];
    table.hear(delta(2, 2, gone()), Millis(0));
    assert_eq!(table.routes().count(), 1, "another host serves it");
    table.hear(delta(3, 2, gone()), Millis(0));
    assert!(!table.sweep(Millis(REMEMBERED_MS)));
    assert_eq!(table.routes().count(), 1);
    assert!(table.sweep(Millis(REMEMBERED_MS + 1)));
    assert_eq!(table.routes().count(), 0);
    // Served again in time, it is not forgotten.
    table.hear(delta(2, 3, ready(WEB)), Millis(0));
    table.hear(delta(2, 4, gone()), Millis(0));
    table.hear(delta(2, 5, ready(WEB)), Millis(REMEMBERED_MS));
    assert!(!table.sweep(Millis(REMEMBERED_MS * 3)));
    assert_eq!(table.routes().count(), 1);
}

#[test]
fn the_listener_is_told_only_when_routes_change() {
    let mut table = Table::new(host(1));
    assert!(table.hear(delta(2, 1, ready(WEB)), Millis(0)).routes_changed);
    assert!(!table.hear(delta(3, 1, ready(WEB)), Millis(0)).routes_changed);
    assert!(table.hear(delta(3, 2, ready("db")), Millis(0)).routes_changed);
}

#[test]
fn a_host_speaks_for_what_it_runs_until_that_is_gone() {
    let mut table = table(&[2]);
    let runs = |table: &Table| table.runs(&host(2), &actor(WEB));
    assert!(runs(&table));
    assert!(!table.runs(&host(3), &actor(WEB)), "nobody else does");
    assert!(!table.runs(&host(2), &actor("db")));
    table.hear(delta(2, 2, vec![entry(WEB, ServeState::Draining)]), Millis(0));
    assert!(runs(&table), "what it finishes may still call others");
    table.hear(delta(2, 3, vec![entry(WEB, ServeState::Gone)]), Millis(0));
    assert!(!runs(&table));
}

#[test]
fn what_an_actor_exports_is_known_from_those_who_take_calls() {
    let exporting = |state, word: &str| {
        let function = (word.to_owned(), wattle_types::Fingerprint::from_bytes([0; 16]));
        let exports = BTreeMap::from([("a:b/c".parse().unwrap(), BTreeMap::from([function]))]);
        let revision = SpecHash(Digest::of(word.as_bytes()));
        ServeEntry { exports, revision, ..entry(WEB, state) }
    };
    let mut table = Table::new(host(1));
    table.hear(delta(2, 1, vec![exporting(ServeState::Ready, "old")]), Millis(0));
    table.hear(delta(3, 1, vec![exporting(ServeState::Ready, "new")]), Millis(0));
    table.hear(delta(4, 1, vec![exporting(ServeState::Ready, "new")]), Millis(0));
    let words = |table: &Table| {
        let exports = table.exports(&actor(WEB)).into_values();
        let functions = exports.flat_map(|exports| exports.values().cloned().collect::<Vec<_>>());
        functions.flat_map(BTreeMap::into_keys).collect::<BTreeSet<_>>()
    };
    assert_eq!(words(&table), BTreeSet::from(["new".to_owned(), "old".to_owned()]));
    table.hear(delta(2, 2, vec![exporting(ServeState::Draining, "old")]), Millis(0));
    assert_eq!(words(&table), BTreeSet::from(["new".to_owned()]));
    assert!(table.exports(&actor("db")).is_empty());
}
