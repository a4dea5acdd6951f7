//! HTTP through a host that has no instance: bodies of any length, with what ends them, in both directions.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::stream;
use hyper::{HeaderMap, body::Frame};
use wattle_tests::{
    Lattice, Look, begin, callers::place, get, guest, manifest, upload, wait_until,
};

const WITHIN: Duration = Duration::from_secs(60);

const MIB: u64 = 1 << 20;

/// Through both hosts together; what streams are bounded by is much less, and a debug build has its own needs.
const GROWTH_MAX: u64 = 96 * MIB;

/// What is long, in MiB: longer than everything that buffers on the way may hold.
const LONG: u64 = 256;

/// Requests come in at `door`, and what answers them runs on the other host.
async fn lattice(component: &str) -> (Lattice, SocketAddr) {
    let flags = |_: &std::path::Path| vec!["--body-max=1GiB".to_owned()];
    let lattice = Lattice::start_with(&[("door", "a"), ("runs", "b")], flags).await;
    let image = lattice.signed(component, &guest(component));
    let mut app = manifest("long", &[("actor", &image, Some("/"))]);
    place(&mut app, "actor", "b");
    lattice.deployed(&mut app, "v1").await;
    let door = lattice.host("door").listener;
    wait_until("the door knows the way", WITHIN, async || {
        let answer = get(door, "/absent").await;
        let there =
            answer.as_ref().is_ok_and(|answer| answer.status == 404 && answer.body != NO_ROUTE);
        Look::some(there.then_some(()), || format!("{answer:?}"))
    })
    .await;
    (lattice, door)
}

/// What a listener says while it does not know the route.
const NO_ROUTE: &str = "no application has this route (WT-HOST-NO-ROUTE)\n";

fn memory(lattice: &Lattice) -> u64 {
    lattice.hosts.values().map(|host| host.process.memory_peak()).sum()
}

#[tokio::test]
async fn a_long_answer_arrives_whole_with_its_trailers_and_needs_little_memory() {
    let (lattice, door) = lattice("streams").await;
    begin(door, "localhost", "/down?mib=8").await.unwrap().measured().await.unwrap();
    let before = memory(&lattice);
    let path = format!("/down?mib={LONG}");
    let answer = begin(door, "localhost", &path).await.unwrap();
    assert_eq!(answer.status, 200);
    let measured = answer.measured().await.unwrap();
    assert_eq!(measured.bytes, LONG * MIB);
    assert_eq!(measured.trailers["x-pieces"], (LONG * 16).to_string());
    let grown = memory(&lattice) - before;
    assert!(grown < GROWTH_MAX, "{} MiB more were needed", grown / MIB);
}

#[tokio::test]
async fn a_long_request_arrives_whole_with_its_trailers_and_needs_little_memory() {
    let (lattice, door) = lattice("streams").await;
    let before = {
        upload(door, "/count", "x-sum", sent(8)).await.unwrap().whole().await.unwrap();
        memory(&lattice)
    };
    let answer = upload(door, "/count", "x-sum", sent(LONG)).await.unwrap().whole().await.unwrap();
    assert_eq!(answer.body, format!("{}\nx-sum: right\n", LONG * MIB));
    let grown = memory(&lattice) - before;
    assert!(grown < GROWTH_MAX, "{} MiB more were needed", grown / MIB);
}

#[tokio::test]
async fn both_directions_stream_at_once() {
    let (_lattice, door) = lattice("streams").await;
    let measured =
        upload(door, "/echo", "x-sum", sent(64)).await.unwrap().measured().await.unwrap();
    assert_eq!(measured.bytes, 64 * MIB);
    assert_eq!(measured.trailers["x-sum"], "right");
    assert_eq!(measured.trailers["x-bytes"], (64 * MIB).to_string());
}

#[tokio::test]
async fn an_answer_that_traps_in_the_middle_never_looks_complete() {
    let (lattice, door) = lattice("streams").await;
    for door in [door, lattice.host("runs").listener] {
        for mib in [0, 1, 8] {
            // Before anything was sent, the failure may still be the answer, or there is none.
            let complete = match begin(door, "localhost", &format!("/cut?mib={mib}")).await {
                Ok(answer) => answer.status == 200 && answer.measured().await.is_ok(),
                Err(_) => false,
            };
            assert!(!complete, "{mib} MiB looked complete");
        }
    }
}

#[tokio::test]
async fn a_slow_reader_holds_up_nobody_else() {
    let (_lattice, door) = lattice("streams").await;
    let mut slow = begin(door, "localhost", &format!("/down?mib={LONG}")).await.unwrap();
    slow.piece().await.unwrap().expect("it has begun");
    for _ in 0..3 {
        let fast = begin(door, "localhost", "/down?mib=16").await.unwrap();
        assert_eq!(fast.measured().await.unwrap().bytes, 16 * MIB);
    }
    slow.piece().await.unwrap().expect("it goes on");
}

#[tokio::test]
async fn a_client_that_hangs_up_ends_the_work_for_it() {
    let (lattice, door) = lattice("exerciser").await;
    for door in [door, lattice.host("runs").listener] {
        let before = ticks(door).await;
        let mut answer = begin(door, "localhost", "/tick?ms=20").await.unwrap();
        assert_eq!(answer.status, 200);
        answer.piece().await.unwrap().expect("the head is not all");
        wait_until("it ticks", WITHIN, async || {
            let now = ticks(door).await;
            Look::some((before + 5 < now).then_some(()), || now.to_string())
        })
        .await;

        drop(answer);
        let (mut last, mut since) = (ticks(door).await, Instant::now());
        // Well within the deadline of the call, which would end it as well.
        wait_until("it ticks no more", Duration::from_secs(15), async || {
            let now = ticks(door).await;
            if now != last {
                (last, since) = (now, Instant::now());
            }
            let silent = since.elapsed();
            Look::some((Duration::from_secs(1) < silent).then_some(()), || format!("{now} ticks"))
        })
        .await;
    }
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_and_an_upgrade_is_refused_with_the_reason() {
    let (_lattice, door) = lattice("streams").await;
    let request = hyper::Request::get("/echo")
        .header("host", "localhost")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .body(wattle_tests::Sent::default())
        .unwrap();
    let refused = wattle_tests::ask(door, request).await.unwrap();
    assert_eq!(refused.status, 501);
    assert!(refused.whole().await.unwrap().body.contains("WebSocket"));
    let request = hyper::Request::post("/count")
        .header("host", "localhost")
        .header("content-length", (2048 * MIB).to_string())
        .body(http_body_util::BodyExt::boxed_unsync(http_body_util::StreamBody::new(
            stream::pending(),
        )))
        .unwrap();
    assert_eq!(wattle_tests::ask(door, request).await.unwrap().status, 413);
}

/// How often `/tick` has ticked: one key, on whichever host.
async fn ticks(door: SocketAddr) -> u64 {
    let asked = get(door, "/kv?op=increment&key=ticks&delta=0").await;
    asked.expect("it answers").count().expect("the exerciser answers with the count")
}

/// So many MiB in pieces of 64 KiB, and a trailer.
fn sent(mib: u64) -> impl stream::Stream<Item = Frame<Bytes>> {
    let piece = Bytes::from(vec![b's'; 64 << 10]);
    let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), "right".parse().unwrap())]);
    let pieces = (0..mib * 16).map(move |_| Frame::data(piece.clone()));
    stream::iter(pieces.chain([Frame::trailers(trailers)]))
}
