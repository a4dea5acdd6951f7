//! The machine as a whole, by stories: a small world that answers effects as a driver would, and
//! writes down what it was asked.

mod any_order;
mod bindings;
mod by_hand;
mod coming_and_going;
mod world;

use super::*;
use crate::backoff::LOOKS_MAX;
use crate::testing::{
    assignment, component, config, host, issuer, leads, record, sealed, spec_hash, stranger,
};
use leave::{LAME_DUCK_MS, LED_MS};
use wattle_trust::signed::{self, Context};
use wattle_types::{ActorState, Assignment, Epoch, Owner, ServeState, stored};
use world::World;

#[test]
fn an_assignment_is_made_durable_then_acknowledged_then_started() {
    let mut world = World::new(&["web"]);
    world.assign(&assignment(1, 1, &[("web", 2)]));
    assert_eq!(
        world.story(),
        [
            "stopped host",
            "started host",
            "announce all #0:",
            "read assign",
            "read spec web",
            "read links web",
            "read id web",
            "store 1: id web, spec web",
            "start web x2",
            "bind web: own=1",
            "serve web x2",
            "scaled web to 2",
            "announce #1: web ready",
        ]
    );
    assert_eq!(world.beat().applied.unwrap().generation, Generation(1));
}

#[test]
fn a_generation_is_not_acknowledged_before_it_is_on_disk() {
    let mut world = World::new(&["web"]);
    world.disk_answers = false;
    world.assign(&assignment(1, 1, &[("web", 1)]));
    assert_eq!(world.beat().applied, None);
    assert!(world.running().is_empty(), "nothing is started before it is durable");
    world.step(Event::Stored { generation: Generation(1) });
    assert_eq!(world.beat().applied.unwrap().generation, Generation(1));
    assert_eq!(world.running(), ["web x1 ready"]);
}

#[test]
fn what_is_on_its_way_to_the_disk_does_not_end_unmarked_either() {
    let mut world = World::new(&["web", "db"]);
    world.disk_answers = false;
    world.assign(&assignment(1, 1, &[("web", 1), ("db", 1)]));
    world.assign(&assignment(1, 2, &[]));
    world.step(Event::Stored { generation: Generation(1) });
    world.step(Event::Stored { generation: Generation(2) });
    assert_eq!(world.running(), ["db x1 ready", "web x1 ready"]);
    assert_eq!(world.beat().applied.unwrap().generation, Generation(1));
}

#[test]
fn what_is_about_to_run_does_not_end_unmarked_though_something_else_runs_on() {
    let mut world = World::new(&["web", "db"]);
    world.assign(&assignment(1, 1, &[("web", 1)]));
    world.disk_answers = false;
    world.assign(&Assignment { mass: true, ..assignment(1, 2, &[("db", 1)]) });
    world.forget();
    world.assign(&assignment(1, 3, &[("web", 1)]));
    assert_eq!(world.story(), ["refused WT-HOST-MASS"]);
    world.step(Event::Stored { generation: Generation(2) });
    assert_eq!(world.running(), ["db x1 ready"]);
}

#[test]
fn nothing_that_is_not_information_changes_anything() {
    let web = assignment(5, 10, &[("web", 1), ("db", 1)]);
    let bad: [(&str, Reading); 8] = [
        ("missing", Reading::Nothing),
        ("out of reach", Reading::Failed),
        ("unreadable", value(b"???".to_vec())),
        ("unsigned", value(assignment(5, 11, &[]).encode())),
        (
            "by a stranger",
            value(signed::seal(Context::Assignment, &assignment(5, 11, &[]).encode(), &stranger())),
        ),
        ("of a deposed leader", value(sealed(&assignment(4, 11, &[])))),
        ("older", value(sealed(&assignment(5, 9, &[])))),
        ("empty without a mark", value(sealed(&assignment(5, 11, &[])))),
    ];
    for (name, reading) in bad {
        let mut world = World::new(&["web", "db"]);
        world.assign(&web);
        let before = (world.running(), world.agent.inventory(world.now), world.beat().applied);
        world.forget();
        world.step(Event::Read { key: Key::Assign(host(1)), reading });
        let after = (world.running(), world.agent.inventory(world.now), world.beat().applied);
        assert_eq!(after, before, "{name}");
        assert_eq!(
            world.story().iter().filter(|line| !line.starts_with("refused")).count(),
            0,
            "{name}: {:?}",
            world.story()
        );
    }
}

