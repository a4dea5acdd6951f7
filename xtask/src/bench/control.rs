//! What a lattice of three NATS nodes does when something is lost, and how large it may be; measured by
//! `tests/bench/control`.

use std::{process::Command, time::Duration};

use anyhow::{Context, Result};
use serde_json::Value;

use super::{
    Bench,
    figure::{Figure, median, millis, percentile},
};

const COMPONENT: &str = "http-hello";

const KILLS: usize = 50;
/// Each waits until the server that was killed has everything again.
const NODES: usize = 20;
const HOSTS: usize = 200;
const INSTANCES: usize = 5_000;
const MOST: usize = 1_000;
const WRITES: usize = 500;
const COMMITS: usize = 31;

/// Our goals, in milliseconds, for all but a hundredth.
const KILLED_GOAL_MS: u64 = 3_000;
const STOPPED_GOAL_MS: u64 = 6_000;
const LEADER_GOAL_MS: u64 = 5_000;
const WITH_NODE_GOAL_MS: u64 = 10_000;
const CONVERGED_GOAL_S: f64 = 60.0;
const REST_GOAL: f64 = 0.1;

/// Hosts, leaders and nodes that are killed, stopped or hang.
pub(super) fn losses(bench: &Bench<'_>) -> Result<Vec<Figure>> {
    let (kills, nodes) = (bench.rounds(KILLS), bench.rounds(NODES));
    let component = bench.guests.join(format!("{COMPONENT}.wasm"));
    let component = component.to_str().context("the path of the component is text")?;
    let said = told(bench, &["losses", component, &kills.to_string(), &nodes.to_string()])?;
    let figure = |what: &str, name: &str, goal_ms: u64| {
        let times = times(&said, name)?;
        let (p99, goal) = (percentile(&times, 0.99), Duration::from_millis(goal_ms));
        Ok(Figure {
            what: format!("{what}, {} runs", times.len()),
            wattle: format!("p50 {}, p99 {}", millis(percentile(&times, 0.5)), millis(p99)),
            peer: String::new(),
            goal: format!("p99 under {}", millis(goal)),
            missed: goal <= p99,
            command: "cargo xtask bench losses".to_owned(),
        })
    };
    let mut figures: Vec<Figure> = [
        ("from SIGKILL of a host to the next 200 from elsewhere", "killed_ms", KILLED_GOAL_MS),
        ("from SIGSTOP of a host to the next 200 from elsewhere", "stopped_ms", STOPPED_GOAL_MS),
        ("from SIGKILL of the leader to the next accepted change", "leader_ms", LEADER_GOAL_MS),
        (
            "from SIGKILL of a host and of the store's NATS node to the next 200 from elsewhere",
            "with_node_ms",
            WITH_NODE_GOAL_MS,
        ),
    ]
    .into_iter()
    .map(|(what, name, goal)| figure(what, name, goal))
    .collect::<Result<_>>()?;
    let (hung, moved) = (number(&said, "hung")?, number(&said, "moved")?);
    figures.push(Figure {
        what: format!("actors that moved while the store's NATS node hung for 20 s, {hung} runs"),
        wattle: moved.to_string(),
        peer: String::new(),
        goal: "none".to_owned(),
        missed: moved != 0.0,
        command: "cargo xtask bench losses".to_owned(),
    });
    Ok(figures)
}

/// Hosts without an engine: the agent as it ships, in one process.
pub(super) fn large(bench: &Bench<'_>) -> Result<Vec<Figure>> {
    let sizes = [HOSTS, INSTANCES, MOST].map(|size| size.to_string());
    let said = told(bench, &["large", &sizes[0], &sizes[1], &sizes[2]])?;
    let figure = |what: String, wattle: String, goal: String, missed: bool| Figure {
        what,
        wattle,
        peer: String::new(),
        goal,
        missed,
        command: "cargo xtask bench large".to_owned(),
    };
    let (converged, asked) = (number(&said, "converged_s")?, number(&said, "asked_s")?);
    let (rest, consumers) = (number(&said, "rest")?, number(&said, "consumers")?);
    let joined = number(&said, "more_s")?;
    Ok(vec![
        figure(
            format!("{HOSTS} hosts: from the first of 50 deployments to {INSTANCES} instances"),
            format!("{converged:.1} s, of which asking took {asked:.1} s"),
            format!("under {CONVERGED_GOAL_S:.0} s"),
            CONVERGED_GOAL_S <= converged,
        ),
        figure(
            format!("{HOSTS} hosts and {INSTANCES} instances: the controller at rest"),
            format!("{:.1} % of a processor", rest * 100.0),
            format!("under {:.0} %", REST_GOAL * 100.0),
            REST_GOAL <= rest,
        ),
        figure(
            format!("from {HOSTS} to {MOST} hosts that a controller counts on"),
            format!("{joined:.1} s; {consumers} follow the control stream"),
            String::new(),
            false,
        ),
    ])
}

pub(super) fn commit(bench: &Bench<'_>) -> Result<Vec<Figure>> {
    let runs = bench.rounds(COMMITS).to_string();
    let said = told(bench, &["commit", &WRITES.to_string(), &runs])?;
    let times = said["commit_ms"].as_array().context("the benchmark gives a list")?;
    let times: Vec<f64> = times.iter().filter_map(Value::as_f64).collect();
    Ok(vec![Figure {
        what: format!(
            "{WRITES} assignments of {} bytes in one atomic batch, three copies",
            number(&said, "bytes")?
        ),
        wattle: format!("p50 {:.0} ms, {} runs", median(&times), times.len()),
        peer: String::new(),
        goal: String::new(),
        missed: false,
        command: "cargo xtask bench commit".to_owned(),
    }])
}

fn told(bench: &Bench<'_>, arguments: &[&str]) -> Result<Value> {
    let mut program = Command::new(bench.program("bench-control")?);
    program.args(arguments);
    program.env("WATTLE_BIN", &bench.binary).env("WATTLE_NATS_SERVER", &bench.nats_server);
    bench.told(&mut program)
}

fn number(said: &Value, name: &str) -> Result<f64> {
    said[name].as_f64().with_context(|| format!("the benchmark says no {name}"))
}

fn times(said: &Value, name: &str) -> Result<Vec<Duration>> {
    let times = said[name].as_array().with_context(|| format!("the benchmark says no {name}"))?;
    Ok(times.iter().filter_map(Value::as_f64).map(|ms| Duration::from_secs_f64(ms / 1e3)).collect())
}
