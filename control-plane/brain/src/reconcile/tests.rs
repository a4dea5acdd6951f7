//! From what is stored and heard to what is told, against a store that works.

use wattle_types::{Applied, Assignment, Digest, Epoch, Generation, IdRecord, stored};

use super::*;
use crate::apps::Command;
use crate::testing::{World, host, manifest};

const SPREAD_2: &str = "{type: spreadscaler, properties: {instances: 2}}";
const DAEMON: &str = "{type: daemonscaler, properties: {instances: 1}}";

fn app_key(app: &str) -> Key {
    Key::App(app.parse().unwrap())
}

fn undeploy(world: &mut World, app: &str) {
    world.ask(Command::Undeploy { name: app.parse().unwrap() });
    world.run(1_500);
}

#[test]
fn every_host_is_told_something_also_nothing() {
    let world = World::leading(2);
    assert_eq!(world.told(0).as_deref(), Some(""));
    assert_eq!(world.told(1).as_deref(), Some(""));
}

#[test]
fn a_deployment_is_one_batch_under_the_lease() {
    let mut world = World::leading(2);
    world.put_and_deploy("shop", "v1", &[("web", SPREAD_2)]);
    world.run(1_000);
    let batch = world
        .batches
        .iter()
        .find(|batch| batch.iter().any(|write| matches!(write.key, Key::Spec(_))));
    let keys: Vec<_> = batch.unwrap().iter().map(|write| write.key.to_string()).collect();
    assert_eq!(keys[0], "lease");
    assert!(keys[1].starts_with("spec."), "{keys:?}");
    assert_eq!(keys[2..], [Key::Assign(host(0)), Key::Assign(host(1))].map(|key| key.to_string()));
    // Each host is woken for its own message.
    let seqs = [host(0), host(1)].map(|host| world.store[&Key::Assign(host)].0);
    let woken: Vec<_> = world.wakes.iter().rev().take(2).rev().cloned().collect();
    assert_eq!(woken, [(host(0), seqs[0]), (host(1), seqs[1])]);
}

#[test]
fn what_did_not_change_is_not_written_again() {
    let mut world = World::leading(2);
    world.put_and_deploy("shop", "v1", &[("web", SPREAD_2)]);
    world.run(2_000);
    world.batches.clear();
    world.run(60_000);
    assert!(world.batches.iter().all(|batch| batch.len() == 1), "only renewals");
}

#[test]
fn a_lost_host_is_replaced_and_keeps_its_assignment() {
    let mut world = World::leading(2);
    world.put_and_deploy("shop", "v1", &[("web", "")]);
    world.run(1_000);
    let (from, to) = if world.told(0).as_deref() == Some("web=1") { (0, 1) } else { (1, 0) };
    let before = world.store[&Key::Assign(host(from))].0;
    world.hosts.get_mut(&from).unwrap().up = false;
    world.run(3_000);
    assert_eq!(world.told(to).as_deref(), Some("web=1"));
    assert_eq!(world.store[&Key::Assign(host(from))].0, before);
    // It returns, and one of the two ends.
    world.hosts.get_mut(&from).unwrap().up = true;
    world.run(3_000);
    let told = [world.told(from).unwrap(), world.told(to).unwrap()];
    assert!(told.contains(&"web=1".to_owned()) && told.contains(&String::new()), "{told:?}");
}

#[test]
fn a_draining_host_is_emptied_and_what_ran_there_runs_elsewhere() {
    let mut world = World::leading(2);
    world.put_and_deploy("shop", "v1", &[("web", DAEMON), ("api", SPREAD_2)]);
    world.run(1_000);
    world.hosts.get_mut(&0).unwrap().draining = true;
    world.run(2_000);
    assert_eq!(world.told(0).as_deref(), Some(""));
    assert_eq!(world.told(1).as_deref(), Some("api=2 web=1"));
}

const IN_Z0: &str = "{type: spreadscaler, properties: {instances: 1, spread: \
                     [{name: s, requirements: {zone: z0}}]}}";
const IN_Z1: &str = "{type: spreadscaler, properties: {instances: 1, spread: \
                     [{name: s, requirements: {zone: z1}}]}}";

