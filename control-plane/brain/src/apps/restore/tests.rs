use wattle_types::stored;

use super::*;
use crate::apps::Command;
use crate::marks::Marks;
use crate::testing::{World, lattice, manifest};

const DAEMON: &str = "{type: daemonscaler, properties: {instances: 1}}";

fn key(app: &str) -> Key {
    Key::App(app.parse().unwrap())
}

fn restore(world: &mut World, entries: Vec<Kept>, force: bool) -> Answer {
    world.ask(Command::Restore { lattice: lattice(), entries, force })
}

fn head_of(world: &World, app: &str) -> AppHead {
    stored::decode("a head", &world.store[&key(app)].1).unwrap()
}

fn refused(answer: Answer) -> String {
    match answer {
        Answer::Refused(text) => text,
        other => panic!("{other:?}"),
    }
}

/// Two applications run, of which one was changed three times.
fn running() -> World {
    let mut world = World::leading(1);
    world.put_and_deploy("shop", "v1", &[("web", DAEMON)]);
    world.put(&manifest("shop", "v2", &[("web", DAEMON)]));
    world.put_and_deploy("blog", "v1", &[("post", DAEMON)]);
    world.run(2_000);
    world
}

#[test]
fn everything_people_wrote_is_kept_by_every_controller() {
    let mut world = running();
    let kept = world.export();
    for (key, (_, bytes)) in &world.store {
        let is_written = matches!(key, Key::App(_) | Key::Manifest(..) | Key::Id(_));
        let found = kept.iter().find(|entry| entry.key == *key);
        assert_eq!(found.and_then(|entry| entry.bytes.as_ref()), is_written.then_some(bytes));
    }
    // A version that was deleted is kept as that.
    let version = Some("v1".to_owned());
    world.ask(Command::Delete { name: "shop".parse().unwrap(), version });
    let gone = "manifest.shop.1".parse::<Key>().unwrap();
    assert!(world.export().iter().any(|entry| entry.key == gone && entry.bytes.is_none()));
    // One that never leads keeps the same.
    let mut standby = World::new();
    for (key, (_, bytes)) in world.store.clone().into_iter().filter(|(key, _)| *key != Key::Lease) {
        standby.intrude(key, bytes);
    }
    let values = |world: &World| -> Vec<_> {
        let all = world
            .export()
            .into_iter()
            .filter(|entry| entry.bytes.as_ref().is_some_and(|bytes| !bytes.is_empty()));
        all.map(|entry| (entry.key, entry.bytes)).collect()
    };
    assert_eq!(values(&standby), values(&world));
}

#[test]
fn a_restore_brings_back_what_was_lost_and_lowers_nothing() {
    let mut world = running();
    let (kept, before) = (world.export(), world.hosts[&0].inventory.applied.unwrap());
    // Everything is gone; nothing ends, and nothing is put in its place.
    world.delete_stream();
    world.run(15_000);
    assert!(world.brain.is_leading(world.now));
    assert_eq!(world.hosts[&0].inventory.applied, Some(before));
    let put = world.put(&manifest("shop", "v1", &[("web", DAEMON)]));
    assert!(refused(put).contains("state lost: change 3 of application shop"));
    let answer = restore(&mut world, kept.clone(), false);
    let Answer::Restored { stored, passed_over, refused } = answer else { panic!("{answer:?}") };
    assert_eq!((stored, passed_over, refused), (kept.len(), 0, Vec::new()));
    world.run(2_000);
    assert_eq!(world.told(0).as_deref(), Some("post=1 web=1"));
    assert!(before.generation < world.assignment(0).unwrap().generation);
    // And can be changed again, from where it was.
    assert!(matches!(world.deploy("shop"), Answer::Deployed { version, .. } if version == "v2"));
    assert_eq!(head_of(&world, "shop").change, 4);
    // The export is older now: putting it back changes nothing.
    let seq = world.store[&key("shop")].0;
    let answer = restore(&mut world, kept.clone(), false);
    let nothing = Answer::Restored { stored: 0, passed_over: kept.len(), refused: Vec::new() };
    assert_eq!(answer, nothing);
    assert_eq!(world.store[&key("shop")].0, seq);
}

