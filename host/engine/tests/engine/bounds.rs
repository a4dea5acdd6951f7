//! What components cannot do.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use tokio::time::Instant;
use wattle_capability::{BodyError, CallContext, Caller};
use wattle_engine::{CallError, EngineConfig};
use wattle_types::SpecLimits;

use crate::kit::{
    Heard, PATIENCE, Setup, engine, engine_of, exerciser, get, ok, outside, request, text, until,
};

/// As short as a deadline can be while other tests keep the machine busy.
const SOON: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_that_spin_end_at_their_deadline_and_neighbours_answer_meanwhile() {
    const SPINNERS: usize = 4;
    let engine = engine();
    let actor = Setup { engine: engine.clone(), ..Setup::new() }.run("exerciser").await;
    let neighbour = Setup { engine, id: "neighbour", ..Setup::new() }.run("exerciser").await;
    let started = Instant::now();
    let spinners: Vec<_> = (0..SPINNERS)
        .map(|_| {
            let actor = actor.clone();
            tokio::spawn(async move {
                actor.http(outside(&actor, SOON * 3), request("/spin")).await.map(drop)
            })
        })
        .collect();
    until("all spin", async || actor.in_flight() as usize == SPINNERS).await;
    let mut answered = 0;
    while started.elapsed() < SOON * 2 {
        assert_eq!(ok(&neighbour, "/hello").await, "hello");
        answered += 1;
    }
    // Alone a call takes a fraction of a millisecond; without the slow lane it takes half a
    // second beside four spinners, and at most two would be answered here.
    assert!(20 <= answered, "only {answered} calls were answered beside {SPINNERS} spinners");
    for spinner in spinners {
        let ended = spinner.await.unwrap();
        assert_eq!(ended, Err(CallError::DeadlineExceeded { begun: true }));
    }
    assert!(started.elapsed() < SOON * 3 + PATIENCE / 2, "the deadline was not kept");
    until("their permits are back", async || actor.in_flight() == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_guest_that_waits_does_not_keep_other_slow_guests_waiting() {
    let one = EngineConfig { permits: 4, slow_threads: 1, ..EngineConfig::default() };
    let actor = Setup { engine: engine_of(one), ..Setup::new() }.run("exerciser").await;
    let sleeper = actor.clone();
    let sleeper = tokio::spawn(async move {
        let work = request("/work?busy-ms=50&sleep-ms=60000");
        sleeper.http(outside(&sleeper, PATIENCE * 2), work).await.map(drop)
    });
    until("the sleeper is at work", async || actor.in_flight() == 1).await;
    // It ends within the patience of `get` only if it gets the one slow thread from the sleeper.
    assert_eq!(ok(&actor, "/work?busy-ms=100&sleep-ms=0").await, "worked");
    sleeper.abort();
    until("the sleeper is gone", async || actor.in_flight() == 0).await;
}

#[tokio::test]
async fn who_was_slow_begins_in_the_slow_lane_and_nobody_else_does() {
    let (engine, heard, others) = (engine(), Arc::<Heard>::default(), Arc::<Heard>::default());
    let setup = Setup { engine: engine.clone(), log: heard.clone(), ..Setup::new() };
    let actor = setup.run("exerciser").await;
    let setup = Setup { engine, id: "neighbour", log: others.clone(), ..Setup::new() };
    let neighbour = setup.run("exerciser").await;
    let in_lane = |heard: &Heard| heard.threads().iter().map(|name| name == "slow-lane").collect();

    ok(&actor, "/log").await;
    let before: Vec<bool> = in_lane(&heard);
    ok(&actor, "/work?busy-ms=100&sleep-ms=0").await;
    ok(&actor, "/log").await;
    let (both, other): (Vec<bool>, Vec<bool>) = {
        ok(&neighbour, "/log").await;
        (in_lane(&heard), in_lane(&others))
    };
    assert!(!before.is_empty() && before.iter().all(|slow| !slow), "{before:?}");
    assert!(both[before.len()..].iter().all(|slow| *slow), "{both:?}");
    assert_eq!(both.len(), 2 * before.len());
    assert!(!other.is_empty() && other.iter().all(|slow| !slow), "{other:?}");
}

#[tokio::test]
async fn the_actors_own_limit_of_time_holds_when_the_caller_would_wait_longer() {
    let setup = Setup::limited(SpecLimits { execution_ms_max: Some(100), ..SpecLimits::default() });
    let actor = setup.run("exerciser").await;
    let error = get(&actor, "/spin").await.unwrap_err();
    assert_eq!((error.code(), error.status().as_u16()), ("WT-ENGINE-DEADLINE", 504));
}

#[tokio::test]
async fn a_call_whose_deadline_has_passed_is_not_begun() {
    let actor = exerciser().await;
    let error = actor.http(outside(&actor, Duration::ZERO), request("/hello")).await.unwrap_err();
    assert_eq!(error, CallError::DeadlineExceeded { begun: false });
}

#[tokio::test]
async fn memory_above_the_limit_is_refused_and_the_error_says_so() {
    let limit = SpecLimits { memory_bytes_max: Some(16 << 20), ..SpecLimits::default() };
    let actor = Setup::limited(limit).run("exerciser").await;
    assert_eq!(ok(&actor, "/memory?mib=8").await, (8 << 20).to_string());
    let error = get(&actor, "/memory?mib=32").await.unwrap_err();
    assert!(matches!(error, CallError::Memory { limit: 16777216, .. }), "{error}");
    assert_eq!(error.code(), "WT-ENGINE-MEMORY");
}

#[tokio::test]
async fn what_fails_before_the_head_is_an_error_with_a_code() {
    let actor = exerciser().await;
    let cases = [
        ("/trap", "WT-ENGINE-TRAP"),
        ("/recurse", "WT-ENGINE-TRAP"),
        ("/random?bytes=65537", "WT-ENGINE-TRAP"),
        ("/buckets?count=1025", "WT-ENGINE-TRAP"),
        ("/head-of?bytes=100000", "WT-ENGINE-TRAP"),
        ("/kv?op=set-of&bytes=4194305", "WT-ENGINE-TRAP"),
        ("/exit?status=3", "WT-ENGINE-EXIT"),
        ("/no-answer", "WT-ENGINE-NO-ANSWER"),
    ];
    for (target, code) in cases {
        let error = get(&actor, target).await.unwrap_err();
        assert_eq!((error.code(), error.begun()), (code, true), "{target}: {error}");
        assert_eq!(error.status().as_u16(), 500, "{target}: {error}");
    }
    // What is just within the bounds passes, and the engine is none the worse for it all.
    assert_eq!(ok(&actor, "/random?bytes=65536").await, "65536");
    assert_eq!(ok(&actor, "/buckets?count=900").await, "900");
    assert_eq!(ok(&actor, "/head-of?bytes=20000").await, "fits");
    assert_eq!(actor.in_flight(), 0);
}

#[tokio::test]
async fn a_body_cut_short_is_an_error_and_never_a_clean_end() {
    let actor = exerciser().await;
    let cases = [
        ("/trap-in-body", "the first half", Some("WT-ENGINE-TRAP")),
        ("/short-body", "short", Some("WT-ENGINE-BODY")),
        ("/spin-in-body", "the first half", None),
    ];
    for (target, first, code) in cases {
        let response = actor.http(outside(&actor, SOON), request(target)).await.unwrap();
        assert_eq!(response.status().as_u16(), 200, "{target}");
        let mut body = response.into_body();
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), first, "{target}");
        match body.frame().await {
            Some(Err(BodyError::Cut { code: found, .. })) => assert_eq!(Some(found), code),
            Some(Err(BodyError::DeadlineExceeded)) => assert_eq!(code, None, "{target}"),
            other => panic!("{target} ended with {other:?}"),
        }
        assert!(body.frame().await.is_none(), "{target} goes on after its error");
    }
    until("their permits are back", async || actor.in_flight() == 0).await;
}

