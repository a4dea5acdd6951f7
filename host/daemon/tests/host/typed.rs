//! Actors that call each other through the types of their interfaces, in one process and across
//! hosts.

use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::Full;
use wattle_lattice::call::{
    CallBody, CallReply, CallRequest, Caller, InvokeRequest, Limits, NotBegun, Outcome, ReplyBody,
    Trace,
};
use wattle_lattice::exchange::Exchanged;
use wattle_lattice::signal::{SpyEvent, SpyRequest, Way};
use wattle_lattice::{ConnectConfig, Connection, Pattern, Subject};
use wattle_types::{ActorSpec, Beat, HostId, LinkState, SpecLimits, stored};

use crate::kit::{self, Lattice, PATIENCE, Running, spec, until};

/// Two hosts; `relay` on the first, linked to `echo` on the second.
struct Two {
    lattice: Lattice,
    near: Running,
    far: Running,
    relay: ActorSpec,
    echo: ActorSpec,
}

impl Two {
    async fn start() -> Self {
        let lattice = Lattice::start().await;
        let (near, far) = (lattice.host("near").await, lattice.host("far").await);
        let relay = spec("relay", &lattice.component("relay"), "/");
        let echo =
            ActorSpec { routes: Vec::new(), ..spec("echo", &lattice.component("echo"), "/") };
        let two = Self { lattice, near, far, relay, echo };
        two.lattice.link(&two.relay.id, "echo", false).await;
        two.run(&two.near, &[&two.relay]).await;
        two.run(&two.far, &[&two.echo]).await;
        two.lattice.until_bound(&two.near, &two.relay.id).await;
        two
    }

    async fn run(&self, host: &Running, specs: &[&ActorSpec]) {
        let assigned = self.lattice.assign(host, specs).await;
        self.lattice.until_ready(host, &assigned).await;
    }
}

