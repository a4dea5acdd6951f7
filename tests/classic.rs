//! A component of wasmCloud 1.x runs as it is: its messages, its secrets, its old names.

use std::{fs, net::SocketAddr, time::Duration};

use serde_json::{Value, json};
use wattle_tests::{
    Lattice, Look,
    callers::{add_trait, configure, place_everywhere},
    get, guest, manifest, wait_until,
};

const WITHIN: Duration = Duration::from_secs(60);

/// Two hosts with a folder of secrets, and the component on both.
async fn lattice(app: impl FnOnce(&mut Value)) -> Lattice {
    let secrets = |home: &std::path::Path| {
        let folder = home.join("secrets");
        fs::create_dir(&folder).expect("make a folder for secrets");
        fs::write(folder.join("api-token"), "s3cret").expect("write a secret");
        vec![format!("--secrets={}", folder.display())]
    };
    let lattice = Lattice::start_with(&[("one", "a"), ("two", "b")], secrets).await;
    let image = lattice.signed("classic", &guest("classic"));
    let mut manifest = manifest("old", &[("classic", &image, Some("/"))]);
    place_everywhere(&mut manifest, "classic", 2);
    app(&mut manifest);
    lattice.deployed(&mut manifest, "v1").await;
    lattice
}

#[tokio::test]
async fn a_component_gets_the_secrets_that_its_manifest_names_and_no_others() {
    let lattice = lattice(|app| {
        let token = json!([{"name": "token", "properties": {"key": "api-token"}}]);
        app["spec"]["components"][0]["properties"]["secrets"] = token;
        configure(app, "classic", json!([{"name": "paint", "properties": {"colour": "red"}}]));
    })
    .await;
    for host in lattice.hosts.values() {
        until_says(host.listener, "/secret?key=token", "text s3cret").await;
        // Its file is there, but the manifest does not give it under this name.
        for key in ["api-token", "absent", "../issuer.nk"] {
            let said = get(host.listener, &format!("/secret?key={key}")).await.unwrap();
            assert!(said.body.contains("NotFound"), "{key}: {said:?}");
        }
        until_says(host.listener, "/config?key=colour", r#"Ok(Some("red"))"#).await;
        until_says(host.listener, "/log", "logged").await;
    }
    let logs = lattice.logs();
    assert!(logs.contains("from a classic"), "what it logs is in the host's log: {logs}");
    assert!(!logs.contains("s3cret"), "a secret is in no log");
}

#[tokio::test]
async fn messages_reach_a_component_once_and_it_may_say_only_what_its_manifest_allows() {
    let lattice = lattice(|app| {
        let subjects = json!({"subscribe": ["tests.in"], "publish": ["tests.>"]});
        add_trait(app, "classic", json!({"type": "messaging", "properties": subjects}));
    })
    .await;
    let door = lattice.host("one").listener;
    until_says(door, "/request?subject=tests.in&body=hi", "heard hi").await;

    let before = heard(door).await;
    for _ in 0..10 {
        let said = get(door, "/publish?subject=tests.in&body=x").await.unwrap();
        assert_eq!(said.body, "Ok(())");
    }
    wait_until("all were heard", WITHIN, async || {
        let now = heard(door).await - before;
        Look::some((10 <= now).then_some(()), || now.to_string())
    })
    .await;
    assert_eq!(heard(door).await - before, 10, "each once, though two hosts listen");

    let lattice_subject = format!("wattle.story.ask.{}", "serve");
    for subject in ["other.place", "$SYS.REQ.SERVER.PING", "_INBOX.x", &lattice_subject, "a b", "*"]
    {
        let path = format!("/publish?subject={}", subject.replace(' ', "%20"));
        let said = get(door, &path).await.unwrap();
        assert!(said.body.starts_with("Err("), "{subject}: {said:?}");
    }
}

async fn heard(door: SocketAddr) -> u64 {
    let said = get(door, "/heard").await.expect("it answers");
    said.count().expect("it answers with a count")
}

async fn until_says(door: SocketAddr, path: &str, text: &str) {
    wait_until(&format!("{path} says {text}"), WITHIN, async || {
        let answer = get(door, path).await;
        let met = answer.as_ref().is_ok_and(|answer| answer.body == text);
        Look::some(met.then_some(()), || format!("{answer:?}"))
    })
    .await;
}
