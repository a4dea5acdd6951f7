//! Calls whose way or whose callee is lost while they are under way: they end, and say what is known.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use wattle_tests::{
    Answer, Lattice, Look,
    callers::{add_trait, calling, place, scale},
    get, guest, upload, wait_until,
};

const WITHIN: Duration = Duration::from_secs(60);

/// Calls that come and go after one that does not: by then that one has come as far.
const CALLS: u32 = 20;

const PIECE: usize = 1_000;

/// A call that lasts as long as the request's body, whose second half is sent when it is told to.
struct Held {
    pieces: UnboundedSender<Frame<Bytes>>,
    answer: JoinHandle<anyhow::Result<Answer>>,
}

impl Held {
    /// Returns when its callee has begun.
    async fn begin(door: SocketAddr) -> Self {
        let (pieces, sent) = unbounded();
        let answer =
            tokio::spawn(
                async move { upload(door, "/count", "x-none", sent).await?.whole().await },
            );
        let held = Self { pieces, answer };
        held.send();
        for _ in 0..CALLS {
            assert_eq!(get(door, "/nothing").await.expect("it answers").status, 200);
        }
        held
    }

    fn send(&self) {
        let piece = Bytes::from(vec![b'a'; PIECE]);
        // Whoever answered already does not read any more.
        let _ = self.pieces.unbounded_send(Frame::data(piece));
    }

    /// What is said in the end; the wait for it has a deadline.
    async fn said(self) -> String {
        drop(self.pieces);
        let answer = self.answer.await.expect("the caller does not panic");
        answer.expect("the call ends before its caller gives up").body
    }
}

#[tokio::test]
async fn a_call_ends_when_nats_does_and_the_next_one_works_when_nats_is_back() {
    let mut lattice = Lattice::start(&[("near", "a"), ("far", "b")]).await;
    let mut app = callers(&lattice);
    lattice.deployed(&mut app, "v1").await;
    let door = lattice.host("near").listener;
    for is_back_at_once in [true, false] {
        until_answered(door).await;
        let held = Held::begin(door).await;
        if is_back_at_once {
            lattice.nats.nodes[0].restart();
        } else {
            lattice.nats.nodes[0].kill();
        }
        let said = held.said().await;
        assert!(said.starts_with("Err(\"unknown"), "{said}");
        if !is_back_at_once {
            lattice.nats.nodes[0].restart();
        }
    }
    until_answered(door).await;
}

#[tokio::test]
async fn a_call_whose_callee_is_lost_is_done_elsewhere_if_its_link_says_that_this_does_no_harm() {
    let retry =
        json!({"type": "retry", "properties": {"idempotent": ["wattle-test:echo/streams"]}});
    let said = lose_a_callee(Some(retry)).await;
    assert_eq!(said, format!("Ok({})", 2 * PIECE));
}

#[tokio::test]
async fn a_call_whose_callee_is_lost_is_not_done_twice_unless_its_link_allows_it() {
    let said = lose_a_callee(None).await;
    assert!(said.starts_with("Err(\"unknown"), "{said}");
}

/// What is said to who called a callee that was killed while another one served as well.
async fn lose_a_callee(retry: Option<Value>) -> String {
    let mut lattice = Lattice::start(&[("near", "a"), ("lost", "b"), ("spare", "c")]).await;
    let mut app = callers(&lattice);
    if let Some(retry) = retry {
        add_trait(&mut app, "relay", retry);
    }
    lattice.deployed(&mut app, "v1").await;
    let door = lattice.host("near").listener;
    until_answered(door).await;
    let held = Held::begin(door).await;

    scale(&mut app, "b", &["b", "c"]);
    lattice.deployed(&mut app, "v2").await;
    wait_until("two hosts serve it", WITHIN, async || {
        let now = lattice.hosts_of("fate-b").await;
        Look::some((now == ["lost", "spare"]).then_some(()), || format!("{now:?}"))
    })
    .await;
    lattice.host_mut("lost").process.kill().await;
    held.send();
    held.said().await
}

/// A relay on one host, and on another the echo that it calls.
fn callers(lattice: &Lattice) -> Value {
    let (relay, echo) =
        (lattice.signed("relay", &guest("relay")), lattice.signed("echo", &guest("echo")));
    let mut app = calling("fate", &relay, &echo, &["b"]);
    place(&mut app, "relay", "a");
    place(&mut app, "b", "b");
    app
}

async fn until_answered(door: SocketAddr) {
    wait_until("b answers", WITHIN, async || {
        let answer = get(door, "/who").await;
        let met = answer.as_ref().is_ok_and(|answer| answer.status == 200 && answer.body == "b");
        Look::some(met.then_some(()), || format!("{answer:?}"))
    })
    .await;
}
