//! CPU time to make, call and drop one instance: of a component that does nothing, and of one that exports
//! `greet: func(name: string) -> string`.
//!
//! `bench-instance GREET ROUNDS` prints one JSON object. Everything runs on one thread, and the clock is that
//! thread's: time spent waiting, or on other threads, does not count.

#![allow(clippy::print_stdout, reason = "what it prints is its result")]

mod cpu;
mod median;
mod verified;

use std::{env, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use tokio::time::Instant;
use wattle_capability::messaging::Silent;
use wattle_capability::secrets::NoSecrets;
use wattle_capability::{
    CallContext, StoreScope, keyvalue::testing::InMemoryStores, log::ToTracing, outbound::Closed,
};
use wattle_engine::{Actor, ActorConfig, ActorLimits, Engine, EngineConfig, bench};
use wattle_types::{ActorId, InstancePolicy};

use crate::{median::median, verified::verified};

/// After so many the pool, the caches and the branch predictor are as they are in service.
const WARM_UP: u32 = 5_000;
const CALLS: u32 = 20_000;

/// One function that does nothing, and nothing else.
const NOTHING: &str = r#"(component
    (core module $m (func (export "nothing")))
    (core instance $i (instantiate $m))
    (func (export "nothing") (canon lift (core func $i "nothing"))))"#;

fn main() -> Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [greet, rounds] = words.as_slice() else { bail!("usage: bench-instance GREET ROUNDS") };
    let rounds: usize = rounds.parse().context("ROUNDS is a number")?;
    let greet = std::fs::read(greet).with_context(|| format!("read {greet}"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let [nothing_us, greet_us] = runtime.block_on(async {
        let engine = Engine::new(EngineConfig::default())?;
        let nothing = actor(&engine, "nothing", &wat::parse_str(NOTHING)?).await?;
        let greet = actor(&engine, "greet", &greet).await?;
        let mut all = [const { Vec::new() }; 2];
        for number in 0..=rounds {
            let calls = if number == 0 { WARM_UP } else { CALLS };
            let round = [nothings(&nothing, calls).await?, greetings(&greet, calls).await?];
            for (all, one) in all.iter_mut().zip(round) {
                if 0 < number {
                    all.push(one);
                }
            }
        }
        anyhow::Ok(all)
    })?;
    println!(
        "{}",
        json!({
            "nothing_us": median(nothing_us.clone()), "nothing_rounds_us": nothing_us,
            "greet_us": median(greet_us.clone()), "greet_rounds_us": greet_us,
        })
    );
    Ok(())
}

/// Microseconds of this thread's CPU time per call.
async fn nothings(actor: &Actor, count: u32) -> Result<f64> {
    let start = cpu::time();
    for _ in 0..count {
        bench::nothing(actor, from_outside(actor)).await?;
    }
    Ok((cpu::time() - start).as_secs_f64() * 1e6 / f64::from(count))
}

async fn greetings(actor: &Actor, count: u32) -> Result<f64> {
    let start = cpu::time();
    for _ in 0..count {
        let greeting = bench::greet(actor, from_outside(actor), "wattle").await?;
        ensure!(greeting == "Hello, wattle!", "it says {greeting:?}");
    }
    Ok((cpu::time() - start).as_secs_f64() * 1e6 / f64::from(count))
}

fn from_outside(actor: &Actor) -> CallContext {
    CallContext::outside(actor.id().clone(), Instant::now() + Duration::from_secs(10))
}

/// The component as a host would run it: signed, verified, with every limit set.
async fn actor(engine: &Engine, name: &str, component: &[u8]) -> Result<Actor> {
    let loaded = engine.load(verified(component)?).await?;
    let id: ActorId = name.parse()?;
    let config = ActorConfig {
        scope: StoreScope::Actor(id.clone()),
        id,
        config: Default::default(),
        keyvalue: Arc::new(InMemoryStores::default()),
        outbound: Arc::new(Closed),
        messaging: Arc::new(Silent),
        secrets: Arc::new(NoSecrets),
        log: Arc::new(ToTracing),
        limits: ActorLimits::default(),
        instances: InstancePolicy::Fresh,
        count: 1,
    };
    Ok(Actor::new(loaded, config))
}
