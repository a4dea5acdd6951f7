use wattle_types::{HostId, Key};

use super::*;
use crate::Alarm;
use crate::apps::{Answer, Command};
use crate::testing::{World, host};

fn forget(yes: bool) -> Command {
    Command::Forget { host: host(0), yes }
}

/// Two hosts, of which the first runs `web`.
fn with_two() -> World {
    let mut world = World::leading(2);
    let place = "{type: spreadscaler, properties: {instances: 1, spread: [{name: a, requirements: \
                 {zone: z0}}]}}";
    world.put_and_deploy("shop", "v1", &[("web", place)]);
    world.run(3_000);
    assert_eq!(world.told(0).as_deref(), Some("web=1"));
    world
}

fn key() -> Key {
    Key::Assign(host(0))
}

/// What was stored for the first host since `from`, in words.
fn steps(world: &World, from: usize) -> Vec<String> {
    let writes = world.batches[from..].iter().flatten().filter(|write| write.key == key());
    let word = |write: &crate::Write| match &write.payload {
        crate::Payload::Assignment(bytes) => {
            let told = wattle_types::Assignment::decode(bytes).unwrap();
            format!("{} entries, mass: {}", told.entries.len(), told.mass)
        }
        crate::Payload::Gone => "gone".to_owned(),
        other => panic!("{other:?}"),
    };
    writes.map(word).collect()
}

fn until_forgotten(world: &mut World, yes: bool) {
    for _ in 0..50 {
        match world.ask(forget(yes)) {
            Answer::Forgotten { .. } => return,
            Answer::Underway(_) => world.run(200),
            other => panic!("{other:?}"),
        }
    }
    panic!("it is not forgotten");
}

#[test]
fn each_state_has_its_next_step() {
    let alive = |applied: Option<u64>| Life::Alive { applied: applied.map(Generation) };
    let empty = |generation, mass| Stored::Empty { generation: Generation(generation), mass };
    let waits = |step| matches!(step, Step::Wait(_));
    let cases = [
        (Stored::Nothing, Life::Lost, Step::Done),
        (Stored::Nothing, alive(Some(4)), Step::Done),
        (Stored::Something, Life::Lost, Step::Empty),
        (Stored::Something, alive(Some(4)), Step::Empty),
        (Stored::Unreadable, Life::Lost, Step::Empty),
        (empty(5, true), Life::Lost, Step::Delete),
        (empty(5, false), Life::Lost, Step::Delete),
        (empty(5, true), alive(Some(5)), Step::Delete),
        (empty(5, true), alive(Some(6)), Step::Empty),
        (empty(5, false), alive(Some(4)), Step::Empty),
        (empty(5, false), alive(None), Step::Empty),
    ];
    for (stored, life, next) in cases {
        assert_eq!(step(stored, life), next, "{stored:?} {life:?}");
    }
    for stored in [Stored::Something, Stored::Unreadable, empty(5, true), Stored::Newer] {
        assert!(waits(step(stored, Life::Unsure)), "{stored:?}");
    }
    assert!(waits(step(empty(5, true), alive(Some(4)))));
    assert!(waits(step(empty(5, true), alive(None))));
    assert!(waits(step(Stored::Newer, Life::Lost)));
}

#[test]
fn a_lost_host_is_told_nothing_and_then_forgotten() {
    let mut world = with_two();
    world.hosts.get_mut(&0).unwrap().up = false;
    world.run(500);
    let early = world.ask(forget(false));
    assert!(matches!(&early, Answer::Refused(text) if text.contains("--yes")), "{early:?}");
    world.run(10_000);
    assert!(world.alarms.contains(&Alarm::HostLost { host: host(0) }));
    let from = world.batches.len();
    until_forgotten(&mut world, false);
    assert_eq!(steps(&world, from), ["0 entries, mass: true", "gone"]);
    world.run(20_000);
    let known: Vec<HostId> = world.brain.fleet.hosts().keys().copied().collect();
    assert_eq!(known, [host(1)], "nobody waits for it");
    assert!(matches!(world.ask(forget(false)), Answer::NotFound(_)));
}

#[test]
fn a_host_that_lives_is_forgotten_only_when_a_person_agrees() {
    let mut world = with_two();
    let from = world.batches.len();
    let refused = world.ask(forget(false));
    assert!(matches!(&refused, Answer::Refused(text) if text.contains("is alive")), "{refused:?}");
    world.run(2_000);
    assert!(steps(&world, from).is_empty());
    world.hosts.get_mut(&0).unwrap().obeys = false;
    for _ in 0..20 {
        let answer = world.ask(forget(true));
        assert!(matches!(answer, Answer::Underway(_)), "{answer:?}");
        world.run(500);
    }
    assert_eq!(steps(&world, from), ["0 entries, mass: true"], "it has to follow that first");
    world.hosts.get_mut(&0).unwrap().obeys = true;
    until_forgotten(&mut world, true);
    world.run(20_000);
    assert_eq!(steps(&world, from), ["0 entries, mass: true", "gone"], "it is told no more");
}

