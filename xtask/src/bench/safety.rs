//! What each safety feature costs; measured by `tests/bench/safety`, in an engine set up as ours is but for one of
//! them at a time.

use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Bench, figure::Figure};

const COMPONENT: &str = "greet";
const ROUNDS: usize = 9;

pub(super) fn measure(bench: &Bench<'_>) -> Result<Vec<Figure>> {
    let mut program = Command::new(bench.program("bench-safety")?);
    program.arg(bench.guests.join(format!("{COMPONENT}.wasm")));
    program.arg(bench.rounds(ROUNDS).to_string());
    let said = bench.told(&mut program)?;
    let number = |value: &Value, name: &str| {
        value[name].as_f64().with_context(|| format!("no {name} in {value}"))
    };
    let figure = |what: String, wattle: String| Figure {
        what,
        wattle,
        peer: String::new(),
        goal: String::new(),
        missed: false,
        command: "cargo xtask bench safety".to_owned(),
    };
    let all = number(&said["calls"], "us")?;
    let mut figures = vec![figure(
        format!("CPU time of a call of `{COMPONENT}` in the laboratory, with every safety feature"),
        format!("{all:.1} µs"),
    )];
    for cost in said["calls"]["costs"].as_array().context("no costs")? {
        let (feature, us) = (cost["feature"].as_str().context("no feature")?, number(cost, "us")?);
        let part = us / all * 100.0;
        figures.push(figure(format!("of that, {feature}"), format!("{us:.2} µs ({part:.0} %)")));
    }
    let turns = &said["turns"];
    let all = number(turns, "ns")?;
    let part = |name| anyhow::Ok((number(turns, name)? / all - 1.0) * 100.0);
    let (epochs, checked) = (-part("without_epochs_ns")?, part("checked_ns")?);
    let what = "one turn of a loop that reads and writes memory";
    figures.push(figure(
        format!("{what}: of that, interruption by epochs"),
        format!("{epochs:.0} % of {all:.2} ns"),
    ));
    figures.push(figure(
        format!("{what}: more where code checks memory and no guard pages do (profile `edge`)"),
        format!("{checked:.0} %"),
    ));
    Ok(figures)
}
