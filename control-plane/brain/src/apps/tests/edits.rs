//! Who changes what, after whom: the chain of heads, and edits that meet.

use super::*;

#[test]
fn every_edit_names_the_one_before() {
    let mut world = World::leading(1);
    let digest = |world: &World| wattle_types::Digest::of(&world.store[&Key::App(name("shop"))].1);
    let mut before = None;
    let put = |version| Command::Put { text: manifest("shop", version, &[("web", "")]) };
    let edits = [
        put("v1"),
        put("v2"),
        Command::Deploy { name: name("shop"), version: None, takeover: false },
        Command::Undeploy { name: name("shop") },
        Command::Delete { name: name("shop"), version: None },
        put("v3"),
    ];
    for (edit, change) in edits.into_iter().zip(1..) {
        world.ask(edit);
        let head = head(&world, "shop");
        assert_eq!((head.change, head.previous), (change, before), "{head:?}");
        before = Some(digest(&world));
    }
}

#[test]
fn an_answer_says_how_many_changes_there_are_and_how_far_it_goes() {
    let mut world = World::leading(1);
    let put = Command::Put { text: manifest("shop", "v1", &[("web", "")]) };
    let deploy = Command::Deploy { name: name("shop"), version: None, takeover: false };
    let versions = Command::Get { name: name("shop"), version: None };
    for (command, change) in [(put, 1), (deploy.clone(), 2), (deploy, 2), (versions, 2)] {
        world.ask(command.clone());
        assert_eq!(world.seen.change, Some(change), "{command:?}");
        let stored = world.store[&Key::App(name("shop"))].0;
        assert!(stored <= world.seen.sequence, "{command:?}: {:?}", world.seen);
    }
    world.ask(Command::Get { name: name("none"), version: None });
    assert_eq!(world.seen.change, None);
    // Whoever is told of a conflict is told what there is now.
    let late = Command::Undeploy { name: name("shop") };
    world.ask_as(None, Some(Base::Change(1)), late);
    assert_eq!(world.seen.change, Some(2));
}

#[test]
fn a_head_of_before_heads_were_signed_is_read_and_counts_from_its_first_edit() {
    let mut world = World::leading(1);
    world.put(&manifest("shop", "v1", &[("web", "")]));
    let mut plain = head(&world, "shop");
    (plain.change, plain.previous, plain.revisions[0].manifest) = (0, None, None);
    // As another controller finds it.
    let mut old = World::new();
    for (key, (_, bytes)) in &world.store {
        match key {
            Key::App(_) => old.intrude_unsigned(key.clone(), stored::encode(&plain)),
            Key::Manifest(..) => old.intrude(key.clone(), bytes.clone()),
            _ => {}
        }
    }
    old.run(5_000);
    assert!(matches!(old.deploy("shop"), Answer::Deployed { .. }));
    let head = head(&old, "shop");
    let before = wattle_types::Digest::of(&stored::encode(&plain));
    assert_eq!((head.change, head.previous), (1, Some(before)));
    // From then on an unsigned one is nobody's word.
    old.intrude_unsigned(Key::App(name("shop")), stored::encode(&head));
    assert!(refused(old.ask(Command::Undeploy { name: name("shop") })).contains("unreadable"));
    old.intrude_unsigned(Key::App(name("shop")), stored::encode(&plain));
    assert!(refused(old.ask(Command::Undeploy { name: name("shop") })).contains("state lost"));
}

#[test]
fn a_manifest_with_other_content_than_its_head_says_is_unreadable() {
    let mut world = World::leading(1);
    world.put_and_deploy("shop", "v1", &[("web", "")]);
    world.run(2_000);
    let mut other = World::leading(1);
    other.put(&manifest("shop", "v1", &[("web", ""), ("evil", "")]));
    let key: Key = "manifest.shop.1".parse().unwrap();
    world.intrude(key.clone(), other.store[&key].1.clone());
    world.run(12_000);
    assert_eq!(world.told(0).as_deref(), Some("web=1"), "what runs is left as it is");
    assert!(world.alarms.contains(&crate::Alarm::AppUnreadable { app: name("shop") }));
    assert!(refused(world.deploy("shop")).contains("unreadable"));
}