#[test]
fn what_is_refused_is_counted_each_time() {
    let mut world = World::new(&["web"]);
    world.assign(&assignment(5, 10, &[("web", 1)]));
    for _ in 0..3 {
        world.read_assignment(&sealed(&assignment(4, 11, &[])));
    }
    world.read_assignment(&sealed(&Assignment { host: host(2), ..assignment(5, 11, &[]) }));
    let counted: Vec<_> = world.agent.refused().iter().map(|(code, n)| (*code, *n)).collect();
    assert_eq!(counted, [("WT-HOST-LOWER-EPOCH", 3), ("WT-HOST-OTHER-HOST", 1)]);
}

#[test]
fn a_signed_newer_empty_list_that_is_marked_ends_everything() {
    let mut world = World::new(&["web", "db"]);
    world.assign(&assignment(1, 1, &[("web", 1), ("db", 1)]));
    world.forget();
    world.assign(&Assignment { mass: true, ..assignment(1, 2, &[]) });
    assert_eq!(
        world.story(),
        [
            "store 2:",
            "scaled db to 0",
            "stop db",
            "scaled web to 0",
            "stop web",
            "announce #3: db draining, web draining",
            "announce #4: db gone",
            "announce #5: web gone",
        ]
    );
    assert!(world.running().is_empty());
}

#[test]
fn the_same_assignment_again_does_nothing() {
    let mut world = World::new(&["web"]);
    let web = assignment(1, 1, &[("web", 1)]);
    world.assign(&web);
    world.forget();
    world.read_assignment(&sealed(&web));
    world.step(Event::Stored { generation: Generation(1) });
    assert_eq!(world.story(), [""; 0]);
}

#[test]
fn another_count_moves_no_request() {
    let mut world = World::new(&["web"]);
    world.assign(&assignment(1, 1, &[("web", 1)]));
    world.forget();
    world.assign(&assignment(1, 2, &[("web", 5)]));
    assert_eq!(world.story(), ["store 2:", "serve web x5", "scaled web to 5"]);
}

#[test]
fn a_changed_spec_starts_beside_the_old_and_swaps_when_ready() {
    let mut world = World::new(&["web", "web#2"]);
    world.assign(&assignment(1, 1, &[("web", 1)]));
    world.forget();
    world.starts = false;
    world.assign(&assignment(1, 2, &[("web#2", 1)]));
    assert_eq!(world.story(), ["read spec web#2", "store 2: spec web#2", "start web#2 x1"]);
    assert_eq!(world.running(), ["web x1 ready", "web#2 x1 starting"]);
    world.forget();
    world.finish_starts();
    assert_eq!(
        world.story(),
        [
            "bind web#2: own=2",
            "serve web#2 x1",
            "scaled web to 1",
            "stop web",
            "announce #2: web draining, web#2 ready",
            "announce #3: web gone",
        ]
    );
    assert_eq!(world.running(), ["web#2 x1 ready"]);
}

#[test]
fn a_spec_nobody_can_start_costs_no_request() {
    let mut world = World::new(&["web", "web#2"]);
    world.assign(&assignment(1, 1, &[("web", 1)]));
    world.broken = vec!["web#2"];
    world.assign(&assignment(1, 2, &[("web#2", 1)]));
    assert_eq!(world.running(), ["web x1 ready", "web#2 x1 failed: no such file [WT-TEST]"]);
    assert_eq!(world.beat().applied.unwrap().generation, Generation(2));
    // Back to what serves: nothing has to be started for it.
    world.forget();
    world.assign(&assignment(1, 3, &[("web", 1)]));
    assert_eq!(world.story(), ["read spec web", "store 3: spec web"]);
    assert_eq!(world.running(), ["web x1 ready"]);
}

