//! Calls of functions by interface, from actor to actor.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use wattle_capability::call::HOP_MAX;
use wattle_capability::{
    Body, BodyError, CallContext, Caller, Invocation, Outbound, OutboundError, Returned, body,
    outbound,
};
use wattle_engine::limits::QUEUE_WAIT;
use wattle_engine::{CallError, EngineConfig};
use wattle_types::{Fingerprint, LinkName, SpecLimits};
use wattle_value::packed::{Reader, Writer};

use crate::kit::{PATIENCE, Setup, engine, engine_of, outside, until, verified, wat};
use crate::neighbours::{Neighbours, Pair, args, call_of, relay, told, work, worker};

#[tokio::test]
async fn an_actor_calls_another_by_interface_and_gets_what_it_returned() {
    let Pair { caller, callee, .. } = Pair::new(Setup::new()).await;
    for len in [0, 16, 64 << 10, 1 << 20] {
        let bytes: Vec<u8> = (0..len).map(|n| n as u8).collect();
        let returned = work(&caller, "echo", Some(&bytes)).await.unwrap();
        assert_eq!(Reader::new(&returned.result).bin().unwrap(), bytes);
    }
    assert_eq!((caller.in_flight(), callee.in_flight()), (0, 0));
}

#[tokio::test]
async fn a_link_that_changes_leads_elsewhere_from_the_next_call_on() {
    let Pair { caller, callee, links } = Pair::new(Setup::new()).await;
    let name = async || {
        let returned = work(&caller, "name", None).await.unwrap();
        Reader::new(&returned.result).str().unwrap().to_owned()
    };
    assert_eq!(name().await, "callee");
    let setup = Setup { engine: engine(), ..Setup::new() };
    links.link("test:sys/work", &setup.running("other", &worker("other")).await);
    assert_eq!(name().await, "other");
    links.link("test:sys/work", &callee);
    assert_eq!(name().await, "callee");
}

#[tokio::test]
async fn a_circle_of_calls_ends_at_the_bound_with_an_error() {
    let (engine, links) = (engine(), Arc::new(Neighbours::default()));
    let setup = || Setup { engine: engine.clone(), outbound: links.clone(), ..Setup::new() };
    let actor = setup().running("a", &relay()).await;
    links.link("test:sys/work", &actor);
    let said = told(&work(&actor, "told", None).await.unwrap());
    assert_eq!(said, format!("unreachable: calls are nested more than {HOP_MAX} deep"));
    // Where the function has no room for it, it goes through all of them as what it was first.
    let error = work(&actor, "trap", None).await.unwrap_err();
    assert_eq!(error.code(), "WT-ENGINE-CALLEE-FAILED");
    assert!(error.to_string().contains("WT-ENGINE-TOO-DEEP"), "{error}");
    assert_eq!(engine.in_flight(), 0);
}

#[tokio::test]
async fn a_callee_that_traps_is_an_error_the_function_declares_or_else_a_trap_with_a_code() {
    let Pair { caller, .. } = Pair::new(Setup::new()).await;
    let said = told(&work(&caller, "told", None).await.unwrap());
    assert!(said.starts_with("unknown: ") && said.contains("WT-ENGINE-TRAP"), "{said}");
    let error = work(&caller, "trap", None).await.unwrap_err();
    assert_eq!((error.code(), error.begun()), ("WT-ENGINE-CALLEE-FAILED", true));
    assert!(error.to_string().contains("test:sys/work@1.0.0.trap"), "{error}");
}

#[tokio::test]
async fn what_is_not_linked_is_an_error_the_function_declares_or_else_a_trap_with_a_code() {
    let links = Arc::new(Neighbours::default());
    let caller = Setup { outbound: links, ..Setup::new() }.running("caller", &relay()).await;
    let said = told(&work(&caller, "told", None).await.unwrap());
    assert!(said.starts_with("unreachable: test:sys/work@1.0.0 is not linked"), "{said}");
    let error = work(&caller, "trap", None).await.unwrap_err();
    assert_eq!(error.code(), "WT-ENGINE-CALLEE-UNREACHABLE");
}