fn author(index: u8) -> wattle_types::AuthorKey {
    let key = wattle_types::PublicKey::new(wattle_types::Role::User, [index; 32]);
    key.try_into().unwrap()
}

/// An application of two revisions, the second of which is deployed: three changes, the second
/// revision by the first author and its deployment by the second one.
fn shared() -> World {
    let mut world = World::leading(1);
    world.put(&manifest("shop", "v1", &[("web", "")]));
    let text = manifest("shop", "v2", &[("web", "")]);
    world.ask_as(Some(author(1)), None, Command::Put { text });
    let deploy = Command::Deploy { name: name("shop"), version: None, takeover: false };
    world.ask_as(Some(author(2)), None, deploy);
    world
}

#[test]
fn an_edit_of_what_somebody_changed_meanwhile_is_refused_and_says_who_did() {
    let put = || Command::Put { text: manifest("shop", "v3", &[("web", "")]) };
    let undeploy = || Command::Undeploy { name: name("shop") };
    let delete = || Command::Delete { name: name("shop"), version: Some("v1".to_owned()) };
    let deploy =
        || Command::Deploy { name: name("shop"), version: Some("v1".to_owned()), takeover: false };
    let (one, other) = (Some(author(1)), Some(author(2)));
    // A command, what its author had seen, and whose change came between.
    let cases = [
        (put(), None, None),
        (put(), Some(Base::Revision(Revision(2))), None),
        (put(), Some(Base::Revision(Revision(1))), Some(one)),
        (put(), Some(Base::Change(3)), None),
        (put(), Some(Base::Change(2)), Some(other)),
        (undeploy(), None, None),
        (undeploy(), Some(Base::Change(3)), None),
        (undeploy(), Some(Base::Change(2)), Some(other)),
        (delete(), Some(Base::Change(1)), Some(other)),
        (deploy(), Some(Base::Revision(Revision(1))), Some(one)),
        // What was seen is not there yet, as far as anybody knows.
        (deploy(), Some(Base::Revision(Revision(9))), Some(other)),
    ];
    for (command, base, first) in cases {
        let mut world = shared();
        let before = head(&world, "shop");
        let answer = world.ask_as(None, base, command.clone());
        match first {
            None => assert_ne!(head(&world, "shop").change, before.change, "{command:?} {base:?}"),
            Some(by) => {
                let expected = Answer::Conflict {
                    name: name("shop"),
                    revision: Revision(2),
                    change: 3,
                    by,
                    unix_s: 1_700_000_000,
                };
                assert_eq!(answer, expected, "{command:?} {base:?}");
                assert_eq!(head(&world, "shop"), before, "nothing was changed");
            }
        }
    }
}

#[test]
fn what_was_deleted_meanwhile_is_not_put_back_by_an_edit_of_it() {
    let mut world = shared();
    let delete = Command::Delete { name: name("shop"), version: None };
    world.ask_as(Some(author(3)), None, delete);
    for (edit, base) in [
        (
            Command::Put { text: manifest("shop", "v3", &[("web", "")]) },
            Base::Revision(Revision(2)),
        ),
        (Command::Deploy { name: name("shop"), version: None, takeover: false }, Base::Change(3)),
    ] {
        let answer = world.ask_as(None, Some(base), edit);
        let gone = |answer: &Answer| matches!(answer, Answer::Conflict { revision: Revision(0), change: 4, by, .. } if *by == Some(author(3)));
        assert!(gone(&answer), "{answer:?}");
    }
    assert!(head(&world, "shop").revisions.is_empty());
}

