//! What a host answers in the words of the 1.x clients, and what it tells without being asked.

use bytes::Bytes;
use serde_json::Value;
use wattle_lattice::subject::ControlSubject;
use wattle_lattice::{Pattern, Subject};

use crate::kit::{Lattice, PATIENCE, spec, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_finds_a_host_and_what_it_runs() {
    let lattice = Lattice::start().await;
    let host = lattice.host("one").await;
    let image = lattice.component("http-hello");
    let hello = spec("hello", &image, "/");
    let assigned = lattice.assign(&host, &[&hello]).await;
    lattice.until_ready(&host, &assigned).await;

    let ping = ask(&lattice, ControlSubject::HostPing).await;
    assert_eq!(ping["success"], true);
    assert_eq!(ping["response"]["id"], host.id.to_string());
    assert_eq!(ping["response"]["friendly_name"], "one");
    let got = ask(&lattice, ControlSubject::HostGet { host: host.id }).await;
    let component = &got["response"]["components"][0];
    assert_eq!(component["id"], "hello");
    assert_eq!(component["image_ref"], image);
    assert_eq!(component["max_instances"], 2);
    assert_eq!(got["response"]["labels"]["hostcore.os"], std::env::consts::OS);

    let stop = ask(&lattice, ControlSubject::ProviderStop { host: host.id }).await;
    assert_eq!(stop["success"], false);
    assert_eq!(stop["message"], "unsupported subject");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_on_a_host_is_told_in_events() {
    let lattice = Lattice::start().await;
    let mut events = lattice.connection.subscribe(&Pattern::Events).await.unwrap();
    lattice.connection.flush(PATIENCE).await.unwrap();
    let host = lattice.host("one").await;
    let hello = spec("hello", &lattice.component("http-hello"), "/");
    let broken = spec("broken", "file:///nowhere/broken.wasm", "/broken");
    let assigned = lattice.assign(&host, &[&hello, &broken]).await;
    let mut seen: Vec<(String, Value)> = Vec::new();
    until("all is told", async || {
        let event = events.next().await.unwrap();
        let event: Value = serde_json::from_slice(&event.payload).unwrap();
        assert_eq!(event["source"], host.id.to_string());
        let name = event["type"].as_str().unwrap().rsplit('.').next().unwrap().to_owned();
        seen.push((name, event["data"].clone()));
        (4 <= seen.len()).then_some(())
    })
    .await;
    // Whoever knew this id before is told first that all of that ended.
    let names: Vec<&str> = seen.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[..2], ["host_stopped", "host_started"]);
    let data = |wanted: &str| {
        let found = seen.iter().find(|(name, _)| name == wanted);
        found.map(|(_, data)| data.clone()).unwrap_or_else(|| panic!("{wanted} in {names:?}"))
    };
    let scaled = data("component_scaled");
    assert_eq!((&scaled["component_id"], &scaled["max_instances"]), (&"hello".into(), &2.into()));
    assert!(scaled["annotations"].is_object());
    let failed = data("component_scale_failed");
    assert_eq!(failed["component_id"], "broken");
    assert!(failed["error"].as_str().unwrap().contains("WT-HOST-NOT-FOUND"), "{failed}");
    lattice.until_settled(&host, &assigned, |_| true).await;
}

async fn ask(lattice: &Lattice, control: ControlSubject) -> Value {
    let reply =
        lattice.connection.request(&Subject::Control(control), Bytes::new(), PATIENCE).await;
    serde_json::from_slice(&reply.unwrap().payload).unwrap()
}
