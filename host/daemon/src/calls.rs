//! Calls that come over the wire: those meant for this host, and those meant for any.
//!
//! Each is answered by a task of its own, which ends when its caller goes away. A call for any
//! host is forwarded at most once: what is forwarded is addressed to a host, and such a call is
//! never passed on.

use std::sync::Arc;

use bytes::Bytes;
use http_body::Body as _;
use tokio::sync::Semaphore;
use tokio::time::{Duration, Instant};
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use wattle_capability::{Body, CallContext, Callee, Caller, Invocation, body};
use wattle_engine::CallError;
use wattle_engine::limits::EXECUTION_CEILING;
use wattle_lattice::call::{CallBody, CallReply, CallRequest, HttpResponse, NotBegun, ReplyBody};
use wattle_lattice::{Accepted, Answering, Connection, Content, Message, Subject, Subscription};
use wattle_tasks::{CancellationToken, TraceContext};
use wattle_types::{ActorId, HostId};

use crate::actors::Run;
use crate::probe;
use crate::rewind::Rewind;
use crate::router::{self, Answer, Router};
use crate::spy::{self, Side};
use crate::{admission, streams};

/// Calls being answered, forwarded ones included. The engine's own admission is stricter; this
/// bounds what waits in front of it, and in other hosts.
pub(crate) const CALLS_MAX: usize = 2_048;

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
                    self.refuse(&message, full).await;
                }
            }
        }
    }

    async fn handle(&self, message: Message) {
        let (addressed, to_any) = match &message.subject {
            Subject::Call { actor, .. } => (actor.clone(), false),
            Subject::Any { actor } => (actor.clone(), true),
            _ => return,
        };
        let limits = router::limits(&self.connection);
        let accepted = match self.connection.accept(message, &limits).await {
            Ok(accepted) => accepted,
            Err(refused) => return refused.answer().await,
        };
        let Accepted { request, streams, answering } = accepted;
        let from = answering.caller_host();
        let cancelled = answering.cancelled();
        let streams = streams.into_iter();
        let streams =
            streams.map(|content| streams::incoming(content, &self.connection, from)).collect();
        let answered = self.answer(request, streams, &addressed, to_any, from);
        let Answer { reply, streams, .. } = tokio::select! {
            biased;
            answer = answered => answer,
            // Whatever ran for it is dropped with the answer that nobody waits for.
            () = cancelled => return,
        };
        self.say(answering, reply, streams, from).await;
    }

    async fn answer(
        &self,
        call: CallRequest,
        streams: Vec<Body>,
        addressed: &ActorId,
        to_any: bool,
        from: Option<HostId>,
    ) -> Answer {
        let left = Duration::from_millis(call.remaining_ms).min(EXECUTION_CEILING);
        let deadline = Instant::now() + left;
        let run = self.router.actors.get(addressed);
        let serving = run.as_ref().map(|run| run.revision());
        let answer = match admission::admit(&call, addressed, serving) {
            Err(_) if to_any && run.is_none() && call.actor == *addressed => {
                return Box::pin(self.forward(call, streams, deadline, from)).await;
            }
            Err(refusal) => refusal.into(),
            Ok(()) => match self.router.vouched(&call.caller, from.as_ref()).await {
                Ok(caller) => {
                    let run = run.expect("a call is admitted only where its actor is served");
                    self.begin(&run, call, streams, caller, deadline).await
                }
                Err(refusal) => refusal.into(),
            },
        };
        match serving {
            Some(revision) => {
                Answer { reply: answer.reply.from(revision, self.router.load()), ..answer }
            }
            None => answer,
        }
    }

    /// For somebody who has no table.
    async fn forward(
        &self,
        call: CallRequest,
        streams: Vec<Body>,
        deadline: Instant,
        from: Option<HostId>,
    ) -> Answer {
        // Whoever speaks for an actor is a host, and what it says could not be checked further on.
        match self.router.vouched(&call.caller, from.as_ref()).await {
            Ok(Caller::Outside) => {}
            Ok(Caller::Actor(_)) => {
                let why = "a host calls by its own table";
                return CallReply::not_begun(NotBegun::NotAllowed, why).into();
            }
            Err(refusal) => return refusal.into(),
        }
        let caller = wattle_lattice::call::Caller::default();
        let streams = streams.into_iter().map(Rewind::new).collect();
        self.router.call(CallRequest { caller, ..call }, streams, deadline, false).await
    }

    /// A call that may be begun here.
    async fn begin(
        &self,
        run: &Run,
        call: CallRequest,
        streams: Vec<Body>,
        caller: Caller,
        deadline: Instant,
    ) -> Answer {
        let CallRequest { actor, hop, trace, fingerprint, body, .. } = call;
        let trace = TraceContext { traceparent: trace.traceparent, tracestate: trace.tracestate };
        let span = tracing::info_span!("call", %actor);
        trace.adopt(&span);
        let ctx = CallContext { actor, deadline, hop, trace, caller };
        match body {
            CallBody::Describe => {
                let signatures = run.actor().loaded().signatures().clone();
                CallReply::ok(ReplyBody::Described(signatures)).into()
            }
            CallBody::Http(request) => match request.into_http() {
                Ok(request) => {
                    let request = with_body(request, streams);
                    self.http(run, ctx, request).instrument(span).await
                }
                Err(error) => CallReply::not_begun(NotBegun::Malformed, error.to_string()).into(),
            },
            CallBody::Invoke(invoke) => {
                // Whoever asked what there is sends no fingerprint, and its values are checked.
                let loaded = run.actor().loaded();
                let found = loaded.signatures().find(&invoke.interface, &invoke.function);
                let own = found.map(|(_, func)| func.fingerprint());
                let Some(fingerprint) = fingerprint.or(own) else {
                    return admission::refusal(&CallError::NoSuchFunction).into();
                };
                let (interface, function) = (invoke.interface, invoke.function);
                let callee = Callee { interface, function, fingerprint };
                let invocation = Invocation { callee, args: invoke.args, streams };
                self.invoke(run, ctx, invocation).instrument(span).await
            }
        }
    }

    async fn http(&self, run: &Run, ctx: CallContext, request: http::Request<Body>) -> Answer {
        let sighting = self.router.spy.look(&ctx, Side::Callee, || spy::http(&request));
        let answered = run.http(ctx, request).await;
        if let Some(sighting) = sighting {
            sighting.responded(&answered);
        }
        match answered {
            Ok(response) => {
                let (parts, body) = response.into_parts();
                let http = HttpResponse::new(&parts, Bytes::new());
                // What has no body has no stream.
                let body = (!body.is_end_stream()).then(|| streams::outgoing(body));
                let streams = body.into_iter().collect();
                Answer { reply: CallReply::ok(ReplyBody::Http(http)), streams, from: None }
            }
            Err(error) => admission::refusal(&error).into(),
        }
    }

    async fn invoke(&self, run: &Run, ctx: CallContext, invocation: Invocation) -> Answer {
        let sighting = self
            .router
            .spy
            .look(&ctx, Side::Callee, || spy::function(&invocation.callee, &invocation.args));
        // Written by somebody else than the engine that will read it.
        let returned = match run.actor().loaded().check(&invocation) {
            Ok(()) => run.invoke(ctx, invocation).await,
            Err(error) => Err(error),
        };
        if let Some(sighting) = sighting {
            sighting.returned(&returned);
        }
        match returned {
            Ok(returned) => {
                let reply = CallReply::ok(ReplyBody::Value(returned.result));
                let streams = returned.streams.into_iter().map(streams::outgoing).collect();
                Answer { reply, streams, from: None }
            }
            Err(error) => admission::refusal(&error).into(),
        }
    }

    /// Answers, unless the caller's host is gone before it took all of the answer.
    async fn say(
        &self,
        answering: Answering,
        reply: CallReply,
        streams: Vec<Content>,
        to: Option<HostId>,
    ) {
        let Some(host) = to.filter(|_| !streams.is_empty()) else {
            // The streams are none, or the caller is a client, whose deadline is all that is known.
            if let Err(fault) = answering.reply(reply, streams).await {
                tracing::debug!(%fault, "an answer was not taken to its end");
            }
            return;
        };
        tokio::select! {
            biased;
            said = answering.reply(reply, streams) => {
                if let Err(fault) = said {
                    tracing::debug!(%fault, %host, "an answer was not taken to its end");
                }
            }
            () = probe::until_lost(&self.connection, host) => {
                tracing::debug!(%host, "is gone, and with it whoever waited for an answer");
            }
        }
    }

    /// Without looking at it: there is no room even for that.
    async fn refuse(&self, message: &Message, reply: CallReply) {
        let (Some(to), limits) = (&message.reply, router::limits(&self.connection)) else { return };
        let Ok(bytes) = reply.encode(&limits) else { return };
        if let Err(error) = self.connection.respond(to, bytes).await {
            tracing::debug!(%error, "a caller was not told that there is no room");
        }
    }
}

fn with_body(request: http::Request<Bytes>, streams: Vec<Body>) -> http::Request<Body> {
    match streams.into_iter().next() {
        Some(streamed) => request.map(|_| streamed),
        None => request.map(body::full),
    }
}