#[test]
fn of_two_edits_from_one_revision_the_second_is_told_who_was_first() {
    let mut world = shared();
    // Another controller's write, which this one has not followed when it decides.
    let mut other = head(&world, "shop");
    let bytes = world.store[&Key::App(name("shop"))].1.clone();
    (other.previous, other.change) = (Some(wattle_types::Digest::of(&bytes)), other.change + 1);
    other.revision_max = other.revision_max.next();
    let mut third = other.latest().unwrap().clone();
    (third.revision, third.version, third.author) = (Revision(3), "v3".to_owned(), Some(author(7)));
    other.revisions.push(third);
    world.last_seq += 1;
    let (key, seq, bytes) = (Key::App(name("shop")), world.last_seq, stored::encode(&other));
    world.store.insert(key.clone(), (seq, bytes.clone()));
    let request = RequestId(99);
    let command = Command::Put { text: manifest("shop", "v4", &[("web", "")]) };
    let base = Some(Base::Revision(Revision(2)));
    world.event(Event::Requested {
        request,
        command,
        terms: Terms { base, ..Terms::default() },
        at: Stamp::default(),
    });
    assert!(!world.answers.contains_key(&request), "its write met the other one");
    world.event(Event::Followed { key, seq, content: crate::Content::Value(bytes) });
    world.run(500);
    match &world.answers[&request] {
        Answer::Conflict { revision: Revision(3), by, .. } => {
            assert_eq!(*by, Some(author(7)));
            let text = Answer::conflict_text(Revision(3), *by);
            assert_eq!(text, format!("someone changed it: revision 3 by {}", author(7)));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(head(&world, "shop"), other);
}

#[test]
fn a_rollback_deploys_what_ran_before_and_a_second_one_is_back() {
    let mut world = World::leading(1);
    let rollback = Command::Rollback { name: name("shop") };
    assert!(matches!(world.ask(rollback.clone()), Answer::NotFound(_)));
    world.put_and_deploy("shop", "v1", &[("web", "")]);
    assert!(refused(world.ask(rollback.clone())).contains("no other version"));
    world.put_and_deploy("shop", "v2", &[("web", "")]);
    world.put_and_deploy("shop", "v3", &[("web", "")]);
    let deployed = |answer: Answer| match answer {
        Answer::Deployed { version, .. } => version,
        other => panic!("{other:?}"),
    };
    assert_eq!(deployed(world.ask(rollback.clone())), "v2");
    assert_eq!(deployed(world.ask(rollback.clone())), "v3");
    // What is deleted is passed over, and what was stopped is what ran before.
    world.ask(Command::Delete { name: name("shop"), version: Some("v2".to_owned()) });
    assert_eq!(deployed(world.ask(rollback.clone())), "v1");
    world.ask(Command::Undeploy { name: name("shop") });
    assert_eq!(deployed(world.ask(rollback.clone())), "v1");
    let seen = head(&world, "shop").change;
    world.deploy("shop");
    let late = world.ask_as(None, Some(Base::Change(seen)), rollback);
    assert!(matches!(late, Answer::Conflict { .. }), "{late:?}");
}

#[test]
fn what_is_added_between_two_parts_of_a_list_is_neither_skipped_nor_doubled() {
    let mut world = World::leading(1);
    for app in ["b", "d", "f"] {
        world.put(&manifest(app, "v1", &[("web", "")]));
    }
    let part = |world: &mut World, after: Option<&str>| {
        let page = Page { after: after.map(name), limit: Some(2) };
        match world.ask(Command::List { page }) {
            Answer::Models { models, next } => {
                let names: Vec<String> = models.iter().map(|of| of.name.to_string()).collect();
                (names, next.map(|name| name.to_string()))
            }
            other => panic!("{other:?}"),
        }
    };
    let (first, next) = part(&mut world, None);
    assert_eq!((first, next.as_deref()), (vec!["b".to_owned(), "d".to_owned()], Some("d")));
    world.put(&manifest("a", "v1", &[("web", "")]));
    world.put(&manifest("e", "v1", &[("web", "")]));
    world.ask(Command::Delete { name: name("d"), version: None });
    let (second, next) = part(&mut world, next.as_deref());
    assert_eq!((second, next), (vec!["e".to_owned(), "f".to_owned()], None));
}

#[test]
fn a_history_says_who_stored_what_and_what_runs() {
    let mut world = shared();
    let history = |world: &mut World, after: Option<Revision>| {
        let page = Page { after, limit: Some(1) };
        match world.ask(Command::Versions { name: name("shop"), page }) {
            Answer::Versions { versions, next } => (versions, next),
            other => panic!("{other:?}"),
        }
    };
    let (first, next) = history(&mut world, None);
    assert_eq!((first[0].revision, first[0].author), (Revision(1), None));
    assert_eq!(next, Some(Revision(1)));
    let (second, next) = history(&mut world, next);
    assert_eq!((second[0].revision, second[0].author), (Revision(2), Some(author(1))));
    assert!(second[0].deployed);
    assert_eq!(next, None);
}
