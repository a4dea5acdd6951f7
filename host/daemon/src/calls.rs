//! Calls that come over the wire: those meant for this host, and those meant for any.
//!
//! Each is answered by a task of its own. A call for any host is forwarded at most once: what is
//! forwarded is addressed to a host, and such a call is never passed on.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::Semaphore;
use tokio::time::{Duration, Instant};
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use wattle_capability::{Body, CallContext, Caller, body};
use wattle_engine::limits::EXECUTION_CEILING;
use wattle_lattice::call::{
    CallBody, CallReply, CallRequest, HttpResponse, Limits, NotBegun, ReplyBody,
};
use wattle_lattice::{Connection, Message, Subject, Subscription};
use wattle_tasks::{CancellationToken, TraceContext};
use wattle_types::ActorId;

use crate::answer::ANSWER_TOO_LARGE;
use crate::forward;
use crate::router::{self, Router};

/// Calls being answered, forwarded ones included. The engine's own admission is stricter; this
/// bounds what waits in front of it, and in other hosts.
const CALLS_MAX: usize = 2_048;

/// Answers calls from one subscription until `stop`. What was begun goes on under `tracker`.
#[derive(Clone, Debug)]
pub(crate) struct CallServer {
    router: Arc<Router>,
    connection: Connection,
    places: Arc<Semaphore>,
    tracker: TaskTracker,
}

impl CallServer {
    pub(crate) fn new(router: Arc<Router>, connection: Connection, tracker: TaskTracker) -> Self {
        let places = Arc::new(Semaphore::new(CALLS_MAX));
        Self { router, connection, places, tracker }
    }

    pub(crate) async fn run(self, mut calls: Subscription, stop: CancellationToken) {
        while let Some(Some(message)) = stop.run_until_cancelled(calls.next()).await {
            let server = self.clone();
            match self.places.clone().try_acquire_owned() {
                Ok(place) => {
                    self.tracker.spawn(async move {
                        let _place = place;
                        server.handle(message).await;
                    });
                }
                Err(_) => {
                    let full = CallReply::not_begun(NotBegun::Overloaded, "too many calls");
                    server.respond(&message, full).await;
                }
            }
        }
    }

    async fn handle(&self, message: Message) {
        let (actor, to_any) = match &message.subject {
            Subject::Call { actor, .. } => (actor.clone(), false),
            Subject::Any { actor } => (actor.clone(), true),
            _ => return,
        };
        let limits = router::limits(&self.connection);
        let reply = match CallRequest::decode(&message.payload, &limits) {
            Ok(call) => self.answer(call, &actor, to_any, &limits).await,
            Err(error) => CallReply::not_begun(NotBegun::Malformed, error.to_string()),
        };
        self.respond(&message, reply).await;
    }

    async fn answer(
        &self,
        call: CallRequest,
        actor: &ActorId,
        to_any: bool,
        limits: &Limits,
    ) -> CallReply {
        let left = Duration::from_millis(call.remaining_ms).min(EXECUTION_CEILING);
        let deadline = Instant::now() + left;
        let run = self.router.actors.get(actor);
        let serving = run.as_ref().map(|run| run.revision());
        if to_any && serving.is_none() && call.actor == *actor {
            return self.router.call(call, deadline).await;
        }
        let reply = match forward::admit(&call, actor, serving) {
            Ok(()) => {
                let run = run.expect("a call is admitted only where its actor is served");
                let (ctx, request) = match opened(call, deadline) {
                    Ok(opened) => opened,
                    Err(reply) => return reply,
                };
                let span = tracing::info_span!("call", %actor);
                ctx.trace.adopt(&span);
                async {
                    match run.http(ctx, request).await {
                        Ok(response) => whole(response, deadline, limits).await,
                        Err(error) => forward::refusal(&error),
                    }
                }
                .instrument(span)
                .await
            }
            Err(refusal) => refusal,
        };
        match serving {
            Some(revision) => reply.from(revision, self.router.load()),
            None => reply,
        }
    }

    async fn respond(&self, message: &Message, reply: CallReply) {
        let Some(to) = &message.reply else { return };
        let limits = router::limits(&self.connection);
        let encoded = reply.encode(&limits).or_else(|error| {
            CallReply::failed(ANSWER_TOO_LARGE, error.to_string()).encode(&limits)
        });
        let Ok(bytes) = encoded else { return };
        if let Err(error) = self.connection.respond(to, bytes).await {
            tracing::warn!(%error, "a call was answered and its caller cannot be told");
        }
    }
}

/// The call as the engine takes it.
fn opened(
    call: CallRequest,
    deadline: Instant,
) -> Result<(CallContext, http::Request<Body>), CallReply> {
    let CallBody::Http(request) = call.body;
    let malformed = |reason: &str| CallReply::not_begun(NotBegun::Malformed, reason);
    if !request.end {
        return Err(malformed("this version takes only requests that are whole"));
    }
    let request = request.into_http().map_err(|error| malformed(&error.to_string()))?;
    let caller = match call.caller.id.parse() {
        Ok(actor) => Caller::Actor(actor),
        Err(_) => Caller::Outside,
    };
    let trace =
        TraceContext { traceparent: call.trace.traceparent, tracestate: call.trace.tracestate };
    let ctx = CallContext { actor: call.actor, deadline, hop: call.hop, trace, caller };
    Ok((ctx, request.map(body::full)))
}

/// The whole response in one reply, or why not.
async fn whole(response: http::Response<Body>, deadline: Instant, limits: &Limits) -> CallReply {
    let (parts, body) = response.into_parts();
    let limited = Limited::new(body, limits.message_bytes_max);
    let bytes: Bytes = match tokio::time::timeout_at(deadline, limited.collect()).await {
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let max = limits.message_bytes_max;
            return CallReply::failed(
                ANSWER_TOO_LARGE,
                format!("too-large: more than {max} bytes"),
            );
        }
        Ok(Err(error)) => return CallReply::failed("WT-ENGINE-BODY", error.to_string()),
        Err(_) => {
            return CallReply::failed("WT-ENGINE-DEADLINE", "the answer was not complete in time");
        }
    };
    CallReply::ok(ReplyBody::Http(HttpResponse::new(&parts, bytes)))
}
