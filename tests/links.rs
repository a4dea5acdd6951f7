//! Actors that call each other through links: wherever they run, and while everything changes.

use std::{net::SocketAddr, time::Duration};

use serde_json::Value;
use wattle_tests::{
    Answer, Lattice, Load, Look,
    callers::{ALL, ECHO, add_trait, calling, configure, place, place_everywhere, relink},
    get, guest, link, manifest, wait_until,
};

const WITHIN: Duration = Duration::from_secs(60);

/// Enough that calls are under way at every moment.
const CALLERS: usize = 4;

const TWO_ZONES: [(&str, &str); 2] = [("near", "a"), ("far", "b")];

#[tokio::test]
async fn no_call_is_lost_while_what_a_link_leads_to_moves_scales_updates_and_is_another() {
    let lattice = Lattice::start(&TWO_ZONES).await;
    let (relay, echo) = images(&lattice);
    let mut app = calling("talk", &relay, &echo, &["b", "c"]);
    place(&mut app, "relay", "a");
    place(&mut app, "b", "a");
    lattice.deployed(&mut app, "v1").await;
    let door = lattice.host("near").listener;
    until_answered_by(door, "b").await;
    every_value_comes_back(door).await;

    let load = Load::start(door, "/who", CALLERS);
    load.until_answered(20).await;

    place(&mut app, "b", "b");
    lattice.deployed(&mut app, "v2").await;
    until_runs_on(&lattice, "talk-b", &["far"]).await;
    load.until_answered(20).await;
    every_value_comes_back(door).await;

    place_everywhere(&mut app, "b", 2);
    lattice.deployed(&mut app, "v3").await;
    until_runs_on(&lattice, "talk-b", &["far", "near"]).await;
    load.until_answered(20).await;

    let renamed = serde_json::json!([{"name": "renamed", "properties": {"name": "b2"}}]);
    configure(&mut app, "b", renamed);
    lattice.deployed(&mut app, "v4").await;
    until_answered_by(door, "b2").await;
    load.until_answered(20).await;

    relink(&mut app, "relay", "c");
    lattice.deployed(&mut app, "v5").await;
    until_answered_by(door, "c").await;
    load.until_answered(20).await;

    let lost = load.lost().await;
    assert!(
        lost.is_empty(),
        "{} calls were lost, such as {:?}; {}",
        lost.len(),
        lost[0],
        lattice.logs()
    );
}

#[tokio::test]
async fn an_import_that_no_link_provides_is_said_in_the_status_until_there_is_one() {
    let lattice = Lattice::start(&TWO_ZONES[..1]).await;
    let (relay, echo) = images(&lattice);
    lattice.deploy(&bare(&relay, &echo)).await.fine();
    let status = lattice.until_status("bare", "failed").await;
    let why = "the component imports wattle-test:echo/echo, and no link provides it";
    assert!(status.to_string().contains(why), "{status}");
    let missing = links(&lattice, "bare-relay").await;
    let missing = missing.as_array().expect("an element for each import");
    let states = missing.iter().map(|one| (&one["target"], &one["hosts"][0]["state"]));
    let states: Vec<_> = states.collect();
    assert_eq!(states, vec![(&Value::Null, &"failed".into()); ALL.len()], "{missing:?}");
    let started = lattice.host("near").process.log().matches("serving").count();

    put(&lattice, "bare-echo", &[]).await.fine();
    lattice.until_status("bare", "deployed").await;
    until_says(lattice.host("near").listener, "/greet?name=Ada", "Hello, Ada!").await;
    let since = lattice.host("near").process.log().matches("serving").count();
    assert_eq!(since, started, "nothing was started again");

    lattice.wattle(["link", "del", "bare-relay", ECHO.0, ECHO.1]).await.fine();
    lattice.until_status("bare", "failed").await;
}

