//! An application names what runs by hand.

use super::*;

fn held() -> World {
    let mut world = World::free(&["web", "web#2"]);
    world.start("web", 2);
    world.forget();
    world
}

#[test]
fn what_runs_by_hand_is_adopted_without_a_restart() {
    let mut world = held();
    world.give_to_shop("web");
    world.assign(&assignment(1, 1, &[("web", 2)]));
    assert_eq!(
        world.story(),
        [
            "read spec web",
            "read links web",
            "read id web",
            "store 1: id web, spec web",
            "adopt hand:web as web",
            "bind web: own=1",
            "store by hand:",
            "announce #2: hand:web gone, web ready",
        ]
    );
    assert_eq!(world.running(), ["web x2 ready"]);
    let report = world.agent.inventory(world.now).actors[0].clone();
    assert_eq!(report.owner, Owner::App("shop".parse().unwrap()));
    assert_eq!(world.owned("web"), Some((Owner::App("shop".parse().unwrap()), 0)));
    // It is the application's for good.
    world.forget();
    world.stop("web");
    assert!(world.story()[0].contains("web belongs to application shop"), "{:?}", world.story());
    let mut again = world.restart();
    assert_eq!(again.running(), ["web x2 ready"]);
    again.assign(&Assignment { mass: true, ..assignment(1, 2, &[]) });
    assert_eq!(again.running(), [""; 0]);
}

#[test]
fn another_image_takes_its_place_without_a_gap() {
    let mut world = held();
    world.give_to_shop("web");
    world.starts = false;
    world.assign(&assignment(1, 1, &[("web#2", 1)]));
    assert_eq!(world.running(), ["hand:web x2 ready", "web#2 x1 starting"]);
    world.finish_starts();
    assert_eq!(world.running(), ["web#2 x1 ready"]);
    assert!(world.by_hand_on_disk().unwrap().entries.is_empty());
}

#[test]
fn an_assignment_that_the_record_does_not_bear_out_waits_until_it_does() {
    let mut world = held();
    world.assign(&assignment(1, 1, &[("web", 1)]));
    assert_eq!(world.running(), ["hand:web x2 ready"], "a replica may lag behind");
    assert_eq!(world.beat().applied.unwrap().generation, Generation(1));
    world.give_to_shop("web");
    world.step(Event::LookDue);
    assert_eq!(world.running(), ["web x1 ready"]);
}

#[test]
fn what_was_taken_over_and_is_not_assigned_here_ends_after_a_while() {
    let mut world = held();
    world.give_to_shop("web");
    world.step(Event::LookDue);
    assert_eq!(world.running(), ["hand:web x2 ready"], "its leader may assign it here");
    world.start("web#2", 1);
    assert!(world.story().last().unwrap().contains("belongs to application shop"));
    let due = world.agent.due().unwrap();
    assert_eq!(due.since(world.now), 10_000);
    world.at(due);
    assert_eq!(world.running(), [""; 0]);
    assert!(world.by_hand_on_disk().unwrap().entries.is_empty());
    assert_eq!(world.owned("web"), Some((Owner::App("shop".parse().unwrap()), 0)));
}

#[test]
fn what_was_taken_over_without_a_lattice_runs_until_there_is_one() {
    let mut world = held();
    world.give_to_shop("web");
    let mut again = world.restart();
    assert_eq!(again.running(), ["hand:web x2 ready"]);
    again.step(Event::Connected);
    let due = again.agent.due().unwrap();
    again.at(due);
    assert_eq!(again.running(), [""; 0]);
}
