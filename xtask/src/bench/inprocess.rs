//! A call from one actor to another of the same process; measured inside the host, by `tests/bench/inprocess.rs`.

use std::process::Command;

use anyhow::{Context, Result};

use super::{Bench, figure::Figure};

const ROUNDS: usize = 5;

/// Our goals: at this many bytes at most so many microseconds beyond the callee's instance.
const GOALS: [(u64, f64); 2] = [(16, 5.0), (64 << 10, 15.0)];

/// Traces are on and unsampled: there is an exporter, and nobody where it would send what is never sampled.
const TRACES: [(&str, &str); 2] =
    [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9"), ("OTEL_TRACES_SAMPLER", "always_off")];

pub(super) fn measure(bench: &Bench<'_>) -> Result<Vec<Figure>> {
    let guest = |name: &str| bench.guests.join(format!("{name}.wasm"));
    let mut program = Command::new(bench.program("bench-inprocess")?);
    program.arg(guest("stopwatch")).arg(guest("echo")).arg(bench.rounds(ROUNDS).to_string());
    let said = bench.told(program.envs(TRACES))?;
    let sizes = said.as_array().context("the benchmark gives a list")?;
    sizes
        .iter()
        .map(|row| {
            let number = |name: &str| row[name].as_f64().with_context(|| format!("no {name}"));
            let bytes = row["bytes"].as_u64().context("no bytes")?;
            let beyond = number("beyond_us")?;
            let goal = GOALS.iter().find(|(size, _)| *size == bytes).map(|(_, goal)| *goal);
            Ok(Figure {
                what: format!(
                    "call within a process, {}, p50 beyond the callee's instance",
                    size(bytes)
                ),
                wattle: format!(
                    "{beyond:.1} µs, of {:.1} µs in all; {:.1} µs to an instance used again",
                    number("fresh_us")?,
                    number("reused_us")?
                ),
                peer: format!("{:.1} µs, the instance alone", number("instance_us")?),
                goal: goal.map(|goal| format!("at most {goal:.0} µs")).unwrap_or_default(),
                missed: goal.is_some_and(|goal| goal < beyond),
                command: "cargo xtask bench inprocess".to_owned(),
            })
        })
        .collect()
}

/// `16 B`, `4 KiB`.
fn size(bytes: u64) -> String {
    if bytes < 1 << 10 { format!("{bytes} B") } else { format!("{} KiB", bytes >> 10) }
}
