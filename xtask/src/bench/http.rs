//! Hello over HTTP: one host beside `wasmtime serve`, with the same components and the same generator, and beside
//! a server without any.

use std::process::Command;

use anyhow::{Context, Result};

use super::{
    Bench,
    figure::Figure,
    load::Generator,
    parts::{self, Part},
    rounds::{Rounds, alternate},
    server::{self, DEFAULTS, REUSED, REUSED_P3, Server, TUNED},
};
use crate::setup::wasmtime::{self, VERSION};

const HOST: &str = "alone";
const HOSTS: &[(&str, &str)] = &[(HOST, HOST)];

/// As many calls in an instance as the peer is told.
const PARTS: [Part; 3] = [
    Part::new("http-hello", HOST).named("fresh").at("/fresh"),
    Part::new("http-hello", HOST)
        .named("reused")
        .at("/reused")
        .instances("policy: reused, requests: 128"),
    Part::new("hello-p3", HOST)
        .named("concurrent")
        .at("/concurrent")
        .instances("policy: concurrent, requests: 128, concurrency: 16"),
];

const SIDES: [&str; 8] = [
    "hyper alone",
    "wattle, fresh",
    "wasmtime",
    "wasmtime, tuned",
    "wattle, reused 0.2",
    "wasmtime, reused 0.2",
    "wattle, reused 0.3",
    "wasmtime, reused 0.3",
];

/// Odd, so that one is in the middle.
const ROUNDS: usize = 5;
const ROUND_SECONDS: u64 = 6;

/// Our goals, in parts of the peer's rate.
const DEFAULTS_GOAL: f64 = 2.8;
const TUNED_GOAL: f64 = 1.5;
const REUSED_GOAL: f64 = 1.0;
const REUSED_P3_GOAL: f64 = 1.1;

pub(super) fn measure(bench: &Bench<'_>) -> Result<Vec<Figure>> {
    let program = wasmtime::ensure(bench.places, bench.story)?;
    let generator = Generator::find(bench)?;
    let native = bench.program("bench-native")?;
    let folder = tempfile::tempdir().context("make a folder")?;
    let guest = |name: &str| bench.guests.join(format!("{name}.wasm"));
    let peer = |name, arguments, component: &str| {
        let (program, folder) = (program.as_path(), folder.path());
        server::peer(bench, program, folder, (name, arguments), &guest(component))
    };

    let lattice = parts::deployed(bench, HOSTS, &[], &PARTS)?;
    let listener = lattice.listener(HOST)?;
    let native = Server::start(bench, "native", folder.path(), |address| {
        let mut command = Command::new(&native);
        command.arg(address.to_string());
        command
    })?;
    let defaults = peer("defaults", DEFAULTS, "http-hello")?;
    let tuned = peer("tuned", TUNED, "http-hello")?;
    let reused = peer("reused", REUSED, "http-hello")?;
    let concurrent = peer("concurrent", REUSED_P3, "hello-p3")?;
    let ours = ["fresh", "reused", "concurrent"].map(|path| format!("http://{listener}/{path}"));
    let urls = [
        &native.url,
        &ours[0],
        &defaults.url,
        &tuned.url,
        &ours[1],
        &reused.url,
        &ours[2],
        &concurrent.url,
    ];

    let seconds = bench.seconds(ROUND_SECONDS);
    bench.story.detail(format_args!("load: {} URL", generator.line(seconds)));
    let rounds =
        alternate(bench, SIDES, bench.rounds(ROUNDS), |side| generator.round(urls[side], seconds))?;
    lattice.stop(bench.story)?;
    Ok(figures(&rounds))
}

fn figures(rounds: &[Rounds; 8]) -> Vec<Figure> {
    let [native, fresh, defaults, tuned, reused, peer_reused, concurrent, peer_concurrent] = rounds;
    let mut figures = vec![
        rate("fresh instances", fresh, ("at its defaults", defaults), DEFAULTS_GOAL),
        times(fresh, defaults),
        rate("fresh instances", fresh, ("at its best for them", tuned), TUNED_GOAL),
    ];
    let peer = ("`--max-instance-reuse-count 128`", peer_reused);
    figures.push(rate("instances of 0.2 used again", reused, peer, REUSED_GOAL));
    let peer = ("with its own reuse", peer_concurrent);
    figures.push(rate("instances of 0.3 used again", concurrent, peer, REUSED_P3_GOAL));
    let part = |rounds: &Rounds| rounds.rate() / native.rate();
    figures.push(Figure {
        what: "hello, requests per second, beside a server without guests".to_owned(),
        wattle: format!(
            "{:.2} of it with fresh instances, {:.2} and {:.2} with those of 0.2 and 0.3 used again",
            part(fresh),
            part(reused),
            part(concurrent)
        ),
        peer: format!("{:.0}, hyper alone", native.rate()),
        goal: String::new(),
        missed: false,
        command: COMMAND.to_owned(),
    });
    figures
}

const COMMAND: &str = "cargo xtask bench http";

fn rate(what: &str, ours: &Rounds, (which, peer): (&str, &Rounds), goal: f64) -> Figure {
    let ratio = ours.rate() / peer.rate();
    Figure {
        what: format!("hello, requests per second, {what}"),
        wattle: format!("{:.0} ({ratio:.2} of the peer)", ours.rate()),
        peer: format!("{:.0}, `wasmtime serve` {VERSION} {which}", peer.rate()),
        goal: format!("at least {goal} of the peer"),
        missed: ratio < goal,
        command: COMMAND.to_owned(),
    }
}

fn times(ours: &Rounds, peer: &Rounds) -> Figure {
    let shown = |rounds: &Rounds| {
        format!("p50 {:.2} ms, p99 {:.2} ms", rounds.p50_us() / 1e3, rounds.p99_us() / 1e3)
    };
    Figure {
        what: "hello, time of one request, fresh instances".to_owned(),
        wattle: shown(ours),
        peer: format!("{}, at its defaults", shown(peer)),
        goal: "p99 no longer than the peer's".to_owned(),
        missed: peer.p99_us() < ours.p99_us(),
        command: COMMAND.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bench::load::Round;

    fn rounds(rates: [f64; 3]) -> Rounds {
        let round = |per_second| Round { per_second, p50: Duration::ZERO, p99: Duration::ZERO };
        rates.map(round).into_iter().collect()
    }

    #[test]
    fn the_median_rounds_decide_whether_a_goal_is_met() {
        for (ours, missed) in [([9.0, 29.0, 99.0], false), ([9.0, 27.0, 99.0], true)] {
            let peer = rounds([1.0, 10.0, 100.0]);
            let figure = rate("x", &rounds(ours), ("y", &peer), DEFAULTS_GOAL);
            assert_eq!(figure.missed, missed, "{figure:?}");
        }
    }
}
