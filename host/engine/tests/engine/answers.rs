//! What components can do.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use wattle_capability::keyvalue::testing::InMemoryStores;
use wattle_capability::{KeyValue, StoreScope, body};

use crate::kit::{PATIENCE, Setup, exerciser, get, ok, outside, text, until};

#[tokio::test]
async fn a_signed_component_answers() {
    let hello = Setup::new().run("http-hello").await;
    assert_eq!(ok(&hello, "/").await, "Hello, world!\n");
    assert!(hello.loaded().exports_http());
    assert_eq!(hello.loaded().claims().name.as_deref(), Some("test"));
}

#[tokio::test]
async fn the_example_counts_visits_per_path() {
    let counter = Setup::new().run("http-counter").await;
    for visits in 1..=3 {
        let expected = format!(r#"{{"path":"/a b","visits":{visits}}}"#);
        assert_eq!(ok(&counter, "/a%20b?ignored").await, expected);
    }
    assert_eq!(ok(&counter, "/%C3%A4:*.%3E").await, r#"{"path":"/ä:*.>","visits":1}"#);
}

#[tokio::test]
async fn a_large_body_comes_back_as_it_went() {
    let sent: Bytes = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let actor = exerciser().await;
    let request = Request::post("http://example.test/echo").body(body::full(sent.clone())).unwrap();
    let response = actor.http(outside(&actor, PATIENCE), request).await.unwrap();
    let received = response.into_body().collect().await.unwrap().to_bytes();
    assert!(received == sent, "{} bytes came back of {}", received.len(), sent.len());
}

#[tokio::test]
async fn a_request_as_a_server_reads_it_is_enough() {
    // Only a path in the URI, and the authority as a header.
    let actor = exerciser().await;
    let request = |host: Option<&str>| {
        let mut request = Request::get("/headers");
        if let Some(host) = host {
            request = request.header("host", host);
        }
        request.header("x-a", "1").body(body::empty()).unwrap()
    };
    let response = actor.http(outside(&actor, PATIENCE), request(Some("example.test"))).await;
    assert!(text(response.unwrap()).await.unwrap().contains("x-a: 1\n"));
    let error = actor.http(outside(&actor, PATIENCE), request(None)).await.unwrap_err();
    assert_eq!((error.code(), error.begun()), ("WT-ENGINE-BAD-REQUEST", false));
}

#[tokio::test]
async fn every_call_has_an_instance_of_its_own() {
    let actor = exerciser().await;
    for _ in 0..3 {
        assert_eq!(ok(&actor, "/count").await, "1");
    }
}

#[tokio::test]
async fn nothing_of_the_system_is_granted() {
    let granted = ok(&exerciser().await, "/granted").await;
    assert_eq!(granted, "args 0 vars 0 dirs false file false socket denied lookup false");
}

#[tokio::test]
async fn config_is_what_the_actor_was_given() {
    let config = [("colour", "blue"), ("a.b", "")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    let actor = Setup { config: config.into(), ..Setup::new() }.run("exerciser").await;
    assert_eq!(ok(&actor, "/config").await, r#"[("a.b", ""), ("colour", "blue")] None"#);
}

#[tokio::test]
async fn what_a_guest_says_is_heard_line_by_line_and_cannot_repaint_a_terminal() {
    let setup = Setup::new();
    let heard = setup.log.clone();
    let actor = setup.run("exerciser").await;
    assert_eq!(ok(&actor, "/log").await, "logged");
    until("the unfinished line is heard", async || heard.lines().len() == 4).await;
    let mut lines = heard.lines();
    lines.sort();
    let expected = [
        "exerciser Logging Critical \"exercise\" from \u{fffd}[31mlogging",
        "exerciser Stderr Warn \"\" from stderr",
        "exerciser Stdout Info \"\" from stdout",
        "exerciser Stdout Info \"\" unfinished",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn what_a_guest_does_after_its_answer_is_not_cut_off_by_a_reader_that_has_all_of_it() {
    let stores = Arc::new(InMemoryStores::default());
    let actor = Setup { keyvalue: stores.clone(), ..Setup::new() }.run("exerciser").await;
    let request = crate::kit::request("/late?ms=50");
    let response = actor.http(outside(&actor, PATIENCE), request).await.unwrap();
    // As a server does: it stops after the declared length, without asking for the end.
    let mut body = response.into_body();
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "done");
    drop(body);
    let scope = StoreScope::App("tests".parse().unwrap());
    let bucket = stores.open(&scope, &"default".parse().unwrap()).await.unwrap();
    until("the guest has counted", async || bucket.get("late").await == Ok(Some("1".into()))).await;
}

#[tokio::test]
async fn a_head_request_has_an_answer_and_no_body_to_wait_for() {
    let actor = exerciser().await;
    let request = Request::builder().method(Method::HEAD).uri("http://example.test/hello");
    let request = request.body(body::empty()).unwrap();
    let response = actor.http(outside(&actor, PATIENCE), request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    drop(response);
    until("the call ended", async || actor.in_flight() == 0).await;
}

#[tokio::test]
async fn a_status_the_guest_sets_is_the_status_of_the_answer() {
    let answer = get(&exerciser().await, "/nothing-here").await;
    assert_eq!(answer, Ok((StatusCode::NOT_FOUND, "no such exercise".to_owned())));
}
