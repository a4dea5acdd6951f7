//! HTTP bodies that cross hosts: long, slow, trailed, cut.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use wattle_types::ActorSpec;

use crate::kit::{self, Lattice, PATIENCE, Running, spec, until};

/// An actor on the second host, asked through the first.
async fn far(guest: &str) -> (Lattice, Running, Running, ActorSpec) {
    let lattice = Lattice::start().await;
    let mut config = lattice.config("near");
    config.body_bytes_max = 64 << 20;
    let near = Running::start(config).await;
    let far = lattice.host("far").await;
    let actor = spec(guest, &lattice.component(guest), "/");
    let assigned = lattice.assign(&far, &[&actor]).await;
    lattice.until_ready(&far, &assigned).await;
    until("the route is known", async || {
        (near.get("/nothing").await.0 == StatusCode::NOT_FOUND
            && near.get("/nothing").await.1 != "no application has this route (WT-HOST-NO-ROUTE)\n")
            .then_some(())
    })
    .await;
    (lattice, near, far, actor)
}

/// A body that is not known to be long before it is read.
fn pieces(count: usize, size: usize) -> impl http_body::Body<Data = Bytes, Error = std::io::Error> {
    let piece = Bytes::from(vec![b'p'; size]);
    let trailers: HeaderMap =
        [("x-sum".parse().unwrap(), "9".parse().unwrap())].into_iter().collect();
    let frames = (0..count).map(move |_| Ok(Frame::data(piece.clone())));
    let frames = frames.chain([Ok(Frame::trailers(trailers))]);
    StreamBody::new(futures::stream::iter(frames))
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_any_length_cross_hosts_both_ways_with_their_trailers() {
    let (_lattice, near, _far, _) = far("streams").await;
    let echo = Request::post("/echo").header("trailer", "x-sum").header("te", "trailers");
    let response = kit::begin(near.addr, echo.body(pieces(300, 64 << 10)).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let answered = response.into_body().collect().await.unwrap();
    let trailers = answered.trailers().cloned().unwrap_or_default();
    assert_eq!(answered.to_bytes().len(), 300 << 16);
    assert_eq!(trailers.get("x-bytes").unwrap(), &(300 << 16).to_string());
    assert_eq!(trailers.get("x-sum").unwrap(), "9");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_cut_on_another_host_never_looks_complete() {
    let (_lattice, near, _far, _) = far("streams").await;
    for mib in [0, 1, 3] {
        let target = format!("/cut?mib={mib}");
        let request = Request::get(&target).body(Full::default()).unwrap();
        assert!(kit::send(near.addr, request).await.is_err(), "{target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_stops_the_actor_on_another_host() {
    let (_lattice, near, far, _) = far("exerciser").await;
    let tick = Request::get("/tick?ms=10").body(Full::default()).unwrap();
    let mut response = kit::begin(near.addr, tick).await.unwrap();
    assert!(response.body_mut().frame().await.unwrap().is_ok());
    let ticks = async || far.until_ok("/kv?op=get&key=ticks").await;
    let before = ticks().await;
    until("it ticks", async || (ticks().await != before).then_some(())).await;
    drop(response);
    until("it ticks no more", async || {
        let before = ticks().await;
        // That something stopped shows only in time: ten of its periods without a tick.
        tokio::time::sleep(Duration::from_millis(100)).await;
        (ticks().await == before).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_keeps_no_other_from_reading() {
    let (_lattice, near, _far, _) = far("streams").await;
    let down = || Request::get("/down?mib=8").body(Full::default()).unwrap();
    // Not read at all.
    let _slow = kit::begin(near.addr, down()).await.unwrap();
    for _ in 0..3 {
        let fast = tokio::time::timeout(PATIENCE, kit::send(near.addr, down())).await.unwrap();
        assert_eq!(fast.unwrap().1.len(), 8 << 20);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn http_between_linked_actors_streams_both_ways_here_and_elsewhere() {
    let (lattice, near, _far, streams) = far("streams").await;
    let mut relay = ActorSpec { id: "front".parse().unwrap(), ..streams.clone() };
    relay.routes =
        vec![wattle_types::HttpRoute { host: Some("front.test".into()), path: "/".into() }];
    let http = ["outgoing-handler"];
    lattice.link_as(&relay.id, "wasi", "http", &http, "default", "streams", false).await;
    let ask = async |path: &str, body: usize| {
        let request = Request::post(format!("/forward?authority=any.test&path={path}"))
            .header("host", "front.test")
            .header("trailer", "x-sum")
            .header("te", "trailers");
        let request = request.body(pieces(body, 64 << 10)).unwrap();
        let response = kit::begin(near.addr, request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.into_body().collect().await.unwrap()
    };
    let ask = async || {
        let counted = ask("/count", 100).await.to_bytes();
        assert_eq!(counted, format!("{}\nx-sum: 9\n", 100 << 16));
        let long = ask("/down%3Fmib%3D8", 0).await;
        let pieces = long.trailers().and_then(|trailers| trailers.get("x-pieces")).cloned();
        assert_eq!(pieces.unwrap(), "128");
        assert_eq!(long.to_bytes().len(), 8 << 20);
    };
    let assigned = lattice.assign(&near, &[&relay]).await;
    lattice.until_ready(&near, &assigned).await;
    lattice.until_bound(&near, &relay.id).await;
    ask().await;
    let assigned = lattice.assign(&near, &[&relay, &streams]).await;
    lattice.until_ready(&near, &assigned).await;
    ask().await;
}
