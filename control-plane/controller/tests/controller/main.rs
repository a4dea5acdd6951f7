//! Controllers against a real nats-server, with hosts on paper.

mod editors;
mod fake_host;
mod foreign;
mod lattice;
mod links;
mod several;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wattle_lattice::subject::AppSubject;
use wattle_lattice::{Pattern, Subject};
use wattle_types::Assignment;

use lattice::{Lattice, manifest, name, until};

fn runs(id: &'static str) -> impl Fn(&Assignment) -> bool {
    move |told| told.entries.iter().any(|entry| entry.id.as_str() == id)
}

fn runs_nothing(told: &Assignment) -> bool {
    told.entries.is_empty()
}

#[tokio::test]
async fn an_application_lives_from_put_to_delete() {
    let lattice = Lattice::start().await;
    let controller = lattice.controller("c1");
    let mut host = lattice.host(1, &[("zone", "cloud")]).await;
    host.until(runs_nothing).await;

    let list: Value = lattice.ask(AppSubject::List, "").await;
    assert_eq!(list, json!([]));
    let put: Value = lattice.ask(AppSubject::Put, manifest("shop", "v1", "")).await;
    assert_eq!((&put["result"], &put["current_version"]), (&json!("created"), &json!("v1")));
    let again: Value = lattice.ask(AppSubject::Put, manifest("shop", "v1", "")).await;
    assert_eq!(again["result"], "error");
    assert_eq!(again["message"], "Manifest version v1 already exists");
    let status: Value = lattice.ask(AppSubject::Status { app: name("shop") }, "").await;
    assert_eq!(status["status"]["status"]["type"], "undeployed");

    let since = Instant::now();
    let deployed: Value = lattice.ask(AppSubject::Deploy { app: name("shop") }, "").await;
    assert_eq!(deployed["result"], "acknowledged");
    host.until(runs("shop")).await;
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    let status = lattice.until_status("shop", "deployed").await;
    assert_eq!(status["status"]["components"][0]["name"], "main");
    assert_eq!(status["status"]["version"], "v1");

    // As JSON, as wash sends it, and with a version by name.
    let text = manifest("shop", "v2", "");
    let parsed = wattle_types::Manifest::parse(&text).unwrap().to_json().to_string();
    let put: Value = lattice.ask(AppSubject::Put, parsed).await;
    assert_eq!(put["result"], "newversion");
    let body = json!({"version": "v2"}).to_string();
    lattice.ask::<Value>(AppSubject::Deploy { app: name("shop") }, body).await;
    let versions: Value = lattice.ask(AppSubject::Versions { app: name("shop") }, "").await;
    assert_eq!(versions["versions"][1], json!({"version": "v2", "deployed": true}));
    let got: Value = lattice.ask(AppSubject::Get { app: name("shop") }, "").await;
    assert_eq!(got["manifest"]["metadata"]["annotations"]["version"], "v2");

    lattice.ask::<Value>(AppSubject::Undeploy { app: name("shop") }, "").await;
    host.until(runs_nothing).await;
    lattice.until_status("shop", "undeployed").await;
    let deleted: Value = lattice.ask(AppSubject::Delete { app: name("shop") }, "").await;
    assert_eq!(deleted["result"], "deleted");
    let gone: Value = lattice.ask(AppSubject::Status { app: name("shop") }, "").await;
    assert_eq!(gone["result"], "notfound");
    controller.stop().await;
}

#[tokio::test]
async fn a_malformed_manifest_is_refused_with_its_place_and_nothing_is_stored() {
    let lattice = Lattice::start().await;
    let controller = lattice.controller("c1");
    let text = manifest("shop", "v1", "").replace("      type: component", "      tipe: component");
    let put: Value = lattice.ask(AppSubject::Put, text).await;
    assert_eq!(put["result"], "error");
    assert!(put["message"].as_str().unwrap().starts_with("line 9, column "), "{put}");
    let list: Value = lattice.ask(AppSubject::List, "").await;
    assert_eq!(list, json!([]));
    controller.stop().await;
}