#[test]
fn a_start_that_is_overtaken_is_given_up_and_its_late_answer_ignored() {
    let mut world = World::new(&["web", "web#2"]);
    world.starts = false;
    world.assign(&assignment(1, 1, &[("web", 1)]));
    let first = world.pending_starts()[0];
    world.forget();
    world.assign(&assignment(1, 2, &[("web#2", 1)]));
    assert!(world.story().contains(&"stop web".to_owned()), "{:?}", world.story());
    world.forget();
    world.step(Event::Started { run: first, component: component() });
    assert_eq!(world.story(), [""; 0]);
    world.finish_starts();
    assert_eq!(world.running(), ["web#2 x1 ready"]);
}

#[test]
fn an_image_that_returns_while_its_old_run_drains_is_started_anew() {
    let mut world = World::new(&["web", "web#2"]);
    world.assign(&assignment(1, 1, &[("web", 1)]));
    world.stops = false;
    world.assign(&assignment(1, 2, &[("web#2", 1)]));
    world.assign(&assignment(1, 3, &[("web", 1)]));
    assert_eq!(world.running(), ["web x1 draining", "web#2 x1 draining", "web x1 ready"]);
    world.forget();
    world.finish_stops();
    // The revision is served all the time, so its drained run is nobody's news.
    assert_eq!(world.story(), ["announce #4: web#2 gone"]);
    assert_eq!(world.running(), ["web x1 ready"]);
}

#[test]
fn a_failed_start_is_tried_again_with_longer_pauses_and_its_reason_stays_visible() {
    let mut world = World::new(&["web"]);
    world.broken = vec!["web"];
    world.assign(&assignment(1, 1, &[("web", 1)]));
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let due = world.agent.due().expect("a failed start is tried again");
        let before = world.now;
        world.forget();
        world.at(due);
        if world.story().iter().any(|line| line == "start web x1") {
            pauses.push(due.since(before));
        }
        assert_eq!(world.running(), ["web x1 failed: no such file [WT-TEST]"]);
    }
    assert!(pauses.starts_with(&[1_000, 2_000, 4_000, 8_000]), "{pauses:?}");
    assert!(pauses.iter().all(|pause| *pause <= 60_000), "{pauses:?}");
    world.broken.clear();
    while world.running() != ["web x1 ready"] {
        let due = world.agent.due().expect("it is tried until it starts");
        assert!(due < world.now + 120_000, "the next try is within a minute");
        world.at(due);
    }
}

#[test]
fn one_broken_actor_keeps_no_other_from_starting() {
    let mut world = World::new(&["web", "db"]);
    world.broken = vec!["db"];
    world.assign(&assignment(1, 1, &[("web", 1), ("db", 1)]));
    assert_eq!(world.running(), ["db x1 failed: no such file [WT-TEST]", "web x1 ready"]);
}

#[test]
fn a_run_that_ends_by_itself_is_started_again_after_a_pause() {
    let mut world = World::new(&["web"]);
    world.assign(&assignment(1, 1, &[("web", 1)]));
    let run = world.runs[0].0;
    world.step(Event::Stopped { run });
    assert_eq!(world.running(), ["web x1 failed: it ended by itself [WT-HOST-RUN-ENDED]"]);
    let due = world.agent.due().unwrap();
    world.at(due);
    assert_eq!(world.running(), ["web x1 ready"]);
}

#[test]
fn a_spec_that_is_not_there_yet_is_asked_for_again() {
    let mut world = World::new(&[]);
    world.assign(&assignment(1, 1, &[("web", 1)]));
    assert_eq!(world.beat().applied, None);
    world.specs = vec!["web"];
    world.forget();
    let due = world.agent.due().expect("what is missing is asked for again");
    world.at(due);
    assert_eq!(world.running(), ["web x1 ready"]);
    assert_eq!(world.story()[0], "read spec web");
}

