//! `wattle spy`: calls are seen as they happen, in one process and between two.

use std::{net::SocketAddr, time::Duration};

use serde_json::Value;
use wattle_tests::{
    Lattice, Look, Process,
    callers::{ALL, ECHO, add_trait, calling, place},
    get, guest, link, manifest, wait_until,
};

const WITHIN: Duration = Duration::from_secs(60);

#[tokio::test]
async fn calls_are_seen_in_one_process_and_between_two_with_what_became_of_them() {
    let lattice = Lattice::start(&[("near", "a"), ("far", "b")]).await;
    let (relay, echo) =
        (lattice.signed("relay", &guest("relay")), lattice.signed("echo", &guest("echo")));
    let mut app = calling("seen", &relay, &echo, &["b", "c"]);
    let mut second = link("c", ECHO, &ALL);
    second["properties"]["name"] = "second".into();
    add_trait(&mut app, "relay", second);
    place(&mut app, "relay", "a");
    place(&mut app, "b", "a");
    place(&mut app, "c", "b");
    lattice.deployed(&mut app, "v1").await;
    let door = lattice.host("near").listener;

    for (callee, path, way) in
        [("seen-b", "/who", "in-process"), ("seen-c", "/who?link=second", "remote")]
    {
        let spy = spy(&lattice, callee, &["-o", "json"]);
        let seen = seen_while_asking(&spy, door, path, "wattle-test:echo/echo").await;
        assert_eq!((&seen["caller"], &seen["callee"]), (&"seen-relay".into(), &callee.into()));
        assert_eq!((&seen["way"], &seen["outcome"]), (&way.into(), &"ok".into()), "{seen}");
        assert!(seen["what"].as_str().is_some_and(|what| what.ends_with(".who")), "{seen}");
        let trapped = seen_while_asking(&spy, door, &path.replace("who", "trap"), ".trap").await;
        assert_eq!(trapped["outcome"], "failed", "{trapped}");
    }

    let spy = spy(&lattice, "seen-relay", &["-o", "json"]);
    let seen = seen_while_asking(&spy, door, "/greet?name=secret", "GET /greet").await;
    assert_eq!((&seen["caller"], &seen["callee"]), (&Value::Null, &"seen-relay".into()), "{seen}");
    seen_while_asking(&spy, door, "/greet?name=secret", ".greet").await;
}

#[tokio::test]
async fn without_a_terminal_there_are_lines_and_no_colours_and_it_ends_when_asked() {
    let lattice = Lattice::start(&[("one", "a")]).await;
    let image = lattice.signed("hello", &guest("http-hello"));
    let mut app = manifest("plain", &[("hello", &image, Some("/"))]);
    lattice.deployed(&mut app, "v1").await;
    let door = lattice.host("one").listener;
    let mut counting = spy(&lattice, "plain-hello", &["--count", "3"]);
    let mut endless = spy(&lattice, "plain-hello", &[]);
    wait_until("three calls were seen", WITHIN, async || {
        let _ = get(door, "/").await;
        let log = counting.log();
        Look::some((log.matches("GET /").count() == 3).then_some(()), || log.clone())
    })
    .await;
    assert!(!counting.log().contains('\u{1b}'), "{}", counting.log());
    assert!(counting.end(WITHIN).await.success());
    endless.signal(rustix::process::Signal::INT);
    assert!(endless.end(WITHIN).await.success(), "{}", endless.log());
}

fn spy(lattice: &Lattice, actor: &str, more: &[&str]) -> Process {
    let mut words = vec!["spy", actor];
    words.extend(more);
    lattice.process(&format!("spy-{actor}-{}", more.len()), &words)
}

/// Asks until a call is seen that is called so: hosts may not have heard yet that somebody spies.
async fn seen_while_asking(spy: &Process, door: SocketAddr, path: &str, what: &str) -> Value {
    wait_until(&format!("a call {what} is seen"), WITHIN, async || {
        // Some of these fail on purpose.
        let _ = get(door, path).await;
        let log = spy.log();
        let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let seen = |event: &Value| event["what"].as_str().is_some_and(|known| known.contains(what));
        Look::some(events.into_iter().find(seen), || log.clone())
    })
    .await
}
