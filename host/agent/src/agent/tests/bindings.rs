//! Links and named configuration: durable with the assignment, live while actors run, and never
//! changed by what is no information.

use super::*;
use crate::testing::{id, link, link_of_package, named_config};
use wattle_types::{Exports, Fingerprint, LinkReport, LinkState};

/// `web` runs, with a link to `db`.
fn linked() -> World {
    let mut world = World::new(&["web", "web#2", "db", "set", "set#2"]);
    world.put_link(&link("web -> db"));
    world.assign(&assignment(1, 1, &[("web", 1)]));
    world.forget();
    world
}

/// `set` runs, configured by `settings` and `more`.
fn configured() -> World {
    let mut world = World::new(&["web", "web#2", "db", "set", "set#2"]);
    world.put_config(&named_config("settings: colour=red size=1 own=overlaid"));
    world.put_config(&named_config("more: size=2"));
    world.assign(&assignment(1, 1, &[("set", 1)]));
    world.forget();
    world
}

fn binds(world: &World) -> Vec<String> {
    world.story().into_iter().filter(|line| line.starts_with("bind")).collect()
}

#[test]
fn links_and_configuration_are_durable_before_they_are_acknowledged_and_bound_before_a_call() {
    let mut world = World::new(&["set"]);
    world.put_link(&link("set -> db"));
    world.put_config(&named_config("settings: colour=red size=1 own=overlaid"));
    world.put_config(&named_config("more: size=2"));
    world.assign(&assignment(1, 1, &[("set", 1)]));
    assert_eq!(
        world.story()[4..],
        [
            "read spec set",
            "read links set",
            "read config.more, config.settings, id set",
            "store 1: config.more, config.settings, id set, link.set.acme.shop.default, spec set",
            "start set x1",
            "bind set: acme:shop/orders -> db, colour=red, own=1, size=2",
            "serve set x1",
            "scaled set to 1",
            "announce #1: set ready",
        ]
    );
}

#[test]
fn nothing_is_acknowledged_before_its_links_were_read() {
    let mut world = World::new(&["web"]);
    world.store_answers = false;
    world.assign(&assignment(1, 1, &[("web", 1)]));
    world.store_answers = true;
    world.step(Event::LinksRead { source: id("web"), links: Err(()), up_to: 0 });
    world.step(Event::Woken { at_least: 0 });
    assert_eq!(world.beat().applied, None, "the store did not answer for the links");
    assert!(world.running().is_empty());
    let due = world.agent.due().expect("they are read again");
    world.at(due);
    assert_eq!(world.running(), ["web x1 ready"]);
}

#[test]
fn links_are_read_as_new_as_the_assignment_before_a_new_actor_starts() {
    let mut world = World::new(&["web"]);
    world.up_to = SEQ - 1;
    world.assign(&assignment(1, 1, &[("web", 1)]));
    assert!(world.running().is_empty(), "the replica lacks what was stored with the assignment");
    world.put_link(&link("web -> db"));
    let due = world.agent.due().expect("it is read again");
    world.at(due);
    assert_eq!(binds(&world), ["bind web: acme:shop/orders -> db, own=1"]);
    assert_eq!(world.running(), ["web x1 ready"]);
}

#[test]
fn a_link_that_changes_is_bound_and_stored_while_its_actor_runs() {
    let mut world = linked();
    world.put_link(&link("web -> set"));
    world.tell_link("web");
    assert_eq!(
        world.story(),
        [
            "read links web",
            "bind web: acme:shop/orders -> set, own=1",
            "store 1: link.web.acme.shop.default",
        ]
    );
    assert_eq!(world.on_disk(), world.values);
    world.forget();
    world.tell_link("web");
    world.step(Event::LinkChanged { source: id("db"), at_least: 9_999 });
    assert_eq!(world.story(), [""; 0], "what is known already and what is not ours is not read");
}

#[test]
fn a_deleted_link_is_unbound_and_leaves_the_disk() {
    let mut world = linked();
    world.delete_link(&link("web -> db"));
    world.tell_link("web");
    assert_eq!(world.story(), ["read links web", "bind web: own=1", "store 1:"]);
    assert!(world.on_disk().is_empty());
    let again = world.restart();
    assert_eq!(binds(&again), ["bind web: own=1"]);
}

