//! What is started by hand: three lives, one owner, and what happens in the middle of something
//! else.

mod adoption;
mod lives;

use super::world::by_hand::managed;
use super::*;
use crate::testing::{id, link, named_config, spec};
use crate::{Command, Start};

#[test]
fn what_is_started_by_hand_is_claimed_then_stored_then_run() {
    let mut world = World::free(&[]);
    world.start("web", 2);
    assert_eq!(
        world.story(),
        [
            "read owner of web",
            "write owner of web with us",
            "store by hand: hand:web",
            "start hand:web x2",
            "answer 1: done",
            "read links web",
            "bind hand:web: ",
            "serve hand:web x2",
            "scaled web to 2",
            "announce #1: hand:web ready",
        ]
    );
    assert_eq!(world.owned("web"), Some((Owner::Manual, 1)));
    let inventory = world.agent.inventory(world.now);
    assert_eq!(inventory.actors[0].owner, Owner::Manual);
    assert_eq!(inventory.applied, None, "nobody assigned it");
}

#[test]
fn what_is_stopped_by_hand_is_forgotten_then_ended_then_released() {
    let mut world = World::free(&[]);
    world.start("web", 2);
    world.forget();
    world.stop("web");
    assert_eq!(
        world.story(),
        [
            "store by hand:",
            "read owner of web",
            "scaled web to 0",
            "stop hand:web",
            "answer 2: done",
            "announce #2: hand:web draining",
            "delete owner of web",
            "store by hand:",
            "announce #3: hand:web gone",
        ]
    );
    assert_eq!(world.owned("web"), None);
    assert_eq!(world.running(), [""; 0]);
    assert_eq!(world.by_hand_on_disk(), Some(wattle_types::ManualSet::new(vec![], [].into())));
}

#[test]
fn an_id_of_an_application_is_not_touched_by_hand() {
    let mut world = World::new(&["web"]);
    world.assign(&assignment(1, 1, &[("web", 1)]));
    world.forget();
    world.start("web", 2);
    world.stop("web");
    world.update("web#2");
    world.command(Command::Scale { id: id("web"), count: 5 });
    let denial = "web belongs to application shop; change its manifest, and use `wattle app deploy \
                  shop`";
    let expected: Vec<String> = (1..=4).map(|n| format!("answer {n}: {denial}")).collect();
    assert_eq!(world.story(), expected, "nothing is even read");
    // Nor one that runs elsewhere.
    world.forget();
    world.start("web#2", 1);
    world.start("set", 1);
    assert_eq!(world.story()[1], "read owner of set");
    assert!(world.story()[2].starts_with("answer 6: set belongs to application shop"));
    assert_eq!(world.running(), ["web x1 ready"]);
}

#[test]
fn what_only_has_another_number_or_annotation_is_not_started_again() {
    let mut world = World::free(&[]);
    world.start("web", 2);
    world.forget();
    world.command(Command::Scale { id: id("web"), count: 5 });
    world.start_session("web", 5);
    let heard = world.story();
    let heard: Vec<_> = heard.iter().filter(|line| !line.starts_with("store")).collect();
    assert_eq!(
        heard,
        [
            "serve hand:web x5",
            "scaled web to 5",
            "answer 2: done",
            "scaled web to 5",
            "answer 3: done"
        ]
    );
    assert_eq!(world.agent.inventory(world.now).actors[0].annotations, managed());
    world.command(Command::Scale { id: id("db"), count: 5 });
    assert_eq!(
        world.story().last().unwrap(),
        "answer 4: nothing was started by hand as db on this host"
    );
    world.command(Command::Scale { id: id("web"), count: 0 });
    assert_eq!(world.running(), [""; 0]);
}

