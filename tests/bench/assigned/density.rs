//! Many idle actors of some components on one host: what each takes, how fast they start, and whether the host
//! still says what it should.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use wattle_lattice::{Connection, Pattern};
use wattle_tests::binary;
use wattle_types::{ActorSpec, Beat, HostId, HttpRoute, stored};

use crate::{median::median, stage::Stage};

/// Different components among the actors.
const COMPONENTS: usize = 50;
/// How long beats are listened to.
const LISTENED_FOR: Duration = Duration::from_secs(10);
const INVENTORIES: usize = 5;

pub(crate) async fn measure(
    nats_config: &str,
    component: &[u8],
    counts: &[usize],
) -> Result<Value> {
    let mut stage = Stage::start(nats_config).await?;
    let mut images = Vec::new();
    for number in 0..COMPONENTS {
        let name = format!("component-{number}");
        images.push(stage.image(&name, with_section(component, number))?);
    }
    // All are compiled, and then forgotten but for the cache.
    let compiled = specs(&images, COMPONENTS)?;
    stage.publish(&compiled).await?;
    stage.assign(&compiled).await?;
    stage.until_ready(COMPONENTS).await;
    stage.assign(&[]).await?;
    stage.until_ready(0).await;
    let mut rows = Vec::new();
    let mut published = COMPONENTS;
    for &count in counts {
        ensure!(COMPONENTS < count, "there are {COMPONENTS} components, and {count} actors");
        let specs = specs(&images, count)?;
        stage.publish(&specs[published.min(count)..]).await?;
        published = published.max(count);
        let before = stage.memory()?;
        let told = stage.assign(&specs).await?;
        stage.until_ready(count).await;
        let started = told.elapsed();
        let grown = stage.memory()?.saturating_sub(before);
        let (beats, silence_ms) = beats(&stage.connection, stage.id).await?;
        let (inventory_ms, inventory_bytes) = inventory(&stage, count)?;
        rows.push(json!({
            "actors": count,
            "components": COMPONENTS,
            "started_s": started.as_secs_f64(),
            "bytes_per_actor": grown as f64 / count as f64,
            "beats": beats, "longest_silence_ms": silence_ms,
            "inventory_ms": inventory_ms, "inventory_bytes": inventory_bytes,
        }));
        stage.assign(&[]).await?;
        stage.until_ready(0).await;
    }
    Ok(json!(rows))
}

/// So many actors, each with a route of its own; the first ones are the same for every count.
fn specs(images: &[String], count: usize) -> Result<Vec<ActorSpec>> {
    let spec = |(number, image): (usize, &String)| {
        let route = HttpRoute { host: None, path: format!("/{number}") };
        let id = format!("actor-{number}").parse()?;
        Ok(ActorSpec { routes: vec![route], ..ActorSpec::new(id, image) })
    };
    (0..count).zip(images.iter().cycle()).map(spec).collect()
}

/// The component with one section more, which nobody reads but everybody hashes.
fn with_section(component: &[u8], number: usize) -> Vec<u8> {
    let name = format!("number-{number}");
    let len = u8::try_from(name.len()).expect("a short name");
    // A custom section: its kind, its length, and its name with a length of its own.
    [component, &[0, len + 1, len], name.as_bytes()].concat()
}

/// How many beats came, and the longest time without one, in milliseconds.
async fn beats(connection: &Connection, host: HostId) -> Result<(usize, f64)> {
    let mut beats = connection.subscribe(&Pattern::BeatsOf { host }).await?;
    let (start, mut last) = (Instant::now(), Instant::now());
    let (mut count, mut silence) = (0, Duration::ZERO);
    while start.elapsed() < LISTENED_FOR {
        let beat = tokio::time::timeout(LISTENED_FOR, beats.next()).await;
        let beat = beat.context("no beat came")?.context("the lattice is gone")?;
        stored::decode::<Beat>("a beat", &beat.payload)?;
        silence = silence.max(last.elapsed());
        last = Instant::now();
        count += 1;
    }
    Ok((count, silence.as_secs_f64() * 1e3))
}

/// What `wattle get inventory` takes, and how much it says.
fn inventory(stage: &Stage, count: usize) -> Result<(f64, usize)> {
    let (mut times, mut bytes) = (Vec::new(), 0);
    for _ in 0..INVENTORIES {
        let start = Instant::now();
        let said = Command::new(binary())
            .args(["get", "inventory", "-o", "json", "--nats-url", &stage.nats.url()])
            .args(["--lattice", stage.connection.lattice().as_str()])
            .output()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        let inventory: Value = serde_json::from_slice(&said.stdout)?;
        let actors = inventory[0]["components"].as_array().map_or(0, Vec::len);
        ensure!(actors == count, "the inventory has {actors} of {count} actors");
        bytes = said.stdout.len();
    }
    Ok((median(times), bytes))
}
