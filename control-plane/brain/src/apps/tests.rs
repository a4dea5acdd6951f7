//! What people ask, against a brain that leads and a store that works.

mod adoption;
mod edits;

use wattle_types::{AppHead, AppName, IdRecord, Key, Owner, Revision, stored};

use super::*;
use crate::testing::{World, manifest};
use crate::{Event, RequestId, Stamp, Terms};

fn name(name: &str) -> AppName {
    name.parse().unwrap()
}

fn head(world: &World, app: &str) -> AppHead {
    stored::decode("a head", &world.store[&Key::App(name(app))].1).unwrap()
}

fn refused(answer: Answer) -> String {
    match answer {
        Answer::Refused(message) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn manifests_are_stored_as_revisions() {
    let mut world = World::leading(1);
    let results: Vec<_> = ["v1", "v2"]
        .map(|version| match world.put(&manifest("shop", version, &[("web", "")])) {
            Answer::Put { result, version, total_versions, .. } => {
                (result, version, total_versions)
            }
            other => panic!("{other:?}"),
        })
        .to_vec();
    assert_eq!(
        results,
        [(PutResult::Created, "v1".to_owned(), 1), (PutResult::NewVersion, "v2".to_owned(), 2)]
    );
    match world.ask(Command::Get { name: name("shop"), version: Some("v1".to_owned()) }) {
        Answer::Manifest(manifest) => assert_eq!(manifest.version(), Some("v1")),
        other => panic!("{other:?}"),
    }
    assert_eq!(world.told(0).as_deref(), Some(""), "storing deploys nothing");
}

#[test]
fn a_version_is_stored_once() {
    let mut world = World::leading(1);
    let text = manifest("shop", "v1", &[("web", "")]);
    world.put(&text);
    assert_eq!(refused(world.put(&text)), "Manifest version v1 already exists");
    assert_eq!(head(&world, "shop").revisions.len(), 1);
}

#[test]
fn a_manifest_without_version_gets_one() {
    let mut world = World::leading(1);
    let text = manifest("shop", "''", &[("web", "")]);
    let Answer::Put { version, .. } = world.put(&text) else { panic!("not stored") };
    assert_eq!(version.len(), 26);
    let answer =
        world.ask(Command::Deploy { name: name("shop"), version: Some(version), takeover: false });
    assert!(matches!(answer, Answer::Deployed { .. }));
}

#[test]
fn a_malformed_manifest_is_refused_where_it_is_wrong_and_nothing_is_stored() {
    let mut world = World::leading(1);
    let good = manifest("shop", "v1", &[("web", "")]);
    let unknown_field = good.replace("type: component", "typo: component");
    let line = unknown_field.lines().position(|line| line.contains("typo")).unwrap() + 1;
    let before = world.store.keys().cloned().collect::<Vec<_>>();
    let message = refused(world.put(&unknown_field));
    assert!(message.starts_with(&format!("line {line}, column ")), "{message}");
    assert!(message.contains("typo"), "{message}");
    for bad_name in ["a.b", "'*'", "'a b'", &"x".repeat(300)] {
        let message = refused(world.put(&good.replace("name: shop", &format!("name: {bad_name}"))));
        assert!(message.starts_with("line "), "{message}");
    }
    assert_eq!(world.store.keys().cloned().collect::<Vec<_>>(), before);
}

#[test]
fn deploying_records_who_owns_the_ids_before_anything_runs() {
    let mut world = World::leading(1);
    world.batches.clear();
    world.put_and_deploy("shop", "v1", &[("web", "")]);
    world.run(1_000);
    let keys = world.batches.iter().flatten().map(|write| write.key.to_string());
    let keys: Vec<String> = keys.filter(|key| key != "lease").collect();
    let kinds: Vec<&str> = keys.iter().map(|key| key.split('.').next().unwrap()).collect();
    assert_eq!(kinds, ["manifest", "app", "id", "app", "spec", "assign"]);
    assert_eq!(world.told(0).as_deref(), Some("web=1"));
}

#[test]
fn an_id_has_one_owner() {
    let mut world = World::leading(1);
    world.put_and_deploy("shop", "v1", &[("web", "")]);
    world.put(&manifest("blog", "v1", &[("web", "")]));
    let message = refused(world.deploy("blog"));
    assert!(message.contains("web belongs to application shop"), "{message}");
    // Also when the owner does not run it: it may again.
    world.ask(Command::Undeploy { name: name("shop") });
    assert!(refused(world.deploy("blog")).contains("application shop"));
    world.ask(Command::Delete { name: name("shop"), version: None });
    assert!(matches!(world.deploy("blog"), Answer::Deployed { .. }));
}

#[test]
fn an_id_of_something_started_by_hand_is_not_taken() {
    let mut world = World::leading(1);
    let record = IdRecord::new("web".parse().unwrap(), Owner::Manual, 0);
    world.intrude(Key::Id("web".parse().unwrap()), stored::encode(&record));
    world.put(&manifest("shop", "v1", &[("web", "")]));
    let message = refused(world.deploy("shop"));
    assert!(message.contains("web belongs to a person (started by hand)"), "{message}");
    assert_eq!(head(&world, "shop").deployed, None);
}

#[test]
fn of_two_applications_with_one_route_the_second_is_refused_by_name() {
    let mut world = World::leading(1);
    let route = |path| format!("{{type: http, properties: {{path: {path}}}}}");
    world.put_and_deploy("shop", "v1", &[("shop_web", &route("/a"))]);
    world.put(&manifest("blog", "v1", &[("blog_web", &route("/a/"))]));
    let message = refused(world.deploy("blog"));
    assert!(message.contains("blog_web wants route */a, which application shop has"), "{message}");
    // A longer path is another route.
    world.put_and_deploy("news", "v1", &[("news_web", &route("/a/b"))]);
    // What is not deployed has no route.
    world.ask(Command::Undeploy { name: name("shop") });
    assert!(matches!(world.deploy("blog"), Answer::Deployed { .. }));
}

#[test]
fn deploying_what_is_deployed_writes_nothing() {
    let mut world = World::leading(1);
    world.put_and_deploy("shop", "v1", &[("web", "")]);
    world.run(2_000);
    let seq = world.store[&Key::App(name("shop"))].0;
    assert!(matches!(world.deploy("shop"), Answer::Deployed { .. }));
    assert_eq!(world.store[&Key::App(name("shop"))].0, seq);
}

#[test]
fn a_deleted_application_ends_and_its_numbers_are_not_used_again() {
    let mut world = World::leading(1);
    world.put_and_deploy("shop", "v1", &[("web", "")]);
    world.run(1_000);
    match world.ask(Command::Delete { name: name("shop"), version: None }) {
        Answer::Deleted { undeployed, .. } => assert!(undeployed),
        other => panic!("{other:?}"),
    }
    world.run(1_000);
    assert_eq!(world.told(0).as_deref(), Some(""));
    assert_eq!(
        world.ask(Command::List { page: Page::default() }),
        Answer::Models { models: Vec::new(), next: None }
    );
    assert!(matches!(world.ask(Command::Status { name: name("shop") }), Answer::NotFound(_)));
    assert!(world.store[&"manifest.shop.1".parse().unwrap()].1.is_empty(), "a marker");
    let again = world.ask(Command::Delete { name: name("shop"), version: None });
    assert!(matches!(again, Answer::NothingToDo(_)));
    world.put_and_deploy("shop", "v1", &[("web", "")]);
    assert_eq!(head(&world, "shop").deployed, Some(Revision(2)));
}

#[test]
fn deleting_a_version_that_does_not_run_stops_nothing() {
    let mut world = World::leading(1);
    world.put_and_deploy("shop", "v1", &[("web", "")]);
    world.put(&manifest("shop", "v2", &[("web", "")]));
    let delete =
        |version: &str| Command::Delete { name: name("shop"), version: Some(version.to_owned()) };
    assert!(matches!(world.ask(delete("v2")), Answer::Deleted { undeployed: false, .. }));
    assert!(matches!(world.ask(delete("v3")), Answer::NothingToDo(_)));
    assert!(matches!(world.ask(delete("v1")), Answer::Deleted { undeployed: true, .. }));
}

#[test]
fn what_does_not_exist_is_not_found() {
    let mut world = World::leading(1);
    for command in [
        Command::Get { name: name("none"), version: None },
        Command::Versions { name: name("none"), page: Page::default() },
        Command::Deploy { name: name("none"), version: None, takeover: false },
        Command::Undeploy { name: name("none") },
        Command::Status { name: name("none") },
    ] {
        let answer = world.ask(command.clone());
        assert!(matches!(answer, Answer::NotFound(_)), "{command:?}: {answer:?}");
    }
    world.put(&manifest("shop", "v1", &[("web", "")]));
    let answer = world.ask(Command::Deploy {
        name: name("shop"),
        version: Some("v9".to_owned()),
        takeover: false,
    });
    assert_eq!(answer, Answer::NotFound("application shop has no version v9".to_owned()));
}

#[test]
fn the_status_says_what_waits_and_what_would_help() {
    let mut world = World::leading(2);
    let edge = "{type: spreadscaler, properties: {instances: 1, spread: [{name: e, requirements: \
                {zone: edge}}]}}";
    world.hosts.get_mut(&0).unwrap().fails.push("broken".to_owned());
    world.hosts.get_mut(&1).unwrap().fails.push("broken".to_owned());
    world.put_and_deploy("shop", "v1", &[("web", ""), ("far", edge), ("broken", "")]);
    world.run(3_000);
    let status = world.status("shop");
    assert_eq!(status.kind, StatusKind::Failed);
    let by_name: Vec<_> = status
        .components
        .iter()
        .map(|part| (part.name.as_str(), part.kind, part.ready, part.message.as_str()))
        .collect();
    assert_eq!(by_name[0], ("web", StatusKind::Deployed, 1, ""));
    assert_eq!(by_name[1].1, StatusKind::Waiting);
    assert!(
        by_name[1].3.contains("no host has zone=edge (spread e): h0 has zone=z0"),
        "{status:?}"
    );
    assert_eq!(by_name[2].1, StatusKind::Failed);
    assert!(by_name[2].3.contains("which nothing provides [WT-ENGINE-IMPORTS]"), "{status:?}");
    // A host that has it joins.
    world.add_host(2, &[("zone", "edge")]);
    world.run(3_000);
    assert_eq!(world.status("shop").components[1].kind, StatusKind::Deployed);
}

#[test]
fn a_part_that_cannot_run_does_not_hold_up_the_others() {
    let mut world = World::leading(1);
    let text = manifest("shop", "v1", &[("web", ""), ("kv", "")]);
    let at = text.rfind("type: component").unwrap();
    let text = format!("{}type: capability{}", &text[..at], &text[at + 15..]);
    world.put(&text);
    world.deploy("shop");
    world.run(2_000);
    let status = world.status("shop");
    assert_eq!(status.components[0].kind, StatusKind::Deployed);
    assert_eq!(status.components[1].kind, StatusKind::Failed);
    assert!(status.components[1].message.contains("providers cannot run"), "{status:?}");
}

#[test]
fn the_status_follows_an_undeploy() {
    let mut world = World::leading(1);
    world.put_and_deploy("shop", "v1", &[("web", "")]);
    world.run(2_000);
    assert_eq!(world.status("shop").kind, StatusKind::Deployed);
    world.ask(Command::Undeploy { name: name("shop") });
    world.run(2_000);
    let status = world.status("shop");
    assert_eq!((status.kind, status.message.as_str()), (StatusKind::Undeployed, ""));
    assert_eq!(world.told(0).as_deref(), Some(""));
}

#[test]
fn an_unreadable_record_is_not_written_over() {
    let mut world = World::leading(1);
    world.intrude(Key::App(name("shop")), b"garbage".to_vec());
    for answer in [
        world.put(&manifest("shop", "v1", &[("web", "")])),
        world.deploy("shop"),
        world.ask(Command::Undeploy { name: name("shop") }),
        world.ask(Command::Delete { name: name("shop"), version: None }),
    ] {
        assert!(refused(answer).contains("unreadable"));
    }
}

#[test]
fn a_put_that_meets_another_write_is_decided_again() {
    let mut world = World::leading(1);
    world.put(&manifest("shop", "v1", &[("web", "")]));
    // Somebody else stores a revision, which this brain has not followed yet.
    let mut other = head(&world, "shop");
    other.revision_max = other.revision_max.next();
    other.previous = Some(wattle_types::Digest::of(&world.store[&Key::App(name("shop"))].1));
    other.change += 1;
    world.last_seq += 1;
    let (key, bytes) = (Key::App(name("shop")), stored::encode(&other));
    world.store.insert(key.clone(), (world.last_seq, bytes.clone()));
    let request = RequestId(99);
    let command = Command::Put { text: manifest("shop", "v2", &[("web", "")]) };
    world.event(Event::Requested {
        request,
        command,
        terms: Terms::default(),
        at: Stamp::default(),
    });
    assert!(!world.answers.contains_key(&request));
    let (seq, content) = (world.last_seq, crate::Content::Value(bytes));
    world.event(Event::Followed { key, seq, content });
    world.run(500);
    assert!(matches!(world.answers[&request], Answer::Put { .. }), "{:?}", world.answers);
    assert_eq!(head(&world, "shop").revision_max, Revision(3), "the other's number is not used");
}

#[test]
fn names_that_become_the_same_id_are_refused_and_the_other_named() {
    let mut world = World::leading(1);
    world.put_and_deploy("my_app", "v1", &[("web", "")]);
    // Also with ids of its own, for its configuration would be called the same.
    for other in ["my-app", "My_App"] {
        let said = refused(world.put(&manifest(other, "v1", &[("api", "")])));
        assert!(said.contains(&format!("applications my_app and {other}")), "{said}");
        assert!(!world.store.contains_key(&Key::App(name(other))));
    }
    assert!(matches!(world.put(&manifest("my-app2", "v1", &[("api", "")])), Answer::Put { .. }));
    // The one that is there goes on, and its name is free when it is deleted.
    assert!(matches!(world.put(&manifest("my_app", "v2", &[("web", "")])), Answer::Put { .. }));
    world.ask(Command::Delete { name: name("my_app"), version: None });
    assert!(matches!(world.put(&manifest("my-app", "v1", &[("api", "")])), Answer::Put { .. }));
}

#[test]
fn applications_whose_names_were_alike_before_that_was_refused_go_on() {
    let mut world = World::leading(1);
    world.put(&manifest("my_app", "v1", &[("web", "")]));
    let (mut other, manifest_of) = (head(&world, "my_app"), "manifest.my_app.1".parse().unwrap());
    let bytes: Vec<u8> = world.store[&manifest_of].1.clone();
    other.name = name("My-App");
    world.intrude("manifest.My-App.1".parse().unwrap(), bytes);
    world.intrude(Key::App(name("My-App")), stored::encode(&other));
    for app in ["my_app", "My-App"] {
        let put = world.put(&manifest(app, "v2", &[("web", "")]));
        assert!(matches!(put, Answer::Put { .. }), "{put:?}");
    }
}
