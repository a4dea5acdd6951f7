//! The build for small machines: how large its binary is, and how much memory a host of it takes that is in
//! a lattice, has an actor, and does nothing.

use std::{fs, path::PathBuf, thread, time::Duration};

use anyhow::{Context, Result};

use super::{Bench, figure::Figure, lattice::EXAMPLE, machine};
use crate::{
    http,
    local::LocalLattice,
    process::{Interrupted, Look},
    test::{self, Profile},
};

const ONE_HOST: &[(&str, &str)] = &[("small", "edge")];

/// Our goals, in megabytes.
const BINARY_GOAL: f64 = 15.0;
const MEMORY_GOAL: f64 = 20.0;

const WITHIN: Duration = Duration::from_secs(60);

/// Idle means that start-up and the first request have been over for a while.
const IDLE_FOR: Duration = Duration::from_secs(10);

pub(super) fn measure(bench: &Bench<'_>) -> Result<Vec<Figure>> {
    bench.story.step("building for small machines; the first time this takes many minutes");
    let binary = test::wattle(bench.places, Profile::Edge)?;
    let bytes = fs::metadata(&binary)?.len() as f64 / 1e6;

    let mut lattice = LocalLattice::prepare(&bench.binary, ONE_HOST, bench.story)?
        .with_host_arguments(&["--profile", "edge", "--sandbox"])
        .with_small_hosts(&binary)?;
    let config = bench.places.root.join("deploy/nats/local.conf");
    lattice.start(&bench.nats_server, &config, bench.story, bench.interrupt)?;
    let manifest = prepared(bench, &lattice)?;
    lattice.deploy(&manifest, bench.story)?;
    let listener = lattice.listener(ONE_HOST[0].0)?;
    bench.interrupt.wait_for("an answer", WITHIN, || {
        Ok(match http::get(listener, "/", WITHIN) {
            Ok(answer) if answer.status == 200 => Look::Met(()),
            other => Look::NotYet(format!("{other:?}")),
        })
    })?;
    bench.story.waiting("letting the host be idle", || thread::sleep(IDLE_FOR));
    if bench.interrupt.was_asked() {
        return Err(Interrupted.into());
    }
    let pid = lattice.pid(ONE_HOST[0].0)?;
    let resident = megabytes(&format!("/proc/{pid}/smaps_rollup"), "Rss")?;
    let own = megabytes(&format!("/proc/{pid}/smaps_rollup"), "Pss_Anon")?;
    bench.story.detail(format_args!("{resident:.1} MB resident, {own:.1} MB of it its own"));
    lattice.stop(bench.story)?;

    let figure = |what: &str, value: f64, goal: f64| Figure {
        what: what.to_owned(),
        wattle: format!("{value:.1} MB"),
        peer: String::new(),
        goal: format!("at most {goal:.0} MB"),
        missed: goal < value,
        command: "cargo xtask bench edge".to_owned(),
    };
    Ok(vec![
        figure("size of the edge binary", bytes, BINARY_GOAL),
        figure("resident memory of an idle edge host with one actor", resident, MEMORY_GOAL),
    ])
}

/// The manifest of the example, its component signed and compiled.
fn prepared(bench: &Bench<'_>, lattice: &LocalLattice) -> Result<PathBuf> {
    let component = bench.guests.join(format!("{EXAMPLE}.wasm"));
    let manifest = bench.places.root.join("examples").join(EXAMPLE).join("wattle.yaml");
    let manifest = lattice.sign(&component, &manifest, bench.story)?;
    // Where `sign` put it: signing again is another component.
    lattice.compile(&lattice.signed_path(&component)?)?;
    Ok(manifest)
}

fn megabytes(path: &str, name: &str) -> Result<f64> {
    let kilobytes = machine::field(path, name).and_then(|memory| machine::kilobytes(&memory));
    Ok(kilobytes.with_context(|| format!("{path} has no {name}"))? as f64 * 1024.0 / 1e6)
}