#[tokio::test]
async fn whoever_drops_the_answer_ends_the_call() {
    let actor = exerciser().await;
    // In the middle of the body.
    let slow = request("/slow?times=1000000&ms=10");
    let response = actor.http(outside(&actor, PATIENCE), slow).await.unwrap();
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    assert_eq!(actor.in_flight(), 1);
    drop(body);
    until("the call ended", async || actor.in_flight() == 0).await;

    // Before the head.
    let waiting = tokio::time::timeout(
        Duration::from_millis(50),
        actor.http(outside(&actor, PATIENCE), request("/spin")),
    );
    assert!(waiting.await.is_err());
    until("the call ended", async || actor.in_flight() == 0).await;
}

#[tokio::test]
async fn a_call_beyond_the_permits_is_refused_soon_and_was_not_begun() {
    let one_call = SpecLimits { concurrency: Some(1), ..SpecLimits::default() };
    let many = EngineConfig { permits: 16, ..EngineConfig::default() };
    let one = EngineConfig { permits: 1, nested_permits: 1, ..EngineConfig::default() };
    let cases = [(many, one_call, "actor"), (one, SpecLimits::default(), "host")];
    for (config, limits, what) in cases {
        let setup = Setup { engine: engine_of(config), ..Setup::limited(limits) };
        let actor = setup.run("exerciser").await;
        let slow = request("/slow?times=1000000&ms=10");
        let running = actor.http(outside(&actor, PATIENCE), slow).await.unwrap();
        let refused = get(&actor, "/hello").await.unwrap_err();
        let retry_after = CallError::RETRY_AFTER;
        assert_eq!(refused, CallError::Overloaded { what, retry_after });
        assert_eq!((refused.begun(), refused.status().as_u16()), (false, 503));
        drop(running);
        until("there is room", async || get(&actor, "/hello").await.is_ok()).await;
    }
}