#[test]
fn a_host_that_returns_is_a_new_one_under_a_higher_generation() {
    let mut world = with_two();
    world.hosts.get_mut(&0).unwrap().up = false;
    world.run(10_000);
    until_forgotten(&mut world, false);
    let follows = world.hosts[&0].inventory.applied.unwrap().generation;
    let alarms = world.alarms.len();
    let returned = world.hosts.get_mut(&0).unwrap();
    (returned.up, returned.inventory.boot, returned.seq) = (true, 7, 0);
    world.run(5_000);
    let told = world.assignment(0).expect("it is told what to do, as any host is");
    assert!(follows < told.generation, "{told:?}");
    assert_eq!(world.told(0).as_deref(), Some("web=1"));
    assert_eq!(world.alarms[alarms..], [], "nothing was lost");
}

#[test]
fn a_host_that_returns_is_a_new_one_though_nobody_asked_how_far_it_had_come() {
    let mut world = with_two();
    world.hosts.get_mut(&0).unwrap().up = false;
    world.run(10_000);
    let from = world.batches.len();
    assert!(matches!(world.ask(forget(false)), Answer::Underway(_)));
    world.run(2_000);
    assert_eq!(steps(&world, from), ["0 entries, mass: true", "gone"]);
    let returned = world.hosts.get_mut(&0).unwrap();
    (returned.up, returned.inventory.boot, returned.seq) = (true, 7, 0);
    world.run(5_000);
    assert_eq!(world.told(0).as_deref(), Some("web=1"));
}

#[test]
fn what_a_forgotten_host_may_read_late_is_below_what_it_is_told_next() {
    let mut world = with_two();
    world.hosts.get_mut(&0).unwrap().obeys = false;
    let before = world.assignment(0).unwrap().generation;
    world.put_and_deploy(
        "more",
        "v1",
        &[("more", "{type: daemonscaler, properties: {instances: 1}}")],
    );
    world.run(2_000);
    let late = world.assignment(0).unwrap().generation;
    assert!(before < late);
    world.hosts.get_mut(&0).unwrap().up = false;
    world.run(10_000);
    until_forgotten(&mut world, false);
    let returned = world.hosts.get_mut(&0).unwrap();
    (returned.up, returned.inventory.boot, returned.seq) = (true, 7, 0);
    world.run(5_000);
    assert_eq!(world.hosts[&0].inventory.applied.unwrap().generation, before);
    let next = world.assignment(0).unwrap().generation;
    assert!(late.next() < next, "{late:?}, an empty one, and {next:?}");
}

#[test]
fn who_is_asked_to_forget_a_host_that_was_told_nothing_yet_does_not_ignore_it() {
    let mut world = World::leading(1);
    world.add_host(1, &[("zone", "z1")]);
    while !world.brain.fleet.hosts().contains_key(&host(1)) {
        world.run(100);
    }
    let forget = Command::Forget { host: host(1), yes: false };
    assert!(matches!(world.ask(forget), Answer::NotFound(_)));
    world.run(5_000);
    assert_eq!(world.told(1).as_deref(), Some(""));
}

#[test]
fn a_leader_that_ends_between_two_steps_leaves_what_the_next_goes_on_from() {
    let mut world = with_two();
    world.hosts.get_mut(&0).unwrap().up = false;
    world.run(10_000);
    // The leader before came as far as its first step.
    let mut told = world.assignment(0).unwrap();
    (told.generation, told.entries, told.mass) = (told.generation.next(), Vec::new(), true);
    world.intrude(key(), told.encode());
    let from = world.batches.len();
    world.run(10_000);
    assert!(steps(&world, from).is_empty(), "nobody asks for more");
    until_forgotten(&mut world, false);
    assert_eq!(steps(&world, from), ["gone"], "the first step is not taken again");

    // And the next one as far as its last, of which nobody was told.
    let mut world = with_two();
    world.hosts.get_mut(&0).unwrap().up = false;
    world.run(10_000);
    world.remove(key());
    let from = world.batches.len();
    assert_eq!(world.ask(forget(false)), Answer::Forgotten { host: host(0) });
    assert!(steps(&world, from).is_empty());
}
