//! The protocol as the page says it, spoken by a client that has only NATS and MessagePack.

mod strays;

use async_nats::{Client, Message, Subscriber};
use bytes::Bytes;
use futures::StreamExt as _;
use http_body_util::BodyExt as _;
use rmpv::Value;
use wattle_lattice::StreamFault;
use wattle_lattice::testing::NatsServer;

use super::kit::{ask, callee, chunks, confirmed, get, http_ok, serve, whole};
use crate::{host, join, soon};

/// A caller, or a callee, without our code.
struct Raw {
    client: Client,
    frames: Subscriber,
    /// Heard while something else was waited for: frames and replies come over two connections.
    early: Vec<Message>,
}

/// The subject of replies to call 1 of `who`, and of its frames.
const REPLY: &str = "wattle.prod.rep.raw.s1.1";
const FRAMES: &str = "wattle.prod.rep.raw.s1.1.s";

fn map(fields: &[(&str, Value)]) -> Bytes {
    let fields = fields.iter().map(|(name, value)| ((*name).into(), value.clone()));
    let all = std::iter::once(("v".into(), 1.into())).chain(fields).collect();
    rmp_serde::to_vec_named(&Value::Map(all)).unwrap().into()
}

fn bin(bytes: &[u8]) -> Value {
    Value::Binary(bytes.to_vec())
}

fn data(by: &str, seq: u64, bytes: &[u8], end: bool) -> Bytes {
    map(&[
        ("by", by.into()),
        ("kind", "data".into()),
        ("stream", 0.into()),
        ("seq", seq.into()),
        ("data", bin(bytes)),
        ("end", end.into()),
    ])
}

fn read(message: &Message) -> Value {
    rmp_serde::from_slice(&message.payload).unwrap()
}

fn post_head(end: bool) -> Bytes {
    let fields = |fields: &[(&str, Value)]| {
        Value::Map(fields.iter().map(|(name, value)| ((*name).into(), value.clone())).collect())
    };
    let http = fields(&[
        ("method", "POST".into()),
        ("uri", "/".into()),
        ("headers", Value::Array(vec![])),
        ("body", bin(b"head ")),
        ("end", end.into()),
    ]);
    map(&[
        ("actor", "echo".into()),
        ("remaining_ms", 15_000.into()),
        ("credit", 65_536.into()),
        ("http", http),
    ])
}

impl Raw {
    async fn join(server: &NatsServer) -> Self {
        let client = async_nats::connect(server.url()).await.unwrap();
        let frames = client.subscribe("wattle.prod.rep.raw.>").await.unwrap();
        confirmed(&client).await;
        Self { client, frames, early: Vec::new() }
    }

    async fn call(&self, payload: Bytes) {
        let to = format!("wattle.prod.call.{}.echo", host(1));
        self.client.publish_with_reply(to, REPLY, payload).await.unwrap();
    }

    /// Says a frame of call 1 to host 1.
    async fn say(&self, frame: Bytes) {
        let to = format!("wattle.prod.rep.{}.s1.1.s", host(1));
        self.client.publish_with_reply(to, FRAMES, frame).await.unwrap();
    }

    /// The next message of that kind; a reply counts as one.
    async fn hear(&mut self, kind: &str) -> (Message, Value) {
        let is = |message: &Message| {
            !message.payload.is_empty() && read(message)["kind"].as_str().unwrap_or("reply") == kind
        };
        if let Some(at) = self.early.iter().position(is) {
            let message = self.early.remove(at);
            return (message.clone(), read(&message));
        }
        let found = async {
            loop {
                let message = self.frames.next().await.unwrap();
                if is(&message) {
                    return (message.clone(), read(&message));
                }
                self.early.push(message);
            }
        };
        soon(kind, found).await
    }
}

/// Gives back what it is given, and tells what it read.
async fn echo(
    server: &NatsServer,
) -> (
    wattle_lattice::Connection,
    super::kit::Serving,
    tokio::sync::mpsc::UnboundedReceiver<Result<Vec<u8>, StreamFault>>,
) {
    let callee = callee(server).await;
    let (told, heard) = tokio::sync::mpsc::unbounded_channel();
    let serving = serve(&callee, move |mut accepted| {
        let told = told.clone();
        async move {
            let body = whole(accepted.streams.remove(0)).await;
            told.send(body.clone()).unwrap();
            let back = chunks([body.map(Bytes::from)], true);
            // Whoever asked may be gone.
            let _ = accepted.answering.reply(http_ok(), vec![back]).await;
        }
    })
    .await;
    (callee, serving, heard)
}