#[test]
fn whoever_gives_a_command_hears_of_it_also_if_nothing_changes() {
    let mut world = World::free(&[]);
    world.start("web", 2);
    world.forget();
    world.start("web", 2);
    assert_eq!(world.story(), ["scaled web to 2", "answer 2: done"]);
    world.forget();
    let image = Some("file:///x.wasm".to_owned());
    world.command(Command::Stop { id: id("db"), image, annotations: managed() });
    assert_eq!(world.story(), ["scaled db to 0", "answer 3: done"]);
    // What failed is tried at once.
    world.broken = vec!["hand:web#2"];
    world.update("web#2");
    world.broken.clear();
    world.forget();
    world.update("web#2");
    assert_eq!(world.story()[0], "start hand:web#2 x2");
    assert_eq!(world.running(), ["hand:web#2 x2 ready"]);
}

#[test]
fn nothing_is_said_to_be_so_while_the_disk_may_have_something_else() {
    let mut world = World::free(&[]);
    world.start("web", 2);
    world.failing_writes = 1;
    world.stop("web");
    world.forget();
    world.start("web", 2);
    assert_eq!(world.story(), [""; 0], "the disk may have kept that it is stopped");
    let due = world.agent.due().unwrap();
    world.at(due);
    assert_eq!(world.story(), ["store by hand: hand:web", "scaled web to 2", "answer 3: done"]);
}

#[test]
fn another_image_takes_the_place_only_of_what_may_be_replaced() {
    let mut world = World::free(&[]);
    world.start("web", 1);
    world.forget();
    let spec = Box::new(spec("hand:web#2"));
    let annotations = BTreeMap::new();
    let life = wattle_types::Life::Manual;
    let again = Start { spec, count: 3, life, annotations, replace: false };
    world.command(Command::Start(again));
    assert_eq!(world.running(), ["hand:web x3 ready"]);
    let answer = "answer 2: done web runs file:///web/1.wasm and goes on doing so; `wattle update \
                  component` gives it another";
    assert!(world.story().contains(&answer.to_owned()), "{:?}", world.story());
    world.forget();
    world.update("web#2");
    assert_eq!(world.running(), ["hand:web#2 x3 ready"]);
    let served = world.story().iter().position(|line| line == "serve hand:web#2 x3").unwrap();
    let stopped = world.story().iter().position(|line| line == "stop hand:web").unwrap();
    assert!(served < stopped, "it serves before the one before it ends");
}

#[test]
fn a_manager_that_was_followed_by_another_stops_nothing() {
    let mut world = World::free(&[]);
    let scaler = |name: &str| {
        let mut annotations = managed();
        annotations.insert("wasmcloud.dev/scaler".to_owned(), name.to_owned());
        annotations
    };
    let stop = |name: &str| {
        let (id, image) = (id("web"), Some("file:///web/1.wasm".to_owned()));
        Command::Stop { id, image, annotations: scaler(name) }
    };
    world.command(super::world::by_hand::start("web", 1, scaler("one")));
    // An upgrade as it is sent: the new one is asked for, then the old one ended.
    world.command(super::world::by_hand::start("web#2", 1, scaler("two")));
    world.forget();
    world.command(stop("one"));
    assert_eq!(world.story(), ["answer 3: done"]);
    assert_eq!(world.running(), ["hand:web#2 x1 ready"]);
    world.command(stop("two"));
    assert_eq!(world.running(), [""; 0]);
}

#[test]
fn a_stop_while_it_starts_while_it_is_updated_leaves_nothing() {
    // Whatever comes back when: the store, the disk, the starts.
    for (store, disk) in [(true, true), (false, true), (true, false), (false, false)] {
        let mut world = World::free(&[]);
        (world.store_answers, world.disk_answers, world.starts, world.stops) =
            (store, disk, false, false);
        world.start("web", 1);
        world.update("web#2");
        world.stop("web");
        (world.store_answers, world.disk_answers) = (true, true);
        if !store {
            let unix_s = 1;
            let reading = crate::OwnerReading::Free { seq: 0 };
            world.step(Event::OwnerRead { id: id("web"), reading, unix_s });
        }
        if !disk && store {
            world.step(Event::ManualStored { number: 1 });
        }
        let late = world.pending_starts();
        world.finish_starts();
        world.finish_stops();
        for run in late {
            world.step(Event::Started { run, component: component() });
        }
        assert_eq!(world.running(), [""; 0], "{store} {disk}");
        assert_eq!(world.owned("web"), None, "{store} {disk}");
        assert!(world.by_hand_on_disk().unwrap().entries.is_empty());
        let story = world.story();
        assert!(!story.iter().any(|line| line.starts_with("serve")), "{story:?}");
        let answers: Vec<_> = story.iter().filter(|line| line.starts_with("answer")).collect();
        assert_eq!(answers, ["answer 1: done", "answer 2: done", "answer 3: done"]);
    }
}

