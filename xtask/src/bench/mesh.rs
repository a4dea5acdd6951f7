//! What it costs that actors call each other: on one host, between hosts, in streams, and under more load than
//! there is room for.

mod figures;
mod parts;

use std::{process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    Bench,
    figure::Figure,
    load::{Generator, Round},
    machine,
};
use crate::{
    http,
    local::LocalLattice,
    process::{Interrupt, Look},
    run,
};
use figures::Rounds;
use parts::Part;

/// Where requests come in, and where the actor is that they are for.
const HERE: &str = "here";
const THERE: &str = "there";
const TWO_HOSTS: &[(&str, &str)] = &[(HERE, HERE), (THERE, THERE)];

/// The body that is streamed is longer than a host takes by itself.
const HOST_ARGUMENTS: &[&str] = &["--body-max", "2GiB"];

/// Odd, so that one is in the middle.
const ROUNDS: usize = 5;
const ROUND_SECONDS: u64 = 3;

const STREAM_MIB: usize = 1024;

/// Of the load generator: many more than the actor has places.
const CROWD: u32 = 512;
/// An actor with so many places, each taken for so long, answers this many requests per second.
const PLACES: u32 = 16;
const STAY_MS: u32 = 20;
const CAPACITY: u32 = PLACES * 1000 / STAY_MS;
const TIMES_CAPACITY: u32 = 5;

const UP_WITHIN: Duration = Duration::from_secs(60);

/// A typed call on the same host, seen from a client of HTTP.
pub(super) fn chain(bench: &Bench<'_>) -> Result<Vec<Figure>> {
    let parts = [Part::new("relay", HERE).at("/").linked_to("echo"), Part::new("echo", HERE)];
    let lattice = deployed(bench, &parts)?;
    let url = |path: &str| anyhow::Ok(format!("http://{}{path}", lattice.listener(HERE)?));
    let (one, two) = (url("/")?, url("/bytes?n=16")?);
    let generator = Generator::find(bench)?;
    let busy = alternate(bench, ["one actor", "and a second"], |side| {
        generator.round([&one, &two][side], ROUND_SECONDS)
    })?;
    let single = bench.program("bench-load")?;
    let idle = alternate(bench, ["one actor, alone", "and a second, alone"], |side| {
        super::load::alone(&single, [&one, &two][side], ROUND_SECONDS)
    })?;
    lattice.stop(bench.story)?;
    Ok(figures::chain(&busy, &idle))
}

/// HTTP through a host that has no instance, beside one that has.
pub(super) fn forward(bench: &Bench<'_>) -> Result<Vec<Figure>> {
    let lattice = deployed(bench, &[Part::new("http-hello", THERE).at("/")])?;
    let url = |name| anyhow::Ok(format!("http://{}/", lattice.listener(name)?));
    let urls = [url(THERE)?, url(HERE)?];
    let generator = Generator::find(bench)?;
    let rounds = alternate(bench, ["with an instance", "without"], |side| {
        generator.round(&urls[side], ROUND_SECONDS)
    })?;
    lattice.stop(bench.story)?;
    Ok(figures::forward(&rounds))
}

/// Calls between hosts beside bare requests, with a native echo and with a fresh instance for each.
pub(super) fn remote(bench: &Bench<'_>) -> Result<Vec<Figure>> {
    let lattice = deployed(bench, &[Part::new("echo", THERE)])?;
    let host = lattice.wattle().json(&["get", "hosts"])?;
    let host = host.as_array().into_iter().flatten().find(|host| host["friendly_name"] == THERE);
    let host = host.and_then(|host| host["id"].as_str()).context("the host has an id")?;
    let wattle = lattice.wattle();
    let mut program = Command::new(bench.program("bench-wire")?);
    program.args([&wattle.nats_url, &wattle.lattice, host, &parts::id("echo")]);
    let said = bench.story.waiting("asking, near and far", || run::output(&mut program))?;
    let said: Value = serde_json::from_str(&said).context("read what the benchmark says")?;
    lattice.stop(bench.story)?;
    figures::remote(&said)
}

