//! What each safety feature costs, by turning it off in an engine that is otherwise as wattle sets it up.
//!
//! `bench-safety GREET ROUNDS` prints one JSON object. Two guests run on one thread, whose processor time is the
//! clock: one that answers at once, in an instance made for it, and one that only computes. Rounds go through
//! all engines in turn, so that a noisy second harms all.

#![allow(clippy::print_stdout, reason = "what it prints is its result")]

#[path = "../cpu.rs"]
mod cpu;
mod lab;
#[path = "../median.rs"]
mod median;

use std::{env, thread};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use wasmtime::Engine;
use wattle_engine::{AddressSpace, limits::TICK};

use crate::{
    lab::{Feature, Lab},
    median::median,
};

/// After so many the pool, the caches and the branch predictor are as they are in service.
const WARM_UP: u32 = 1_000;
const CALLS: u32 = 10_000;
/// Of the loop, in one call: some milliseconds.
const TURNS: u32 = 5_000_000;

fn main() -> Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [greet, rounds] = words.as_slice() else { bail!("usage: bench-safety GREET ROUNDS") };
    let rounds = rounds.parse().context("ROUNDS is a number")?;
    let greet = std::fs::read(greet).with_context(|| format!("read {greet}"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let said = runtime.block_on(async {
        anyhow::Ok(json!({"calls": calls(&greet, rounds).await?, "turns": turns(rounds).await?}))
    })?;
    println!("{said}");
    Ok(())
}

/// Microseconds of a short call: with everything, and what each feature has of it.
async fn calls(greet: &[u8], rounds: usize) -> Result<Value> {
    let sides = [None].into_iter().chain(Feature::ALL.map(Some));
    let mut labs = Vec::new();
    for without in sides {
        let mut lab = Lab::new(greet, "greet", AddressSpace::Server, without)?;
        tick(&lab.engine)?;
        short(&mut lab, WARM_UP).await?;
        labs.push((lab, Vec::new()));
    }
    for _ in 0..rounds {
        for (lab, times) in &mut labs {
            times.push(short(lab, CALLS).await?);
        }
    }
    let mut times = labs.into_iter().map(|(_, times)| times);
    let with_all = times.next().context("the first side has everything")?;
    let costs = times.zip(Feature::ALL).map(|(without, feature)| {
        let costs = with_all.iter().zip(without).map(|(with, without)| with - without);
        json!({"feature": feature.name(), "us": median(costs.collect())})
    });
    let costs: Vec<Value> = costs.collect();
    Ok(json!({"us": median(with_all), "costs": costs}))
}

async fn short(lab: &mut Lab<(&str,), (String,)>, count: u32) -> Result<f64> {
    let start = cpu::time();
    for _ in 0..count {
        let (greeting,) = lab.call(("wattle",)).await?;
        ensure!(greeting == "Hello, wattle!", "it says {greeting:?}");
    }
    Ok((cpu::time() - start).as_secs_f64() * 1e6 / f64::from(count))
}

/// Nanoseconds of one turn of a loop: as it is, not to be interrupted, and where every access of memory is
/// checked by code and not by the processor.
async fn turns(rounds: usize) -> Result<Value> {
    let component = wat::parse_str(include_str!("loop.wat"))?;
    let sides = [
        (AddressSpace::Server, None),
        (AddressSpace::Server, Some(Feature::Epochs)),
        (AddressSpace::Edge, None),
    ];
    let mut labs = Vec::new();
    for (space, without) in sides {
        let mut lab = Lab::new(&component, "turn", space, without)?;
        tick(&lab.engine)?;
        long(&mut lab).await?;
        labs.push((lab, Vec::new()));
    }
    for _ in 0..rounds {
        for (lab, times) in &mut labs {
            times.push(long(lab).await?);
        }
    }
    let times: Vec<f64> = labs.into_iter().map(|(_, times)| median(times)).collect();
    Ok(json!({"ns": times[0], "without_epochs_ns": times[1], "checked_ns": times[2]}))
}

async fn long(lab: &mut Lab<(u32,), (u32,)>) -> Result<f64> {
    let start = cpu::time();
    lab.call((TURNS,)).await?;
    Ok((cpu::time() - start).as_secs_f64() * 1e9 / f64::from(TURNS))
}

/// Raises the epoch for as long as there is an engine, as a host does.
fn tick(engine: &Engine) -> Result<()> {
    let engine = engine.weak();
    thread::Builder::new().spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    })?;
    Ok(())
}