#[tokio::test]
async fn a_link_put_by_hand_works_at_once_and_one_that_cannot_says_why() {
    let lattice = Lattice::start(&TWO_ZONES[..1]).await;
    let (relay, echo) = images(&lattice);
    let hello = lattice.signed("hello", &guest("http-hello"));
    lattice.deploy(&bare(&relay, &echo)).await.fine();
    lattice.until_status("bare", "failed").await;
    let mut other = manifest("other", &[("hello", &hello, None)]);
    lattice.deployed(&mut other, "v1").await;
    let door = lattice.host("near").listener;
    let unlinked = get(door, "/greet?name=Ada").await.expect("it answers at once");
    assert!(500 <= unlinked.status, "{unlinked:?}");

    put(&lattice, "bare-echo", &[]).await.fine();
    until_state(&lattice, "bare-relay", "bound", "").await;
    until_says(door, "/greet?name=Ada", "Hello, Ada!").await;
    put(&lattice, "bare-echo", &[]).await.fine();
    let complaint = put(&lattice, "other-hello", &[]).await.complaint();
    assert!(complaint.contains("different target"), "{complaint}");

    let table = lattice.wattle(["link", "query", "bare-relay"]).await.fine();
    assert!(table.contains("near") && table.contains("wattle-test:echo/echo"), "{table}");
    let gone = lattice.wattle(["link", "del", "bare-relay", ECHO.0, ECHO.1]).await;
    gone.fine();
    wait_until("calls are refused without the link", WITHIN, async || {
        let answer = get(door, "/greet?name=Ada").await;
        Look::some(answer.as_ref().is_ok_and(|answer| 500 <= answer.status).then_some(()), || {
            format!("{answer:?}")
        })
    })
    .await;
    let left = links(&lattice, "bare-relay").await;
    let left = left.as_array().expect("a list");
    assert!(left.iter().all(|one| one["target"].is_null()), "only what is missing: {left:?}");
    lattice.wattle(["link", "del", "bare-relay", ECHO.0, ECHO.1]).await.fine();

    put(&lattice, "nobody", &[]).await.fine();
    until_state(&lattice, "bare-relay", "waiting", "nobody").await;
    lattice.wattle(["link", "del", "bare-relay", ECHO.0, ECHO.1]).await.fine();
    put(&lattice, "other-hello", &[]).await.fine();
    until_state(&lattice, "bare-relay", "failed", "other-hello").await;
}

#[tokio::test]
async fn a_component_chooses_among_links_by_their_names() {
    let lattice = Lattice::start(&TWO_ZONES[..1]).await;
    let (relay, echo) = images(&lattice);
    let mut app = calling("named", &relay, &echo, &["b", "c"]);
    let mut second = link("c", ECHO, &ALL);
    second["properties"]["name"] = "second".into();
    add_trait(&mut app, "relay", second);
    lattice.deployed(&mut app, "v1").await;
    let door = lattice.host("near").listener;
    until_says(door, "/who", "b").await;
    until_says(door, "/who?link=second", "c").await;
    until_says(door, "/who?link=default", "b").await;
    let third = said(door, "/who?link=third").await;
    assert_ne!(third.status, 200, "{third:?}");
}

#[tokio::test]
async fn a_circle_of_calls_ends_and_one_that_is_too_long_is_refused_and_hangs_nobody() {
    let lattice = Lattice::start(&TWO_ZONES).await;
    let (relay, _) = images(&lattice);
    let mut app = manifest("circle", &[("relay", &relay, Some("/")), ("other", &relay, None)]);
    add_trait(&mut app, "relay", link("other", ECHO, &["echo"]));
    add_trait(&mut app, "other", link("relay", ECHO, &["echo"]));
    place(&mut app, "relay", "a");
    for (host, zone) in TWO_ZONES {
        place(&mut app, "other", zone);
        app["metadata"]["annotations"]["version"] = zone.into();
        // What else they import has no link, so the application is never plainly deployed.
        lattice.deploy(&app).await.fine();
        until_runs_on(&lattice, "circle-other", &[host]).await;
        let door = lattice.host("near").listener;
        until_says(door, "/deep?n=4", "4").await;
        let answer = said(door, "/deep?n=200").await;
        assert!(500 <= answer.status, "{answer:?}");
        until_says(door, "/deep?n=4", "4").await;
    }
}

#[tokio::test]
async fn the_errors_of_the_network_reach_a_component_as_its_own_errors_or_end_it_never_hang_it() {
    let lattice = Lattice::start(&TWO_ZONES).await;
    let (relay, echo) = images(&lattice);
    let mut app = calling("alone", &relay, &echo, &["b"]);
    place(&mut app, "relay", "a");
    place(&mut app, "b", "b");
    lattice.deployed(&mut app, "v1").await;
    let door = lattice.host("near").listener;
    until_says(door, "/fail?why=rain", "Err(\"rain\")").await;
    let trapped = said(door, "/trap").await;
    assert!(
        500 <= trapped.status,
        "a callee that traps takes its caller's call with it: {trapped:?}"
    );

    // Where there is no such zone, nobody serves it any more.
    place(&mut app, "b", "nowhere");
    app["metadata"]["annotations"]["version"] = "v2".into();
    lattice.deploy(&app).await.fine();
    wait_until("nobody serves b", WITHIN, async || {
        let answer = said(door, "/guarded").await;
        Look::some(answer.body.contains("Unreachable").then_some(()), || format!("{answer:?}"))
    })
    .await;
    let failed = said(door, "/fail").await;
    assert!(failed.body.contains("unreachable"), "{failed:?}");
    let greeted = said(door, "/greet?name=Ada").await;
    assert!(500 <= greeted.status, "what cannot say it ends: {greeted:?}");
    until_state(&lattice, "alone-relay", "waiting", "alone-b").await;
}