/// One large body down and up, through a host that has no instance.
pub(super) fn stream(bench: &Bench<'_>) -> Result<Vec<Figure>> {
    let lattice = deployed(bench, &[Part::new("streams", THERE).at("/")])?;
    let program = bench.program("bench-stream")?;
    let door = lattice.listener(HERE)?;
    let before = peaks(&lattice)?;
    let mut rates = Vec::new();
    for (path, mib) in [(format!("/down?mib={STREAM_MIB}"), 0), ("/count".to_owned(), STREAM_MIB)] {
        let mut stream = Command::new(&program);
        stream.arg(format!("http://{door}{path}"));
        if 0 < mib {
            stream.arg(mib.to_string());
        }
        let said: Value = serde_json::from_str(&run::output(&mut stream)?)?;
        let (bytes, seconds) = (said["bytes"].as_f64(), said["seconds"].as_f64());
        let (bytes, seconds) = (bytes.context("no bytes")?, seconds.context("no time")?);
        ensure!(bytes == (STREAM_MIB << 20) as f64, "{bytes} bytes came through");
        bench.story.detail(format_args!("{path}: {:.0} MiB/s", bytes / seconds / 1048576.0));
        rates.push(bytes / seconds / 1048576.0);
    }
    let after = peaks(&lattice)?;
    lattice.stop(bench.story)?;
    let grown = before.iter().zip(&after).map(|(before, after)| after - before).fold(0.0, f64::max);
    Ok(figures::stream(&rates, grown))
}

/// The most memory each host has had so far, in MB.
fn peaks(lattice: &LocalLattice) -> Result<Vec<f64>> {
    let peak = |(name, _): &(&str, &str)| {
        let status = format!("/proc/{}/status", lattice.pid(name)?);
        let peak = machine::field(&status, "VmHWM").and_then(|peak| machine::kilobytes(&peak));
        Ok(peak.context("the kernel says how much memory a process had")? as f64 * 1024.0 / 1e6)
    };
    TWO_HOSTS.iter().map(peak).collect()
}

/// Good answers per second at five times the capacity, beside those at the capacity.
pub(super) fn overload(bench: &Bench<'_>) -> Result<Vec<Figure>> {
    let lattice = deployed(bench, &[Part::new("exerciser", HERE).at("/").places(PLACES)])?;
    let program = bench.program("bench-load")?;
    let url = format!("http://{}/work?sleep-ms={STAY_MS}", lattice.listener(HERE)?);
    let rounds = alternate(bench, ["at capacity", "at five times"], |side| {
        let rate = CAPACITY * [1, TIMES_CAPACITY][side];
        super::load::paced(&program, CROWD, &url, ROUND_SECONDS, rate)
    })?;
    lattice.stop(bench.story)?;
    Ok(figures::overload(&rounds))
}

/// A lattice of two hosts that runs these parts as one application.
fn deployed(bench: &Bench<'_>, parts: &[Part]) -> Result<LocalLattice> {
    let lattice = LocalLattice::prepare(&bench.binary, TWO_HOSTS, bench.story)?;
    let mut lattice = lattice.with_host_arguments(HOST_ARGUMENTS);
    let config = bench.places.root.join("deploy/nats/local.conf");
    lattice.start(&bench.nats_server, &config, bench.story, bench.interrupt)?;
    let manifest = parts::manifest(parts, |guest| {
        let component = bench.guests.join(format!("{guest}.wasm"));
        lattice.signed(&component)
    })?;
    let manifest = lattice.write("parts.yaml", &manifest)?;
    lattice.deploy(&manifest, bench.story)?;
    for (name, _) in TWO_HOSTS {
        until_routed(bench.interrupt, &lattice, name, parts)?;
    }
    Ok(lattice)
}

/// Waits until a host knows the way: the announcement may come after the deployment is done.
fn until_routed(
    interrupt: &Interrupt,
    lattice: &LocalLattice,
    name: &str,
    parts: &[Part],
) -> Result<()> {
    if !parts.iter().any(Part::has_route) {
        return Ok(());
    }
    let listener = lattice.listener(name)?;
    interrupt.wait_for("an answer", UP_WITHIN, || {
        Ok(match http::get(listener, "/", Duration::from_secs(2)) {
            // Whatever an actor says to `/`, it is an actor that says it.
            Ok(answer) if !answer.body.contains("(WT-") => Look::Met(()),
            other => Look::NotYet(format!("{other:?}")),
        })
    })
}

/// Rounds of two sides in turn, after one of each that does not count.
fn alternate(
    bench: &Bench<'_>,
    names: [&str; 2],
    mut round: impl FnMut(usize) -> Result<Round>,
) -> Result<[Rounds; 2]> {
    let mut rounds = [Rounds::default(), Rounds::default()];
    for number in 0..=ROUNDS {
        for side in 0..2 {
            ensure!(!bench.interrupt.was_asked(), "interrupted");
            let one = round(side)?;
            if number == 0 {
                continue;
            }
            bench.story.detail(format_args!(
                "round {number}: {:<20} {:>7.0} per second, p50 {:.3} ms, p99 {:.3} ms",
                names[side],
                one.per_second,
                one.p50.as_secs_f64() * 1e3,
                one.p99.as_secs_f64() * 1e3
            ));
            rounds[side].push(one);
        }
    }
    Ok(rounds)
}
