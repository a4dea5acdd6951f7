//! Calls that cross hosts.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use wattle_lattice::Subject;
use wattle_lattice::call::{
    CallBody, CallReply, CallRequest, Caller, HttpRequest, Limits, NotBegun, Outcome, ReplyBody,
    Trace,
};
use wattle_lattice::wire::WireError;
use wattle_types::ActorSpec;

use crate::kit::{self, Lattice, PATIENCE, spec, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_does_not_run_an_actor_forwards_to_one_that_does() {
    let lattice = Lattice::start().await;
    let (near, far) = (lattice.host("near").await, lattice.host("far").await);
    let exerciser = spec("exerciser", &lattice.component("exerciser"), "/");
    let assigned = lattice.assign(&far, &[&exerciser]).await;
    lattice.until_ready(&far, &assigned).await;
    assert_eq!(near.until_ok("/hello").await, "hello");
    // Body, query and headers arrive; the answer of a missing path is the guest's own.
    let echo = Request::post("/echo").body(Full::from("to and fro")).unwrap();
    assert_eq!(kit::send(near.addr, echo).await.unwrap(), (StatusCode::OK, "to and fro".into()));
    let headers = Request::get("/headers").header("x-mine", "kept").body(Full::default()).unwrap();
    let (_, headers) = kit::send(near.addr, headers).await.unwrap();
    assert!(headers.contains("x-mine: kept\n"), "{headers}");
    assert_eq!(near.get("/nothing").await, (StatusCode::NOT_FOUND, "no such exercise".into()));
    assert_eq!(near.get("/trap").await.0, StatusCode::BAD_GATEWAY);

    // A host that comes later learns of it, too.
    let late = lattice.host("late").await;
    assert_eq!(late.until_ok("/hello").await, "hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_host_costs_a_caller_nothing_when_another_serves() {
    let lattice = Lattice::start().await;
    let near = lattice.host("near").await;
    let (one, two) = (lattice.host("far-1").await, lattice.host("far-2").await);
    let hello = spec("hello", &lattice.component("http-hello"), "/");
    for far in [&one, &two] {
        let assigned = lattice.assign(far, &[&hello]).await;
        lattice.until_ready(far, &assigned).await;
    }
    near.until_ok("/").await;
    lattice.kill(one).await;
    for _ in 0..20 {
        let (status, text) = near.get("/").await;
        assert_eq!(status, StatusCode::OK, "{text}");
    }
    // The last one gone, it is said that nobody serves, and when to come again.
    lattice.kill(two).await;
    let request = Request::get("/").body(Full::default()).unwrap();
    let response = kit::begin(near.addr, request).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key("retry-after"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_full_host_has_no_room_for_is_done_by_another() {
    let lattice = Lattice::start().await;
    let (near, far) = (lattice.host("near").await, lattice.host("far").await);
    let mut exerciser = spec("exerciser", &lattice.component("exerciser"), "/");
    exerciser.limits.concurrency = Some(1);
    let assigned = lattice.assign(&near, &[&exerciser]).await;
    lattice.until_ready(&near, &assigned).await;
    // Two instances with one place each.
    let slow = || Request::get("/slow?times=200&ms=50").body(Full::default()).unwrap();
    let _held = [kit::begin(near.addr, slow()).await, kit::begin(near.addr, slow()).await];
    let echo = || Request::post("/echo").body(Full::from(vec![b'x'; 1 << 20])).unwrap();
    let (status, _) = kit::send(near.addr, echo()).await.unwrap();
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "there is no other yet");
    let assigned = lattice.assign(&far, &[&exerciser]).await;
    lattice.until_ready(&far, &assigned).await;
    let (status, text) = until("the other is known", async || {
        let (status, text) = kit::send(near.addr, echo()).await.unwrap();
        (status != StatusCode::SERVICE_UNAVAILABLE).then_some((status, text))
    })
    .await;
    assert_eq!((status, text.len()), (StatusCode::OK, 1 << 20), "with its whole body");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_host_that_is_killed_is_told_long_before_the_deadline() {
    let lattice = Lattice::start().await;
    let (near, far) = (lattice.host("near").await, lattice.host("far").await);
    let mut exerciser = spec("exerciser", &lattice.component("exerciser"), "/");
    exerciser.limits.concurrency = Some(2);
    let assigned = lattice.assign(&far, &[&exerciser]).await;
    lattice.until_ready(&far, &assigned).await;
    near.until_ok("/hello").await;
    let addr = near.addr;
    // Two instances with two places each; one may be taken by a look below, and is soon free again.
    let wait = || {
        tokio::spawn(async move {
            loop {
                let (status, text) = kit::get(addr, "/work?sleep-ms=25000").await;
                if status != StatusCode::SERVICE_UNAVAILABLE {
                    return (status, text);
                }
            }
        })
    };
    // The head is here, and the rest is awaited.
    let half = Request::get("/slow?times=100&ms=250").body(Full::default()).unwrap();
    let half = kit::begin(addr, half).await.unwrap();
    let waiting = [wait(), wait(), wait()];
    until("all are being answered", async || {
        let subject = Subject::Call { host: far.id, actor: exerciser.id.clone() };
        let reply = ask(&lattice, &subject, call(&exerciser)).await;
        let overloaded =
            matches!(reply.outcome, Outcome::NotBegun { reason: NotBegun::Overloaded, .. });
        overloaded.then_some(())
    })
    .await;
    lattice.kill(far).await;
    let cut = tokio::time::timeout(Duration::from_secs(10), half.into_body().collect()).await;
    assert!(cut.expect("told long before the deadline").is_err());
    for waiting in waiting {
        let told = tokio::time::timeout(Duration::from_secs(10), waiting).await;
        let (status, text) = told.expect("told long before the deadline").unwrap();
        assert_eq!(status, StatusCode::GATEWAY_TIMEOUT);
        assert!(text.contains("WT-HOST-UNKNOWN"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_leaves_hands_its_callers_to_another() {
    let lattice = Lattice::start().await;
    let near = lattice.host("near").await;
    let (mut one, two) = (lattice.host("far-1").await, lattice.host("far-2").await);
    let hello = spec("hello", &lattice.component("http-hello"), "/");
    for far in [&one, &two] {
        let assigned = lattice.assign(far, &[&hello]).await;
        lattice.until_ready(far, &assigned).await;
    }
    near.until_ok("/").await;
    let (addr, stop) = (near.addr, one.stop.clone());
    let client = tokio::spawn(async move {
        let mut statuses = Vec::new();
        while statuses.len() < 200 {
            if statuses.len() == 20 {
                stop.cancel();
            }
            statuses.push(kit::get(addr, "/").await.0);
        }
        statuses
    });
    one.ended().await.unwrap();
    let statuses = client.await.unwrap();
    assert!(statuses.iter().all(|status| *status == StatusCode::OK), "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn actors_on_different_hosts_share_their_applications_stores() {
    let lattice = Lattice::start().await;
    let (one, two) = (lattice.host("one").await, lattice.host("two").await);
    let counter = spec("counter", &lattice.component("http-counter"), "/");
    for host in [&one, &two] {
        let assigned = lattice.assign(host, &[&counter]).await;
        lattice.until_ready(host, &assigned).await;
    }
    let first: serde_json::Value = serde_json::from_str(&one.until_ok("/a%20b").await).unwrap();
    let second: serde_json::Value = serde_json::from_str(&two.until_ok("/a%20b").await).unwrap();
    let visits = |answer: &serde_json::Value| answer["visits"].as_u64().unwrap();
    assert_eq!(visits(&second), visits(&first) + 1, "{first} {second}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_table_asks_any_host() {
    let lattice = Lattice::start().await;
    let (_near, far) = (lattice.host("near").await, lattice.host("far").await);
    let hello = spec("hello", &lattice.component("http-hello"), "/");
    let assigned = lattice.assign(&far, &[&hello]).await;
    lattice.until_ready(&far, &assigned).await;
    // Each host gets some of these, and the one that does not run it forwards.
    for _ in 0..20 {
        let subject = Subject::Any { actor: hello.id.clone() };
        let reply = until("every host knows", async || {
            // On a busy machine a body may come too late to be in the one message.
            let reply = try_ask(&lattice, &subject, call(&hello)).await.ok()?;
            matches!(reply.outcome, Outcome::Ok(_)).then_some(reply)
        })
        .await;
        let Outcome::Ok(ReplyBody::Http(response)) = reply.outcome else { unreachable!() };
        assert_eq!((response.status, &response.body[..]), (200, &b"Hello, world!\n"[..]));
        assert_eq!(reply.revision, Some(hello.hash()));
        assert!(reply.load.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_to_a_host_that_cannot_serve_it_is_not_begun() {
    let lattice = Lattice::start().await;
    let host = lattice.host("one").await;
    let hello = spec("hello", &lattice.component("http-hello"), "/");
    let assigned = lattice.assign(&host, &[&hello]).await;
    lattice.until_ready(&host, &assigned).await;
    let other = ActorSpec { image: "file:///other".to_owned(), ..hello.clone() };
    let (hello_id, absent_id) = (hello.id.clone(), "absent".parse().unwrap());
    let absent = spec("absent", "file:///absent", "/");
    let cases: BTreeMap<&str, (_, _, _)> = BTreeMap::from([
        ("absent", (&absent_id, call(&absent), NotBegun::NoSuchActor)),
        ("another actor", (&hello_id, call(&absent), NotBegun::Malformed)),
        (
            "another revision",
            (
                &hello_id,
                CallRequest { revision: Some(other.hash()), ..call(&hello) },
                NotBegun::WrongRevision,
            ),
        ),
        (
            "no time left",
            (
                &hello_id,
                CallRequest { remaining_ms: 0, ..call(&hello) },
                NotBegun::DeadlineExceeded,
            ),
        ),
        ("a loop", (&hello_id, CallRequest { hop: 200, ..call(&hello) }, NotBegun::TooManyHops)),
    ]);
    for (name, (actor, request, expected)) in cases {
        let subject = Subject::Call { host: host.id, actor: actor.clone() };
        let reply = ask(&lattice, &subject, request).await;
        let Outcome::NotBegun { reason, .. } = reply.outcome else { panic!("{name}: {reply:?}") };
        assert_eq!(reason, expected, "{name}");
    }
    let subject = Subject::Call { host: host.id, actor: hello.id.clone() };
    let nonsense =
        lattice.connection.request(&subject, Bytes::from_static(b"\xc1"), PATIENCE).await;
    let reply = CallReply::decode(&nonsense.unwrap().payload, &Limits::default()).unwrap();
    assert!(
        matches!(reply.outcome, Outcome::NotBegun { reason: NotBegun::Malformed, .. }),
        "{reply:?}"
    );
}

fn call(spec: &ActorSpec) -> CallRequest {
    let (parts, ()) = Request::get("http://any.test/").body(()).unwrap().into_parts();
    CallRequest {
        actor: spec.id.clone(),
        instance: String::new(),
        revision: None,
        fence: 0,
        hop: 0,
        attempt: 1,
        idempotency: String::new(),
        remaining_ms: 5_000,
        caller: Caller::default(),
        trace: Trace::default(),
        fingerprint: None,
        body: CallBody::Http(HttpRequest::new(&parts, Bytes::new())),
    }
}

async fn ask(lattice: &Lattice, subject: &Subject, call: CallRequest) -> CallReply {
    try_ask(lattice, subject, call).await.unwrap()
}

async fn try_ask(
    lattice: &Lattice,
    subject: &Subject,
    call: CallRequest,
) -> Result<CallReply, WireError> {
    let payload = call.encode(&Limits::default()).unwrap();
    let asked = lattice.connection.request(subject, payload, Duration::from_secs(10)).await;
    CallReply::decode(&asked.unwrap().payload, &Limits::default())
}