#[tokio::test]
async fn a_callee_over_its_own_time_ends_and_its_caller_does_not_wait() {
    let short = SpecLimits { execution_ms_max: Some(100), ..SpecLimits::default() };
    let Pair { caller, callee, .. } = Pair::new(Setup::limited(short)).await;
    let error = work(&caller, "spin", None).await.unwrap_err();
    assert_eq!((error.code(), error.begun()), ("WT-ENGINE-CALLEE-DEADLINE", true));
    until("its permit is free again", async || callee.in_flight() == 0).await;
}

#[tokio::test]
async fn a_callee_has_no_longer_than_its_caller() {
    let Pair { caller, callee, .. } = Pair::new(Setup::new()).await;
    let spin = call_of(&caller, "test:sys/work", "spin", args(None));
    let soon = outside(&caller, Duration::from_millis(200));
    assert_eq!(
        caller.invoke(soon, spin).await.map(drop),
        Err(CallError::DeadlineExceeded { begun: true })
    );
    until("the callee is gone too", async || callee.in_flight() == 0).await;
}

#[tokio::test]
async fn a_result_of_64_mib_is_refused_before_it_is_copied() {
    let large = SpecLimits { memory_bytes_max: Some(128 << 20), ..SpecLimits::default() };
    let Pair { caller, callee, .. } = Pair::new(Setup::limited(large)).await;
    let error = work(&callee, "huge", None).await.unwrap_err();
    assert_eq!(error.code(), "WT-ENGINE-TRAP");
    assert!(error.to_string().contains("too much data"), "{error}");
    let error = work(&caller, "huge", None).await.unwrap_err();
    assert_eq!(error.code(), "WT-ENGINE-CALLEE-FAILED");
}

