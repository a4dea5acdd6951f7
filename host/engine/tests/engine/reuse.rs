//! Instances that serve one call after another: what a call finds of the one before, and what ends
//! an instance.

use std::time::Duration;

use wattle_engine::{Actor, CallError, EngineConfig};
use wattle_types::{InstancePolicy, Reuse, Span, SpecLimits};

use crate::kit::{PATIENCE, Setup, engine_of, get, ok, outside, request, text, until};

const PATIENT: Span = Span { min: 60_000, max: 60_000 };

fn reused(requests: u32) -> InstancePolicy {
    let requests = Span { min: requests, max: requests };
    InstancePolicy::Reused(Reuse { requests, idle_ms: PATIENT })
}

async fn exerciser(instances: InstancePolicy) -> Actor {
    Setup { instances, ..Setup::new() }.run("exerciser").await
}

/// How many calls the instance counted that serves the next one, that one included. The answer is
/// there a moment before its instance is free again.
async fn count(actor: &Actor) -> String {
    until("the calls before are over", async || actor.in_flight() == 0).await;
    ok(actor, "/count").await
}

#[tokio::test]
async fn an_instance_serves_as_many_calls_as_it_may_and_then_another_does() {
    let actor = exerciser(reused(3)).await;
    for expected in ["1", "2", "3", "1", "2"] {
        assert_eq!(count(&actor).await, expected);
    }
}

#[tokio::test]
async fn calls_at_once_have_an_instance_each() {
    let actor = exerciser(reused(100)).await;
    let slow = |_| get(&actor, "/slow?ms=50&times=1");
    let answers = futures::future::join_all((0..8).map(slow)).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
}

#[tokio::test]
async fn an_instance_in_which_a_call_ended_badly_serves_no_other() {
    let limits = SpecLimits { execution_ms_max: Some(300), ..SpecLimits::default() };
    let cases = [
        ("/trap", "WT-ENGINE-TRAP"),
        ("/exit?status=0", "WT-ENGINE-EXIT"),
        ("/spin", "WT-ENGINE-DEADLINE"),
    ];
    let setup = Setup { instances: reused(100), ..Setup::limited(limits) };
    let actor = setup.run("exerciser").await;
    for (target, code) in cases {
        assert_eq!(count(&actor).await, "1", "before {target}");
        assert_eq!(count(&actor).await, "2", "before {target}");
        let error = get(&actor, target).await.expect_err(target);
        assert_eq!(error.code(), code);
    }
    assert_eq!(count(&actor).await, "1");
}

#[tokio::test]
async fn a_caller_that_goes_away_ends_the_instance_it_was_served_by() {
    let actor = exerciser(reused(100)).await;
    assert_eq!(count(&actor).await, "1");
    let gone = actor.http(outside(&actor, Duration::from_millis(50)), request("/spin")).await;
    assert_eq!(gone.err(), Some(CallError::DeadlineExceeded { begun: true }));
    let response = actor.http(outside(&actor, PATIENCE), request("/slow?ms=5000&times=1")).await;
    drop(response.unwrap());
    assert_eq!(count(&actor).await, "1");
}

#[tokio::test]
async fn an_instance_that_keeps_what_a_call_opened_serves_no_other() {
    let actor = exerciser(reused(100)).await;
    assert_eq!(count(&actor).await, "1");
    ok(&actor, "/keep?count=3").await;
    assert_eq!(count(&actor).await, "1");
}

#[tokio::test]
async fn an_instance_that_has_grown_large_serves_no_other() {
    let actor = exerciser(reused(100)).await;
    assert_eq!(count(&actor).await, "1");
    ok(&actor, "/memory?mib=32").await;
    assert_eq!(count(&actor).await, "2");
    ok(&actor, "/memory?mib=56").await;
    assert_eq!(count(&actor).await, "1");
}

#[tokio::test]
async fn an_instance_is_told_a_new_config_by_being_made_anew() {
    let actor = exerciser(reused(100)).await;
    assert_eq!(count(&actor).await, "1");
    actor.reconfigure([("colour".to_owned(), "red".to_owned())].into());
    assert!(ok(&actor, "/config").await.contains("red"));
    assert_eq!(count(&actor).await, "1");
}

#[tokio::test]
async fn an_instance_that_waits_too_long_is_let_go() {
    let idle_ms = Span { min: 20, max: 20 };
    let requests = Span { min: 100, max: 100 };
    let actor = exerciser(InstancePolicy::Reused(Reuse { requests, idle_ms })).await;
    assert_eq!(count(&actor).await, "1");
    until("a fresh instance serves", async || {
        // To look is to use it: between two looks it must have waited for longer than it may.
        tokio::time::sleep(Duration::from_millis(60)).await;
        count(&actor).await == "1"
    })
    .await;
}

#[tokio::test]
async fn where_no_instance_may_wait_every_call_has_its_own() {
    let config = EngineConfig { permits: 4, idle_instances: 0, ..EngineConfig::default() };
    let setup = Setup { engine: engine_of(config), instances: reused(100), ..Setup::new() };
    let actor = setup.run("exerciser").await;
    for _ in 0..3 {
        assert_eq!(count(&actor).await, "1");
    }
}

#[tokio::test]
async fn a_handle_of_an_earlier_call_acts_under_the_deadline_of_the_present_one() {
    // The instance was made for a call that had 20 s; this one has less.
    let actor = exerciser(reused(100)).await;
    assert_eq!(count(&actor).await, "1");
    let late =
        actor.http(outside(&actor, Duration::from_millis(200)), request("/slow?ms=20000&times=1"));
    let answer = match late.await {
        Ok(response) => text(response).await.err().map(|error| error.to_string()),
        Err(error) => Some(error.to_string()),
    };
    assert!(answer.is_some_and(|error| error.contains("deadline")));
}

#[tokio::test]
async fn what_a_call_may_say_is_counted_anew_for_each() {
    let setup = Setup { instances: reused(100), ..Setup::new() };
    let heard = setup.log.clone();
    let actor = setup.run("exerciser").await;
    ok(&actor, "/flood").await;
    let said = heard.lines().len();
    until("the flood is over", async || actor.in_flight() == 0).await;
    ok(&actor, "/log").await;
    until("the next call is heard", async || said < heard.lines().len()).await;
}