/// `web` goes from the first host to the second, where it does not become ready.
fn moving() -> World {
    let mut world = World::leading(2);
    world.put_and_deploy("shop", "v1", &[("web", IN_Z0)]);
    world.run(2_000);
    world.hosts.get_mut(&1).unwrap().fails.push("web".to_owned());
    world.put_and_deploy("shop", "v2", &[("web", IN_Z1)]);
    world.run(2_000);
    assert_eq!([0, 1].map(|host| world.told(host).unwrap()), ["web=1", "web=1"]);
    world
}

#[test]
fn what_moves_ends_where_it_was_once_the_inventory_says_that_it_is_ready() {
    let mut world = moving();
    world.report(1, |actors| actors[0].state = wattle_types::ActorState::Starting);
    world.run(1_200);
    let status = world.status("shop");
    assert_eq!(status.components[0].hosts, [(host(1), 0)], "{status:?}");
    assert_eq!(
        status.message,
        "web: it leaves host h0 once it is ready elsewhere; host h1 is starting it"
    );
    world.batches.clear();
    world.run(8_000);
    assert!(world.batches.iter().all(|batch| batch.len() == 1), "nothing happens meanwhile");
    world.report(1, |actors| actors[0].state = wattle_types::ActorState::Ready);
    // The next beat names the inventory, which is asked for and wakes the planner.
    world.run(1_200);
    assert_eq!([0, 1].map(|host| world.told(host).unwrap()), ["", "web=1"]);
    world.batches.clear();
    world.run(30_000);
    assert!(world.batches.iter().all(|batch| batch.len() == 1), "only renewals");
    assert_eq!(world.status("shop").kind, crate::apps::StatusKind::Deployed);
}

#[test]
fn what_moves_does_not_wait_for_ever() {
    let mut world = moving();
    world.run(290_000);
    assert_eq!(world.told(0).as_deref(), Some("web=1"));
    world.run(20_000);
    assert_eq!([0, 1].map(|host| world.told(host).unwrap()), ["", "web=1"]);
}

#[test]
fn what_is_undeployed_during_a_move_ends_at_once_everywhere() {
    let mut world = moving();
    undeploy(&mut world, "shop");
    assert_eq!([0, 1].map(|host| world.told(host).unwrap()), ["", ""]);
}

#[test]
fn what_was_ready_before_it_was_told_to_come_back_is_not_taken_for_ready() {
    let mut world = World::leading(2);
    world.put_and_deploy("shop", "v1", &[("web", IN_Z0)]);
    world.run(2_000);
    // The first host ended it, is told to run it again, and still says what it said before.
    world.put_and_deploy("shop", "v2", &[("web", IN_Z1)]);
    world.run(4_000);
    let web = world.hosts[&1].inventory.actors.clone();
    world.hosts.get_mut(&0).unwrap().obeys = false;
    world.report(0, |actors| actors.clone_from(&web));
    world.run(1_500);
    world.put_and_deploy("shop", "v3", &[("web", IN_Z0)]);
    world.run(2_000);
    assert_eq!([0, 1].map(|host| world.told(host).unwrap()), ["web=1", "web=1"]);
    world.hosts.get_mut(&0).unwrap().obeys = true;
    world.run(2_000);
    assert_eq!([0, 1].map(|host| world.told(host).unwrap()), ["web=1", ""]);
}

#[test]
fn the_end_of_more_than_half_is_marked() {
    let parts = [("a", DAEMON), ("b", DAEMON), ("c", DAEMON), ("d", DAEMON)];
    let mut world = World::leading(1);
    // Ten more, so that one in ten is not passed by ending one.
    let many: Vec<(String, &str)> = (0..20).map(|n| (format!("m{n}"), DAEMON)).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, part)| (name.as_str(), *part)).collect();
    world.put_and_deploy("many", "v1", &many);
    world.put_and_deploy("four", "v1", &parts);
    world.put_and_deploy("one", "v1", &[("x", DAEMON)]);
    world.run(1_000);
    undeploy(&mut world, "one");
    assert!(!world.assignment(0).unwrap().mass, "one of many is no mass");
    undeploy(&mut world, "many");
    assert!(world.assignment(0).unwrap().mass);
}

