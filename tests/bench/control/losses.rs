//! What is lost, and how long until somebody else does its work.

use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::process::Signal;
use serde_json::{Value, json};
use wattle_lattice::Store;
use wattle_tests::{Component, Lattice, Look, Shape, get, manifest, wait_until};

const WITHIN: Duration = Duration::from_secs(60);
/// Short, so that a lost request does not count as a lost host.
const ONE_REQUEST: Duration = Duration::from_millis(500);
/// As long as it takes until a host that says nothing counts as lost, and more.
const HUNG_FOR: Duration = Duration::from_secs(20);

const SHAPE: Shape = Shape { nodes: 3, controllers: 2 };
const HOSTS: [(&str, &str); 3] = [("one", "a"), ("two", "b"), ("three", "c")];
const APP: &str = "hello";
const ACTOR: &str = "hello-hello";

pub(crate) async fn measure(component: Vec<u8>, kills: usize, nodes: usize) -> Result<Value> {
    let mut lattice = Lattice::start_as(SHAPE, &HOSTS, |_| Vec::new()).await;
    let image = lattice.signed("hello", &Component(component));
    lattice.deploy(&manifest(APP, &[("hello", &image, Some("/"))])).await.fine();
    until_placed(&lattice).await;

    let mut killed = Vec::new();
    for _ in 0..kills {
        killed.push(lost(&mut lattice, Loss::Killed, None).await);
    }
    let mut stopped = Vec::new();
    for _ in 0..kills {
        stopped.push(lost(&mut lattice, Loss::Stopped, None).await);
    }
    let mut led = Vec::new();
    for _ in 0..kills {
        led.push(leader_lost(&mut lattice).await);
    }
    let stream = stream();
    let mut with_node = Vec::new();
    for _ in 0..nodes {
        let node = lattice.nats.until_led(&stream, &[]).await;
        with_node.push(lost(&mut lattice, Loss::Killed, Some(node)).await);
    }
    let mut moved = 0;
    for _ in 0..nodes.min(3) {
        moved += usize::from(hung(&lattice).await);
    }
    Ok(json!({
        "killed_ms": killed,
        "stopped_ms": stopped,
        "leader_ms": led,
        "with_node_ms": with_node,
        "hung": nodes.min(3),
        "moved": moved,
    }))
}

fn stream() -> String {
    format!("KV_{}", Store::bucket_name(&"story".parse().expect("a word is a name")))
}

#[derive(Clone, Copy)]
enum Loss {
    Killed,
    Stopped,
}

/// The host that runs the actor, and another one.
async fn until_placed(lattice: &Lattice) -> (String, String) {
    lattice.until_joined(HOSTS.len()).await;
    lattice.until_status(APP, "deployed").await;
    let on = wait_until("it runs on one host", WITHIN, async || {
        let hosts = lattice.hosts_of(ACTOR).await;
        Look::some((hosts.len() == 1).then(|| hosts[0].clone()), || format!("{hosts:?}"))
    })
    .await;
    let other = HOSTS.iter().find(|(name, _)| *name != on).expect("there are three hosts").0;
    until_answered(lattice, other).await;
    (on, other.to_owned())
}

async fn until_answered(lattice: &Lattice, door: &str) {
    let listener = lattice.host(door).listener;
    wait_until("it answers", WITHIN, async || {
        let asked = tokio::time::timeout(ONE_REQUEST, get(listener, "/")).await;
        let fine = matches!(&asked, Ok(Ok(answer)) if answer.status == 200);
        Look::some(fine.then_some(()), || format!("{asked:?}"))
    })
    .await;
}

/// Milliseconds until the actor answers from elsewhere. Afterwards all is as before.
async fn lost(lattice: &mut Lattice, loss: Loss, node: Option<usize>) -> f64 {
    let (on, door) = until_placed(lattice).await;
    match loss {
        Loss::Killed => lattice.host_mut(&on).process.kill().await,
        Loss::Stopped => lattice.host(&on).process.signal(Signal::STOP),
    }
    if let Some(node) = node {
        lattice.nats.nodes[node].kill();
    }
    let begun = Instant::now();
    until_answered(lattice, &door).await;
    let took = begun.elapsed().as_secs_f64() * 1e3;
    match loss {
        Loss::Killed => lattice.restart_host(&on),
        Loss::Stopped => lattice.host(&on).process.signal(Signal::CONT),
    }
    if let Some(node) = node {
        lattice.nats.nodes[node].restart();
        lattice.nats.until_copied(&stream()).await;
    }
    took
}

/// Milliseconds from the end of the leader to the next accepted change.
async fn leader_lost(lattice: &mut Lattice) -> f64 {
    let leader = wait_until("one leads", WITHIN, async || {
        let reports = lattice.wattle(["controller", "status", "-o", "json"]).await;
        let reports: Value = serde_json::from_str(&reports.out).unwrap_or_default();
        let all = reports.as_array().cloned().unwrap_or_default();
        let both = all.len() == SHAPE.controllers;
        let leader = all.iter().find(|report| report["leads"] == true);
        let name = leader.and_then(|leader| leader["name"].as_str()?.strip_prefix("controller-"));
        let index = name.and_then(|index| index.parse::<usize>().ok());
        Look::some(index.filter(|_| both), || reports.to_string())
    })
    .await;
    lattice.controllers[leader].kill().await;
    let begun = Instant::now();
    wait_until("a change is accepted", WITHIN, async || {
        let said = lattice.wattle(["app", "deploy", "--no-wait", APP]).await;
        Look::some((said.code == Some(0)).then_some(()), || format!("{said:?}"))
    })
    .await;
    let took = begun.elapsed().as_secs_f64() * 1e3;
    lattice.restart_controller(leader);
    took
}

/// Whether anything moved while the node of the store's leader hung.
async fn hung(lattice: &Lattice) -> bool {
    let (before, _) = until_placed(lattice).await;
    let node = lattice.nats.until_led(&stream(), &[]).await;
    lattice.nats.nodes[node].pause();
    tokio::time::sleep(HUNG_FOR).await;
    lattice.nats.nodes[node].resume();
    lattice.nats.until_copied(&stream()).await;
    let (after, _) = until_placed(lattice).await;
    before != after
}
