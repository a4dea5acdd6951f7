//! Components of WASI 0.3, beside those of 0.2 in one engine.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use wattle_capability::{
    Body, CallContext, Callee, Invocation, Outbound, OutboundError, Returned, body,
};
use wattle_engine::{Actor, CallError, Engine};
use wattle_types::{InstancePolicy, LinkName, Reuse, Span, SpecLimits};
use wattle_value::packed::{Reader, Writer};

use crate::kit::{PATIENCE, Setup, engine, get, ok, outside, request, text, until};

const MANY: Reuse =
    Reuse { requests: Span { min: 1000, max: 1000 }, idle_ms: Span { min: 60_000, max: 60_000 } };

fn together(calls: u32) -> InstancePolicy {
    InstancePolicy::Concurrent { reuse: MANY, calls }
}

async fn modern(instances: InstancePolicy) -> Actor {
    Setup { instances, ..Setup::new() }.run("modern").await
}

/// Leads every call to one actor.
struct To(Actor);

#[async_trait]
impl Outbound for To {
    async fn http(
        &self,
        ctx: &CallContext,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, OutboundError> {
        let ctx = ctx.onward(self.0.id().clone()).ok_or(OutboundError::TooDeep { max: 8 })?;
        let called = self.0.http(ctx, request).await;
        called.map_err(|error| OutboundError::Unknown(error.to_string()))
    }

    async fn invoke(
        &self,
        ctx: &CallContext,
        _: &LinkName,
        invocation: Invocation,
    ) -> Result<Returned, OutboundError> {
        let ctx = ctx.onward(self.0.id().clone()).ok_or(OutboundError::TooDeep { max: 8 })?;
        self.0.invoke(ctx, invocation).await.map_err(|error| OutboundError::Failed {
            code: error.code().to_owned(),
            message: error.to_string(),
        })
    }

    fn is_linked(&self, _: &str, _: &LinkName) -> bool {
        true
    }
}

/// One that calls another of the same component.
async fn pair(instances: InstancePolicy) -> (Actor, Actor) {
    let engine = engine();
    let callee = Setup { engine: engine.clone(), id: "callee", instances, ..Setup::new() };
    let callee = callee.run("modern").await;
    let outbound = Arc::new(To(callee.clone()));
    let caller = Setup { engine, id: "caller", instances, outbound, ..Setup::new() };
    (caller.run("modern").await, callee)
}

#[tokio::test]
async fn components_of_both_generations_answer_in_one_engine() {
    let engine: Engine = engine();
    let old = Setup { engine: engine.clone(), ..Setup::new() }.run("http-hello").await;
    let new = Setup { engine: engine.clone(), ..Setup::new() }.run("hello-p3").await;
    for _ in 0..3 {
        assert_eq!(ok(&old, "/").await, "Hello, world!\n");
        assert_eq!(ok(&new, "/").await, "Hello, world!\n");
    }
    until("no call is left", async || engine.in_flight() == 0).await;
}

#[tokio::test]
async fn each_policy_gives_a_call_the_instance_it_says() {
    for (policy, expected) in [
        (InstancePolicy::Fresh, ["1", "1", "1"]),
        (InstancePolicy::Reused(MANY), ["1", "2", "3"]),
        (together(4), ["1", "2", "3"]),
    ] {
        let actor = modern(policy).await;
        for expected in expected {
            assert_eq!(ok(&actor, "/count").await, expected, "{policy}");
            until("the call is over", async || actor.in_flight() == 0).await;
        }
    }
}

#[tokio::test]
async fn calls_share_an_instance_only_where_the_actor_asks_for_it() {
    for (policy, most) in
        [(InstancePolicy::Fresh, 1), (InstancePolicy::Reused(MANY), 1), (together(3), 3)]
    {
        let actor = modern(policy).await;
        let asleep = (0..12).map(|_| get(&actor, "/sleep?100"));
        let answers = futures::future::join_all(asleep).await;
        let at_once = answers.into_iter().map(|answer| answer.unwrap().1.parse::<u32>().unwrap());
        assert_eq!(at_once.max(), Some(most), "{policy}");
    }
}

#[tokio::test]
async fn an_instance_serves_as_many_calls_as_it_may_and_then_another_does() {
    let reuse = Reuse { requests: Span { min: 2, max: 2 }, ..MANY };
    let actor = modern(InstancePolicy::Concurrent { reuse, calls: 2 }).await;
    for expected in ["1", "2", "1", "2", "1"] {
        assert_eq!(ok(&actor, "/count").await, expected);
        until("the call is over", async || actor.in_flight() == 0).await;
    }
}

#[tokio::test]
async fn a_large_body_comes_back_as_it_went() {
    let sent: Bytes = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    for policy in [InstancePolicy::Fresh, together(4)] {
        let actor = modern(policy).await;
        let request = Request::post("http://example.test/echo").body(body::full(sent.clone()));
        let response = actor.http(outside(&actor, PATIENCE), request.unwrap()).await.unwrap();
        let received = response.into_body().collect().await.unwrap().to_bytes();
        assert!(received == sent, "{} bytes came back of {}", received.len(), sent.len());
    }
}

#[tokio::test]
async fn a_trap_fails_every_call_of_its_instance() {
    let actor = modern(together(4)).await;
    let sleeping = get(&actor, "/sleep?2000");
    let trapping = async {
        until("the other call runs", async || actor.in_flight() == 1).await;
        get(&actor, "/trap").await
    };
    let (slept, trapped) = tokio::join!(sleeping, trapping);
    let codes = [slept, trapped].map(|outcome| outcome.unwrap_err().code());
    // Which of them it was is not known, unless they were in instances of their own.
    assert!(codes == ["WT-ENGINE-INSTANCE-LOST"; 2], "{codes:?}");
    assert_eq!(ok(&actor, "/count").await, "1");
    let alone = modern(InstancePolicy::Fresh).await;
    assert_eq!(get(&alone, "/trap").await.unwrap_err().code(), "WT-ENGINE-TRAP");
}

#[tokio::test]
async fn an_answer_that_is_cut_short_never_looks_complete() {
    for policy in [InstancePolicy::Fresh, together(4)] {
        let actor = modern(policy).await;
        let response = actor.http(outside(&actor, PATIENCE), request("/half")).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert!(text(response).await.is_err(), "{policy}");
    }
}

#[tokio::test]
async fn a_call_that_spins_ends_at_its_deadline_and_takes_its_instance_with_it() {
    let limits = SpecLimits { execution_ms_max: Some(300), ..SpecLimits::default() };
    for instances in [InstancePolicy::Fresh, together(4)] {
        let actor = Setup { instances, ..Setup::limited(limits) }.run("modern").await;
        let error = get(&actor, "/spin").await.unwrap_err();
        assert_eq!(error, CallError::DeadlineExceeded { begun: true });
        assert_eq!(ok(&actor, "/count").await, "1");
        until("no call is left", async || actor.in_flight() == 0).await;
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_ends_an_instance_that_serves_nobody_else() {
    for policy in [InstancePolicy::Fresh, together(4)] {
        let actor = modern(policy).await;
        let waiting = actor.http(outside(&actor, PATIENCE), request("/sleep?60000"));
        assert!(tokio::time::timeout(Duration::from_millis(100), waiting).await.is_err());
        until("the call is ended", async || actor.in_flight() == 0).await;
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_the_others_of_its_instance_alone() {
    let actor = modern(together(4)).await;
    let leaving = async {
        let waiting = actor.http(outside(&actor, PATIENCE), request("/sleep?60000"));
        assert!(tokio::time::timeout(Duration::from_millis(50), waiting).await.is_err());
    };
    let (answer, ()) = tokio::join!(get(&actor, "/sleep?400"), leaving);
    assert!(answer.is_ok(), "{answer:?}");
    until("the instance is gone", async || actor.in_flight() == 0).await;
}

#[tokio::test]
async fn what_a_guest_does_after_its_answer_is_not_cut_off() {
    let actor = modern(InstancePolicy::Fresh).await;
    assert_eq!(ok(&actor, "/late?200").await, "done");
    assert_eq!(actor.in_flight(), 1);
    until("it has done it", async || actor.in_flight() == 0).await;
}

#[tokio::test]
async fn an_error_of_the_guest_is_its_answer() {
    let actor = modern(together(4)).await;
    let error = get(&actor, "/refuse").await.unwrap_err();
    assert_eq!(error.code(), "WT-ENGINE-ANSWERED");
    assert_eq!(ok(&actor, "/count").await, "1");
}

#[tokio::test]
async fn async_functions_are_called_across_stores() {
    for policy in [InstancePolicy::Fresh, InstancePolicy::Reused(MANY), together(4)] {
        let (caller, callee) = pair(policy).await;
        assert_eq!(ok(&caller, "/call/greet?you").await, "Hello, you!", "{policy}");
        assert_eq!(ok(&caller, "/call/fail?why").await, r#"Err("why")"#);
        assert_eq!(ok(&caller, "/call/fail?").await, r#"Ok("no reason")"#);
        assert_eq!(ok(&caller, "/call/sum?10000").await, "50005000", "{policy}");
        assert_eq!(ok(&caller, "/call/words?a%20b").await, "a%20b");
        assert_eq!(ok(&caller, "/call/later?soon").await, "soon, later");
        until("no call is left", async || callee.in_flight() + caller.in_flight() == 0).await;
    }
}

#[tokio::test]
async fn a_stream_of_bytes_goes_through_two_actors_and_back() {
    let sent = Bytes::from(b"quiet words. ".repeat(300_000));
    let (caller, _callee) = pair(together(4)).await;
    let request = Request::post("http://example.test/call/shout").body(body::full(sent.clone()));
    let response = caller.http(outside(&caller, PATIENCE), request.unwrap()).await.unwrap();
    let received = response.into_body().collect().await.unwrap().to_bytes();
    assert!(received == sent.to_ascii_uppercase(), "{} of {}", received.len(), sent.len());
}

#[tokio::test]
async fn a_stream_whose_writer_traps_never_looks_complete() {
    let (caller, _callee) = pair(InstancePolicy::Fresh).await;
    let response = caller.http(outside(&caller, PATIENCE), request("/call/broken?100000")).await;
    assert!(text(response.unwrap()).await.is_err());
}

#[tokio::test]
async fn a_callee_that_traps_is_an_error_of_its_caller() {
    let (caller, _callee) = pair(InstancePolicy::Fresh).await;
    let error = get(&caller, "/call/trap").await.unwrap_err();
    assert_eq!(error.code(), "WT-ENGINE-CALLEE-FAILED");
}

#[tokio::test]
async fn requests_of_calls_that_share_an_instance_leave_under_their_own_authority() {
    let (caller, callee) = pair(together(4)).await;
    let fetch = |_| get(&caller, "/fetch?callee.test/count");
    let mut counted: Vec<u32> = futures::future::join_all((0..4).map(fetch))
        .await
        .into_iter()
        .map(|answer| answer.unwrap().1.parse().unwrap())
        .collect();
    counted.sort_unstable();
    assert!(counted.iter().all(|count| (1..=4).contains(count)), "{counted:?}");
    until("no call is left", async || callee.in_flight() == 0).await;
}

#[tokio::test]
async fn a_function_is_called_by_name_with_packed_values() {
    let actor = modern(InstancePolicy::Fresh).await;
    let work = "wattle-test:modern/work@0.1.0".parse().unwrap();
    let (_, greet) = actor.loaded().signatures().find(&work, "greet").unwrap();
    assert_eq!(greet.to_string(), "async func(name: string) -> string");
    let fingerprint = greet.fingerprint();
    let mut args = Writer::new();
    args.array(1);
    args.str("packed");
    let callee = Callee { interface: work, function: "greet".into(), fingerprint };
    let invocation = Invocation::new(callee, args.into_bytes());
    let returned = actor.invoke(outside(&actor, PATIENCE), invocation).await.unwrap();
    assert_eq!(Reader::new(&returned.result).str().unwrap(), "Hello, packed!");
}