#[test]
fn a_read_that_fails_or_is_old_changes_no_link() {
    let mut world = linked();
    world.put_link(&link("web -> set"));
    world.tell_link("web");
    world.forget();
    world.store_answers = false;
    let up_to = world.up_to;
    for (name, links, up_to) in [
        ("failed", Err(()), up_to + 1),
        ("of a replica that is behind", Ok(Vec::new()), up_to - 1),
        ("of nobody's actor", Ok(Vec::new()), up_to + 1),
    ] {
        let source = if name == "of nobody's actor" { id("db") } else { id("web") };
        world.step(Event::LinksRead { source, links, up_to });
        assert_eq!(world.story(), [""; 0], "{name}");
    }
    world.step(Event::LinksRead { source: id("web"), links: Ok(Vec::new()), up_to });
    assert_eq!(binds(&world), ["bind web: own=1"], "an empty answer that is new is obeyed");
}

#[test]
fn a_replica_that_lags_is_asked_until_it_shows_the_change() {
    let mut world = linked();
    let told = Event::LinkChanged { source: id("web"), at_least: world.up_to + 1 };
    world.step(told);
    assert_eq!(world.story(), ["read links web"]);
    world.put_link(&link("web -> set"));
    let due = world.agent.due().expect("it is asked again");
    assert!(due <= world.now + 100);
    world.at(due);
    assert_eq!(binds(&world), ["bind web: acme:shop/orders -> set, own=1"]);
}

#[test]
fn a_change_nobody_told_of_is_found_by_the_regular_look() {
    let mut world = linked();
    world.put_link(&link("web -> set"));
    world.step(Event::LookDue);
    assert_eq!(binds(&world), ["bind web: acme:shop/orders -> set, own=1"]);
}

#[test]
fn a_store_that_lost_everything_takes_no_link_away() {
    let mut world = linked();
    world.values.clear();
    let assigned = world.stored.take();
    world.up_to = 3;
    for event in [Event::LookDue, Event::Connected] {
        world.now = world.now + 90_000;
        world.step(event);
    }
    assert_eq!(world.story(), ["read assign", "announce all #1: web ready", "read assign"]);
    world.forget();
    // As soon as it knows this host again, what it says of links holds, though it is behind.
    world.stored = assigned;
    for _ in 0..2 {
        world.now = world.now + 90_000;
        world.step(Event::LookDue);
    }
    assert_eq!(binds(&world), ["bind web: own=1"]);
}

#[test]
fn a_link_that_changes_while_its_assignment_is_being_written_is_not_lost() {
    let mut world = World::new(&["web"]);
    world.put_link(&link("web -> db"));
    world.disk_answers = false;
    world.assign(&assignment(1, 1, &[("web", 1)]));
    world.forget();
    world.put_link(&link("web -> set"));
    world.tell_link("web");
    assert_eq!(world.story(), ["read links web"]);
    world.disk_answers = true;
    world.finish_store();
    assert_eq!(
        world.story()[1..5],
        [
            "start web x1",
            "store 1: link.web.acme.shop.default",
            "bind web: acme:shop/orders -> set, own=1",
            "serve web x1",
        ]
    );
    assert_eq!(world.on_disk(), world.values);
}

#[test]
fn a_link_that_comes_and_goes_while_the_disk_writes_is_not_left_there() {
    let mut world = linked();
    world.disk_answers = false;
    for target in ["web -> set", "web -> web"] {
        world.put_link(&link(target));
        world.tell_link("web");
    }
    world.delete_link(&link("web -> db"));
    world.tell_link("web");
    world.disk_answers = true;
    world.finish_store();
    assert!(world.on_disk().is_empty(), "{:?}", world.story());
}

#[test]
fn a_newer_assignment_waits_for_the_links_being_written_and_loses_none() {
    let mut world = linked();
    world.disk_answers = false;
    world.put_link(&link("web -> set"));
    world.tell_link("web");
    world.assign(&assignment(1, 2, &[("web", 2), ("db", 1)]));
    world.put_link(&link("db -> web"));
    world.tell_link("db");
    assert_eq!(world.beat().applied.unwrap().generation, Generation(1));
    world.disk_answers = true;
    world.finish_store();
    assert_eq!(world.beat().applied.unwrap().generation, Generation(2));
    assert_eq!(world.running(), ["db x1 ready", "web x2 ready"]);
    assert_eq!(world.on_disk(), world.values);
}