#[test]
fn commands_for_one_id_are_carried_out_in_their_order_and_others_do_not_wait() {
    let mut world = World::free(&[]);
    world.store_answers = false;
    world.start("web", 1);
    world.update("web#2");
    world.store_answers = true;
    world.start("set", 1);
    assert!(world.story().contains(&"answer 3: done".to_owned()), "{:?}", world.story());
    assert!(!world.story().contains(&"answer 2: done".to_owned()));
    world.step(Event::OwnerRead {
        id: id("web"),
        reading: crate::OwnerReading::Free { seq: 0 },
        unix_s: 1,
    });
    assert!(world.running().contains(&"hand:web#2 x1 ready".to_owned()), "{:?}", world.running());
}

#[test]
fn what_the_disk_does_not_take_is_not_started_and_its_id_is_free_again() {
    let mut world = World::free(&[]);
    world.failing_writes = 1;
    world.start("web", 1);
    assert_eq!(
        world.story()[3..],
        [
            "answer 1: this host could not store it: disk full",
            "read owner of web",
            "delete owner of web"
        ]
    );
    assert_eq!(world.running(), [""; 0]);
    // What the disk has is written again: it may have kept what was denied.
    let due = world.agent.due().unwrap();
    world.at(due);
    assert!(world.by_hand_on_disk().unwrap().entries.is_empty());
}

#[test]
fn its_links_and_configuration_are_those_of_the_lattice() {
    let mut world = World::free(&[]);
    world.start("set", 1);
    assert!(world.running()[0].contains("[WT-HOST-CONFIG]"), "{:?}", world.running());
    world.put_config(&named_config("settings: colour=red"));
    world.put_config(&named_config("more: size=1"));
    world.tell_config("settings");
    world.tell_config("more");
    assert_eq!(world.running(), ["hand:set x1 ready"]);
    world.forget();
    world.put_link(&link("set -> db"));
    world.tell_link("set");
    let bound = "bind hand:set: acme:shop/orders -> db, colour=red, size=1";
    assert!(world.story().contains(&bound.to_owned()), "{:?}", world.story());
    // They are on disk with it.
    let again = world.restart();
    assert!(again.story().contains(&bound.to_owned()), "{:?}", again.story());
}

#[test]
fn a_command_to_a_host_that_leaves_is_denied() {
    let mut world = World::free(&[]);
    world.start("web", 1);
    world.stops = false;
    world.store_answers = false;
    world.start("set", 1);
    world.forget();
    world.step(Event::Drain);
    world.start("set", 1);
    let denial = "this host is leaving; use another one";
    let story = world.story();
    assert!(story.contains(&format!("answer 2: {denial}")), "{story:?}");
    assert!(story.contains(&format!("answer 3: {denial}")), "{story:?}");
    // It may be in the record by now: who starts again takes itself out.
    assert!(world.by_hand_on_disk().unwrap().released.contains(&id("set")));
}

#[test]
fn what_waits_for_too_long_is_denied_at_once() {
    let mut world = World::free(&[]);
    world.store_answers = false;
    for _ in 0..257 {
        world.start("web", 1);
    }
    let last = world.story().last().unwrap().clone();
    assert_eq!(last, "answer 257: this host works on 256 commands already; try again");
}