#[tokio::test]
async fn a_nested_call_without_a_permit_is_refused_at_once() {
    let none = EngineConfig { permits: 4, nested_permits: 0, ..EngineConfig::default() };
    let Pair { caller, .. } = Pair::new(Setup { engine: engine_of(none), ..Setup::new() }).await;
    let said = told(&work(&caller, "told", None).await.unwrap());
    assert_eq!(said, "overloaded: callee is overloaded");
    let error = work(&caller, "spin", None).await.unwrap_err();
    assert_eq!(error.code(), "WT-ENGINE-CALLEE-OVERLOADED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_drops_a_call_ends_the_calls_it_made() {
    let Pair { caller, callee, .. } = Pair::new(Setup::new()).await;
    let dropped = caller.clone();
    let dropped = tokio::spawn(async move { work(&dropped, "spin", None).await.map(drop) });
    until("the callee runs", async || callee.in_flight() == 1).await;
    dropped.abort();
    until("both are gone", async || caller.in_flight() + callee.in_flight() == 0).await;
    assert!(work(&caller, "name", None).await.is_ok());
}

#[tokio::test]
async fn a_call_for_what_is_not_there_is_not_begun() {
    let worker = Setup::new().running("worker", &worker("worker")).await;
    let call = |interface: &str, function: &str| {
        let mut call = call_of(&worker, "test:sys/work@1.0.0", "name", args(None));
        call.callee.interface = interface.parse().unwrap();
        call.callee.function = function.into();
        call
    };
    let other = Fingerprint::from_bytes([0; 16]);
    let mut differs = call("test:sys/work", "name");
    differs.callee.fingerprint = other;
    let cases = [
        (call("test:sys/work", "name"), Ok(())),
        (call("test:sys/work@1.9.0", "name"), Ok(())),
        (call("test:sys/work@2.0.0", "name"), Err(CallError::NoSuchFunction)),
        (call("test:sys/play", "name"), Err(CallError::NoSuchFunction)),
        (call("test:sys/work", "nick"), Err(CallError::NoSuchFunction)),
        (call("test:sys/work", "echo"), Err(CallError::WrongSignature)),
        (differs, Err(CallError::WrongSignature)),
    ];
    for (call, expected) in cases {
        let callee = format!("{:?}", call.callee);
        let outcome = worker.invoke(outside(&worker, PATIENCE), call).await.map(drop);
        assert_eq!(outcome, expected, "{callee}");
        assert!(outcome.err().is_none_or(|error| !error.begun()), "{callee}");
    }
}

#[tokio::test]
async fn arguments_of_other_types_are_refused_with_the_place() {
    let worker = Setup::new().running("worker", &worker("worker")).await;
    let mut text = Writer::new();
    text.array(1);
    text.str("text");
    let cases =
        [args(None), text.into_bytes(), Bytes::from_static(&[0x91, 0xc6, 255, 255, 255, 255])];
    for args in cases {
        let call = || call_of(&worker, "test:sys/work", "echo", args.clone());
        let checked = worker.loaded().check(&call()).unwrap_err();
        let called = worker.invoke(outside(&worker, PATIENCE), call()).await.map(drop);
        assert!(matches!(checked, CallError::BadArguments { .. }), "{checked}");
        assert_eq!((called, checked.begun()), (Err(checked.clone()), false));
    }
}

#[tokio::test]
async fn imports_that_no_link_can_serve_are_named_with_the_reason() {
    let io = r#"(import "wasi:io/streams@0.2.0" (instance $io (export "input-stream" (type (sub resource)))))
        (alias export $io "input-stream" (type $is))"#;
    let own = r#"(export "r" (type (sub resource)))"#;
    let borrow = r#"(alias outer 1 $is (type $is)) (export "s" (type $s (eq $is)))
        (export "f" (func (param "s" (borrow $s))))"#;
    let cases = [
        (own, "WT-ENGINE-UNLINKABLE", "test:odd/one@1.0.0 (it has resources; compose"),
        (borrow, "WT-ENGINE-UNLINKABLE", "test:odd/one@1.0.0 (it has resources; compose"),
    ];
    for (exports, code, expected) in cases {
        let text = format!("(component {io} (import \"test:odd/one@1.0.0\" (instance {exports})))");
        let error = engine().load(verified(&wat(&text))).await.expect_err(exports);
        assert_eq!(error.code(), code, "{exports}: {error}");
        assert!(error.to_string().contains(expected), "{exports}: {error}");
    }
}

#[tokio::test]
async fn what_can_be_called_and_what_must_be_linked_is_told() {
    let loaded = engine().load(verified(&relay())).await.unwrap();
    let interface = "test:sys/work@1.0.0".parse().unwrap();
    let (exports, imports) = (loaded.signatures(), loaded.linkable());
    assert_eq!(exports, imports);
    assert_eq!(exports.0.keys().collect::<Vec<_>>(), [&interface]);
    let (_, echo) = exports.find(&interface, "echo").unwrap();
    assert_eq!(echo.to_string(), "func(bytes: list<u8>) -> list<u8>");
    // An interface of types only is imported, but never called.
    let types = wat("(component (import \"test:sys/types\" (instance \
         (type $t (record (field \"a\" u8))) (export \"t\" (type (eq $t))))))");
    assert!(engine().load(verified(&types)).await.unwrap().linkable().is_empty());
}

/// Passes an input stream on: `pass: func(s: input-stream) -> input-stream`.
fn pipe(onward: bool) -> Vec<u8> {
    let ty = "(func (param \"s\" (own $s)) (result (own $s)))";
    let interface = format!(
        "(alias outer 1 $is (type $is)) (export \"input-stream\" (type $s (eq $is))) \
         (export \"pass\" {ty})"
    );
    let (import, core, with) = match onward {
        false => (String::new(), "(local.get 0)", ""),
        true => (
            format!(
                "(import \"test:sys/pipe\" (instance $pipe {interface})) \
                 (core func $pass (canon lower (func $pipe \"pass\")))"
            ),
            "(call $pass (local.get 0))",
            "(with \"e\" (instance (export \"pass\" (func $pass))))",
        ),
    };
    let needs =
        if onward { "(import \"e\" \"pass\" (func $pass (param i32) (result i32)))" } else { "" };
    wat(&format!(
        r#"(component
  (import "wasi:io/streams@0.2.0" (instance $io (export "input-stream" (type (sub resource)))))
  (alias export $io "input-stream" (type $is))
  {import}
  (core module $m {needs} (func (export "pass") (param i32) (result i32) {core}))
  (core instance $m (instantiate $m {with}))
  (func $f (param "s" (own $is)) (result (own $is)) (canon lift (core func $m "pass")))
  (instance $out (export "input-stream" (type $is)) (export "pass" (func $f)))
  (export "test:sys/pipe" (instance $out)))"#
    ))
}

