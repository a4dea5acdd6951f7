//! How a host comes back from its disk, and how it leaves.

use super::*;

#[test]
fn a_host_restarts_from_its_closure_without_a_lattice() {
    let mut world = World::new(&["web"]);
    world.assign(&assignment(3, 7, &[("web", 2)]));
    let mut again = world.restart();
    assert_eq!(
        again.story(),
        [
            "start web x2",
            "bind web: own=1",
            "serve web x2",
            "scaled web to 2",
            "announce #1: web ready",
        ]
    );
    let beat = again.beat();
    assert_eq!((beat.applied.unwrap().generation, beat.epoch_max), (Generation(7), Epoch(3)));
    // The lattice has nothing new to say.
    again.forget();
    again.step(Event::Connected);
    assert_eq!(
        again.story(),
        [
            "stopped host",
            "started host",
            "announce all #1: web ready",
            "read assign",
            "read links web",
        ]
    );
}

#[test]
fn a_restarted_host_still_refuses_a_deposed_leader() {
    let mut world = World::new(&["web"]);
    world.assign(&assignment(3, 7, &[("web", 1)]));
    world.step(Event::LeaderHeard { sealed: leads(4) });
    let mut again = world.restart();
    assert_eq!(again.running(), ["web x1 ready"], "it was accepted when its leader led");
    again.read_assignment(&sealed(&assignment(3, 8, &[("web", 5)])));
    assert_eq!(again.agent.refused().get("WT-HOST-LOWER-EPOCH"), Some(&1));
    assert_eq!(again.running(), ["web x1 ready"]);
}

#[test]
fn a_closure_nobody_trusts_any_more_runs_nothing_but_its_marks_hold() {
    let mut world = World::new(&["web"]);
    let followed = assignment(3, 7, &[("web", 1)]);
    world.assign(&followed);
    let mut again = world.restart_with(|restored| {
        restored.sealed = Some(signed::seal(Context::Assignment, &followed.encode(), &stranger()));
    });
    assert_eq!(again.story(), ["refused WT-HOST-SIGNATURE"]);
    assert_eq!(again.beat().applied, None);
    again.read_assignment(&sealed(&assignment(3, 6, &[("web", 1)])));
    assert!(again.running().is_empty());
    // What the lattice still has under the same number is taken, since it is trusted.
    again.read_assignment(&sealed(&followed));
    assert_eq!(again.running(), ["web x1 ready"]);
}

#[test]
fn a_disk_that_lost_a_spec_runs_the_rest_and_reads_it_again() {
    let mut world = World::new(&["web", "db"]);
    world.assign(&assignment(1, 1, &[("web", 1), ("db", 1)]));
    let mut again = world.restart_with(|restored| {
        restored.values.insert(Key::Spec(spec_hash("db")), b"rotten".to_vec());
    });
    // Nobody answered yet.
    assert_eq!(again.beat().applied, None);
    assert_eq!(again.running().len(), 2, "{:?}", again.running());
    assert!(again.running().contains(&"web x1 ready".to_owned()), "{:?}", again.running());
    again.online = true;
    again.step(Event::Connected);
    assert_eq!(again.running(), ["db x1 ready", "web x1 ready"]);
    assert_eq!(again.beat().applied.unwrap().generation, Generation(1));
}

#[test]
fn a_host_that_leaves_says_so_then_takes_nothing_then_ends() {
    let mut world = World::new(&["web", "db"]);
    world.assign(&assignment(1, 1, &[("web", 1), ("db", 1)]));
    world.stops = false;
    world.forget();
    world.step(Event::Drain);
    assert_eq!(world.story(), ["announce #3: db draining, web draining"]);
    assert!(world.beat().draining);
    world.forget();
    let due = world.agent.due().unwrap();
    world.at(due);
    assert_eq!(world.story(), ["stop db", "stop web"]);
    world.forget();
    world.finish_stops();
    assert_eq!(
        world.story(),
        ["announce #4: db gone", "announce #5: web gone", "stopped host", "left"]
    );
    // Nothing moves it any more.
    assert_eq!(world.agent.step(world.now, Event::LookDue), []);
}

#[test]
fn a_host_that_is_gone_at_once_says_that_it_leaves() {
    let mut world = World::new(&["web"]);
    assert!(!world.beat().draining);
    let effects = world.agent.step(world.now, Event::Drain);
    let beats: Vec<&Effect> =
        effects.iter().filter(|effect| matches!(effect, Effect::Beat(_))).collect();
    let [Effect::Beat(last)] = beats[..] else { panic!("{effects:?}") };
    assert!(last.draining && effects.last() == Some(&Effect::Leave), "{effects:?}");

    // Nobody waits for one that was never heard.
    let mut world = World::new(&["web"]);
    let effects = world.agent.step(world.now, Event::Drain);
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Beat(_))), "{effects:?}");
}

#[test]
fn a_host_that_leaves_waits_no_longer_than_its_grace() {
    let mut world = World::new(&["web"]);
    world.assign(&assignment(1, 1, &[("web", 1)]));
    world.stops = false;
    world.step(Event::Drain);
    let began = world.now;
    while !world.story().contains(&"left".to_owned()) {
        let due = world.agent.due().expect("a host that leaves has an end");
        world.at(due);
    }
    assert!(world.now.since(began) <= config().grace_ms + 2 * LAME_DUCK_MS);
}

