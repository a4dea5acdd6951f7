//! Configuration that is kept under a name: changed while actors run, and theirs at once.

use std::{net::SocketAddr, time::Duration};

use serde_json::json;
use wattle_tests::{Lattice, Look, callers::configure, get, guest, manifest, wait_until};

const WITHIN: Duration = Duration::from_secs(60);

#[tokio::test]
async fn named_configuration_reaches_actors_that_run_and_is_changed_without_a_restart() {
    let lattice = Lattice::start(&[("one", "a"), ("two", "b")]).await;
    lattice.wattle(["config", "put", "paint", "colour=red", "coats=2"]).await.fine();
    let stored = lattice.wattle(["config", "get", "paint", "-o", "json"]).await.json();
    assert_eq!(stored, json!({"colour": "red", "coats": "2"}));

    let image = lattice.signed("relay", &guest("relay"));
    let mut app = manifest("house", &[("relay", &image, Some("/"))]);
    let own = json!({"name": "own", "properties": {"door": "oak"}});
    configure(&mut app, "relay", json!([{"name": "paint"}, own]));
    app["spec"]["components"][0]["traits"][0]["type"] = "daemonscaler".into();
    // What it imports and nobody is linked to fails only if it is called.
    lattice.deploy(&app).await.fine();
    let doors: Vec<SocketAddr> = lattice.hosts.values().map(|host| host.listener).collect();
    let red = r#"[("coats", "2"), ("colour", "red"), ("door", "oak")]"#;
    until_everywhere(&doors, red).await;
    let pids: Vec<u32> = lattice.hosts.values().map(|host| host.process.pid()).collect();

    lattice.wattle(["config", "put", "paint", "colour=blue"]).await.fine();
    until_everywhere(&doors, r#"[("colour", "blue"), ("door", "oak")]"#).await;
    assert_eq!(pids, lattice.hosts.values().map(|host| host.process.pid()).collect::<Vec<_>>());
}

#[tokio::test]
async fn configuration_that_is_not_there_is_named_with_what_makes_it() {
    let lattice = Lattice::start(&[("one", "a")]).await;
    let complaint = lattice.wattle(["config", "get", "absent"]).await.complaint();
    assert!(complaint.contains("wattle config put absent"), "{complaint}");
    lattice.wattle(["config", "put", "there", "a=1"]).await.fine();
    lattice.wattle(["config", "del", "there"]).await.fine();
    lattice.wattle(["config", "get", "there"]).await.complaint();
    lattice.wattle(["config", "del", "there"]).await.fine();
    let complaint = lattice.wattle(["config", "put", "there", "no-value"]).await.complaint();
    assert!(complaint.contains("KEY=VALUE"), "{complaint}");
}

#[tokio::test]
async fn configuration_of_an_application_is_changed_by_its_manifest_and_not_by_hand() {
    let lattice = Lattice::start(&[("one", "a")]).await;
    let (relay, echo) =
        (lattice.signed("relay", &guest("relay")), lattice.signed("echo", &guest("echo")));
    let mut app = wattle_tests::callers::calling("owner", &relay, &echo, &["b"]);
    let link = &mut app["spec"]["components"][0]["traits"][2]["properties"];
    assert_eq!(link["namespace"], "wattle-test");
    link["target"]["config"] = json!([{"name": "manners", "properties": {"tone": "dry"}}]);
    lattice.deployed(&mut app, "v1").await;
    let stored = wait_until("the configuration of the link is stored", WITHIN, async || {
        let said = lattice.wattle(["config", "get", "owner-manners", "-o", "json"]).await;
        Look::some((said.code == Some(0)).then(|| said.out.clone()), || format!("{said:?}"))
    });
    assert!(stored.await.contains("dry"));
    let complaint =
        lattice.wattle(["config", "put", "owner-manners", "tone=wet"]).await.complaint();
    assert!(complaint.contains("owner"), "{complaint}");
}

async fn until_everywhere(doors: &[SocketAddr], config: &str) {
    for door in doors {
        wait_until(&format!("the configuration is {config}"), WITHIN, async || {
            let answer = get(*door, "/config").await;
            let met = answer.as_ref().is_ok_and(|answer| answer.body == config);
            Look::some(met.then_some(()), || format!("{answer:?}"))
        })
        .await;
    }
}
