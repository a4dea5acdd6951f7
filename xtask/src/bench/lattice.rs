//! What a person waits for, a deployment; and what a host costs idle.

use std::{
    fs,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::{
    Bench,
    figure::{Figure, millis, percentile},
    machine,
};
use crate::{
    http,
    local::LocalLattice,
    process::{Interrupted, Look},
    run,
};

pub(super) const EXAMPLE: &str = "http-counter";

const ONE_HOST: &[(&str, &str)] = &[("alone", "cloud")];

const COLD_RUNS: usize = 3;
const WARM_RUNS: usize = 20;

const WARM_GOAL: Duration = Duration::from_millis(300);
const IDLE_MB_GOAL: f64 = 60.0;

const WITHIN: Duration = Duration::from_secs(60);

/// Idle means that start-up has been over for a while.
const IDLE_FOR: Duration = Duration::from_secs(10);

/// Short, so that a lost request does not count as a lost host.
const ONE_REQUEST: Duration = Duration::from_millis(500);

pub(super) fn deploy(bench: &Bench<'_>) -> Result<Vec<Figure>> {
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    for run in 1..=COLD_RUNS {
        let (lattice, manifest) = lattice(bench, ONE_HOST)?;
        cold.push(deploy_once(bench, &lattice, &manifest)?);
        let more = if run == COLD_RUNS { WARM_RUNS } else { 0 };
        for _ in 0..more {
            run::output(&mut lattice.wattle().command(&["app", "undeploy", EXAMPLE]))?;
            // 503 while the route is remembered, 404 afterwards.
            until_status(bench, &lattice, "the actor to be gone", |status| status != 200)?;
            warm.push(deploy_once(bench, &lattice, &manifest)?);
        }
        lattice.stop(bench.story)?;
    }
    let shown = |runs: &[Duration]| {
        format!(
            "p50 {}, p99 {}, {} runs",
            millis(percentile(runs, 0.5)),
            millis(percentile(runs, 0.99)),
            runs.len()
        )
    };
    let figure = |what: &str, runs: &[Duration], goal: String, missed| Figure {
        what: format!("from `wattle app deploy` to the first 200, {what}"),
        wattle: shown(runs),
        peer: String::new(),
        goal,
        missed,
        command: "cargo xtask bench deploy".to_owned(),
    };
    let warm_goal = format!("p50 under {}", millis(WARM_GOAL));
    Ok(vec![
        figure("compiled before", &warm, warm_goal, WARM_GOAL <= percentile(&warm, 0.5)),
        figure("cold", &cold, String::new(), false),
    ])
}

/// From the start of the command to the first answer.
fn deploy_once(
    bench: &Bench<'_>,
    lattice: &LocalLattice,
    manifest: &std::path::Path,
) -> Result<Duration> {
    let manifest = manifest.to_str().context("the path of the manifest is text")?;
    let start = Instant::now();
    run::output(&mut lattice.wattle().command(&["app", "deploy", "--no-wait", manifest]))?;
    until_status(bench, lattice, "the first answer", |status| status == 200)?;
    let took = start.elapsed();
    bench.story.detail(format_args!("deployed and answered after {}", millis(took)));
    Ok(took)
}

fn until_status(
    bench: &Bench<'_>,
    lattice: &LocalLattice,
    what: &str,
    is_it: impl Fn(u16) -> bool,
) -> Result<()> {
    let listener = lattice.listener(ONE_HOST[0].0)?;
    bench.interrupt.wait_for(what, WITHIN, || {
        Ok(match http::get(listener, "/", ONE_REQUEST) {
            Ok(answer) if is_it(answer.status) => Look::Met(()),
            other => Look::NotYet(format!("{other:?}")),
        })
    })
}

pub(super) fn size(bench: &Bench<'_>) -> Result<Vec<Figure>> {
    let (lattice, _) = lattice(bench, ONE_HOST)?;
    bench.story.waiting("letting the host be idle", || thread::sleep(IDLE_FOR));
    if bench.interrupt.was_asked() {
        return Err(Interrupted.into());
    }
    let status = format!("/proc/{}/status", lattice.pid(ONE_HOST[0].0)?);
    let resident = machine::field(&status, "VmRSS").and_then(|memory| machine::kilobytes(&memory));
    let resident =
        resident.context("the kernel says how much memory a process has")? as f64 * 1024.0 / 1e6;
    lattice.stop(bench.story)?;
    let binary = fs::metadata(&bench.binary)?.len() as f64 / 1e6;
    let figure = |what: &str, megabytes: f64, goal: String, missed| Figure {
        what: what.to_owned(),
        wattle: format!("{megabytes:.1} MB"),
        peer: String::new(),
        goal,
        missed,
        command: "cargo xtask bench size".to_owned(),
    };
    let idle_goal = format!("under {IDLE_MB_GOAL:.0} MB");
    Ok(vec![
        figure("resident memory of an idle host", resident, idle_goal, IDLE_MB_GOAL <= resident),
        figure("size of the release binary", binary, String::new(), false),
    ])
}

/// A lattice of its own with nothing in it, and the manifest of the example, ready to deploy.
fn lattice(
    bench: &Bench<'_>,
    hosts: &'static [(&'static str, &'static str)],
) -> Result<(LocalLattice, PathBuf)> {
    let mut lattice = LocalLattice::prepare(&bench.binary, hosts, bench.story)?;
    let config = bench.places.root.join("deploy/nats/local.conf");
    lattice.start(&bench.nats_server, &config, bench.story, bench.interrupt)?;
    let component = bench.guests.join(format!("{EXAMPLE}.wasm"));
    ensure!(component.is_file(), "{} was not built", component.display());
    let manifest = bench.places.root.join("examples").join(EXAMPLE).join("wattle.yaml");
    let manifest = lattice.sign(&component, &manifest, bench.story)?;
    Ok((lattice, manifest))
}