#[test]
fn a_host_that_leaves_takes_no_assignment() {
    let mut world = World::new(&["web"]);
    world.step(Event::Drain);
    assert_eq!(world.story().last().map(String::as_str), Some("left"));
    let mut world = World::new(&["web", "db"]);
    world.assign(&assignment(1, 1, &[("web", 1)]));
    world.stops = false;
    world.step(Event::Drain);
    world.forget();
    world.read_assignment(&sealed(&assignment(1, 2, &[("web", 1), ("db", 1)])));
    assert_eq!(world.story(), [""; 0]);
}

/// `web` and `db` run, by the word of a leader that leads.
fn led() -> World {
    let mut world = World::new(&["web", "db"]);
    world.assign(&assignment(1, 1, &[("web", 1), ("db", 1)]));
    world.step(Event::LeaderHeard { sealed: leads(1) });
    world.forget();
    world
}

#[test]
fn a_host_that_leaves_serves_until_its_assignment_is_taken_away() {
    let mut world = led();
    world.step(Event::Drain);
    assert!(world.beat().draining, "the planner hears it at once");
    assert_eq!(world.story(), [""; 0], "callers still come");
    world.read_assignment(&sealed(&assignment(1, 2, &[("web", 1)])));
    assert_eq!(world.running(), ["web x1 ready"]);
    world.forget();
    world.read_assignment(&sealed(&Assignment { mass: true, ..assignment(1, 3, &[]) }));
    assert_eq!(
        world.story(),
        [
            "scaled web to 0",
            "stop web",
            "announce #5: web draining",
            "announce #6: web gone",
            "stopped host",
            "left",
        ]
    );
}

#[test]
fn what_is_handed_over_is_found_again_by_who_restarts_without_a_lattice() {
    let mut world = led();
    world.step(Event::Drain);
    world.step(Event::LeaderHeard { sealed: leads(2) });
    world.read_assignment(&sealed(&Assignment { mass: true, ..assignment(3, 2, &[]) }));
    assert!(world.running().is_empty());
    let mut again = world.restart();
    assert_eq!(again.running(), ["db x1 ready", "web x1 ready"]);
    assert_eq!(again.beat().epoch_max, Epoch(3), "and nobody older is obeyed");
}

#[test]
fn a_host_that_leaves_starts_nothing_new() {
    let mut world = led();
    world.disk_answers = false;
    world.read_assignment(&sealed(&assignment(1, 2, &[("web", 2), ("db", 1)])));
    world.step(Event::Drain);
    world.forget();
    world.read_assignment(&sealed(&assignment(1, 3, &[("web#2", 1), ("db", 3), ("set", 1)])));
    world.step(Event::Stored { generation: Generation(2) });
    assert_eq!(world.story(), [""; 0]);
    assert_eq!(world.running(), ["db x1 ready", "web x1 ready"]);
}

#[test]
fn a_host_that_leaves_tries_nothing_again() {
    let mut world = World::new(&["web", "db"]);
    world.broken = vec!["db"];
    world.assign(&assignment(1, 1, &[("web", 1), ("db", 1)]));
    world.step(Event::LeaderHeard { sealed: leads(1) });
    world.step(Event::Drain);
    world.broken.clear();
    world.forget();
    while !world.story().contains(&"stop web".to_owned()) {
        world.step(Event::LeaderHeard { sealed: leads(1) });
        let due = world.agent.due().expect("a host that leaves has an end");
        world.at(due);
    }
    let started: Vec<_> =
        world.story().into_iter().filter(|line| line.starts_with("start ")).collect();
    assert_eq!(started, [""; 0]);
}

#[test]
fn a_host_that_leaves_waits_for_others_no_longer_than_half_its_grace() {
    let mut world = led();
    world.stops = false;
    world.step(Event::Drain);
    let began = world.now;
    while !world.story().contains(&"stop web".to_owned()) {
        world.step(Event::LeaderHeard { sealed: leads(1) });
        let due = world.agent.due().expect("a host that leaves has an end");
        world.at(due);
    }
    assert!(world.now.since(began) <= config().grace_ms / 2 + LAME_DUCK_MS);
    while !world.story().contains(&"left".to_owned()) {
        let due = world.agent.due().expect("a host that leaves has an end");
        world.at(due);
    }
    assert!(world.now.since(began) <= config().grace_ms + 2 * LAME_DUCK_MS);
}

#[test]
fn a_host_that_leaves_waits_for_nobody_when_nobody_leads() {
    let mut world = led();
    world.step(Event::Drain);
    let due = world.agent.due().unwrap();
    assert_eq!(world.now.since(due), 0);
    assert!(due.since(world.now) <= LED_MS);
    world.at(due);
    assert_eq!(world.story(), ["announce #3: db draining, web draining"]);
}

#[test]
fn what_a_person_started_is_not_waited_for() {
    let mut world = World::new(&["hand"]);
    world.records = vec![IdRecord { owner: Owner::Manual, ..record("hand", "shop") }];
    world.assign(&assignment(1, 1, &[("hand", 1)]));
    world.step(Event::LeaderHeard { sealed: leads(1) });
    world.forget();
    world.step(Event::Drain);
    assert_eq!(world.story(), ["announce #2: hand draining"]);
}
