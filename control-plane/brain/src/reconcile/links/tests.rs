//! Links and configuration in the store, against people who change them by hand.

use wattle_types::{ActorState, AppHead, ConfigRecord, LinkRecord, Owner};

use super::*;
use crate::Effect;
use crate::apps::Command;
use crate::testing::{World, host};

fn link(package: &str, target: &str) -> String {
    format!(
        "{{type: link, properties: {{namespace: acme, package: {package}, interfaces: [a, b], \
         target: {target}}}}}"
    )
}

fn with_config(package: &str, value: &str) -> String {
    link(
        package,
        &format!("{{name: tax, config: [{{name: fast, properties: {{ms: '{value}'}}}}]}}"),
    )
}

fn key(package: &str) -> Key {
    format!("link.web.acme.{package}.default").parse().unwrap()
}

/// An application of `web`, with these traits, and `tax`.
fn deploy(world: &mut World, version: &str, traits: &str) {
    world.put_and_deploy("shop", version, &[("web", traits), ("tax", "")]);
    world.run(1_000);
}

fn undeploy(world: &mut World) {
    world.ask(Command::Undeploy { name: "shop".parse().unwrap() });
    world.run(3_000);
}

fn stored(world: &World, key: &Key) -> Option<LinkRecord> {
    let (_, bytes) = world.store.get(key)?;
    (!bytes.is_empty()).then(|| wattle_types::stored::decode("a link", bytes).unwrap())
}

fn config(world: &World, name: &str) -> Option<ConfigRecord> {
    let (_, bytes) = world.store.get(&Key::Config(name.parse().unwrap()))?;
    (!bytes.is_empty()).then(|| wattle_types::stored::decode("a config", bytes).unwrap())
}

fn by_hand(package: &str) -> LinkRecord {
    let mut target = LinkRecord::new(
        "web".parse().unwrap(),
        "acme".parse().unwrap(),
        package.parse().unwrap(),
        Default::default(),
        wattle_types::LinkTarget {
            target: "elsewhere".parse().unwrap(),
            interfaces: ["a".parse().unwrap()].into(),
            idempotent: false,
            source_config: Vec::new(),
            target_config: Vec::new(),
        },
        Owner::Manual,
    );
    target.unknown.insert("added-later".to_owned(), 7.into());
    target
}

#[test]
fn what_a_deployment_needs_is_one_batch_in_order() {
    let mut world = World::leading(1);
    world.batches.clear();
    deploy(&mut world, "v1", &with_config("billing", "5"));
    let batch =
        world.batches.iter().find(|batch| batch.iter().any(|write| write.key == key("billing")));
    let keys = batch.unwrap().iter().map(|write| write.key.to_string());
    let kinds: Vec<String> = keys.map(|key| key.split('.').next().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["lease", "config", "link", "spec", "spec", "assign"]);
    let record = stored(&world, &key("billing")).unwrap();
    assert_eq!(record.owner, Owner::App("shop".parse().unwrap()));
    assert_eq!(record.targets[0].target.as_str(), "tax");
    // Hosts are told once it is stored, with the sequences it has.
    let at = |key: &Key| world.store[key].0;
    let config = Key::Config("shop-fast".parse().unwrap());
    let expected = [("shop-fast".to_owned(), at(&config)), ("web".to_owned(), at(&key("billing")))];
    assert_eq!(world.told, expected);
    assert!(world.wakes.contains(&(host(0), at(&Key::Assign(host(0))))), "{:?}", world.wakes);
}

#[test]
fn what_is_stored_is_not_written_again() {
    let mut world = World::leading(1);
    deploy(&mut world, "v1", &[with_config("billing", "5"), link("rates", "web")].join(", "));
    world.run(2_000);
    world.batches.clear();
    world.run(60_000);
    assert!(world.batches.iter().all(|batch| batch.len() == 1), "only renewals");
    assert_eq!(world.told.len(), 2, "both links are of one source: {:?}", world.told);
}

