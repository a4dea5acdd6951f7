//! How fast one body comes through, and whether it is whole.
//!
//! `bench-stream URL` reads an answer to its end; `bench-stream URL MIB` sends a body of so many MiB and reads
//! what the other side counted. Prints one JSON object. Nothing is kept, so this process stays small.

#![allow(clippy::print_stdout, reason = "what it prints is its result")]

use std::{convert::Infallible, env, time::Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::{Request, Uri, body::Frame, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

const USAGE: &str = "usage: bench-stream URL [MIB]";
const PIECE_BYTES: usize = 64 << 10;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let url: Uri = words.first().context(USAGE)?.parse().context(USAGE)?;
    let mib: usize = words.get(1).map_or(Ok(0), |mib| mib.parse()).context(USAGE)?;
    let authority = url.authority().context("the URL names no server")?.as_str().to_owned();
    let target = url.path_and_query().map_or("/", |target| target.as_str());
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(TcpStream::connect(&authority).await?)).await?;
    let driven = tokio::spawn(connection);
    let pieces = mib * (1 << 20) / PIECE_BYTES;
    let piece = Bytes::from(vec![7; PIECE_BYTES]);
    let pieces = (0..pieces).map(move |_| Ok::<_, Infallible>(Frame::data(piece.clone())));
    let method = if mib == 0 { "GET" } else { "POST" };
    let request = Request::builder().method(method).uri(target).header(HOST, &authority);
    let start = Instant::now();
    let body = StreamBody::new(stream::iter(pieces));
    let response = sender.send_request(request.body(body)?).await?;
    ensure!(response.status().is_success(), "the answer is {}", response.status());
    let mut body = response.into_body();
    let (mut bytes, mut last) = (0_u64, Bytes::new());
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            bytes += data.len() as u64;
            last = data;
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    driven.abort();
    let counted: u64 = match mib {
        0 => bytes,
        _ => String::from_utf8_lossy(&last).lines().next().context("no count")?.parse()?,
    };
    println!("{}", serde_json::json!({"bytes": counted, "seconds": seconds}));
    Ok(())
}
