//! What it costs that actors call each other: on one host, between hosts, in streams, and under more load than
//! there is room for.

mod figures;

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    Bench,
    figure::Figure,
    load::Generator,
    machine,
    parts::{self, Part},
    rounds::alternate,
};
use crate::{local::LocalLattice, run};

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

/// A typed call on the same host, seen from a client of HTTP.
pub(super) fn chain(bench: &Bench<'_>) -> Result<Vec<Figure>> {
    let parts = [
        Part::new("relay", HERE).at("/").linked_to("echo"),
        Part::new("echo", HERE),
        Part::new("relay", HERE).named("relay-to-kept").at("/greet").linked_to("echo-kept"),
        Part::new("echo", HERE).named("echo-kept").instances("policy: reused"),
    ];
    let lattice = deployed(bench, &parts)?;
    let url = |path: &str| anyhow::Ok(format!("http://{}{path}", lattice.listener(HERE)?));
    let (one, two, kept) = (url("/")?, url("/bytes?n=16")?, url("/greet?name=x")?);
    let generator = Generator::find(bench)?;
    let (rounds, seconds) = (bench.rounds(ROUNDS), bench.seconds(ROUND_SECONDS));
    let sides = ["one actor", "and a second", "and a second, its instance kept"];
    let busy = alternate(bench, sides, rounds, |side| {
        generator.round([&one, &two, &kept][side], seconds)
    })?;
    let single = bench.program("bench-load")?;
    let idle = alternate(bench, ["one actor, alone", "and a second, alone"], rounds, |side| {
        super::load::alone(&single, [&one, &two][side], seconds)
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
    let (rounds, seconds) = (bench.rounds(ROUNDS), bench.seconds(ROUND_SECONDS));
    let rounds = alternate(bench, ["with an instance", "without"], rounds, |side| {
        generator.round(&urls[side], seconds)
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
    let (rounds, seconds) = (bench.rounds(ROUNDS), bench.seconds(ROUND_SECONDS));
    let rounds = alternate(bench, ["at capacity", "at five times"], rounds, |side| {
        let rate = CAPACITY * [1, TIMES_CAPACITY][side];
        super::load::paced(&program, CROWD, &url, seconds, rate)
    })?;
    lattice.stop(bench.story)?;
    Ok(figures::overload(&rounds))
}

/// A lattice of two hosts that runs these parts as one application.
fn deployed(bench: &Bench<'_>, parts: &[Part]) -> Result<LocalLattice> {
    parts::deployed(bench, TWO_HOSTS, HOST_ARGUMENTS, parts)
}
