//! A small load generator, for machines without `wrk`: some connections, each asking again as soon as it was
//! answered.
//!
//! `bench-load CONNECTIONS SECONDS URL` prints one JSON object. One thread, like `wrk -t1`.

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

const USAGE: &str = "usage: bench-load CONNECTIONS SECONDS URL";

/// What one connection saw.
#[derive(Debug, Default)]
struct Seen {
    latencies: Vec<Duration>,
    bad: u64,
}

fn main() -> Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [connections, seconds, url] = words.as_slice() else { anyhow::bail!(USAGE) };
    let connections: usize = connections.parse().context(USAGE)?;
    let length = Duration::from_secs(seconds.parse().context(USAGE)?);
    let url: Uri = url.parse().context(USAGE)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let start = Instant::now();
    let mut all = runtime.block_on(async {
        let mut asking = JoinSet::new();
        for _ in 0..connections {
            asking.spawn(ask(url.clone(), start + length));
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
        "p50_s": percentile(0.5),
        "p99_s": percentile(0.99),
        "bad": all.bad,
    });
    println!("{result}");
    Ok(())
}

async fn ask(url: Uri, until: Instant) -> Result<Seen> {
    let authority = url.authority().context("the URL names no server")?.as_str().to_owned();
    let stream =
        TcpStream::connect(&authority).await.with_context(|| format!("connect to {authority}"))?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let driven = tokio::spawn(connection);
    let mut seen = Seen::default();
    while Instant::now() < until {
        let asked = Instant::now();
        let request =
            Request::get(url.path()).header(HOST, &authority).body(Empty::<Bytes>::new())?;
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