#[test]
fn what_is_deleted_or_changed_by_hand_is_put_back_and_told() {
    let mut world = World::leading(1);
    deploy(&mut world, "v1", &with_config("billing", "5"));
    let (link, before) = (key("billing"), stored(&world, &key("billing")).unwrap());
    world.told.clear();
    world.remove(link.clone());
    world.run(500);
    assert_eq!(stored(&world, &link), Some(before.clone()));
    assert_eq!(world.told, [("web".to_owned(), world.store[&link].0)]);

    // What a newer version wrote beside what we know stays.
    let mut changed = before.clone();
    changed.targets.clear();
    changed.unknown.insert("added-later".to_owned(), 7.into());
    world.intrude(link.clone(), wattle_types::stored::encode(&changed));
    world.run(500);
    let after = stored(&world, &link).unwrap();
    assert_eq!((&after.targets, &after.unknown), (&before.targets, &changed.unknown));

    let name = Key::Config("shop-fast".parse().unwrap());
    world.remove(name);
    world.run(500);
    assert_eq!(config(&world, "shop-fast").unwrap().values["ms"], "5");
}

#[test]
fn what_a_person_put_is_left_alone() {
    let mut world = World::leading(1);
    let (mine, other) = (by_hand("billing"), by_hand("else"));
    world.intrude(key("billing"), wattle_types::stored::encode(&mine));
    world.intrude(key("else"), wattle_types::stored::encode(&other));
    world.intrude(key("torn"), b"garbage".to_vec());
    let kept = ConfigRecord::new("shop-fast".parse().unwrap(), Default::default(), Owner::Manual);
    let kept_key = Key::Config(kept.name.clone());
    world.intrude(kept_key, wattle_types::stored::encode(&kept));
    let links = [with_config("billing", "5"), link("torn", "tax"), link("rates", "tax")];
    deploy(&mut world, "v1", &links.join(", "));
    undeploy(&mut world);
    assert_eq!(stored(&world, &key("billing")), Some(mine));
    assert_eq!(stored(&world, &key("else")), Some(other));
    assert_eq!(world.store[&key("torn")].1, b"garbage");
    assert_eq!(config(&world, "shop-fast"), Some(kept));
    assert_eq!(stored(&world, &key("rates")), None, "but ours was, and is gone");
    // Deleted by its owner, it is ours from then on.
    deploy(&mut world, "v2", &links.join(", "));
    world.remove(key("billing"));
    world.run(500);
    assert_eq!(stored(&world, &key("billing")).unwrap().owner, Owner::App("shop".parse().unwrap()));
}

#[test]
fn undeploying_deletes_links_and_configuration_once_nobody_calls_through_them() {
    let mut world = World::leading(1);
    deploy(&mut world, "v1", &with_config("billing", "5"));
    world.hosts.get_mut(&0).unwrap().lingers = true;
    undeploy(&mut world);
    assert_eq!(world.told(0).as_deref(), Some(""));
    assert!(stored(&world, &key("billing")).is_some(), "the source still drains");
    assert!(config(&world, "shop-fast").is_some());
    world.report(0, Vec::clear);
    world.told.clear();
    world.run(2_000);
    assert_eq!((stored(&world, &key("billing")), config(&world, "shop-fast")), (None, None));
    let told: Vec<&str> = world.told.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(told, ["shop-fast", "web"]);
    // Again, over the markers.
    deploy(&mut world, "v2", &with_config("billing", "6"));
    assert!(stored(&world, &key("billing")).is_some());
    assert_eq!(config(&world, "shop-fast").unwrap().values["ms"], "6");
}