#[tokio::test]
async fn a_manifest_places_by_label_and_says_what_is_missing() {
    let lattice = Lattice::start().await;
    let controller = lattice.controller("c1");
    let mut cloud = lattice.host(1, &[("zone", "cloud")]).await;
    cloud.until(runs_nothing).await;
    let edge = "{type: spreadscaler, properties: {instances: 1, spread: [{name: e, requirements: \
                {zone: edge}}]}}";
    lattice.put_and_deploy("shop", "v1", edge).await;
    let waiting = lattice.until_status("shop", "waiting").await;
    let message = waiting["status"]["status"]["message"].as_str().unwrap();
    assert!(message.contains("no host has zone=edge") && message.contains("h1"), "{message}");
    let mut edge = lattice.host(2, &[("zone", "edge")]).await;
    edge.until(runs("shop")).await;
    lattice.until_status("shop", "deployed").await;
    controller.stop().await;
}

#[tokio::test]
async fn what_a_killed_host_ran_runs_elsewhere_within_seconds() {
    let lattice = Lattice::start().await;
    let controller = lattice.controller("c1");
    let mut hosts = [lattice.host(1, &[]).await, lattice.host(2, &[]).await];
    for host in &mut hosts {
        host.until(runs_nothing).await;
    }
    lattice.put_and_deploy("shop", "v1", "").await;
    lattice.until_status("shop", "deployed").await;
    let [first, second] = hosts;
    let first_runs = first.assignment().is_some_and(|told| !told.entries.is_empty());
    let (running, mut other) = if first_runs { (first, second) } else { (second, first) };
    running.kill().await;
    let since = Instant::now();
    other.until(runs("shop")).await;
    assert!(since.elapsed() < Duration::from_secs(4), "{:?}", since.elapsed());
    lattice.until_status("shop", "deployed").await;
    controller.stop().await;
}

/// Whether the store refuses what it tries, or it has followed first who leads.
#[tokio::test]
async fn a_leader_that_was_deposed_changes_nothing() {
    let lattice = Lattice::start().await;
    let controller = lattice.controller("c1");
    lattice.until_leads("c1").await;
    lattice.ask::<Value>(AppSubject::List, "").await;
    let taken = lattice.depose().await;
    let subject = Subject::App(AppSubject::Put);
    let text = manifest("shop", "v1", "");
    let reply = lattice.client.request(&subject, text.into(), Duration::from_secs(4)).await;
    let reply: Value = lattice::read(&reply.expect("it answers before the other's lease ends"));
    assert_eq!(reply["result"], "error", "{reply}");
    let message = reply["message"].as_str().unwrap();
    let words = ["no longer leads", "other, which leads, does not answer"];
    assert!(words.iter().any(|words| message.contains(words)), "{message}");
    let head = lattice.store.read_leader(&"app.shop".parse().unwrap()).await.unwrap();
    assert_eq!(head, None, "nothing is stored");
    let lease = lattice.lease().await.unwrap().1;
    assert_eq!((lease.holder, lease.epoch), (taken.holder, taken.epoch));
    controller.stop().await;
}

#[tokio::test]
async fn a_restarted_controller_goes_on_and_changes_nothing() {
    let lattice = Lattice::start().await;
    let controller = lattice.controller("c1");
    let mut host = lattice.host(1, &[]).await;
    lattice.put_and_deploy("shop", "v1", "").await;
    let before = host.until(runs("shop")).await;
    let epoch = lattice.until_leads("c1").await.epoch;
    controller.stop().await;
    assert_eq!(lattice.lease().await.unwrap().1.holder, None, "the lease was given back");

    let since = Instant::now();
    let controller = lattice.controller("c1");
    let after = lattice.until_leads("c1").await;
    assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
    assert!(epoch < after.epoch);
    host.until_epoch_above(epoch).await;
    lattice.until_status("shop", "deployed").await;
    assert_eq!(host.assignment(), Some(before));
    controller.stop().await;
}