#[test]
fn a_head_below_its_mark_stops_nothing_and_is_not_written_over() {
    let mut world = running();
    let old = AppHead { change: 1, previous: None, deployed: None, ..head_of(&world, "shop") };
    let newest = world.export();
    world.intrude(key("shop"), stored::encode(&old));
    world.run(12_000);
    assert_eq!(world.told(0).as_deref(), Some("post=1 web=1"));
    let app: AppName = "shop".parse().unwrap();
    let alarm = crate::Alarm::AppLost { app: app.clone(), seen: 3, found: Some(1) };
    assert_eq!(world.alarms.iter().filter(|raised| **raised == alarm).count(), 1);
    for command in [
        Command::Undeploy { name: app.clone() },
        Command::Deploy { name: app.clone(), version: None, takeover: false },
        Command::Delete { name: app.clone(), version: None },
        Command::Status { name: app },
    ] {
        assert!(refused(world.ask(command)).contains("the store has change 1"));
    }
    assert_eq!(head_of(&world, "shop"), old);
    // The other one is changed as ever; and the first one once it is put back.
    world.ask(Command::Undeploy { name: "blog".parse().unwrap() });
    restore(&mut world, newest, false);
    world.ask(Command::Undeploy { name: "shop".parse().unwrap() });
    world.run(1_500);
    assert_eq!(world.told(0).as_deref(), Some(""));
}

#[test]
fn an_application_that_is_missing_altogether_is_noticed_by_the_next_process() {
    let world = running();
    let kept = world.export();
    let marks = Marks::of(kept.iter().filter_map(|kept| Some((&kept.key, kept.bytes.as_deref()?))));
    let mut next = World::holding_to(marks);
    next.run(3_000);
    let missing = |app: &str| {
        let alarm = |alarm: &&crate::Alarm| matches!(alarm, crate::Alarm::AppLost { app: lost, found: None, .. } if lost.as_str() == app);
        next.alarms.iter().filter(alarm).count()
    };
    assert_eq!((missing("shop"), missing("blog")), (1, 1), "{:?}", next.alarms);
}

#[test]
fn another_content_under_a_known_number_takes_force() {
    let mut world = running();
    let kept = world.export();
    let fork = AppHead { deployed: None, ..head_of(&world, "shop") };
    let entry = Kept { key: key("shop"), seq: 1, bytes: Some(stored::encode(&fork)) };
    let refusal = |answer: Answer| match answer {
        Answer::Restored { stored: 0, refused, .. } if refused.len() == 1 => refused[0].clone(),
        other => panic!("{other:?}"),
    };
    let said = refusal(restore(&mut world, vec![entry.clone()], false));
    assert!(said.contains("change 3 of application shop is another one here"), "{said}");
    let answer = restore(&mut world, vec![entry], true);
    assert!(matches!(answer, Answer::Restored { stored: 1, .. }), "{answer:?}");
    let head = head_of(&world, "shop");
    assert_eq!((head.change, head.deployed), (5, None));
    world.run(1_500);
    assert_eq!(world.told(0).as_deref(), Some("post=1"));
    // What was seen meanwhile is newer than any export of before.
    assert!(matches!(restore(&mut world, kept, false), Answer::Restored { stored: 0, .. }));
}

/// Two leaders changed it, of which the second did not know what the store had lost.
#[test]
fn what_was_changed_after_a_loss_is_not_replaced_by_what_was_lost_without_force() {
    let mut world = running();
    let kept = Kept { key: key("shop"), seq: 1, bytes: Some(world.store[&key("shop")].1.clone()) };
    let mut other = head_of(&world, "shop");
    other.deployed = None;
    world.intrude(key("shop"), stored::encode(&other));
    let answer = restore(&mut world, vec![kept.clone()], false);
    let Answer::Restored { stored: 0, refused, .. } = &answer else { panic!("{answer:?}") };
    assert!(refused[0].contains("change 3 of application shop is another one"), "{refused:?}");
    assert!(matches!(restore(&mut world, vec![kept], true), Answer::Restored { stored: 1, .. }));
    assert_eq!(head_of(&world, "shop").change, 5);
}

/// A controller that knows an application follows a store in which another began with that name.
#[test]
fn what_another_put_under_the_same_numbers_is_not_kept_in_place_of_what_was_acknowledged() {
    let began = |id: &str| {
        let mut world = World::leading(1);
        world.put_and_deploy("shop", "v1", &[(id, DAEMON)]);
        world.run(2_000);
        world
    };
    let (mut world, other) = (began("web"), began("api"));
    let kept = world.export();
    let first = "manifest.shop.1".parse::<Key>().unwrap();
    for key in [first.clone(), key("shop")] {
        world.intrude(key.clone(), other.store[&key].1.clone());
    }
    let values = |kept: Vec<Kept>| -> Vec<_> {
        kept.into_iter().map(|entry| (entry.key, entry.bytes)).collect()
    };
    assert_eq!(values(world.export()), values(kept));
    world.remove(first.clone());
    assert!(world.export().iter().any(|entry| entry.key == first && entry.bytes.is_some()));
    // Whoever says that the other one is right has that kept.
    restore(&mut world, other.export(), true);
    world.run(2_000);
    assert!(values(world.export()).contains(&(first.clone(), Some(other.store[&first].1.clone()))));
}

