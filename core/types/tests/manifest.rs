//! Manifests as people and tools may write them survive being stored and read again.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};
use wattle_types::{Application, Manifest};

/// What wadm allows in a name.
fn name() -> impl Strategy<Value = String> {
    "[A-Za-z0-9_-]{1,20}"
}

/// Text with everything that YAML or JSON could take for something else.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~]{0,30}",
        Just("null".into()),
        Just("1e3".into()),
        Just("~".into())
    ]
}

fn texts() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map(name(), text(), 0..4)
}

fn scaler() -> impl Strategy<Value = Value> {
    let spread = (texts(), 1..1_000_u32).prop_map(|(requirements, weight)| (requirements, weight));
    (any::<bool>(), 0..10_000_u32, vec(spread, 0..3)).prop_map(|(spreads, instances, shares)| {
        let shares = shares.into_iter().enumerate().map(|(number, (requirements, weight))| {
            json!({"name": format!("share-{number}"), "requirements": requirements, "weight": weight})
        });
        let kind = if spreads { "spreadscaler" } else { "daemonscaler" };
        let properties = json!({"instances": instances, "spread": shares.collect::<Vec<_>>()});
        json!({"type": kind, "properties": properties})
    })
}

/// Components with different names, ids and routes, as one application must have them.
fn manifest() -> impl Strategy<Value = Value> {
    let part = (text(), option::of(texts()), option::of(scaler()), vec(any::<usize>(), 0..3));
    (name(), texts(), texts(), vec(part, 1..5)).prop_map(|(app, annotations, labels, parts)| {
        let len = parts.len();
        let components =
            parts.into_iter().enumerate().map(|(number, (image, config, scaler, links))| {
                let mut traits = vec![
                    json!({"type": "http", "properties": {"path": format!("/part-{number}")}}),
                    json!({"type": "of-another-tool", "properties": {"any": [1, null, "x"]}}),
                ];
                traits.extend(scaler);
                traits.extend(links.iter().enumerate().map(|(link, target)| {
                    let target = format!("part-{}", target % len);
                    json!({"type": "link", "properties": {
                        "namespace": "acme", "package": format!("package-{link}"),
                        "interfaces": ["one", "two"], "target": {"name": target},
                    }})
                }));
                let config =
                    config.map(|properties| json!({"name": "main", "properties": properties}));
                json!({
                    "name": format!("part-{number}"),
                    "type": "component",
                    "properties": {"image": image, "config": Vec::from_iter(config)},
                    "traits": traits,
                })
            });
        json!({
            "apiVersion": "core.oam.dev/v1beta1",
            "kind": "Application",
            "metadata": {"name": app, "annotations": annotations, "labels": labels},
            "spec": {"components": components.collect::<Vec<_>>()},
        })
    })
}

proptest! {
    #[test]
    fn a_manifest_is_the_same_after_it_was_stored(written in manifest()) {
        let read = Manifest::parse(&written.to_string()).unwrap();
        let again = Manifest::parse(&read.to_json().to_string()).unwrap();
        prop_assert_eq!(&again, &read);
        prop_assert_eq!(Application::try_from(&again), Application::try_from(&read));
    }

    #[test]
    fn an_application_says_what_its_manifest_said(written in manifest()) {
        let read = Manifest::parse(&written.to_string()).unwrap();
        let app = Application::try_from(&read).unwrap();
        let written = written["spec"]["components"].as_array().unwrap();
        prop_assert_eq!(app.components.len(), written.len());
        for (part, written) in app.components.iter().zip(written) {
            let wattle_types::Part::Actor(spec) = &part.part else {
                return Err(TestCaseError::fail(format!("{part:?}")));
            };
            prop_assert_eq!(&spec.image, written["properties"]["image"].as_str().unwrap());
            let traits = written["traits"].as_array().unwrap();
            let of = |kind: &'static str| {
                traits.iter().filter(move |of| of["type"].as_str().unwrap().ends_with(kind))
            };
            let scaler = of("scaler").next();
            prop_assert_eq!(part.links.len(), of("link").count());
            for (link, written) in part.links.iter().zip(of("link")) {
                let named = &written["properties"]["target"]["name"];
                let target = app.components.iter().find(|c| Some(c.name.as_str()) == named.as_str());
                prop_assert_eq!(&link.targets[0].target, &target.unwrap().id);
                prop_assert_eq!(&link.source, &part.id);
            }
            let instances = scaler.map_or(1, |scaler| scaler["properties"]["instances"].as_u64().unwrap());
            prop_assert_eq!(u64::from(part.scaler.instances), instances);
            prop_assert_eq!(&spec.routes[0].path, &format!("/{}", part.name));
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in text()) {
        let _refused_or_not = Manifest::parse(&text);
    }
}