#[tokio::test]
async fn a_link_of_an_application_is_changed_by_its_manifest_and_not_by_hand() {
    let lattice = Lattice::start(&TWO_ZONES[..1]).await;
    let (relay, echo) = images(&lattice);
    let mut app = calling("owner", &relay, &echo, &["b", "c"]);
    lattice.deployed(&mut app, "v1").await;
    for command in ["put", "del"] {
        let said = match command {
            "put" => put_for(&lattice, "owner-relay", "owner-c", &[]).await,
            _ => lattice.wattle(["link", "del", "owner-relay", ECHO.0, ECHO.1]).await,
        };
        let complaint = said.complaint();
        assert!(complaint.contains("owner"), "{command}: {complaint}");
    }
    until_says(lattice.host("near").listener, "/who", "b").await;
}

fn images(lattice: &Lattice) -> (String, String) {
    (lattice.signed("relay", &guest("relay")), lattice.signed("echo", &guest("echo")))
}

/// A caller that nobody linked, and who could answer it.
fn bare(relay: &str, echo: &str) -> Value {
    manifest("bare", &[("relay", relay, Some("/")), ("echo", echo, None)])
}

async fn every_value_comes_back(door: SocketAddr) {
    let answer = said(door, "/values").await;
    assert!(answer.body.ends_with("values came back as they were"), "{answer:?}");
    // From one that fits a register to one that fits no message.
    for bytes in [0, 16, 4_096, 65_536, 1 << 20, 3 << 20] {
        assert_eq!(said(door, &format!("/bytes?n={bytes}")).await.body, bytes.to_string());
    }
}

async fn said(door: SocketAddr, path: &str) -> Answer {
    get(door, path).await.unwrap_or_else(|error| panic!("{path}: {error:#}"))
}

async fn until_says(door: SocketAddr, path: &str, text: &str) {
    wait_until(&format!("{path} says {text}"), WITHIN, async || {
        let answer = get(door, path).await;
        let met = answer.as_ref().is_ok_and(|answer| answer.status == 200 && answer.body == text);
        Look::some(met.then_some(()), || format!("{answer:?}"))
    })
    .await;
}

async fn until_answered_by(door: SocketAddr, name: &str) {
    until_says(door, "/who", name).await;
}

async fn until_runs_on(lattice: &Lattice, actor: &str, hosts: &[&str]) {
    wait_until(&format!("{actor} runs on {hosts:?}"), WITHIN, async || {
        let now = lattice.hosts_of(actor).await;
        Look::some((now == hosts).then_some(()), || format!("{now:?}"))
    })
    .await;
}

async fn put(lattice: &Lattice, target: &str, more: &[&str]) -> wattle_tests::Said {
    put_for(lattice, "bare-relay", target, more).await
}

async fn put_for(
    lattice: &Lattice,
    source: &str,
    target: &str,
    more: &[&str],
) -> wattle_tests::Said {
    let mut arguments = vec!["link", "put", source, target, ECHO.0, ECHO.1];
    arguments.extend(ALL.iter().flat_map(|interface| ["--interface", interface]));
    arguments.extend(more);
    lattice.wattle(arguments).await
}

async fn links(lattice: &Lattice, source: &str) -> Value {
    lattice.wattle(["link", "query", source, "-o", "json"]).await.json()
}

/// Waits until every interface of the actor's only link has this state, for a reason that names `words`.
async fn until_state(lattice: &Lattice, source: &str, state: &str, words: &str) {
    wait_until(&format!("the link of {source} is {state}"), WITHIN, async || {
        let links = links(lattice, source).await;
        let hosts = links[0]["hosts"].as_array().cloned().unwrap_or_default();
        let met = |host: &Value| {
            let why = host["why"].as_str().unwrap_or_default();
            host["state"] == state && why.contains(words)
        };
        Look::some((!hosts.is_empty() && hosts.iter().all(met)).then_some(()), || links.to_string())
    })
    .await;
}