#[tokio::test]
async fn a_client_of_another_kind_streams_both_ways() {
    let server = NatsServer::start();
    let (_callee, _serving, mut heard) = echo(&server).await;
    let mut raw = Raw::join(&server).await;
    raw.call(post_head(false)).await;
    let (message, credit) = raw.hear("credit").await;
    assert_eq!((credit["by"].as_str(), credit["stream"].as_u64()), (Some("callee"), Some(0)));
    let granted = credit["credit"].as_u64().unwrap();
    assert!(32 << 10 <= granted);
    let there = message.reply.expect("frames say where frames go");
    assert_eq!(there.as_str(), format!("wattle.prod.rep.{}.s1.1.s", host(1)));

    raw.say(data("caller", 0, &[b'x'; 30_000], false)).await;
    raw.say(data("caller", 1, b" end", true)).await;
    let expected = [b"head ".to_vec(), vec![b'x'; 30_000], b" end".to_vec()].concat();
    assert_eq!(soon("the body", heard.recv()).await.unwrap().unwrap(), expected);

    let (_, reply) = raw.hear("reply").await;
    assert_eq!(reply["outcome"].as_str(), Some("ok"));
    assert_eq!(reply["http"]["status"].as_u64(), Some(200));
    let Value::Binary(body) = &reply["http"]["body"] else { panic!("{reply}") };
    assert_eq!(*body, expected);
    assert_eq!(reply["http"]["end"].as_bool(), Some(true));
    assert_eq!(reply["http"]["trailers"][0][0].as_str(), Some("x-sum"));
}

#[tokio::test]
async fn an_answer_stops_where_its_credit_ends() {
    let server = NatsServer::start();
    let callee = callee(&server).await;
    let _serving = serve(&callee, |accepted| async move {
        let back = chunks([Ok(Bytes::from(vec![1; 400_000]))], true);
        accepted.answering.reply(http_ok(), vec![back]).await.unwrap();
    })
    .await;
    let mut raw = Raw::join(&server).await;
    raw.call(post_head(true)).await;
    let (_, reply) = raw.hear("reply").await;
    assert_eq!(reply["http"]["end"].as_bool(), Some(false));
    let Value::Binary(body) = &reply["http"]["body"] else { panic!("{reply}") };
    let (mut read, mut seq, mut granted) = (body.len(), 0, 65_536);
    loop {
        let (_, frame) = raw.hear("data").await;
        assert_eq!(frame["seq"].as_u64(), Some(seq));
        let Value::Binary(data) = &frame["data"] else { panic!("{frame}") };
        read += data.len();
        seq += 1;
        assert!(read - body.len() <= granted, "{read} of {granted}");
        if frame["end"].as_bool() == Some(true) {
            assert_eq!(frame["trailers"][0][0].as_str(), Some("x-sum"));
            break;
        }
        if read - body.len() == granted {
            granted += 100_000;
            raw.say(map(&[
                ("by", "caller".into()),
                ("kind", "credit".into()),
                ("stream", 0.into()),
                ("credit", granted.into()),
            ]))
            .await;
        }
    }
    assert_eq!(read, 400_000);
}

#[tokio::test]
async fn what_is_missing_or_too_much_is_no_clean_end() {
    let cases: [(&str, Vec<Bytes>); 4] = [
        ("a gap", vec![data("caller", 1, b"x", true)]),
        ("twice", vec![data("caller", 0, b"x", false), data("caller", 0, b"x", true)]),
        ("not granted", (0..20).map(|n| data("caller", n, &[0; 60_000], false)).collect()),
        (
            "an error",
            vec![map(&[
                ("by", "caller".into()),
                ("kind", "error".into()),
                ("stream", 0.into()),
                ("seq", 0.into()),
                ("code", "lost".into()),
            ])],
        ),
    ];
    for (what, frames) in cases {
        let server = NatsServer::start();
        let callee = callee(&server).await;
        let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let _serving = serve(&callee, move |mut accepted| {
            let told = told.clone();
            async move {
                let mut body = accepted.streams.remove(0);
                // Reads a little, so that credit is granted and not renewed for long.
                body.frame().await.unwrap().unwrap();
                told.send(whole(body).await).unwrap();
            }
        })
        .await;
        let mut raw = Raw::join(&server).await;
        raw.call(post_head(false)).await;
        raw.hear("credit").await;
        for frame in frames {
            raw.say(frame).await;
        }
        let read = soon(what, heard.recv()).await.unwrap();
        if what == "not granted" {
            // The reader is fast, so that it may have granted more meanwhile.
            let _ = read;
        } else {
            assert!(matches!(read, Err(StreamFault::Lost(_))), "{what}: {read:?}");
        }
    }
}

