//! An application names what runs by hand.

use super::*;
use crate::testing::host;
use wattle_types::{ActorReport, ActorState, Digest, HostId};

/// `web` runs by hand on these hosts, as this image and digest.
fn by_hand(hosts: u8, running: &[(u8, &str, &[u8])]) -> World {
    let mut world = World::leading(hosts);
    for (index, image, digest) in running {
        let report = report(image, digest);
        world.report(*index, |actors| actors.push(report.clone()));
    }
    world.run(1_000);
    let holders: Vec<HostId> = running.iter().map(|(index, ..)| host(*index)).collect();
    let record = IdRecord {
        hosts: holders.into_iter().collect(),
        ..IdRecord::new("web".parse().unwrap(), Owner::Manual, 7)
    };
    world.intrude(Key::Id("web".parse().unwrap()), stored::encode(&record));
    world.put(&manifest("shop", "v1", &[("web", "")]));
    world
}

fn report(image: &str, digest: &[u8]) -> ActorReport {
    let spec = wattle_types::ActorSpec::new("web".parse().unwrap(), image);
    ActorReport {
        id: spec.id.clone(),
        image: image.to_owned(),
        name: None,
        spec: spec.hash(),
        count: 1,
        owner: Owner::Manual,
        annotations: Default::default(),
        digest: Some(Digest::of(digest)),
        revision: None,
        state: ActorState::Ready,
        links: Vec::new(),
        missing_links: Vec::new(),
    }
}

fn owner(world: &World) -> IdRecord {
    let (_, bytes) = &world.store[&Key::Id("web".parse().unwrap())];
    stored::decode("a record", bytes).unwrap()
}

fn take_over(world: &mut World) -> Answer {
    world.ask(Command::Deploy { name: name("shop"), version: None, takeover: true })
}

#[test]
fn the_same_component_is_adopted_where_it_runs() {
    let mut world = by_hand(3, &[(1, "file:///web.wasm", b"one")]);
    let answer = world.deploy("shop");
    assert!(matches!(answer, Answer::Deployed { .. }), "{answer:?}");
    let record = owner(&world);
    assert_eq!(record.owner, Owner::App(name("shop")));
    assert!(record.hosts.is_empty(), "where it runs is in the assignments from now on");
    world.run(1_000);
    let told: Vec<_> = (0..3).map(|index| world.told(index).unwrap_or_default()).collect();
    assert_eq!(told, ["", "web=1", ""]);
}

#[test]
fn another_component_is_not_taken_over_unasked() {
    let mut world = by_hand(2, &[(1, "file:///other.wasm", b"one")]);
    let message = refused(world.deploy("shop"));
    let said = "web was started by hand on host h1 (";
    assert!(message.starts_with(said), "{message}");
    assert!(message.contains("as file:///other.wasm; stop it there"), "{message}");
    assert_eq!(owner(&world).owner, Owner::Manual);
    assert_eq!(head(&world, "shop").deployed, None);
    let answer = take_over(&mut world);
    assert!(matches!(answer, Answer::Deployed { .. }), "{answer:?}");
    world.run(1_000);
    // It serves there until the new one does.
    assert_eq!(world.told(1).as_deref(), Some("web=1"));
}

#[test]
fn what_cannot_be_known_to_be_the_same_is_not_adopted() {
    let same = "file:///web.wasm";
    let mut world = by_hand(2, &[(0, same, b"one"), (1, same, b"two")]);
    let message = refused(world.deploy("shop"));
    assert!(message.contains("another component there than elsewhere"), "{message}");
    let mut world = by_hand(2, &[(0, same, b"one"), (1, same, b"one")]);
    assert!(matches!(world.deploy("shop"), Answer::Deployed { .. }));
    // A host of which nothing is heard.
    let mut world = by_hand(1, &[(0, same, b"one")]);
    let record = IdRecord { hosts: [host(0), host(9)].into(), ..owner(&world) };
    world.intrude(Key::Id("web".parse().unwrap()), stored::encode(&record));
    let message = refused(world.deploy("shop"));
    assert!(message.contains("which does not say what it runs"), "{message}");
    assert!(matches!(take_over(&mut world), Answer::Deployed { .. }));
}

#[test]
fn what_runs_where_it_should_not_ends_when_it_is_ready_elsewhere() {
    let mut world = by_hand(3, &[(1, "file:///web.wasm", b"one")]);
    let elsewhere = "{type: spreadscaler, properties: {instances: 1, spread: [{name: a, \
                     requirements: {zone: z2}}]}}";
    world.put(&manifest("shop", "v2", &[("web", elsewhere)]));
    assert!(matches!(world.deploy("shop"), Answer::Deployed { .. }));
    let first = world.batches.iter().flatten().find(|write| write.key == Key::Assign(host(1)));
    assert!(first.is_some(), "it is assigned where it ran");
    world.run(3_000);
    let told: Vec<_> = (0..3).map(|index| world.told(index).unwrap_or_default()).collect();
    assert_eq!(told, ["", "", "web=1"]);
}