#[tokio::test]
async fn another_controller_takes_over_from_one_that_was_killed() {
    let lattice = Lattice::start().await;
    let first = lattice.controller("c1");
    lattice.until_leads("c1").await;
    let second = lattice.controller("c2");
    let mut host = lattice.host(1, &[]).await;
    lattice.put_and_deploy("shop", "v1", "").await;
    let before = host.until(runs("shop")).await;
    first.kill().await;
    let since = Instant::now();
    lattice.until_leads("c2").await;
    assert!(since.elapsed() < Duration::from_secs(6), "{:?}", since.elapsed());
    lattice.until_status("shop", "deployed").await;
    assert_eq!(host.assignment(), Some(before));
    second.stop().await;
}

#[tokio::test]
async fn where_wadm_answers_the_controller_does_not() {
    let lattice = Lattice::start().await;
    let wadm = lattice.nats.join(&lattice.id).await;
    let mut requests = wadm.subscribe(&Pattern::Apps).await.unwrap();
    wadm.flush(Duration::from_secs(5)).await.unwrap();
    let controller = lattice.controller("c1");
    // It asks before it answers, and again after a while.
    for _ in 0..2 {
        let asked = tokio::time::timeout(Duration::from_secs(20), requests.next()).await;
        let asked = asked.expect("the controller asks who serves").unwrap();
        wadm.respond(&asked.reply.unwrap(), "[]".into()).await.unwrap();
    }
    drop(requests);
    wadm.flush(Duration::from_secs(5)).await.unwrap();
    let list: Value = lattice.ask(AppSubject::List, "").await;
    assert_eq!(list, json!([]));
    controller.stop().await;
}

#[tokio::test]
async fn a_controller_waits_for_nats_and_stops_when_told() {
    let mut lattice = Lattice::start().await;
    lattice.nats.kill();
    let waiting = lattice.controller("c1");
    waiting.stop().await;
    let controller = lattice.controller("c1");
    lattice.nats.restart();
    lattice.until_leads("c1").await;
    controller.stop().await;
}

#[tokio::test]
async fn a_controller_survives_a_restart_of_nats() {
    let mut lattice = Lattice::start().await;
    let controller = lattice.controller("c1");
    let mut host = lattice.host(1, &[]).await;
    lattice.put_and_deploy("shop", "v1", "").await;
    let before = host.until(runs("shop")).await;
    lattice.nats.restart();
    lattice.until_status("shop", "deployed").await;
    assert_eq!(host.assignment(), Some(before), "nobody was taken for lost");
    lattice.put_and_deploy("blog", "v1", "").await;
    host.until(runs("blog")).await;
    controller.stop().await;
}

#[tokio::test]
async fn a_store_that_lost_everything_empties_no_host() {
    let mut lattice = Lattice::start().await;
    let controller = lattice.controller("c1");
    let mut host = lattice.host(1, &[]).await;
    lattice.put_and_deploy("shop", "v1", "").await;
    let before = host.until(runs("shop")).await;
    controller.stop().await;
    lattice.nats.restart_empty();
    let controller = lattice.controller("c1");
    let lease = lattice.until_leads("c1").await;
    assert!(before.epoch < lease.epoch, "its memory and the host's beat tell the epoch");
    // Another host is told what to do, so the controller has planned.
    let mut other = lattice.host(2, &[]).await;
    other.until(runs_nothing).await;
    assert_eq!(host.assignment().as_ref(), Some(&before));
    // What it had seen is missing, so it puts nothing else in its place.
    let put: Value = lattice.ask(AppSubject::Put, manifest("shop", "v1", "")).await;
    assert!(put["message"].as_str().is_some_and(|said| said.contains("state lost")), "{put}");
    controller.stop().await;
    // One that has seen nothing does: the host goes on under a higher generation.
    let controller = lattice.controller("c2");
    lattice.until_leads("c2").await;
    lattice.put_and_deploy("shop", "v1", "{type: daemonscaler, properties: {instances: 1}}").await;
    let after = host.until(|told| before.generation < told.generation).await;
    assert!(runs("shop")(&after));
    until("the other host runs it as well", async || {
        other.assignment().filter(|told| !told.entries.is_empty())
    })
    .await;
    controller.stop().await;
}
