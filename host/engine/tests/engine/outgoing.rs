//! What leaves an actor, and how long it waits.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use wattle_capability::call::HOP_MAX;
use wattle_capability::{Body, BodyError, CallContext, Outbound, OutboundError, body, outbound};
use wattle_engine::{Actor, ActorLimits, CallError};

use crate::kit::{Setup, get, ok, outside, request, until};

/// Answers by the authority that is asked for.
#[derive(Default)]
struct World {
    waiting: Arc<AtomicU32>,
    /// What was sent to `takes.test`, which answers before it reads.
    taken: Mutex<Option<Body>>,
    /// Where `self.test` leads.
    actor: OnceLock<Actor>,
}

/// Counts a request while it is under way.
struct Waiting(Arc<AtomicU32>);

impl Waiting {
    fn new(count: &Arc<AtomicU32>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Outbound for World {
    async fn http(
        &self,
        ctx: &CallContext,
        request: Request<Body>,
    ) -> Result<Response<Body>, OutboundError> {
        let target = request.uri().authority().unwrap().to_string();
        match target.as_str() {
            "echo.test" => {
                let said = format!("{} {} hop {}", ctx.actor, request.uri(), ctx.hop);
                Ok(Response::builder().status(201).body(body::full(said)).unwrap())
            }
            "takes.test" => {
                *self.taken.lock().unwrap() = Some(request.into_body());
                Ok(Response::new(body::empty()))
            }
            "silent.test" => {
                let _waiting = Waiting::new(&self.waiting);
                std::future::pending().await
            }
            "stalls.test" => {
                let first = Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"first ")));
                let first = futures::stream::once(std::future::ready(first));
                let rest = futures::stream::pending();
                let body = StreamBody::new(futures::StreamExt::chain(first, rest));
                Ok(Response::new(body.map_err(|never| match never {}).boxed_unsync()))
            }
            "breaks.test" => {
                let pieces = [
                    Ok(Frame::data(Bytes::from_static(b"first "))),
                    Err(BodyError::Cut { code: "WT-TEST", reason: "test".to_owned() }),
                ];
                Ok(Response::new(StreamBody::new(futures::stream::iter(pieces)).boxed_unsync()))
            }
            "self.test" => {
                let actor = self.actor.get().unwrap();
                let onward = ctx.onward(actor.id().clone());
                let onward = onward.ok_or(OutboundError::TooDeep { max: HOP_MAX })?;
                let answer = actor.http(onward, request).await;
                answer.map_err(|error| match error {
                    CallError::Overloaded { .. } => OutboundError::Overloaded { target },
                    other => OutboundError::Unknown(other.to_string()),
                })
            }
            _ => Err(OutboundError::NotFound { target }),
        }
    }

    async fn invoke(
        &self,
        ctx: &CallContext,
        link: &wattle_types::LinkName,
        invocation: wattle_capability::Invocation,
    ) -> Result<wattle_capability::Returned, OutboundError> {
        wattle_capability::outbound::Closed.invoke(ctx, link, invocation).await
    }

    fn is_linked(&self, interface: &str, link: &wattle_types::LinkName) -> bool {
        wattle_capability::outbound::Closed.is_linked(interface, link)
    }
}

async fn exerciser() -> (Arc<World>, Actor) {
    let world = Arc::new(World::default());
    let actor = Setup { outbound: world.clone(), ..Setup::new() }.run("exerciser").await;
    world.actor.set(actor.clone()).unwrap();
    (world, actor)
}

async fn error(actor: &Actor, target: &str) -> String {
    let (status, text) = get(actor, target).await.unwrap();
    assert_eq!(status, StatusCode::BAD_GATEWAY, "{text}");
    text
}

#[tokio::test]
async fn a_request_leaves_with_the_context_of_its_call() {
    let (_world, actor) = exerciser().await;
    let answer = get(&actor, "/call?authority=echo.test&path=/a?b").await.unwrap();
    let said = "exerciser http://echo.test/a?b hop 0".to_owned();
    assert_eq!(answer, (StatusCode::CREATED, said));
}

