//! What a host does with what it is assigned, without a controller: how soon the first request is answered, and how
//! many actors it holds; measured by `tests/bench/assigned`.

use std::{path::Path, process::Command};

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Bench, figure::Figure, python};

const STARTS: usize = 31;
/// A component in Rust, and what ends its name in a figure.
const RUST: &str = "http-hello";

/// Our goals, in milliseconds.
const PYTHON_GOAL_MS: f64 = 50.0;
const RUST_GOAL_MS: f64 = 10.0;

const DENSE: &str = RUST;
const COUNTS: [u64; 2] = [1_000, 10_000];

/// From an assignment to the first answer, of a component in Python and one in Rust.
pub(super) fn start(bench: &Bench<'_>) -> Result<Vec<Figure>> {
    let python = python::component(bench)?;
    let rust = bench.guests.join(format!("{RUST}.wasm"));
    let sides = [("Python", python, PYTHON_GOAL_MS), ("Rust", rust, RUST_GOAL_MS)];
    let figure = |(language, component, goal): (&str, _, f64)| {
        let said = told(bench, "start", component, &[bench.rounds(STARTS) as u64])?;
        let number = |name: &str| said[name].as_f64().with_context(|| format!("no {name}"));
        let (p50, megabytes) = (number("p50_ms")?, number("bytes")? / 1e6);
        Ok(Figure {
            what: format!(
                "from the assignment to the first 200, a component in {language} of {megabytes:.1} MB, compiled before"
            ),
            wattle: format!("p50 {p50:.1} ms, longest {:.1} ms", number("max_ms")?),
            peer: String::new(),
            goal: format!("p50 under {goal:.0} ms"),
            missed: goal <= p50,
            command: "cargo xtask bench start".to_owned(),
        })
    };
    sides.iter().map(|(language, component, goal)| figure((language, component, *goal))).collect()
}

/// Idle actors of 50 components on one host.
pub(super) fn density(bench: &Bench<'_>) -> Result<Vec<Figure>> {
    let said = told(bench, "density", &bench.guests.join(format!("{DENSE}.wasm")), &COUNTS)?;
    let rows = said.as_array().context("the benchmark gives a list")?;
    let rows = rows.iter().map(|row| {
        let number = |name: &str| row[name].as_f64().with_context(|| format!("no {name}"));
        let (actors, components) = (number("actors")?, number("components")?);
        let figure = |what: &str, wattle: String| Figure {
            what: format!("{actors} idle actors of {components} components: {what}"),
            wattle,
            peer: String::new(),
            goal: String::new(),
            missed: false,
            command: "cargo xtask bench density".to_owned(),
        };
        let rate = actors / number("started_s")?;
        Ok([
            figure("memory of each", format!("{:.1} kB", number("bytes_per_actor")? / 1e3)),
            figure("started per second", format!("{rate:.0}")),
            figure(
                "beats in 10 s, and the longest silence",
                format!("{}, {:.0} ms", number("beats")?, number("longest_silence_ms")?),
            ),
            figure(
                "`wattle get inventory`",
                format!(
                    "{:.0} ms, {:.1} MB",
                    number("inventory_ms")?,
                    number("inventory_bytes")? / 1e6
                ),
            ),
        ])
    });
    Ok(rows.collect::<Result<Vec<_>>>()?.concat())
}

fn told(bench: &Bench<'_>, what: &str, component: &Path, numbers: &[u64]) -> Result<Value> {
    let mut program = Command::new(bench.program("bench-assigned")?);
    program.arg(what).arg(bench.places.root.join("deploy/nats/local.conf")).arg(component);
    program.args(numbers.iter().map(ToString::to_string));
    program.env("WATTLE_BIN", &bench.binary).env("WATTLE_NATS_SERVER", &bench.nats_server);
    bench.told(&mut program)
}