#[test]
fn a_spec_with_other_content_than_its_name_is_not_taken() {
    let mut world = World::new(&[]);
    world.store_answers = false;
    world.assign(&assignment(1, 1, &[("web", 1)]));
    world.forget();
    let key = Key::Spec(spec_hash("web"));
    let reading = value(crate::testing::spec("web#2").encode());
    world.step(Event::Read { key, reading });
    assert_eq!(world.story(), ["refused WT-HOST-SPEC-CONTENT"]);
    assert!(world.running().is_empty());
}

#[test]
fn a_spec_of_another_actor_is_that_actors_failure_only() {
    let mut world = World::new(&["web", "db"]);
    let mut swapped = assignment(1, 1, &[("web", 1), ("db", 1)]);
    swapped.entries[1].spec = spec_hash("db");
    world.assign(&swapped);
    let running = world.running();
    assert_eq!(running[0], "db x1 ready");
    assert!(running[1].contains("[WT-HOST-SPEC-ID]"), "{running:?}");
    assert_eq!(world.beat().applied.unwrap().generation, Generation(1));
}

#[test]
fn an_id_of_another_owner_is_not_run_until_the_record_says_otherwise() {
    let mut world = World::new(&["web"]);
    world.records = vec![record("web", "bank")];
    world.assign(&assignment(1, 1, &[("web", 1)]));
    assert_eq!(
        world.running(),
        [
            "web x1 failed: id web belongs to application bank, not to application shop [WT-HOST-OWNER]"
        ]
    );
    world.forget();
    let due = world.agent.due().expect("the record is read again");
    world.at(due);
    assert!(world.story().contains(&"read id web".to_owned()), "{:?}", world.story());
    world.records = vec![record("web", "shop")];
    let due = world.agent.due().expect("the record is read again");
    world.at(due);
    assert_eq!(world.running(), ["web x1 ready"]);
}

#[test]
fn an_id_without_a_record_is_run_on_the_word_of_the_assignment() {
    let mut world = World::new(&["web"]);
    world.records_exist = false;
    world.assign(&assignment(1, 1, &[("web", 1)]));
    assert_eq!(world.running(), ["web x1 ready"]);
}

#[test]
fn a_component_of_another_signer_than_the_ids_does_not_serve() {
    let mut world = World::new(&["web"]);
    world.records = vec![IdRecord { issuer: Some(issuer(9)), ..record("web", "shop") }];
    world.assign(&assignment(1, 1, &[("web", 1)]));
    assert!(!world.story().iter().any(|line| line.starts_with("serve")), "{:?}", world.story());
    assert!(world.running()[0].contains("[WT-HOST-ISSUER]"), "{:?}", world.running());
}

#[test]
fn a_wake_is_answered_by_reading_until_the_change_is_seen() {
    let mut world = World::new(&["web"]);
    world.stale_reads = 2;
    world.stored = Some((sealed(&assignment(1, 1, &[("web", 1)])), 40));
    world.step(Event::Woken { at_least: 40 });
    for _ in 0..2 {
        assert!(world.running().is_empty());
        let due = world.agent.due().expect("a replica that is behind is asked again");
        world.at(due);
    }
    assert_eq!(world.running(), ["web x1 ready"]);
}

#[test]
fn a_change_that_never_shows_is_left_to_the_regular_look() {
    let mut world = World::new(&[]);
    world.forget();
    world.step(Event::Woken { at_least: 40 });
    let heartbeat = Millis(HEARTBEAT_MS);
    while let Some(due) = world.agent.due().filter(|due| *due < heartbeat) {
        world.at(due);
    }
    let reads = world.story().iter().filter(|line| *line == "read assign").count();
    assert_eq!(reads, LOOKS_MAX as usize);
    world.forget();
    world.step(Event::LookDue);
    assert_eq!(world.story(), ["read assign"]);
}