/// Of two stores that went on from nothing, each without the other.
#[test]
fn a_head_that_is_forced_comes_with_its_manifests() {
    let began = |id: &str| {
        let mut world = World::leading(1);
        world.put_and_deploy("shop", "v1", &[(id, DAEMON)]);
        world.run(2_000);
        world
    };
    let (mut world, other) = (began("web"), began("api"));
    let (own, forced) = (world.export(), other.export());
    let answer = restore(&mut world, forced, true);
    // The owner of the id, the manifest and the head.
    assert!(matches!(answer, Answer::Restored { stored: 3, .. }), "{answer:?}");
    world.run(2_000);
    assert_eq!(world.told(0).as_deref(), Some("api=1"));
    // What its head does not name is not put back.
    let answer = restore(&mut world, own, false);
    assert!(matches!(answer, Answer::Restored { stored: 0, .. }), "{answer:?}");
}

#[test]
fn what_nobody_can_read_is_not_replaced_without_force() {
    let world = running();
    let kept = Kept { key: key("shop"), seq: 1, bytes: Some(world.store[&key("shop")].1.clone()) };
    // By whoever was never told how far it had come.
    let mut next = World::leading(1);
    next.intrude(key("shop"), b"garbage".to_vec());
    let answer = restore(&mut next, vec![kept.clone()], false);
    let Answer::Restored { stored: 0, refused, .. } = &answer else { panic!("{answer:?}") };
    assert!(refused[0].contains("application shop cannot be read here"), "{refused:?}");
    assert!(matches!(restore(&mut next, vec![kept], true), Answer::Restored { stored: 1, .. }));
    assert_eq!(head_of(&next, "shop").change, head_of(&world, "shop").change + 2);
}

#[test]
fn an_export_older_than_what_was_seen_takes_force() {
    let mut world = running();
    let old = AppHead { change: 2, previous: None, ..head_of(&world, "shop") };
    let entry = Kept { key: key("shop"), seq: 1, bytes: Some(stored::encode(&old)) };
    world.remove(key("shop"));
    let answer = restore(&mut world, vec![entry.clone()], false);
    let Answer::Restored { stored: 0, refused, .. } = &answer else { panic!("{answer:?}") };
    assert!(refused[0].contains("the export has 2"), "{refused:?}");
    assert!(matches!(restore(&mut world, vec![entry], true), Answer::Restored { stored: 1, .. }));
    assert!(matches!(world.deploy("shop"), Answer::Deployed { .. }));
}

#[test]
fn a_restore_of_another_lattice_is_refused() {
    let mut world = running();
    let (entries, seq) = (world.export(), world.last_seq);
    let other = "other".parse().unwrap();
    let answer = world.ask(Command::Restore { lattice: other, entries, force: true });
    assert!(refused(answer).contains("of lattice other"));
    assert_eq!(world.last_seq, seq);
}

#[test]
fn what_is_not_an_export_is_named_and_not_stored() {
    let mut world = running();
    let entry = |key: &str, bytes: &[u8]| Kept {
        key: key.parse().unwrap(),
        seq: 1,
        bytes: Some(bytes.to_vec()),
    };
    let other = stored::encode(&head_of(&world, "shop"));
    let entries = vec![
        entry("app.news", b"garbage"),
        entry("app.news", &other),
        entry("manifest.news.1", b"garbage"),
        entry("lease", b"garbage"),
        entry("config.x", b"garbage"),
    ];
    let seq = world.last_seq;
    let answer = restore(&mut world, entries, true);
    let Answer::Restored { stored, passed_over, refused } = &answer else { panic!("{answer:?}") };
    assert_eq!((*stored, *passed_over, refused.len()), (0, 1, 4), "{answer:?}");
    assert_eq!(world.last_seq, seq);
    let many = vec![entry("lease", b""); 501];
    assert!(matches!(restore(&mut world, many, false), Answer::Refused(_)));
}
