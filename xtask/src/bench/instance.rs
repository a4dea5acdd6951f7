//! CPU time to make, call and drop one instance; measured inside the engine, by `tests/bench/instance.rs`.

use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Bench, figure::Figure};
use crate::run;

const COMPONENT: &str = "greet";

/// Our goal, in microseconds.
const GOAL_US: f64 = 20.0;

pub(super) fn measure(bench: &Bench<'_>) -> Result<Vec<Figure>> {
    let program = bench.program("bench-instance")?;
    let component = bench.guests.join(format!("{COMPONENT}.wasm"));
    let kilobytes = std::fs::metadata(&component)?.len() as f64 / 1e3;
    let said = run::output(Command::new(program).arg(&component))?;
    let said: Value = serde_json::from_str(&said).context("read what the benchmark says")?;
    let micros = said["call_us"].as_f64().context("the benchmark gives a time")?;
    for round in said["rounds_us"].as_array().into_iter().flatten() {
        bench.story.detail(format_args!("round: {round:.1} µs"));
    }
    Ok(vec![Figure {
        what: format!("CPU time to make, call and drop an instance of {kilobytes:.0} kB"),
        wattle: format!("{micros:.1} µs"),
        peer: String::new(),
        goal: format!("at most {GOAL_US:.0} µs"),
        missed: GOAL_US < micros,
        command: "cargo xtask bench instance".to_owned(),
    }])
}
