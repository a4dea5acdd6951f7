//! Calls as this host's listener and its actors make them: answered here if the actor is here.
//!
//! The way to an actor of the same process is kept short: a look for the run, a count of what is
//! in flight, and the engine's own call, polled by the caller. What is rare is boxed, so that its
//! size is not carried by every call.

use std::sync::Arc;

use bytes::Bytes;
use http_body::Body as _;
use tracing::Instrument;
use wattle_capability::{Body, CallContext, Invocation, OutboundError, Returned};
use wattle_engine::CallError;
use wattle_lattice::call::{CallBody, HttpRequest, InvokeRequest};

use super::Router;
use crate::actors::Run;
use crate::answer::{self, Trouble};
use crate::outcome;
use crate::rewind::Rewind;
use crate::spy::{self, Side};

impl Router {
    /// Calls a function of an actor, wherever it runs. `idempotent`: it may be done twice.
    pub(crate) async fn invoke(
        &self,
        ctx: CallContext,
        invocation: Invocation,
        idempotent: bool,
    ) -> Result<Returned, OutboundError> {
        match self.actors.get(&ctx.actor) {
            // A call without streams can be made again from its values alone.
            Some(run) if invocation.streams.is_empty() && run.is_full() => {
                Box::pin(self.invoke_full(&run, ctx, invocation, idempotent)).await
            }
            Some(run) => {
                let interface = invocation.callee.interface.clone();
                let actor = ctx.actor.clone();
                let called = self.invoke_here(&run, ctx, invocation).await;
                called.map_err(|error| outcome::of_error(&error, &actor, interface))
            }
            None => Box::pin(self.invoke_elsewhere(ctx, invocation, idempotent)).await,
        }
    }

    async fn invoke_here(
        &self,
        run: &Run,
        ctx: CallContext,
        invocation: Invocation,
    ) -> Result<Returned, CallError> {
        let sighting =
            self.spy.look(&ctx, Side::Both, || spy::function(&invocation.callee, &invocation.args));
        let span = tracing::debug_span!("call", actor = %ctx.actor);
        let returned = run.invoke(ctx, invocation).instrument(span).await;
        if let Some(sighting) = sighting {
            sighting.returned(&returned);
        }
        returned
    }

    /// Where there was no room a moment ago: here if there is some by now, else elsewhere.
    async fn invoke_full(
        &self,
        run: &Arc<Run>,
        ctx: CallContext,
        invocation: Invocation,
        idempotent: bool,
    ) -> Result<Returned, OutboundError> {
        let again = Invocation::new(invocation.callee.clone(), invocation.args.clone());
        let called = self.invoke_here(run, ctx.clone(), invocation).await;
        match called {
            Err(CallError::Overloaded { .. }) if self.goes_elsewhere(&ctx) => {
                self.invoke_elsewhere(ctx, again, idempotent).await
            }
            called => called.map_err(|error| {
                outcome::of_error(&error, &ctx.actor, again.callee.interface.clone())
            }),
        }
    }

    async fn invoke_elsewhere(
        &self,
        ctx: CallContext,
        invocation: Invocation,
        idempotent: bool,
    ) -> Result<Returned, OutboundError> {
        let sighting = self
            .spy
            .look(&ctx, Side::Caller, || spy::function(&invocation.callee, &invocation.args));
        let span = tracing::debug_span!("forward", actor = %ctx.actor);
        let Invocation { callee, args, streams } = invocation;
        let interface = callee.interface.clone();
        let invoke = InvokeRequest { interface: callee.interface, function: callee.function, args };
        let call = self.envelope(&ctx, Some(callee.fingerprint), CallBody::Invoke(invoke));
        let streams = streams.into_iter().map(Rewind::new).collect();
        let called = self.call(call, streams, ctx.deadline, idempotent);
        let answer = called.instrument(span).await;
        if let Some(sighting) = sighting {
            sighting.ended(&answer.reply.outcome);
        }
        outcome::of_answer(answer, self.lattice(), &ctx.actor, interface)
    }

    /// Answers one HTTP request, wherever its actor runs. `idempotent`: it may be done twice.
    pub(crate) async fn http(
        &self,
        ctx: CallContext,
        request: http::Request<Body>,
        idempotent: bool,
    ) -> Result<http::Response<Body>, Trouble> {
        match self.actors.get(&ctx.actor) {
            Some(run) if run.is_full() => {
                Box::pin(self.http_full(&run, ctx, request, idempotent)).await
            }
            Some(run) => {
                let answered = self.http_here(&run, ctx, request).await;
                answered.map_err(|error| Trouble::from(&error))
            }
            None => Box::pin(self.http_elsewhere(ctx, request, idempotent)).await,
        }
    }

    async fn http_here(
        &self,
        run: &Run,
        ctx: CallContext,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, CallError> {
        let sighting = self.spy.look(&ctx, Side::Both, || spy::http(&request));
        let span = tracing::debug_span!("call", actor = %ctx.actor);
        let answered = run.http(ctx, request).instrument(span).await;
        if let Some(sighting) = sighting {
            sighting.responded(&answered);
        }
        answered
    }

    async fn http_full(
        &self,
        run: &Arc<Run>,
        ctx: CallContext,
        request: http::Request<Body>,
        idempotent: bool,
    ) -> Result<http::Response<Body>, Trouble> {
        let (parts, body) = request.into_parts();
        let body = Rewind::new(body);
        let here = body.reader().expect("nothing was read of it");
        let here = http::Request::from_parts(parts.clone(), here);
        match self.http_here(run, ctx.clone(), here).await {
            Err(error @ CallError::Overloaded { .. }) => match body.reader() {
                Some(again) if self.goes_elsewhere(&ctx) => {
                    let request = http::Request::from_parts(parts, again);
                    self.http_elsewhere(ctx, request, idempotent).await
                }
                _ => Err(Trouble::from(&error)),
            },
            answered => answered.map_err(|error| Trouble::from(&error)),
        }
    }

    async fn http_elsewhere(
        &self,
        ctx: CallContext,
        request: http::Request<Body>,
        idempotent: bool,
    ) -> Result<http::Response<Body>, Trouble> {
        let Some(connection) = self.lattice() else { return Err(Trouble::NobodyServes) };
        let sighting = self.spy.look(&ctx, Side::Caller, || spy::http(&request));
        let span = tracing::info_span!("forward", actor = %ctx.actor);
        let (parts, body) = request.into_parts();
        let http = HttpRequest::new(&parts, Bytes::new());
        let call = self.envelope(&ctx, None, CallBody::Http(http));
        // What has no body has no stream.
        let streams = (!body.is_end_stream()).then(|| Rewind::new(body)).into_iter().collect();
        let called = self.call(call, streams, ctx.deadline, idempotent);
        let answer = called.instrument(span).await;
        if let Some(sighting) = sighting {
            sighting.ended(&answer.reply.outcome);
        }
        answer::of_answer(answer, connection)
    }

    /// Whether a call that was refused here for want of room may be tried on another host.
    fn goes_elsewhere(&self, ctx: &CallContext) -> bool {
        self.is_elsewhere(&ctx.actor) && self.may_try_again(&ctx.actor)
    }
}