#[test]
fn a_host_restarts_with_its_links_and_configuration_without_a_lattice() {
    let mut world = configured();
    world.put_link(&link("set -> db"));
    world.tell_link("set");
    let mut again = world.restart();
    assert_eq!(
        binds(&again),
        ["bind set: acme:shop/orders -> db, colour=red, own=1, size=2"],
        "{:?}",
        again.story()
    );
    assert_eq!(again.beat().applied.unwrap().generation, Generation(1));
    again.forget();
    again.online = false;
    again.step(Event::Connected);
    again.step(Event::LookDue);
    assert_eq!(binds(&again), [""; 0]);
    again.online = true;
    again.delete_link(&link("set -> db"));
    again.step(Event::Connected);
    assert_eq!(binds(&again), ["bind set: colour=red, own=1, size=2"]);
}

#[test]
fn a_disk_that_lost_a_link_acknowledges_nothing_until_links_were_read_again() {
    let mut world = linked();
    world.put_link(&link_of_package("web -> set", "bank"));
    world.tell_link("web");
    let mut again = world.restart_with(|restored| {
        restored.values.insert(link("web -> db").key(), b"rotten".to_vec());
    });
    assert_eq!(again.agent.refused().get("WT-HOST-LINK-RECORD"), Some(&1));
    assert_eq!(again.running(), ["web x1 ready"]);
    assert_eq!(again.beat().applied, None);
    again.step(Event::Connected);
    assert_eq!(
        binds(&again).last().unwrap(),
        "bind web: acme:bank/orders -> set, acme:shop/orders -> db, own=1"
    );
    assert_eq!(again.beat().applied.unwrap().generation, Generation(1));
    assert_eq!(again.on_disk(), again.values);
}

#[test]
fn a_link_nobody_can_read_stays_as_it_was_and_the_others_follow() {
    let mut world = linked();
    world.values.insert(link("web -> set").key(), b"of a newer version".to_vec());
    world.put_link(&link_of_package("web -> set", "bank"));
    world.tell_link("web");
    assert_eq!(
        world.story(),
        [
            "read links web",
            "refused WT-HOST-LINK-RECORD",
            "bind web: acme:bank/orders -> set, acme:shop/orders -> db, own=1",
            "store 1: link.web.acme.bank.default",
        ]
    );
}

#[test]
fn configuration_that_changes_is_bound_and_stored_while_its_actors_run() {
    let mut world = configured();
    world.put_config(&named_config("settings: colour=blue"));
    world.tell_config("settings");
    world.tell_config("of-somebody-else");
    assert_eq!(
        world.story(),
        [
            "read config.settings",
            "bind set: colour=blue, own=1, size=2",
            "store 1: config.settings",
        ]
    );
    assert_eq!(world.on_disk(), world.values);
}

#[test]
fn deleted_configuration_is_kept_by_what_runs() {
    let mut world = configured();
    world.values.clear();
    world.up_to += 1;
    world.tell_config("settings");
    while let Some(due) = world.agent.due().filter(|due| *due < Millis(HEARTBEAT_MS)) {
        world.at(due);
    }
    world.step(Event::LookDue);
    assert_eq!(binds(&world), [""; 0]);
    assert_eq!(world.running(), ["set x1 ready"]);
}

#[test]
fn an_actor_whose_configuration_is_not_stored_is_not_started_until_it_is() {
    let mut world = World::new(&["set", "db"]);
    world.put_config(&named_config("more: size=2"));
    world.assign(&assignment(1, 1, &[("set", 1), ("db", 1)]));
    assert_eq!(
        world.running(),
        [
            "db x1 ready",
            "set x1 failed: config settings is not stored; put it with `wattle config put \
             settings key=value` [WT-HOST-CONFIG]"
        ]
    );
    assert_eq!(world.beat().applied.unwrap().generation, Generation(1), "it holds up no other");
    world.forget();
    let due = world.agent.due().expect("it is read again");
    world.at(due);
    assert_eq!(world.story(), ["read config.settings"]);
    // Told of it, nobody waits for the next time.
    world.put_config(&named_config("settings: colour=red"));
    world.tell_config("settings");
    assert_eq!(world.running(), ["db x1 ready", "set x1 ready"]);
    assert_eq!(binds(&world), ["bind set: colour=red, own=1, size=2"]);
    assert_eq!(world.on_disk(), world.values);
}