#[tokio::test]
async fn a_nested_call_finds_room_when_calls_from_outside_hold_all_permits() {
    let config = EngineConfig { permits: 1, nested_permits: 1, ..EngineConfig::default() };
    let setup = Setup { engine: engine_of(config), ..Setup::new() };
    let actor = setup.run("exerciser").await;
    let slow = request("/slow?times=1000000&ms=10");
    let _running = actor.http(outside(&actor, PATIENCE), slow).await.unwrap();
    let nested = CallContext {
        hop: 1,
        caller: Caller::Actor("other".parse().unwrap()),
        ..outside(&actor, PATIENCE)
    };
    let response = actor.http(nested, request("/hello")).await.unwrap();
    assert_eq!(text(response).await.unwrap(), "hello");
}

#[tokio::test]
async fn a_flood_of_words_is_heard_up_to_its_bound() {
    let setup = Setup::new();
    let heard = setup.log.clone();
    let actor = setup.run("exerciser").await;
    assert_eq!(ok(&actor, "/flood").await, "flooded");
    let lines = heard.lines();
    assert!(lines.len() <= 66, "{} lines of 1000 bytes were heard", lines.len());
    assert!(lines.last().unwrap().contains("says too much"), "{lines:?}");
}

#[tokio::test]
async fn what_one_call_left_in_memory_is_not_there_for_the_next() {
    // One slot, so that the next call gets the memory the last one used.
    let config = EngineConfig { permits: 1, nested_permits: 0, ..EngineConfig::default() };
    let loaded = {
        let engine = engine_of(config);
        let component = crate::kit::verified(&crate::kit::wat(REMEMBERS));
        engine.load(component).await.unwrap()
    };
    let actor = Setup::new().actor(loaded);
    for _ in 0..50 {
        let made = wattle_engine::bench::instantiate_and_drop(&actor, outside(&actor, PATIENCE));
        made.await.unwrap();
    }
}

/// Traps in its start function if any page it looks at is not zero, and leaves a mark on all.
const REMEMBERS: &str = r#"(component
    (core module $m
        (memory 40)
        (func $start (local $at i32)
            (loop $next
                (if (i32.load (local.get $at)) (then unreachable))
                (i32.store (local.get $at) (i32.const 0x5ec7e7))
                (local.set $at (i32.add (local.get $at) (i32.const 4096)))
                (br_if $next (i32.lt_u (local.get $at) (i32.const 2621440)))))
        (start $start))
    (core instance (instantiate $m)))"#;

#[tokio::test]
async fn start_functions_are_within_the_deadline_too() {
    let engine = crate::kit::engine();
    let spins = "(component (core module $m (func $f (loop $l (br $l))) (start $f)) \
                 (core instance (instantiate $m)))";
    let loaded = engine.load(crate::kit::verified(&crate::kit::wat(spins))).await.unwrap();
    let actor = Arc::new(Setup::new().actor(loaded));
    let made = wattle_engine::bench::instantiate_and_drop(&actor, outside(&actor, SOON)).await;
    assert_eq!(made, Err(CallError::DeadlineExceeded { begun: true }));
}
