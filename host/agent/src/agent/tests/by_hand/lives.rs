//! Three lives: what is assigned, what a person started, and what another manager started.

use super::*;

#[test]
fn after_a_restart_what_a_person_started_runs_and_what_a_session_started_does_not() {
    let mut world = World::free(&[]);
    world.start("web", 2);
    world.start_session("set", 1);
    assert_eq!(world.owned("set"), Some((Owner::Session, 1)));
    let mut again = world.restart();
    assert_eq!(again.running(), ["hand:web x2 ready"]);
    assert!(again.story().contains(&"start hand:web x2".to_owned()), "{:?}", again.story());
    // Its id is free as soon as the lattice can be reached.
    assert_eq!(again.owned("set"), Some((Owner::Session, 1)));
    again.step(Event::Connected);
    assert_eq!(again.owned("set"), None);
    assert_eq!(again.owned("web"), Some((Owner::Manual, 1)));
    let on_disk = again.by_hand_on_disk().unwrap();
    assert_eq!((on_disk.entries.len(), on_disk.released.len()), (1, 0));
}

#[test]
fn an_assignment_ends_nothing_that_was_started_by_hand() {
    let mut world = World::new(&["web"]);
    world.assign(&assignment(1, 1, &[("web", 1)]));
    world.records_exist = false;
    world.start("set", 1);
    world.put_config(&named_config("settings: colour=red"));
    world.put_config(&named_config("more: size=1"));
    world.tell_config("settings");
    world.tell_config("more");
    world.assign(&Assignment { mass: true, ..assignment(1, 2, &[]) });
    assert_eq!(world.running(), ["hand:set x1 ready"]);
    world.assign(&assignment(1, 3, &[("web", 1)]));
    let mut again = world.restart();
    assert_eq!(again.running(), ["hand:set x1 ready", "web x1 ready"]);
    // Two run, and one of them by assignment: that is all of it.
    again.read_assignment(&sealed(&assignment(1, 4, &[])));
    assert_eq!(again.agent.refused().get("WT-HOST-MASS"), Some(&1));
}

#[test]
fn who_is_cut_off_starts_what_it_holds_and_nothing_else() {
    let mut world = World::free(&[]);
    world.start("web", 1);
    world.online = false;
    world.stop("web");
    assert_eq!(world.running(), [""; 0]);
    world.forget();
    // Its record still names this host.
    world.start("web#2", 1);
    assert_eq!(world.running(), ["hand:web#2 x1 ready"]);
    world.start("set", 1);
    assert_eq!(
        world.story().last().unwrap(),
        "answer 4: the lattice cannot be reached, and this host does not know who owns set"
    );
    world.online = true;
    world.step(Event::Connected);
    assert_eq!(world.owned("web"), Some((Owner::Manual, 1)));
    assert_eq!(world.owned("set"), None);
}

#[test]
fn what_was_stopped_without_a_lattice_is_released_when_there_is_one() {
    let mut world = World::free(&[]);
    world.start("web", 1);
    world.online = false;
    world.stop("web");
    assert_eq!(world.owned("web"), Some((Owner::Manual, 1)));
    let mut again = world.restart();
    assert_eq!(again.running(), [""; 0]);
    again.step(Event::Connected);
    assert_eq!(again.owned("web"), None);
}

#[test]
fn a_record_that_was_lost_is_made_again() {
    let mut world = World::free(&[]);
    world.start("web", 1);
    world.own(None, "web");
    world.step(Event::LookDue);
    assert_eq!(world.owned("web"), Some((Owner::Manual, 1)));
    assert_eq!(world.running(), ["hand:web x1 ready"]);
}

#[test]
fn what_is_on_disk_and_not_readable_is_told_and_starts_nothing() {
    let mut world = World::free(&[]);
    world.start("web", 1);
    let again = world.restart_with(|restored| restored.manual = Some(b"rotten".to_vec()));
    assert_eq!(again.story(), ["refused WT-HOST-MANUAL-SET"]);
    assert_eq!(again.running(), [""; 0]);
}

#[test]
fn an_unsure_write_of_a_record_is_found_out_by_reading() {
    let mut world = World::free(&[]);
    world.unsure_writes = 1;
    world.start("web", 1);
    assert_eq!(world.owned("web"), Some((Owner::Manual, 1)));
    assert_eq!(world.running(), ["hand:web x1 ready"]);
    let writes = world.story().iter().filter(|line| line.starts_with("write")).count();
    assert_eq!(writes, 1);
}
