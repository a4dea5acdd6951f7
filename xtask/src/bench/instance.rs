//! CPU time to make, call and drop one instance; measured inside the engine, by `tests/bench/instance.rs`.

use std::process::Command;

use anyhow::{Context, Result};

use super::{Bench, figure::Figure};

const COMPONENT: &str = "greet";

/// Odd, so that one is in the middle.
const ROUNDS: usize = 5;

/// Our goals, in microseconds.
const NOTHING_GOAL_US: f64 = 4.0;
const GREET_GOAL_US: f64 = 18.0;

pub(super) fn measure(bench: &Bench<'_>) -> Result<Vec<Figure>> {
    let component = bench.guests.join(format!("{COMPONENT}.wasm"));
    let kilobytes = std::fs::metadata(&component)?.len() as f64 / 1e3;
    let mut program = Command::new(bench.program("bench-instance")?);
    program.arg(&component).arg(bench.rounds(ROUNDS).to_string());
    let said = bench.told(&mut program)?;
    let figure = |what: String, name: &str, goal: f64| {
        for round in said[format!("{name}_rounds_us")].as_array().into_iter().flatten() {
            bench.story.detail(format_args!("round: {name} {round:.2} µs"));
        }
        let micros = said[format!("{name}_us")].as_f64().context("no time")?;
        anyhow::Ok(Figure {
            what: format!("CPU time to make, call and drop an instance {what}"),
            wattle: format!("{micros:.1} µs"),
            peer: String::new(),
            goal: format!("at most {goal:.0} µs"),
            missed: goal < micros,
            command: "cargo xtask bench instance".to_owned(),
        })
    };
    let nothing = figure("that does nothing".to_owned(), "nothing", NOTHING_GOAL_US)?;
    let greet = figure(format!("of {kilobytes:.0} kB"), "greet", GREET_GOAL_US)?;
    Ok(vec![nothing, greet])
}