#[test]
fn an_assignment_of_a_newer_version_is_not_replaced() {
    let mut world = World::leading(2);
    world.put_and_deploy("shop", "v1", &[("web", SPREAD_2)]);
    world.run(1_000);
    let key = Key::Assign(host(0));
    let newer = Assignment { v: stored::VERSION + 1, ..world.assignment(0).unwrap() };
    world.hosts.get_mut(&0).unwrap().obeys = false;
    world.intrude(key.clone(), stored::encode(&newer));
    let seq = world.store[&key].0;
    world.run(15_000);
    undeploy(&mut world, "shop");
    assert_eq!(world.store[&key].0, seq, "it is left alone");
    assert_eq!(world.told(1).as_deref(), Some(""), "others are told as ever");
    assert!(world.alarms.contains(&Alarm::AssignmentNewer { host: host(0) }));
    // What nobody can read is nobody's word, and is replaced.
    world.intrude(key.clone(), b"nonsense".to_vec());
    world.run(12_000);
    assert!(seq + 1 < world.store[&key].0);
}

#[test]
fn generations_rise_across_leaders() {
    let mut world = World::leading(1);
    world.put_and_deploy("shop", "v1", &[("web", "")]);
    world.run(1_000);
    let before = world.assignment(0).unwrap();
    // Another led meanwhile, and stepped down.
    let mut lease = world.lease();
    (lease.holder, lease.boot, lease.epoch) = (None, 99, lease.epoch.next());
    world.intrude(Key::Lease, stored::encode(&lease));
    world.run(5_000);
    assert!(world.brain.is_leading(world.now));
    undeploy(&mut world, "shop");
    let after = world.assignment(0).unwrap();
    assert!(before.epoch < after.epoch && before.generation < after.generation, "{after:?}");
}

#[test]
fn a_lost_application_record_ends_nothing() {
    let mut world = World::leading(1);
    world.put_and_deploy("shop", "v1", &[("web", "")]);
    world.put_and_deploy("blog", "v1", &[("post", "")]);
    world.run(1_000);
    world.remove(app_key("shop"));
    world.intrude(app_key("blog"), b"garbage".to_vec());
    world.run(12_000);
    assert_eq!(world.told(0).as_deref(), Some("post=1 web=1"));
    let alarm = Alarm::AppUnreadable { app: "blog".parse().unwrap() };
    assert_eq!(world.alarms.iter().filter(|raised| **raised == alarm).count(), 1);
    // Others are still placed, beside what is left alone.
    world.put_and_deploy("news", "v1", &[("paper", "")]);
    world.run(1_000);
    assert_eq!(world.told(0).as_deref(), Some("paper=1 post=1 web=1"));
}

/// Without it nothing that is undeployed could be ended.
#[test]
fn a_lost_owner_of_a_deployed_id_is_recorded_again() {
    let mut world = World::leading(1);
    world.put_and_deploy("shop", "v1", &[("web", "")]);
    world.run(2_000);
    let id = Key::Id("web".parse().unwrap());
    let before: IdRecord = stored::decode("an id", &world.store[&id].1).unwrap();
    world.remove(id.clone());
    world.run(2_000);
    let after: IdRecord = stored::decode("an id", &world.store[&id].1).unwrap();
    assert_eq!((&after.id, &after.owner), (&before.id, &before.owner));
    undeploy(&mut world, "shop");
    world.run(2_000);
    assert_eq!(world.told(0).as_deref(), Some(""));
}

#[test]
fn a_lost_manifest_ends_nothing() {
    let mut world = World::leading(1);
    world.put_and_deploy("shop", "v1", &[("web", "")]);
    world.run(1_000);
    world.remove("manifest.shop.1".parse().unwrap());
    world.run(12_000);
    assert_eq!(world.told(0).as_deref(), Some("web=1"));
}

