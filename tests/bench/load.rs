//! A small load generator: some connections, each asking again as soon as it was answered, or all together at
//! a given rate.
//!
//! `bench-load CONNECTIONS SECONDS URL [RATE]` prints one JSON object. One thread, like `wrk -t1`. With a RATE,
//! in requests per second, requests leave when they are due whether or not earlier ones were answered, so a
//! server that is slow is not asked less; what no connection is free for is counted as not sent.

#![allow(clippy::print_stdout, reason = "what it prints is its result")]

use std::{
    env,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, Uri, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinSet};

const USAGE: &str = "usage: bench-load CONNECTIONS SECONDS URL [RATE]";

/// What one connection saw.
#[derive(Debug, Default)]
struct Seen {
    latencies: Vec<Duration>,
    bad: u64,
}

/// When one connection asks.
#[derive(Clone, Copy, Debug)]
enum Pace {
    /// As soon as it was answered.
    AtOnce,
    /// At these times, and not at those that passed while it waited.
    Every { first: Instant, period: Duration },
}

fn main() -> Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let (connections, seconds, url, rate) = match words.as_slice() {
        [connections, seconds, url] => (connections, seconds, url, None),
        [connections, seconds, url, rate] => (connections, seconds, url, Some(rate)),
        _ => anyhow::bail!(USAGE),
    };
    let connections: u32 = connections.parse().context(USAGE)?;
    let length = Duration::from_secs(seconds.parse().context(USAGE)?);
    let url: Uri = url.parse().context(USAGE)?;
    let rate: Option<f64> = rate.map(|rate| rate.parse()).transpose().context(USAGE)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let start = Instant::now();
    let mut all = runtime.block_on(async {
        let mut asking = JoinSet::new();
        for number in 0..connections {
            let pace = rate.map_or(Pace::AtOnce, |rate| {
                let period = Duration::from_secs_f64(f64::from(connections) / rate);
                Pace::Every { first: start + period * number / connections, period }
            });
            asking.spawn(ask(url.clone(), start + length, pace));
        }
        let mut all = Seen::default();
        while let Some(seen) = asking.join_next().await {
            let seen = seen??;
            all.latencies.extend(seen.latencies);
            all.bad += seen.bad;
        }
        anyhow::Ok(all)
    })?;
    let elapsed = start.elapsed().as_secs_f64();
    all.latencies.sort_unstable();
    let percentile = |part: f64| {
        let rank = (part * all.latencies.len() as f64).ceil() as usize;
        all.latencies.get(rank.max(1) - 1).copied().unwrap_or_default().as_secs_f64()
    };
    let result = serde_json::json!({
        "per_second": all.latencies.len() as f64 / elapsed,
        "sent_per_second": (all.latencies.len() as u64 + all.bad) as f64 / elapsed,
        "p50_s": percentile(0.5),
        "p99_s": percentile(0.99),
        "bad": all.bad,
    });
    println!("{result}");
    Ok(())
}

async fn ask(url: Uri, until: Instant, pace: Pace) -> Result<Seen> {
    let authority = url.authority().context("the URL names no server")?.as_str().to_owned();
    let target = url.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let stream =
        TcpStream::connect(&authority).await.with_context(|| format!("connect to {authority}"))?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let driven = tokio::spawn(connection);
    let mut seen = Seen::default();
    let mut turn = 0;
    while Instant::now() < until {
        turn = pace.wait(turn).await;
        let asked = Instant::now();
        let request = Request::get(&target).header(HOST, &authority).body(Empty::<Bytes>::new())?;
        let response = sender.send_request(request).await?;
        let good = response.status().is_success();
        response.into_body().collect().await?;
        if good {
            seen.latencies.push(asked.elapsed());
        } else {
            seen.bad += 1;
        }
    }
    driven.abort();
    Ok(seen)
}

impl Pace {
    /// Waits for the next turn that is not over yet, and says which follows it.
    async fn wait(self, turn: u32) -> u32 {
        let Self::Every { first, period } = self else { return turn };
        let passed = Instant::now().saturating_duration_since(first);
        let now = (passed.as_secs_f64() / period.as_secs_f64()).ceil() as u32;
        let turn = turn.max(now);
        tokio::time::sleep_until((first + period * turn).into()).await;
        turn + 1
    }
}