#[tokio::test]
async fn what_is_not_there_or_not_allowed_is_an_error_the_guest_can_handle() {
    let (_world, actor) = exerciser().await;
    let not_found = error(&actor, "/call?authority=nobody.test&path=/").await;
    assert!(not_found.contains("DestinationNotFound"), "{not_found}");
    let closed = Setup { outbound: Arc::new(outbound::Closed), ..Setup::new() };
    let denied = error(&closed.run("exerciser").await, "/call?authority=a.test&path=/").await;
    assert!(denied.contains("HttpRequestDenied"), "{denied}");
}

#[tokio::test]
async fn a_wait_of_zero_or_without_end_is_refused_and_a_short_one_is_kept() {
    let (world, actor) = exerciser().await;
    let call = "/call?authority=silent.test&path=/";
    let cases = [
        ("first-byte-ns=0", "ConfigurationError"),
        ("between-bytes-ns=0", "ConfigurationError"),
        ("first-byte-ns=20000000", "HttpResponseTimeout"),
    ];
    for (wait, expected) in cases {
        let error = error(&actor, &format!("{call}&{wait}")).await;
        assert!(error.contains(expected), "{wait}: {error}");
    }
    assert_eq!(world.waiting.load(Ordering::SeqCst), 0, "a request is still under way");
}

#[tokio::test]
async fn no_request_outlives_the_call_that_made_it() {
    let (world, actor) = exerciser().await;
    let call = request("/call?authority=silent.test&path=/");
    let ended = actor.http(outside(&actor, Duration::from_millis(200)), call).await.map(drop);
    assert_eq!(ended, Err(CallError::DeadlineExceeded { begun: true }));
    let waiting = || world.waiting.load(Ordering::SeqCst);
    until("the request is given up", async || waiting() == 0).await;
}

#[tokio::test]
async fn an_answer_that_stalls_or_breaks_is_an_error_in_its_body() {
    let (_world, actor) = exerciser().await;
    let stalls = "/call?authority=stalls.test&path=/&between-bytes-ns=20000000";
    for target in [stalls, "/call?authority=breaks.test&path=/"] {
        let said = ok(&actor, target).await;
        assert!(said.starts_with("first ["), "{target}: {said}");
    }
}

#[tokio::test]
async fn a_request_cut_short_by_the_end_of_its_call_is_an_error_for_whoever_reads_it() {
    for (then, complete) in [("finish", true), ("drop", false), ("trap", false)] {
        let (world, actor) = exerciser().await;
        let answer = get(&actor, &format!("/upload?authority=takes.test&then={then}")).await;
        assert_eq!(answer.is_ok(), then != "trap", "{answer:?}");
        let mut sent = world.taken.lock().unwrap().take().unwrap();
        assert_eq!(sent.frame().await.unwrap().unwrap().into_data().unwrap(), "half");
        match sent.frame().await {
            None => assert!(complete, "{then} looks complete"),
            Some(Err(BodyError::Cut { .. })) => assert!(!complete, "{then} looks cut"),
            Some(other) => panic!("{then}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_actor_has_only_so_many_requests_under_way() {
    let limits = ActorLimits { outgoing_max: 0, ..ActorLimits::default() };
    let setup = Setup { outbound: Arc::new(World::default()), limits, ..Setup::new() };
    let refused = error(&setup.run("exerciser").await, "/call?authority=echo.test&path=/").await;
    assert!(refused.contains("ConnectionLimitReached"), "{refused}");
}

#[tokio::test]
async fn actors_call_each_other_up_to_a_depth() {
    let (_world, actor) = exerciser().await;
    let nested = |depth: u8| {
        let mut target = "/hello".to_owned();
        for _ in 0..depth {
            let path: String = target.bytes().map(|byte| format!("%{byte:02X}")).collect();
            target = format!("/call?authority=self.test&path={path}");
        }
        target
    };
    assert_eq!(ok(&actor, &nested(1)).await, "hello");
    // Each level triples the length of the path that is inside it, so the depth itself is tested
    // where the context is; here it is the loop that ends.
    assert_eq!(ok(&actor, &nested(4)).await, "hello");
    let context = CallContext { hop: HOP_MAX, ..outside(&actor, crate::kit::PATIENCE) };
    let answer = actor.http(context, request(&nested(1))).await.unwrap();
    let said = crate::kit::text(answer).await.unwrap();
    assert!(said.contains("LoopDetected"), "{said}");
}