fn ok(text: &str) -> (StatusCode, String) {
    (StatusCode::OK, text.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_every_type_arrive_as_they_were_here_and_elsewhere() {
    let two = Two::start().await;
    let check = async |place: &str| {
        let (status, text) = two.near.get("/values").await;
        assert_eq!(status, StatusCode::OK, "{place}: {text}");
        assert_eq!(two.near.get("/greet?name=Ada").await, ok("Hello, Ada!"), "{place}");
        assert_eq!(two.near.get("/bytes?n=300000").await, ok("300000"), "{place}");
        // More than one message holds.
        assert_eq!(two.near.get("/bytes?n=3000000").await, ok("3000000"), "{place}");
        assert_eq!(two.near.get("/nothing").await, ok(""), "{place}");
    };
    check("elsewhere").await;
    two.run(&two.near, &[&two.echo, &two.relay]).await;
    check("here").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_that_moves_is_found_by_the_next_call() {
    let two = Two::start().await;
    let addr = two.near.addr;
    let (done, mut is_done) = tokio::sync::watch::channel(false);
    let client = tokio::spawn(async move {
        let mut answers = Vec::new();
        while !*is_done.borrow_and_update() {
            answers.push(kit::get(addr, "/greet?name=x").await);
        }
        answers
    });
    // To where its caller is, and back again; each time it starts before the other one ends.
    two.run(&two.near, &[&two.echo, &two.relay]).await;
    two.run(&two.far, &[]).await;
    two.run(&two.far, &[&two.echo]).await;
    two.run(&two.near, &[&two.relay]).await;
    done.send(true).unwrap();
    let answers = client.await.unwrap();
    let wrong: Vec<_> = answers.iter().filter(|answer| **answer != ok("Hello, x!")).collect();
    assert!(wrong.is_empty(), "{} of {}: {:?}", wrong.len(), answers.len(), wrong.first());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_is_told_what_went_wrong_as_its_types_allow() {
    let two = Two::start().await;
    let check = async |place: &str| {
        assert_eq!(two.near.get("/fail?why=rain").await, ok("Err(\"rain\")"), "{place}");
        // Its type has no room for the mesh's own errors, so the caller ends there.
        let (status, text) = two.near.get("/trap").await;
        assert_eq!(status, StatusCode::BAD_GATEWAY, "{place}: {text}");
        assert!(text.contains("WT-ENGINE-CALLEE-FAILED"), "{place}: {text}");
        assert_eq!(two.near.get("/guarded").await, ok("Ok(\"well\")"), "{place}");
    };
    check("elsewhere").await;
    two.run(&two.near, &[&two.echo, &two.relay]).await;
    check("here").await;

    // Nobody serves it: told at once, not after a time-out.
    two.run(&two.near, &[&two.relay]).await;
    two.run(&two.far, &[]).await;
    let told = tokio::time::timeout(Duration::from_secs(5), async {
        until("it is gone", async || {
            let (status, text) = two.near.get("/guarded").await;
            assert_eq!(status, StatusCode::OK, "{text}");
            text.contains("Unreachable").then_some(())
        })
        .await;
    });
    told.await.expect("told at once");
    let waiting = |state: &LinkState| matches!(state, LinkState::Waiting { .. });
    let links = two.lattice.until_linked(&two.near, &two.relay.id, |links| {
        links.iter().any(|link| waiting(&link.state))
    });
    assert_eq!(links.await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_is_too_large_fails_its_call_and_nothing_else() {
    let two = Two::start().await;
    for place in ["elsewhere", "here"] {
        assert_eq!(two.near.get("/huge?n=1000000").await, ok("1000000"), "{place}");
        // Its memory bounds it here, and what one value may have elsewhere.
        let (status, text) = two.near.get("/huge?n=67108864").await;
        assert_eq!(status, StatusCode::BAD_GATEWAY, "{place}: {text}");
        assert_eq!(two.near.get("/greet?name=x").await, ok("Hello, x!"), "{place}");
        two.run(&two.near, &[&two.echo, &two.relay]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_when_nats_is_lost_is_told_so_and_the_next_call_goes_through() {
    let mut two = Two::start().await;
    let addr = two.near.addr;
    let call = tokio::spawn(async move { kit::get(addr, "/sleep?ms=25000").await });
    assert_eq!(busy(&two.lattice).await, two.far.id);
    two.lattice.nats.kill();
    let told = tokio::time::timeout(Duration::from_secs(10), call).await;
    let (status, text) = told.expect("told long before the deadline").unwrap();
    assert_eq!(status, StatusCode::BAD_GATEWAY, "{text}");
    assert!(text.contains("WT-ENGINE-CALLEE-UNKNOWN"), "{text}");
    two.lattice.nats.restart();
    until("calls go through again", async || {
        (two.near.get("/greet?name=x").await == ok("Hello, x!")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_circle_of_calls_ends_at_the_bound() {
    let two = Two::start().await;
    two.lattice.link(&two.relay.id, "relay", false).await;
    until("it calls itself", async || (two.near.get("/deep?n=4").await == ok("4")).then_some(()))
        .await;
    let (status, text) = two.near.get("/deep?n=20").await;
    assert_eq!(status, StatusCode::BAD_GATEWAY, "{text}");
    assert_eq!(two.near.get("/deep?n=4").await, ok("4"), "nothing of it is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_an_argument_while_it_arrives() {
    let two = Two::start().await;
    let length = 5 << 20;
    let count = || Request::post("/count").body(Full::from(vec![b'x'; length])).unwrap();
    let expected = ok(&format!("Ok({length})"));
    assert_eq!(kit::send(two.near.addr, count()).await.unwrap(), expected);
    two.run(&two.near, &[&two.echo, &two.relay]).await;
    assert_eq!(kit::send(two.near.addr, count()).await.unwrap(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_stops_its_callee_on_another_host() {
    let two = Two::start().await;
    let limits = SpecLimits { concurrency: Some(1), ..SpecLimits::default() };
    let echo = ActorSpec { limits, ..two.echo.clone() };
    two.run(&two.far, &[&echo]).await;
    // Two places, and both are taken by calls that do not end by themselves.
    let sleep = || Request::get("/sleep?ms=25000").body(Full::default()).unwrap();
    let clients: Vec<_> = (0..2)
        .map(|_| {
            tokio::spawn({
                let addr = two.near.addr;
                async move { kit::begin(addr, sleep()).await.map(drop).map_err(drop) }
            })
        })
        .collect();
    until("there is no room", async || {
        let (status, text) = two.near.get("/guarded").await;
        (status == StatusCode::OK && text.contains("Overloaded")).then_some(())
    })
    .await;
    for client in clients {
        client.abort();
    }
    until("there is room again", async || {
        (two.near.get("/guarded").await == ok("Ok(\"well\")")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_fate_is_unknown_is_repeated_only_if_its_link_allows() {
    let two = Two::start().await;
    for (idempotent, expected) in [(false, StatusCode::BAD_GATEWAY), (true, StatusCode::OK)] {
        two.lattice.link(&two.relay.id, "echo", idempotent).await;
        let other = two.lattice.host(&format!("other-{idempotent}")).await;
        let doomed = two.lattice.host(&format!("doomed-{idempotent}")).await;
        two.run(&other, &[&two.echo]).await;
        two.run(&doomed, &[&two.echo]).await;
        two.run(&two.far, &[]).await;
        let addr = two.near.addr;
        let call = tokio::spawn(async move { kit::get(addr, "/sleep?ms=5000").await });
        let busy = busy(&two.lattice).await;
        let hosts = [other, doomed].into_iter();
        let (called, left): (Vec<_>, Vec<_>) = hosts.partition(|host| host.id == busy);
        for called in called {
            two.lattice.kill(called).await;
        }
        let (status, text) = call.await.unwrap();
        assert_eq!(status, expected, "idempotent {idempotent}: {text}");
        assert_eq!(two.near.get("/greet?name=x").await, ok("Hello, x!"));
        for left in left {
            two.run(&two.far, &[&two.echo]).await;
            left.stopped().await;
        }
    }
}

/// Waits until a host is in the middle of a call of another, and says which it is.
async fn busy(lattice: &Lattice) -> HostId {
    let mut beats = lattice.connection.subscribe(&Pattern::Beats).await.unwrap();
    until("one is called", async || {
        let beat = beats.next().await?;
        let beat: Beat = stored::decode("a beat", &beat.payload).unwrap();
        // The caller's own host is as busy as the callee's; it runs the relay.
        let inventory = lattice.ask_inventory(beat.host).await?;
        let calls = inventory.actors.iter().any(|actor| actor.id.as_str() == "relay");
        (beat.load.in_flight != 0 && !calls).then_some(beat.host)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_spies_sees_calls_inside_a_process_too() {
    let two = Two::start().await;
    let client = &two.lattice.connection;
    let actor = two.echo.id.clone();
    let mut seen = client.subscribe(&Pattern::SpiedOf { actor: actor.clone() }).await.unwrap();
    client.flush(PATIENCE).await.unwrap();
    let ask = SpyRequest::new(actor, 60_000).encode();
    client.publish(&Subject::AskSpy, ask).await.unwrap();
    let mut next = async || {
        until("a call is told of", async || {
            // The first calls may come before everybody has heard who asked.
            assert_eq!(two.near.get("/greet?name=x").await.0, StatusCode::OK);
            let event =
                tokio::time::timeout(Duration::from_millis(200), seen.next()).await.ok()??;
            Some(SpyEvent::decode(&event.payload).unwrap())
        })
        .await
    };
    let event = next().await;
    assert_eq!((event.host, event.way), (two.far.id, Way::Remote));
    assert_eq!(event.caller.as_ref(), Some(&two.relay.id));
    assert_eq!(event.what, "wattle-test:echo/echo@0.1.0.greet");
    assert_eq!(event.outcome, "ok");
    assert!(0 < event.bytes_in && 0 < event.bytes_out, "{event:?}");

    two.run(&two.near, &[&two.echo, &two.relay]).await;
    let event = until("it is told of inside", async || {
        let event = next().await;
        (event.way == Way::InProcess).then_some(event)
    })
    .await;
    assert_eq!((event.host, event.outcome.as_str()), (two.near.id, "ok"));
}

fn call(two: &Two, function: &str, args: &[u8]) -> CallRequest {
    let invoke = InvokeRequest {
        interface: "wattle-test:echo/echo@0.1.0".parse().unwrap(),
        function: function.into(),
        args: args.to_vec().into(),
    };
    CallRequest {
        actor: two.echo.id.clone(),
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
        body: CallBody::Invoke(invoke),
    }
}

async fn ask(connection: &Connection, two: &Two, call: CallRequest) -> CallReply {
    let subject = Subject::Call { host: two.far.id, actor: two.echo.id.clone() };
    let within = Duration::from_secs(10);
    let asked = connection.exchange(&subject, call, Vec::new(), &Limits::default(), within).await;
    let Exchanged { reply, .. } = asked.unwrap();
    reply
}

fn reason(reply: CallReply) -> NotBegun {
    match reply.outcome {
        Outcome::NotBegun { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_learns_what_there_is_and_calls_it_and_nonsense_is_not_begun() {
    let two = Two::start().await;
    let client = &two.lattice.connection;
    let describe = CallRequest { body: CallBody::Describe, ..call(&two, "", b"") };
    let described = ask(client, &two, describe).await;
    let Outcome::Ok(ReplyBody::Described(signatures)) = described.outcome else {
        panic!("{described:?}")
    };
    let interface = "wattle-test:echo/echo@0.1.0".parse().unwrap();
    let (_, greet) = signatures.find(&interface, "greet").unwrap();

    // One argument: "Ada".
    let ada = [0x91, 0xa3, b'A', b'd', b'a'];
    let answered = ask(client, &two, call(&two, "greet", &ada)).await;
    let Outcome::Ok(ReplyBody::Value(value)) = &answered.outcome else { panic!("{answered:?}") };
    assert_eq!(value[1..], *b"Hello, Ada!");
    let known = CallRequest { fingerprint: Some(greet.fingerprint()), ..call(&two, "greet", &ada) };
    assert!(matches!(ask(client, &two, known).await.outcome, Outcome::Ok(_)));

    let other = signatures.find(&interface, "nothing").unwrap().1.fingerprint();
    let wrong = CallRequest { fingerprint: Some(other), ..call(&two, "greet", &ada) };
    assert_eq!(reason(ask(client, &two, wrong).await), NotBegun::WrongSignature);
    let absent = call(&two, "absent", &ada);
    assert_eq!(reason(ask(client, &two, absent).await), NotBegun::NoSuchFunction);
    for args in [&b""[..], b"\x90", b"\x91\x07", b"\x91\xa9A", b"\x91\xa1\xff", b"\xc1"] {
        let nonsense = call(&two, "greet", args);
        assert_eq!(reason(ask(client, &two, nonsense).await), NotBegun::Malformed, "{args:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_speaks_only_for_the_actors_it_runs() {
    let two = Two::start().await;
    let as_who = async |who: &str| {
        let mut config = ConnectConfig::client(two.lattice.nats.url(), two.lattice.id.clone());
        config.who = who.parse().unwrap();
        Connection::connect(config, |_| {}).await.unwrap()
    };
    let empty = [0x90];
    let said = |id: &str, host| CallRequest {
        caller: Caller { id: id.to_owned(), host, proof: Vec::new() },
        ..call(&two, "nothing", &empty)
    };
    // A copy of the first host's name, as no other could have it where NATS has permissions.
    let near = as_who(&two.near.id.to_string()).await;
    let told = ask(&near, &two, said("relay", Some(two.near.id))).await;
    assert!(matches!(told.outcome, Outcome::Ok(_)), "{told:?}");
    for (id, host) in [("echo", two.near.id), ("relay", two.far.id), ("absent", two.near.id)] {
        let told = ask(&near, &two, said(id, Some(host))).await;
        assert_eq!(reason(told), NotBegun::NotAllowed, "{id}");
    }
    // Nobody vouches for what a client calls itself.
    let told = ask(&two.lattice.connection, &two, said("relay", None)).await;
    assert!(matches!(told.outcome, Outcome::Ok(_)), "{told:?}");
    let told = ask(&two.lattice.connection, &two, said("relay", Some(two.near.id))).await;
    assert_eq!(reason(told), NotBegun::NotAllowed);
}
