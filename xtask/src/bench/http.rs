//! Requests per second of one host, beside `wasmtime serve` with the same component and the same generator.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use super::{
    Bench,
    figure::{Figure, median},
    load::{Generator, Round},
};
use crate::{
    http,
    local::free_address,
    process::{Look, Process},
    run,
};

/// The peer; the engine inside wattle has the same version.
const WASMTIME: &str = "48.0.8";

const COMPONENT: &str = "http-hello";

/// Odd, so that one is in the middle.
const ROUNDS: usize = 5;

const ROUND_SECONDS: u64 = 6;
const WARM_UP_SECONDS: u64 = 2;

/// Our goal: the peer's rate at its defaults, times this.
const GOAL: f64 = 2.5;

const UP_WITHIN: Duration = Duration::from_secs(60);

pub(super) fn measure(bench: &Bench<'_>) -> Result<Vec<Figure>> {
    let wasmtime = wasmtime(bench)?;
    let generator = Generator::find(bench)?;
    let component = bench.guests.join(format!("{COMPONENT}.wasm"));
    let folder = tempfile::tempdir().context("make a folder")?;

    let (ours, theirs) = (free_address()?, free_address()?);
    let mut wattle = Command::new(&bench.binary);
    wattle.args(["run", "--addr", &ours.to_string()]).arg(&component);
    wattle.arg("--data-dir").arg(folder.path().join("wattle"));
    let mut serve = Command::new(&wasmtime);
    serve.args(["serve", "-S", "cli", "--addr", &theirs.to_string()]).arg(&component);
    let _wattle = start(bench, "wattle", &wattle, folder.path(), ours)?;
    let _serve = start(bench, "wasmtime", &serve, folder.path(), theirs)?;

    bench.story.detail(format_args!("load: {} URL", generator.line(ROUND_SECONDS)));
    let (mut wattle, mut serve) = (Vec::new(), Vec::new());
    for (address, rounds) in [(ours, &mut wattle), (theirs, &mut serve)] {
        rounds.clear();
        generator.round(&format!("http://{address}/"), WARM_UP_SECONDS)?;
    }
    for number in 1..=ROUNDS {
        for (name, address, rounds) in
            [("wattle", ours, &mut wattle), ("wasmtime", theirs, &mut serve)]
        {
            ensure!(!bench.interrupt.was_asked(), "interrupted");
            let round = generator.round(&format!("http://{address}/"), ROUND_SECONDS)?;
            bench.story.detail(format_args!(
                "round {number}: {name:<9} {:>7.0} per second, p50 {:.2} ms, p99 {:.2} ms",
                round.per_second,
                round.p50.as_secs_f64() * 1e3,
                round.p99.as_secs_f64() * 1e3
            ));
            rounds.push(round);
        }
    }
    Ok(figures(&wattle, &serve))
}

fn figures(wattle: &[Round], serve: &[Round]) -> Vec<Figure> {
    let of = |rounds: &[Round], value: fn(&Round) -> f64| {
        median(&rounds.iter().map(value).collect::<Vec<_>>())
    };
    let rate = |rounds| of(rounds, |round| round.per_second);
    let p50 = |rounds| of(rounds, |round| round.p50.as_secs_f64() * 1e3);
    let p99 = |rounds| of(rounds, |round| round.p99.as_secs_f64() * 1e3);
    let ratio = rate(wattle) / rate(serve);
    let command = "cargo xtask bench http".to_owned();
    vec![
        Figure {
            what: format!("{COMPONENT}, requests per second, one host"),
            wattle: format!("{:.0} ({ratio:.2} of the peer)", rate(wattle)),
            peer: format!("{:.0}, `wasmtime serve` {WASMTIME}", rate(serve)),
            goal: format!("at least {GOAL} of the peer"),
            missed: ratio < GOAL,
            command: command.clone(),
        },
        Figure {
            what: format!("{COMPONENT}, time of one request"),
            wattle: format!("p50 {:.2} ms, p99 {:.2} ms", p50(wattle), p99(wattle)),
            peer: format!("p50 {:.2} ms, p99 {:.2} ms", p50(serve), p99(serve)),
            goal: String::new(),
            missed: false,
            command,
        },
    ]
}

/// Starts a server and waits until it answers.
fn start(
    bench: &Bench<'_>,
    name: &str,
    command: &Command,
    folder: &Path,
    address: SocketAddr,
) -> Result<Process> {
    let mut process = Process::start(name, command, folder)?;
    bench.interrupt.wait_for(&format!("{name} to answer"), UP_WITHIN, || {
        if let Some(status) = process.ended() {
            anyhow::bail!("{name} ended: {status}\n{}", process.log());
        }
        Ok(match http::get(address, "/", Duration::from_secs(2)) {
            Ok(answer) if answer.status == 200 => Look::Met(()),
            other => Look::NotYet(format!("{other:?}")),
        })
    })?;
    Ok(process)
}

/// The peer of the right version: on PATH, else in our cache, where cargo installs it.
fn wasmtime(bench: &Bench<'_>) -> Result<PathBuf> {
    let root = bench.places.tools().join("wasmtime");
    let ours = root.join("bin/wasmtime");
    let is_right = |path: &Path| {
        let said = run::output(Command::new(path).arg("--version"));
        said.is_ok_and(|said| said.split_whitespace().nth(1) == Some(WASMTIME))
    };
    if let Some(path) =
        run::on_path("wasmtime").into_iter().chain([ours.clone()]).find(|path| is_right(path))
    {
        bench.story.step(format_args!("wasmtime {WASMTIME}: {}", path.display()));
        return Ok(path);
    }
    bench.story.step(format_args!("installing wasmtime-cli {WASMTIME}; this takes minutes"));
    let mut cargo = bench.places.cargo();
    cargo.args(["install", "wasmtime-cli", "--locked", "--version", WASMTIME, "--root"]).arg(&root);
    // Where its parts are built does not matter; where they stay would.
    cargo.env_remove("CARGO_TARGET_DIR");
    run::shown(&mut cargo)?;
    Ok(ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(rates: [f64; 3]) -> Vec<Round> {
        let round = |per_second| Round { per_second, p50: Duration::ZERO, p99: Duration::ZERO };
        rates.map(round).to_vec()
    }

    #[test]
    fn the_median_rounds_decide_whether_the_goal_is_met() {
        for (ours, missed) in [([9.0, 26.0, 99.0], false), ([9.0, 24.0, 99.0], true)] {
            let figures = figures(&rounds(ours), &rounds([1.0, 10.0, 100.0]));
            assert_eq!(figures[0].missed, missed, "{:?}", figures[0]);
        }
    }
}