/// The store goes back to what it was before the id of a deleted application was used again.
#[test]
fn what_runs_for_an_application_that_is_lost_does_not_end_by_an_older_record() {
    let mut world = World::leading(1);
    world.put_and_deploy("shop", "v1", &[("web", "")]);
    world.run(1_000);
    world.ask(Command::Delete { name: "shop".parse().unwrap(), version: None });
    world.put(&crate::testing::manifest("blog", "v1", &[("web", "")]));
    let id = Key::Id("web".parse().unwrap());
    let before = [app_key("blog"), id].map(|key| (key.clone(), world.store[&key].1.clone()));
    world.deploy("blog");
    world.run(2_000);
    assert_eq!(world.told(0).as_deref(), Some("web=1"));
    for (key, bytes) in before {
        world.intrude(key, bytes);
    }
    world.run(12_000);
    assert_eq!(world.told(0).as_deref(), Some("web=1"));
    let withheld = Alarm::Withheld { host: host(0), ids: vec!["web".parse().unwrap()] };
    assert!(world.alarms.contains(&withheld), "{:?}", world.alarms);
}

#[test]
fn a_host_whose_assignment_was_lost_is_not_emptied() {
    let mut world = World::leading(1);
    world.put_and_deploy("shop", "v1", &[("web", "")]);
    world.run(2_000);
    // The stream was re-created: heads, ids and assignments are gone, and so is the lease.
    let (store, last_seq) = (std::mem::take(&mut world.store), world.last_seq);
    world.last_seq = 0;
    world.event(crate::Event::FollowReset);
    world.event(crate::Event::FollowedAll { seq: 0 });
    world.run(10_000);
    assert!(world.brain.is_leading(world.now));
    assert_eq!(world.assignment(0), None, "nothing known says that web should end");
    let withheld = Alarm::Withheld { host: host(0), ids: vec!["web".parse().unwrap()] };
    for alarm in [withheld, Alarm::AssignmentLost { host: host(0) }] {
        assert!(world.alarms.contains(&alarm), "{alarm:?} in {:?}", world.alarms);
    }
    assert!(world.alarms.iter().any(|alarm| matches!(alarm, Alarm::StateLost { .. })));
    let old: wattle_types::Lease = stored::decode("the lease", &store[&Key::Lease].1).unwrap();
    assert!(old.epoch < world.lease().epoch && 0 < last_seq);
    // Somebody puts the application back: the host goes on under a generation above its own.
    let generation = world.hosts[&0].inventory.applied.unwrap().generation;
    let (lattice, entries) = (crate::testing::lattice(), world.export());
    world.ask(Command::Restore { lattice, entries, force: false });
    world.run(1_000);
    assert_eq!(world.told(0).as_deref(), Some("web=1"));
    assert!(generation < world.assignment(0).unwrap().generation);
}

#[test]
fn a_host_that_is_ahead_of_the_store_gets_a_higher_generation() {
    let mut world = World::leading(1);
    world.put_and_deploy("shop", "v1", &[("web", "")]);
    world.run(1_000);
    let told = world.assignment(0).unwrap();
    let cases = [
        // The newest write was lost after its answer.
        Applied { epoch: told.epoch, generation: Generation(90), hash: Digest::of(b"other") },
        // The same generation, another content.
        Applied { epoch: told.epoch, generation: Generation(91), hash: Digest::of(b"forked") },
    ];
    for applied in cases {
        let host = world.hosts.get_mut(&0).unwrap();
        host.inventory.applied = Some(applied);
        host.obeys = false;
        world.run(1_500);
        assert!(applied.generation < world.assignment(0).unwrap().generation);
        world.hosts.get_mut(&0).unwrap().obeys = true;
        world.run(1_500);
    }
}

#[test]
fn an_epoch_that_hosts_remember_raises_the_lease() {
    let mut world = World::leading(1);
    world.put_and_deploy("shop", "v1", &[("web", "")]);
    world.run(1_000);
    let applied = Applied {
        epoch: Epoch(50),
        generation: Generation(3),
        hash: world.assignment(0).unwrap().hash(),
    };
    let host = world.hosts.get_mut(&0).unwrap();
    (host.inventory.applied, host.obeys) = (Some(applied), false);
    world.run(3_000);
    assert!(Epoch(50) < world.lease().epoch);
    assert!(Epoch(50) < world.assignment(0).unwrap().epoch, "what is stored is obeyed again");
}

