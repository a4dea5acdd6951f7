//! Instances of WASI 0.3: each is driven by a task of its own, and whoever wants something of it
//! holds only a way to that task. Two stores of this generation cannot be polled one inside the
//! other, so a call is a message here, where it is a function in WASI 0.2.
//!
//! *Expected flow*: a call goes to a worker that has room ([`crew`]), is put on its board
//! ([`board`]), begins inside the store ([`serve`]) and is answered from there; the worker's task
//! ([`worker`]) watches deadlines from outside, because a guest that computes keeps everything
//! inside its store from running. *Guarantees*: a trap fails every call of the instance, those that
//! did not cause it as `unknown`; a single call cannot be cancelled while others share its
//! instance, so one that is given up is detached, the worker takes no more, and the store goes with
//! the last of them; a call that was not begun when its worker ended goes to another.

mod board;
mod calls;
mod client;
mod crew;
mod serve;
mod worker;

use std::mem;

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Uri, header};
use http_body_util::BodyExt;
use tokio::sync::oneshot;
use tokio::time::Instant;
use wattle_capability::{Body, CallContext, Invocation, Returned};

use crate::actor::Actor;
use crate::call::{CallError, Running};
use crate::link::Export;
use crate::outgoing::into_guest;
use crate::reply::{Expected, Reply};
use crate::state::Ongoing;

pub(crate) use board::Watch;
pub(crate) use client::{acting, add_to_linker};
pub(crate) use crew::Crew;

use board::{Answer, Errand, Invoke, Work};

impl Actor {
    /// As [`Actor::http`], for a component of WASI 0.3.
    pub(crate) async fn http_concurrently(
        &self,
        ctx: CallContext,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, CallError> {
        let expected = Expected::to(request.method());
        let request = request.map(|body| body.map_err(|error| into_guest(&error)).boxed_unsync());
        let request = absolute(request)?;
        let (answer, answered) = oneshot::channel();
        let watch = self.hand_over(ctx, Work::Http(request), Answer::Http(answer)).await?;
        let mut running = Running::worker(watch);
        let response = running.unless_failed(answered).await?.unwrap_or_else(|_| Err(lost()));
        if response.is_err() {
            running.let_go();
        }
        Reply::of(response?, running, expected)
    }

    /// As [`Actor::invoke`], for a component of WASI 0.3.
    pub(crate) async fn invoke_concurrently(
        &self,
        ctx: CallContext,
        export: Export,
        invocation: Invocation,
    ) -> Result<Returned, CallError> {
        let (answer, answered) = oneshot::channel();
        let Invocation { args, streams, .. } = invocation;
        let work = Work::Invoke(Invoke { export, args, streams });
        let mut watch = self.hand_over(ctx, work, Answer::Invoke(answer)).await?;
        let returned = answered.await.unwrap_or_else(|_| Err(lost()));
        watch.let_go();
        Ok(watch.accompany(returned?))
    }

    async fn hand_over(
        &self,
        mut ctx: CallContext,
        work: Work,
        answer: Answer,
    ) -> Result<Watch, CallError> {
        let now = Instant::now();
        ctx.deadline = ctx.deadline.min(now + self.core.limits.execution_max);
        if ctx.deadline <= now {
            return Err(CallError::DeadlineExceeded { begun: false });
        }
        let admitted = self.admit(&ctx).await?;
        let ongoing = Ongoing::new(ctx);
        Ok(self.crew.hand_over(self, Errand::new(ongoing, work, answer, admitted)))
    }
}

/// A server reads only a path from the request's head; which authority is meant stands beside it.
fn absolute(request: http::Request<Written>) -> Result<http::Request<Written>, CallError> {
    let bad = |reason: &str| CallError::BadRequest { reason: reason.to_owned() };
    let (mut parts, body) = request.into_parts();
    if parts.uri.authority().is_none() {
        let host = parts.headers.get(header::HOST).ok_or_else(|| bad("it has no host"))?;
        let mut uri = mem::take(&mut parts.uri).into_parts();
        uri.authority =
            Some(Authority::try_from(host.as_bytes()).map_err(|_| bad("its host is none"))?);
        uri.scheme = uri.scheme.or(Some(Scheme::HTTP));
        uri.path_and_query = uri.path_and_query.or_else(|| Some(PathAndQuery::from_static("/")));
        parts.uri = Uri::from_parts(uri).map_err(|error| bad(&error.to_string()))?;
    }
    Ok(http::Request::from_parts(parts, body))
}

/// The worker's task is gone, which only a defect of ours can do.
fn lost() -> CallError {
    CallError::Internal { reason: "the task of an instance is gone".to_owned() }
}

/// A body, as the crate of `wasi:http` has it.
pub(crate) type Written =
    http_body_util::combinators::UnsyncBoxBody<Bytes, wasmtime_wasi_http::Error>;