#[tokio::test]
async fn a_caller_that_vanishes_is_noticed() {
    let server = NatsServer::start();
    let (_callee, _serving, mut heard) = echo(&server).await;
    let mut raw = Raw::join(&server).await;
    raw.call(post_head(false)).await;
    raw.hear("credit").await;
    raw.say(data("caller", 0, b"some", false)).await;
    raw.client.flush().await.unwrap();
    drop(raw);
    let read = soon("the loss", heard.recv()).await.unwrap();
    assert!(matches!(read, Err(StreamFault::Lost(_))), "{read:?}");
}

#[tokio::test]
async fn a_callee_that_vanishes_during_its_answer_is_noticed() {
    let server = NatsServer::start();
    let caller = join(&server).await;
    let raw = Raw::join(&server).await;
    let mut calls = raw.client.subscribe(format!("wattle.prod.call.{}.*", host(1))).await.unwrap();
    confirmed(&raw.client).await;
    let answering = async {
        let call = calls.next().await.unwrap();
        let here = format!("wattle.prod.rep.raw.{}.s", tail(&call));
        let http = Value::Map(vec![
            ("status".into(), 200.into()),
            ("headers".into(), Value::Array(vec![])),
            ("body".into(), bin(b"begun")),
            ("end".into(), false.into()),
        ]);
        let reply = map(&[("outcome", "ok".into()), ("http", http)]);
        let to = call.reply.unwrap();
        raw.client.publish_with_reply(to, here, reply).await.unwrap();
        raw.client.flush().await.unwrap();
    };
    let (answer, ()) = tokio::join!(ask(&caller, get(), vec![]), answering);
    drop(calls);
    drop(raw);
    let read = whole(answer.unwrap().streams.remove(0)).await;
    assert!(matches!(read, Err(StreamFault::Lost(_))), "{read:?}");
}

/// Session and number of a call.
fn tail(call: &Message) -> String {
    let reply = call.reply.as_ref().unwrap();
    reply.split('.').skip(4).collect::<Vec<_>>().join(".")
}

#[tokio::test]
async fn frames_of_an_answer_that_overtake_its_head_are_kept() {
    let server = NatsServer::start();
    let caller = join(&server).await;
    let raw = Raw::join(&server).await;
    let mut calls = raw.client.subscribe(format!("wattle.prod.call.{}.*", host(1))).await.unwrap();
    confirmed(&raw.client).await;
    let http = |body: &[u8]| {
        Value::Map(vec![
            ("status".into(), 200.into()),
            ("headers".into(), Value::Array(vec![])),
            ("body".into(), bin(body)),
            ("end".into(), false.into()),
        ])
    };
    let answering = async {
        for round in 0..2 {
            let call = calls.next().await.unwrap();
            let here = format!("wattle.prod.rep.raw.{}.s", tail(&call));
            let to = call.reply.clone().unwrap();
            let frames = format!("{to}.s");
            let reply = map(&[("outcome", "ok".into()), ("http", http(b"a"))]);
            let granted = read(&call)["credit"].as_u64();
            assert_eq!(granted.is_some(), round == 1, "only who hears frames grants credit");
            if granted.is_some() {
                let frame = data("callee", 0, b"b", true);
                raw.client.publish_with_reply(frames, here.clone(), frame).await.unwrap();
                raw.client.flush().await.unwrap();
                raw.client.publish_with_reply(to, here, reply).await.unwrap();
            } else {
                let mut own = raw.client.subscribe(here.clone()).await.unwrap();
                confirmed(&raw.client).await;
                raw.client.publish_with_reply(to, here.clone(), reply).await.unwrap();
                // Credit comes once the answer is read.
                let credit = soon("credit", own.next()).await.unwrap();
                assert_eq!(read(&credit)["kind"].as_str(), Some("credit"));
                let frame = data("callee", 0, b"b", true);
                raw.client.publish_with_reply(frames, here, frame).await.unwrap();
            }
        }
    };
    let asking = async {
        for _ in 0..2 {
            let mut answer = ask(&caller, get(), vec![]).await.unwrap();
            assert_eq!(whole(answer.streams.remove(0)).await.unwrap(), b"ab");
        }
    };
    tokio::join!(asking, answering);
}