#[test]
fn a_host_that_missed_steps_is_not_stuck_on_an_unmarked_end() {
    let parts = [("a", DAEMON), ("b", DAEMON), ("c", DAEMON), ("d", DAEMON), ("e", DAEMON)];
    let mut world = World::leading(1);
    for part in parts {
        world.put_and_deploy(&format!("app_{}", part.0), "v1", &[part]);
    }
    world.run(2_000);
    world.hosts.get_mut(&0).unwrap().obeys = false;
    for part in &parts[..4] {
        undeploy(&mut world, &format!("app_{}", part.0));
    }
    // Seen from what it runs, four of five end.
    let assignment = world.assignment(0).unwrap();
    assert_eq!(world.told(0).as_deref(), Some("e=1"));
    assert!(assignment.mass);
}

#[test]
fn what_a_host_had_not_followed_before_the_epoch_rose_is_written_again() {
    let mut world = World::leading(1);
    world.hosts.get_mut(&0).unwrap().obeys = false;
    world.put_and_deploy("shop", "v1", &[("web", "")]);
    world.run(2_000);
    let stale = world.assignment(0).unwrap();
    // A later leader's word reached the host before it read what was written under this epoch.
    world.hosts.get_mut(&0).unwrap().heard = Epoch(stale.epoch.0 + 5);
    world.run(3_000);
    let again = world.assignment(0).unwrap();
    assert_eq!(again.entries, stale.entries);
    assert!(stale.epoch < again.epoch && stale.generation < again.generation, "{again:?}");
}

#[test]
fn what_was_told_to_a_copied_disk_is_not_changed() {
    let mut world = World::leading(2);
    world.put_and_deploy("shop", "v1", &[("web", DAEMON)]);
    world.run(1_000);
    let before = world.store[&Key::Assign(host(0))].0;
    for seq in 1_000..1_010 {
        let twin = crate::testing::beat(0, 77, seq);
        world.event(crate::Event::Beat(twin));
        world.run(500);
    }
    assert!(world.alarms.contains(&Alarm::Cloned { host: host(0) }), "{:?}", world.alarms);
    undeploy(&mut world, "shop");
    assert_eq!(world.store[&Key::Assign(host(0))].0, before);
    assert_eq!(world.told(1).as_deref(), Some(""));
}

#[test]
fn an_assignment_by_somebody_else_is_replaced() {
    let mut world = World::leading(1);
    world.put_and_deploy("shop", "v1", &[("web", "")]);
    world.run(1_000);
    let told = world.assignment(0).unwrap();
    world.last_seq += 1;
    let key = Key::Assign(host(0));
    world.store.insert(key.clone(), (world.last_seq, told.encode()));
    let content = crate::Content::Unreadable;
    world.event(crate::Event::Followed { key, seq: world.last_seq, content });
    world.run(1_500);
    assert_eq!(world.told(0).as_deref(), Some("web=1"));
    assert!(told.generation < world.assignment(0).unwrap().generation);
}

#[test]
fn a_host_that_lags_is_woken_again() {
    let mut world = World::leading(1);
    world.hosts.get_mut(&0).unwrap().obeys = false;
    world.put_and_deploy("shop", "v1", &[("web", "")]);
    world.run(1_000);
    world.wakes.clear();
    world.run(20_000);
    let seq = world.store[&Key::Assign(host(0))].0;
    assert!((3..=5).contains(&world.wakes.len()), "{:?}", world.wakes);
    assert!(world.wakes.iter().all(|wake| *wake == (host(0), seq)));
}

#[test]
fn more_than_a_batch_goes_in_several_specs_first() {
    let mut world = World::leading(1);
    world.hosts.get_mut(&0).unwrap().inventory.capacity = 10_000;
    world.hosts.get_mut(&0).unwrap().inventory.revision += 1;
    let many: Vec<String> = (0..700).map(|n| format!("m{n:03}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "")).collect();
    world.put(&manifest("many", "v1", &many));
    world.deploy("many");
    world.run(2_000);
    assert_eq!(world.assignment(0).unwrap().entries.len(), 700);
    let assigned = world.store[&Key::Assign(host(0))].0;
    let specs = world.store.iter().filter(|(key, _)| matches!(key, Key::Spec(_)));
    assert!(specs.map(|(_, (seq, _))| *seq).all(|seq| seq < assigned));
    assert!(world.batches.iter().all(|batch| batch.len() <= 1_000));
}