#[test]
fn a_newer_assignment_waits_for_the_one_being_written() {
    let mut world = World::new(&["web", "db"]);
    world.disk_answers = false;
    world.assign(&assignment(1, 1, &[("web", 1)]));
    world.forget();
    world.assign(&assignment(1, 2, &[("web", 1), ("db", 1)]));
    assert_eq!(world.story(), ["read links db"]);
    world.disk_answers = true;
    world.step(Event::Stored { generation: Generation(1) });
    assert_eq!(world.beat().applied.unwrap().generation, Generation(2));
    assert_eq!(world.running(), ["db x1 ready", "web x1 ready"]);
}

#[test]
fn after_a_failed_write_everything_is_written_again() {
    let mut world = World::new(&["web", "db"]);
    world.assign(&assignment(1, 1, &[("web", 1)]));
    world.disk_answers = false;
    world.assign(&assignment(1, 2, &[("web", 1), ("db", 1)]));
    world.forget();
    let message = "disk full".to_owned();
    world.step(Event::StoreFailed { generation: Generation(2), message });
    assert_eq!(world.beat().applied.unwrap().generation, Generation(1));
    world.disk_answers = true;
    let due = world.agent.due().expect("a failed write is tried again");
    world.at(due);
    assert_eq!(world.story()[0], "store 2: id db, id web, spec db, spec web");
    assert_eq!(world.beat().applied.unwrap().generation, Generation(2));
}

#[test]
fn the_inventory_number_changes_when_the_inventory_does() {
    let mut world = World::new(&["web"]);
    let said = world.beat().inventory;
    world.assign(&assignment(1, 1, &[("web", 1)]));
    let after = world.beat().inventory;
    assert!(said < after);
    world.step(Event::LookDue);
    world.step(Event::AnnounceDue);
    assert_eq!(world.beat().inventory, after);
    let inventory = world.agent.inventory(world.now);
    assert_eq!(inventory.revision, after);
    assert_eq!(inventory.actors[0].digest, Some(component().digest));
    assert_eq!(inventory.actors[0].state, ActorState::Ready);
    world.step(Event::Drain);
    assert!(after < world.beat().inventory);
}

#[test]
fn a_missed_announcement_is_found_out_by_its_number() {
    let mut world = World::new(&["web"]);
    world.assign(&assignment(1, 1, &[("web", 1)]));
    world.forget();
    world.step(Event::AnnounceDue);
    assert_eq!(world.story(), ["announce #1:"]);
    let full = world.agent.serves();
    assert_eq!((full.seq, full.full, full.entries.len()), (1, true, 1));
    assert_eq!(full.entries[0].state, ServeState::Ready);
}

#[test]
fn the_classic_heartbeat_comes_every_thirty_seconds() {
    let mut world = World::new(&[]);
    world.forget();
    for beat in 1..4 {
        world.at(Millis(beat * HEARTBEAT_MS));
    }
    assert_eq!(world.story(), ["heartbeat", "heartbeat", "heartbeat"]);
}

#[test]
fn the_epoch_of_a_leader_goes_to_the_disk() {
    let mut world = World::new(&[]);
    world.forget();
    world.step(Event::LeaderHeard { sealed: leads(4) });
    world.step(Event::LeaderHeard { sealed: leads(4) });
    world.step(Event::LeaderHeard { sealed: leads(3) });
    assert_eq!(world.story(), ["store epoch 4", "refused WT-HOST-LOWER-EPOCH"]);
    assert_eq!(world.beat().epoch_max, Epoch(4));
}

#[test]
fn the_same_events_give_the_same_effects() {
    let run = || {
        let mut world = World::new(&["web", "db", "web#2"]);
        world.broken = vec!["db"];
        world.assign(&assignment(1, 1, &[("web", 1), ("db", 1)]));
        world.assign(&assignment(1, 2, &[("web#2", 1), ("db", 1)]));
        for _ in 0..5 {
            let due = world.agent.due().unwrap();
            world.at(due);
        }
        world.step(Event::Drain);
        world.story()
    };
    assert_eq!(run(), run());
}

/// The sequence of what tests read without a story of its own.
const SEQ: u64 = 1_000;

fn value(bytes: Vec<u8>) -> Reading {
    Reading::Value { bytes, seq: SEQ }
}
