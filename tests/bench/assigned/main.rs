//! What a host does with what it is assigned: how soon the first request is answered, and how many actors it holds.
//!
//! `bench-assigned start NATS-CONFIG COMPONENT RUNS` and
//! `bench-assigned density NATS-CONFIG COMPONENT COUNT...` print one JSON object each. The host is a process of
//! the binary in `WATTLE_BIN`, the nats-server is the one in `WATTLE_NATS_SERVER`.

#![allow(clippy::print_stdout, reason = "what it prints is its result")]

mod density;
#[path = "../median.rs"]
mod median;
mod stage;
mod start;

use std::env;

use anyhow::{Context, Result, bail};

const USAGE: &str = "usage: bench-assigned start NATS-CONFIG COMPONENT RUNS\n\
                     \x20      bench-assigned density NATS-CONFIG COMPONENT COUNT...";

/// On this thread: the kernel takes the end of the one that started a process for ours.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [what, nats_config, component, numbers @ ..] = words.as_slice() else { bail!(USAGE) };
    let read = || std::fs::read(component).with_context(|| format!("read {component}"));
    let numbers: Vec<usize> =
        numbers.iter().map(|number| number.parse()).collect::<Result<_, _>>().context(USAGE)?;
    let said = match (what.as_str(), numbers.as_slice()) {
        ("start", [runs]) => start::measure(nats_config, read()?, *runs).await?,
        ("density", counts) => density::measure(nats_config, &read()?, counts).await?,
        _ => bail!(USAGE),
    };
    println!("{said}");
    Ok(())
}
