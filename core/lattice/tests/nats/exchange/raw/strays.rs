//! Frames of nobody's call, and calls that want their answer where no answer goes.

use bytes::Bytes;
use futures::StreamExt as _;
use wattle_lattice::Pattern;
use wattle_lattice::testing::NatsServer;

use super::{FRAMES, Raw, data, echo, map, post_head, read};
use crate::exchange::kit::{LIMITS, callee, confirmed};
use crate::{host, soon};

#[tokio::test]
async fn malformed_and_stray_frames_are_counted_and_do_no_harm() {
    let server = NatsServer::start();
    let (callee, _serving, mut heard) = echo(&server).await;
    let mut raw = Raw::join(&server).await;
    let good = data("caller", 0, b"x", false);
    for bad in [&b""[..], b"\xc1", &good[..good.len() - 1], &[0x93; 200_000]] {
        raw.say(Bytes::copy_from_slice(bad)).await;
    }
    // A call that nobody knows: whoever says so is told, once.
    for seq in 0..3 {
        raw.say(data("caller", seq, b"x", false)).await;
    }
    let (_, cancel) = raw.hear("cancel").await;
    assert!(cancel["stream"].is_nil());
    raw.call(post_head(true)).await;
    raw.hear("reply").await;
    assert_eq!(soon("the body", heard.recv()).await.unwrap().unwrap(), b"head ");
    assert_eq!(callee.frames_passed_over(), (3, 4));
}

#[tokio::test]
async fn a_ping_is_answered_by_who_knows_the_call() {
    let server = NatsServer::start();
    let (_callee, _serving, _heard) = echo(&server).await;
    let mut raw = Raw::join(&server).await;
    let ping = map(&[("by", "caller".into()), ("kind", "ping".into())]);
    raw.say(ping.clone()).await;
    raw.hear("cancel").await;
    raw.call(post_head(false)).await;
    raw.hear("credit").await;
    raw.say(ping).await;
    raw.hear("pong").await;
}

#[tokio::test]
async fn a_cancel_that_overtakes_its_call_is_remembered() {
    let server = NatsServer::start();
    let callee = callee(&server).await;
    let calls = Pattern::CallsTo { host: host(1) };
    let mut calls = callee.subscribe(&calls).await.unwrap();
    callee.flush(crate::SOON).await.unwrap();
    let raw = Raw::join(&server).await;
    raw.say(map(&[("by", "caller".into()), ("kind", "cancel".into())])).await;
    soon("it is heard", async {
        while callee.frames_passed_over().0 == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    raw.call(post_head(true)).await;
    let message = soon("the call", calls.next()).await.unwrap();
    let accepted = callee.accept(message, &LIMITS).await.unwrap();
    soon("it is cancelled", accepted.answering.cancelled()).await;
}

#[tokio::test]
async fn a_call_with_an_inbox_is_answered_and_one_that_needs_frames_is_refused() {
    let server = NatsServer::start();
    let (_callee, _serving, _heard) = echo(&server).await;
    let raw = Raw::join(&server).await;
    let to = format!("wattle.prod.call.{}.echo", host(1));
    let whole = raw.client.request(to.clone(), post_head(true)).await.unwrap();
    assert_eq!(read(&whole)["outcome"].as_str(), Some("ok"));
    let partial = raw.client.request(to.clone(), post_head(false)).await.unwrap();
    assert_eq!(read(&partial)["reason"].as_str(), Some("malformed"));
    let nonsense = raw.client.request(to, "nonsense".into()).await.unwrap();
    assert_eq!(read(&nonsense)["reason"].as_str(), Some("malformed"));
}

#[tokio::test]
async fn a_call_that_names_a_control_subject_gets_no_answer_there() {
    let server = NatsServer::start();
    let (_callee, _serving, mut heard) = echo(&server).await;
    let raw = Raw::join(&server).await;
    let to = format!("wattle.prod.call.{}.echo", host(1));
    let control = "wasmbus.ctl.v1.prod.host.stop.NX";
    let mut spied = raw.client.subscribe("wasmbus.>").await.unwrap();
    confirmed(&raw.client).await;
    raw.client.publish_with_reply(to, control, post_head(true)).await.unwrap();
    soon("it is read", heard.recv()).await.unwrap().unwrap();
    raw.call(post_head(true)).await;
    soon("the next is read", heard.recv()).await.unwrap().unwrap();
    raw.client.publish("wasmbus.last", Bytes::new()).await.unwrap();
    let first = soon("what is said there", spied.next()).await.unwrap();
    assert_eq!(first.subject.as_str(), "wasmbus.last");
}

#[tokio::test]
async fn a_frame_that_names_another_address_is_not_answered_there() {
    let server = NatsServer::start();
    let (_callee, _serving, _heard) = echo(&server).await;
    let raw = Raw::join(&server).await;
    let mut spied = raw.client.subscribe("wattle.prod.leader").await.unwrap();
    confirmed(&raw.client).await;
    let to = format!("wattle.prod.rep.{}.s1.1.s", host(1));
    let ping = map(&[("by", "caller".into()), ("kind", "ping".into())]);
    for there in ["wattle.prod.leader", "wattle.prod.rep.raw.s1.2.s", "_INBOX.a.s"] {
        raw.client.publish_with_reply(to.clone(), there, ping.clone()).await.unwrap();
    }
    let mut raw = raw;
    raw.say(ping).await;
    let (message, _) = raw.hear("cancel").await;
    assert_eq!(message.subject.as_str(), FRAMES);
    raw.client.publish("wattle.prod.leader", "last".into()).await.unwrap();
    assert_eq!(soon("what is said there", spied.next()).await.unwrap().payload, "last");
}