#[test]
fn what_serves_while_its_successor_starts_follows_links_and_keeps_its_configuration() {
    let mut world = configured();
    world.starts = false;
    world.assign(&assignment(1, 2, &[("set#2", 1)]));
    world.forget();
    world.put_link(&link("set -> db"));
    world.put_config(&named_config("more: size=3"));
    world.tell_link("set");
    world.tell_config("more");
    assert_eq!(binds(&world), ["bind set: acme:shop/orders -> db, colour=red, own=1, size=2"]);
    world.finish_starts();
    assert_eq!(
        binds(&world)[1..],
        ["bind set#2: acme:shop/orders -> db, colour=red, own=2, size=3"]
    );
}

#[test]
fn calls_under_way_in_a_run_that_ends_for_another_follow_links() {
    let mut world = linked();
    world.stops = false;
    world.assign(&assignment(1, 2, &[("web#2", 1)]));
    world.forget();
    world.put_link(&link("web -> set"));
    world.tell_link("web");
    assert_eq!(
        binds(&world),
        ["bind web: acme:shop/orders -> set, own=1", "bind web#2: acme:shop/orders -> set, own=2",]
    );
}

#[test]
fn what_became_of_links_is_in_the_inventory() {
    let mut world = linked();
    let before = world.beat().inventory;
    let report = LinkReport {
        interface: "acme:shop/orders@1.0.0".parse().unwrap(),
        name: Default::default(),
        target: id("db"),
        state: LinkState::Waiting { why: "no host serves db now".to_owned() },
    };
    let judged = Event::LinksJudged { id: id("web"), reports: vec![report.clone()] };
    world.step(judged.clone());
    let inventory = world.agent.inventory(world.now);
    assert_eq!(inventory.actors[0].links, [report]);
    assert!(before < inventory.revision);
    world.step(judged);
    world.step(Event::LinksJudged { id: id("db"), reports: Vec::new() });
    assert_eq!(world.beat().inventory, inventory.revision, "nothing was news");
}

#[test]
fn an_import_without_a_link_is_in_the_inventory_until_there_is_one() {
    let mut world = World::new(&["web"]);
    world.starts = false;
    world.assign(&assignment(1, 1, &[("web", 1)]));
    let missing = |world: &World| -> Vec<String> {
        let reports = world.agent.inventory(world.now).actors;
        reports[0].missing_links.iter().map(|missing| missing.interface.to_string()).collect()
    };
    assert_eq!(missing(&world), [""; 0], "nobody knows what it imports");
    let imports = ["acme:shop/orders@1.0.0".parse().unwrap()].into();
    let run = world.pending_starts()[0];
    world.step(Event::Started { run, component: Component { imports, ..component() } });
    assert_eq!(missing(&world), ["acme:shop/orders@1.0.0"]);
    let before = world.beat().inventory;
    world.put_link(&link("web -> set"));
    world.tell_link("web");
    assert_eq!(missing(&world), [""; 0]);
    assert!(before < world.beat().inventory, "the change is told");
}

#[test]
fn what_others_may_call_is_announced() {
    let mut world = World::new(&["web"]);
    world.starts = false;
    world.assign(&assignment(1, 1, &[("web", 1)]));
    let functions = [("place".to_owned(), Fingerprint::from_bytes([1; 16]))].into();
    let exports = Exports::from([("acme:shop/orders@1.0.0".parse().unwrap(), functions)]);
    let run = world.pending_starts()[0];
    let component = Component { exports: exports.clone(), ..component() };
    world.step(Event::Started { run, component });
    assert_eq!(world.agent.serves().entries[0].exports, exports);
}
