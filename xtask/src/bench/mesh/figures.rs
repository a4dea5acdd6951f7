//! What the rounds mean: ratios, and whether they meet the goals.

use anyhow::{Context, Result};
use serde_json::Value;

use super::{CAPACITY, CROWD, PLACES, STAY_MS, STREAM_MIB, TIMES_CAPACITY};
use crate::bench::{figure::Figure, rounds::Rounds};

/// Of the rate of one actor: what wasmCloud 1.9.2 measured was 0.41.
const CHAIN_GOAL: f64 = 0.8;
const FORWARD_GOAL: f64 = 0.5;
const REMOTE_P50_GOAL: f64 = 1.25;
const REMOTE_RATE_GOAL: f64 = 0.7;
const REMOTE_FRESH_GOAL: f64 = 0.4;
/// What a host may take beside what it has anyway while 1 GiB goes through it, in MB.
const STREAM_MB_GOAL: f64 = 64.0;
const GOODPUT_GOAL: f64 = 0.8;

fn figure(what: impl Into<String>, bench: &str) -> Figure {
    Figure {
        what: what.into(),
        wattle: String::new(),
        peer: String::new(),
        goal: String::new(),
        missed: false,
        command: format!("cargo xtask bench {bench}"),
    }
}

pub(super) fn chain(
    [one, two, kept]: &[Rounds; 3],
    [one_alone, two_alone]: &[Rounds; 2],
) -> Vec<Figure> {
    let ratio = two.rate() / one.rate();
    let kept_ratio = kept.rate() / one.rate();
    let more = two_alone.p50_us() - one_alone.p50_us();
    vec![
        Figure {
            wattle: format!("{:.0} ({ratio:.2} of one actor)", two.rate()),
            peer: format!("{:.0}, one actor", one.rate()),
            goal: format!("at least {CHAIN_GOAL} of one actor"),
            missed: ratio < CHAIN_GOAL,
            ..figure("HTTP to an actor that calls a second one here, requests per second", "chain")
        },
        Figure {
            wattle: format!("{:.0} ({kept_ratio:.2} of one actor)", kept.rate()),
            peer: format!("{:.0}, one actor", one.rate()),
            ..figure("the same where the second's instance serves many calls", "chain")
        },
        Figure {
            wattle: format!("{more:.0} µs more"),
            peer: format!("{:.0} µs, one actor", one_alone.p50_us()),
            ..figure("the same for one client alone, p50 of a request", "chain")
        },
    ]
}

pub(super) fn forward([with, without]: &[Rounds; 2]) -> Vec<Figure> {
    let ratio = without.rate() / with.rate();
    let p50 = |rounds: &Rounds| format!("{:.2} ms", rounds.p50_us() / 1e3);
    vec![Figure {
        wattle: format!("{:.0} ({ratio:.2} of with), p50 {}", without.rate(), p50(without)),
        peer: format!("{:.0} with, p50 {}", with.rate(), p50(with)),
        goal: format!("at least {FORWARD_GOAL} of with"),
        missed: ratio < FORWARD_GOAL,
        ..figure("HTTP through a host without an instance, requests per second", "forward")
    }]
}

/// Reads what `bench-wire` printed.
pub(super) fn remote(said: &Value) -> Result<Vec<Figure>> {
    let sizes = said.as_array().context("the benchmark gives a list")?;
    let mut figures = Vec::new();
    for row in sizes {
        let number = |name: &str| row[name].as_f64().with_context(|| format!("no {name}"));
        let bytes = number("bytes")?;
        let size =
            if bytes < 1024.0 { format!("{bytes} B") } else { format!("{} KiB", bytes / 1024.0) };
        let (p50, bare_p50) = (number("p50_us")?, number("bare_p50_us")?);
        let (rate, bare_rate) = (number("per_second")?, number("bare_per_second")?);
        let (fresh_p50, fresh_rate) = (number("fresh_p50_us")?, number("fresh_per_second")?);
        let ratio = p50 / bare_p50;
        figures.push(Figure {
            wattle: format!("{p50:.0} µs ({ratio:.2} of bare), fresh instance {fresh_p50:.0} µs"),
            peer: format!("{bare_p50:.0} µs, bare request and reply"),
            goal: format!("at most {REMOTE_P50_GOAL} of bare"),
            missed: REMOTE_P50_GOAL < ratio,
            ..figure(format!("call to another host, {size}, one after another, p50"), "remote")
        });
        let (ratio, fresh) = (rate / bare_rate, fresh_rate / bare_rate);
        figures.push(Figure {
            wattle: format!(
                "{rate:.0} ({ratio:.2} of bare), fresh instance {fresh_rate:.0} ({fresh:.2})"
            ),
            peer: format!("{bare_rate:.0}, bare request and reply"),
            goal: format!("at least {REMOTE_RATE_GOAL} and {REMOTE_FRESH_GOAL} of bare"),
            missed: ratio < REMOTE_RATE_GOAL || fresh < REMOTE_FRESH_GOAL,
            ..figure(format!("call to another host, {size}, 64 in flight, per second"), "remote")
        });
    }
    Ok(figures)
}

pub(super) fn stream(rates: &[f64], grown_mb: f64) -> Vec<Figure> {
    let both = rates.iter().map(|rate| format!("{rate:.0} MiB/s")).collect::<Vec<_>>();
    vec![
        Figure {
            wattle: both.join(" down, ") + " up",
            ..figure(format!("{STREAM_MIB} MiB through a host without an instance"), "stream")
        },
        Figure {
            wattle: format!("{grown_mb:.0} MB"),
            goal: format!("at most {STREAM_MB_GOAL:.0} MB"),
            missed: STREAM_MB_GOAL < grown_mb,
            ..figure("memory that either host took more for it", "stream")
        },
    ]
}

pub(super) fn overload([at, beyond]: &[Rounds; 2]) -> Vec<Figure> {
    let part = beyond.rate() / at.rate();
    vec![Figure {
        wattle: format!(
            "{:.0} ({part:.2} of at capacity), p99 {:.0} ms",
            beyond.rate(),
            beyond.p99_us() / 1e3
        ),
        peer: format!("{:.0} at capacity, p99 {:.0} ms", at.rate(), at.p99_us() / 1e3),
        goal: format!("at least {GOODPUT_GOAL} of at capacity"),
        missed: part < GOODPUT_GOAL,
        ..figure(
            format!(
                "good answers per second at {TIMES_CAPACITY} times the {CAPACITY} that {PLACES} places of {STAY_MS} ms give, {CROWD} connections"
            ),
            "overload",
        )
    }]
}