#[tokio::test]
async fn an_input_stream_is_carried_with_its_end_or_its_error() {
    let (engine, links) = (engine(), Arc::new(Neighbours::default()));
    let setup = || Setup { engine: engine.clone(), outbound: links.clone(), ..Setup::new() };
    links.link("test:sys/pipe", &setup().running("callee", &pipe(false)).await);
    let caller = setup().running("caller", &pipe(true)).await;
    let pass = async |content| {
        let mut args = Writer::new();
        args.array(1);
        args.uint(0);
        let call = call_of(&caller, "test:sys/pipe", "pass", args.into_bytes());
        let call = Invocation { streams: vec![content], ..call };
        caller.loaded().check(&call).unwrap();
        let returned = caller.invoke(outside(&caller, PATIENCE), call).await.unwrap();
        assert_eq!(returned.result[..], [0]);
        let [stream] = <[_; 1]>::try_from(returned.streams).unwrap();
        stream
    };
    let large = Bytes::from(vec![7; 1 << 20]);
    let arrived = pass(body::full(large.clone())).await.collect().await.unwrap().to_bytes();
    assert!(arrived == large, "{} bytes arrived", arrived.len());

    let cut = Err(BodyError::Cut { code: "WT-TEST", reason: "test".to_owned() });
    let pieces = [Ok(http_body::Frame::data(Bytes::from_static(b"half"))), cut];
    let broken = http_body_util::StreamBody::new(futures::stream::iter(pieces)).boxed_unsync();
    let mut arrived = pass(broken).await;
    assert_eq!(arrived.frame().await.unwrap().unwrap().into_data().unwrap(), "half");
    let end = arrived.frame().await;
    assert!(matches!(end, Some(Err(BodyError::Cut { .. }))), "{end:?}");
}

/// Answers nobody before it is opened.
struct Gate(Semaphore);

#[async_trait]
impl Outbound for Gate {
    async fn http(
        &self,
        ctx: &CallContext,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, OutboundError> {
        outbound::Closed.http(ctx, request).await
    }

    async fn invoke(
        &self,
        ctx: &CallContext,
        link: &LinkName,
        invocation: Invocation,
    ) -> Result<Returned, OutboundError> {
        self.0.acquire().await.expect("nobody closes it").forget();
        outbound::Closed.invoke(ctx, link, invocation).await
    }

    fn is_linked(&self, _interface: &str, _link: &LinkName) -> bool {
        true
    }
}

#[tokio::test(start_paused = true)]
async fn calls_from_outside_wait_a_moment_and_nested_ones_do_not() {
    let one = SpecLimits { concurrency: Some(1), ..SpecLimits::default() };
    let gate = Arc::new(Gate(Semaphore::new(0)));
    let setup = Setup { outbound: gate.clone(), ..Setup::limited(one) };
    let actor = setup.running("caller", &relay()).await;
    let overloaded = |outcome: Result<Returned, CallError>| {
        assert!(matches!(outcome, Err(CallError::Overloaded { what: "actor", .. })), "{outcome:?}");
    };
    let call = async |hop| {
        let caller = Caller::Actor("other".parse().unwrap());
        let ctx = CallContext { hop, caller, ..outside(&actor, PATIENCE) };
        actor.invoke(ctx, call_of(&actor, "test:sys/work", "told", args(None))).await
    };
    let busy = async || until("it is busy", async || actor.load().in_flight == 2).await;

    // One runs and one waits; there is no third place, and none at all for a nested call.
    let others = async {
        busy().await;
        overloaded(call(1).await);
        overloaded(call(0).await);
        assert_eq!(actor.load().in_flight, 2);
        gate.0.add_permits(2);
    };
    let (first, second, ()) = tokio::join!(call(0), call(0), others);
    assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");

    // Nobody waits longer than told.
    let waits = async {
        let started = Instant::now();
        overloaded(call(0).await);
        let waited = started.elapsed();
        assert!(QUEUE_WAIT <= waited && waited < QUEUE_WAIT * 2, "{waited:?}");
        gate.0.add_permits(1);
    };
    let (first, ()) = tokio::join!(call(0), waits);
    assert!(first.is_ok(), "{first:?}");
}
