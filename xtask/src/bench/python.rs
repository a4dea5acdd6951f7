//! Hello over HTTP from an interpreter: the guest `python-hello`, in fresh instances and in those used again, beside
//! `wasmtime serve` with the same component.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::{
    Bench,
    figure::Figure,
    load::Generator,
    parts::{self, Part},
    rounds::{Rounds, alternate},
    server::{self, DEFAULTS, REUSED, TUNED},
};
use crate::{
    run,
    setup::{
        componentize,
        wasmtime::{self, VERSION},
    },
};

pub(super) const GUEST: &str = "python-hello";

/// What it is built from, and what that needs.
const WORLD: &str = "wasi:http/proxy@0.2.12";
const WIT: [&str; 7] = ["io", "clocks", "random", "filesystem", "sockets", "cli", "http"];

const HOST: &str = "alone";
const HOSTS: &[(&str, &str)] = &[(HOST, HOST)];
const PARTS: [Part; 2] = [
    Part::new(GUEST, HOST).named("fresh").at("/fresh"),
    Part::new(GUEST, HOST).named("reused").at("/reused").instances("policy: reused, requests: 128"),
];

const SIDES: [&str; 5] =
    ["wattle, fresh", "wasmtime", "wasmtime, tuned", "wattle, reused", "wasmtime, reused"];

/// A fresh instance computes for 10 ms, and who comes to a busy actor waits for 100 ms at most.
const CONNECTIONS: u32 = 8;
const ROUNDS: usize = 5;
const ROUND_SECONDS: u64 = 5;

pub(super) fn measure(bench: &Bench<'_>) -> Result<Vec<Figure>> {
    let component = component(bench)?;
    let program = wasmtime::ensure(bench.places, bench.story)?;
    let generator = Generator::find(bench)?.with_connections(CONNECTIONS);
    let folder = tempfile::tempdir().context("make a folder")?;
    let peer = |name, arguments| {
        let (program, folder) = (program.as_path(), folder.path());
        server::peer(bench, program, folder, (name, arguments), &component)
    };

    let lattice = parts::deployed(bench, HOSTS, &[], &PARTS)?;
    let listener = lattice.listener(HOST)?;
    let (defaults, tuned) = (peer("defaults", DEFAULTS)?, peer("tuned", TUNED)?);
    let reused = peer("reused", REUSED)?;
    let ours = ["fresh", "reused"].map(|path| format!("http://{listener}/{path}"));
    let urls = [&ours[0], &defaults.url, &tuned.url, &ours[1], &reused.url];
    let seconds = bench.seconds(ROUND_SECONDS);
    bench.story.detail(format_args!("load: {} URL", generator.line(seconds)));
    let rounds =
        alternate(bench, SIDES, bench.rounds(ROUNDS), |side| generator.round(urls[side], seconds))?;
    lattice.stop(bench.story)?;
    let [fresh, defaults, tuned, reused, peer_reused] = &rounds;
    Ok(vec![
        figure("fresh instances", fresh, ("at its defaults", defaults)),
        figure("fresh instances", fresh, ("at its best for them", tuned)),
        figure("instances used again", reused, ("`--max-instance-reuse-count 128`", peer_reused)),
    ])
}

fn figure(what: &str, ours: &Rounds, (which, peer): (&str, &Rounds)) -> Figure {
    let shown = |rounds: &Rounds| {
        let (p50, p99) = (rounds.p50_us() / 1e3, rounds.p99_us() / 1e3);
        format!("p50 {p50:.2} ms, p99 {p99:.2} ms")
    };
    let ratio = ours.rate() / peer.rate();
    Figure {
        what: format!("hello in Python, requests per second, {what}"),
        wattle: format!("{:.0} ({ratio:.2} of the peer), {}", ours.rate(), shown(ours)),
        peer: format!("{:.0}, {}, `wasmtime serve` {VERSION} {which}", peer.rate(), shown(peer)),
        goal: String::new(),
        missed: false,
        command: "cargo xtask bench python".to_owned(),
    }
}

/// The component, beside the other guests; built again only when its source is newer.
pub(super) fn component(bench: &Bench<'_>) -> Result<PathBuf> {
    let source = bench.places.root.join("tests/guests").join(GUEST).join("app.py");
    let built = bench.guests.join(format!("{GUEST}.wasm"));
    if is_newer(&built, &source) {
        return Ok(built);
    }
    let componentize = componentize::ensure(bench.places, bench.story)?;
    // Python leaves files beside what it reads.
    let folder = tempfile::tempdir().context("make a folder")?;
    fs::copy(&source, folder.path().join("app.py")).context("copy the guest")?;
    let mut command = Command::new(componentize);
    for package in WIT {
        command.arg("-d").arg(bench.places.root.join(format!("wit/deps/{package}.wit")));
    }
    command.args(["-w", WORLD, "componentize", "app", "-o"]).arg(&built);
    command.current_dir(folder.path());
    let log = bench.places.target.join("python-hello.log");
    run::logged(bench.story, "making a component of Python", &mut command, &log)?;
    bench.story.step(format_args!("made {}", built.display()));
    Ok(built)
}

fn is_newer(built: &Path, source: &Path) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    changed(built).is_some_and(|built| changed(source).is_some_and(|source| source < built))
}