#[test]
fn an_upgrade_changes_targets_at_once_and_deletes_when_the_old_revision_has_ended() {
    let mut world = World::leading(1);
    deploy(&mut world, "v1", &[link("billing", "tax"), link("rates", "tax")].join(", "));
    world.hosts.get_mut(&0).unwrap().lingers = true;
    let limits = "{type: limits, properties: {memory_mib: 9}}";
    deploy(&mut world, "v2", &[link("billing", "web"), limits.to_owned()].join(", "));
    world.run(1_000);
    let target = |world: &World| stored(world, &key("billing")).unwrap().targets[0].target.clone();
    assert_eq!(target(&world).as_str(), "web");
    assert!(stored(&world, &key("rates")).is_some(), "the old revision may still call there");
    world.report(0, |actors| actors.retain(|actor| actor.state != ActorState::Draining));
    world.run(1_000);
    assert_eq!(stored(&world, &key("rates")), None);
    assert!(stored(&world, &key("billing")).is_some());
}

#[test]
fn deleting_an_application_deletes_its_links() {
    let mut world = World::leading(1);
    deploy(&mut world, "v1", &link("billing", "tax"));
    world.ask(Command::Delete { name: "shop".parse().unwrap(), version: None });
    world.run(3_000);
    assert_eq!(stored(&world, &key("billing")), None);
}

#[test]
fn links_of_an_application_that_nobody_can_read_are_left_alone() {
    let mut world = World::leading(1);
    deploy(&mut world, "v1", &link("billing", "tax"));
    let head = Key::App("shop".parse().unwrap());
    world.intrude(head.clone(), b"garbage".to_vec());
    world.run(12_000);
    assert!(stored(&world, &key("billing")).is_some());
    // Nor does a lost head say that they should go.
    world.remove(head);
    world.run(12_000);
    assert!(stored(&world, &key("billing")).is_some());
}

#[test]
fn a_link_left_over_from_another_application_is_taken_over() {
    let mut world = World::leading(1);
    let mut left = by_hand("billing");
    left.owner = Owner::App("blog".parse().unwrap());
    let blog = AppHead::new("blog".parse().unwrap());
    let (head, link_key) = (Key::App(blog.name.clone()), key("billing"));
    world.intrude(link_key.clone(), wattle_types::stored::encode(&left));
    deploy(&mut world, "v1", &link("billing", "tax"));
    assert_eq!(stored(&world, &link_key), Some(left), "nobody knows what blog asks for");
    world.intrude(head, wattle_types::stored::encode(&blog));
    world.run(500);
    assert_eq!(stored(&world, &link_key).unwrap().owner, Owner::App("shop".parse().unwrap()));
}

#[test]
fn more_links_than_fit_one_batch_are_stored_before_anything_is_assigned() {
    let mut world = World::leading(1);
    let links: Vec<String> = (0..1_200).map(|number| link(&format!("p{number}"), "tax")).collect();
    world.batches.clear();
    deploy(&mut world, "v1", &links.join(", "));
    world.run(3_000);
    assert!(world.batches.iter().all(|batch| batch.len() <= 501));
    assert!(world.batches.iter().all(|batch| batch[0].key == Key::Lease));
    assert!((0..1_200).all(|number| stored(&world, &key(&format!("p{number}"))).is_some()));
    assert_eq!(world.told(0).as_deref(), Some("tax=1 web=1"));
    let position = |wanted: &dyn Fn(&Key) -> bool| {
        world.batches.iter().rposition(|batch| batch.iter().any(|write| wanted(&write.key)))
    };
    let links = position(&|key| matches!(key, Key::Link { .. }));
    assert!(links <= position(&|key| matches!(key, Key::Assign(_))));
}

#[test]
fn each_source_is_told_once_with_the_last_of_its_sequences() {
    let link = |source: &str, package: &str| -> Key {
        format!("link.{source}.acme.{package}.default").parse().unwrap()
    };
    let keys = [link("a", "x"), link("a", "y"), link("b", "x"), Key::Assign(host(1))];
    let effects = super::super::Reconcile::default().stored(Default::default(), &keys, 41);
    let tell =
        |source: &str, at_least| Effect::TellLinks { source: source.parse().unwrap(), at_least };
    let wake = Effect::Wake { host: host(1), at_least: 44 };
    assert_eq!(effects, [tell("a", 42), tell("b", 43), wake]);
}
