//! One call: admitted, made, driven to its end or its deadline, and answered.
//!
//! *Expected flow*: a permit is taken, a store is made and a task drives it; the head of the answer
//! comes as soon as the guest sets it, its body while the guest goes on. *Guarantees*: a refusal
//! comes before anything of the guest ran; the permit is free only after the store is gone; whoever
//! drops the answer ends the call. *Errors*: [`CallError`].

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::StatusCode;
use http_body_util::BodyExt;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};
use tracing::Instrument;
use wasmtime::{PoolConcurrencyLimitError, Store, Trap};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wattle_capability::{Body, CallContext};

use crate::actor::{Actor, Admitted};
use crate::concurrent::Watch;
use crate::import::{self, Unanswered};
use crate::lane::{Driver, Undriven};
use crate::limits::RETRY_AFTER;
use crate::outgoing::into_guest;
use crate::packed::Misfit;
use crate::profile::Wasi;
use crate::reply::{self, Reply};
use crate::seat::{Live, Seat};
use crate::state::{Ongoing, State};
use crate::usage::Gone;

/// Why a call has no answer, or only a part of one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// Not begun: the same call may go to another host at once.
    #[error("the {what} runs as many calls as it may")]
    Overloaded { what: &'static str, retry_after: Duration },
    #[error("the deadline passed {}", if *begun { "while the call ran" } else { "before the call began" })]
    DeadlineExceeded { begun: bool },
    #[error("the component does not export wasi:http/incoming-handler")]
    NotHttp,
    #[error("the component does not export wasmcloud:messaging/handler")]
    NoHandler,
    #[error("the request cannot be given to a component: {reason}")]
    BadRequest { reason: String },
    /// Not begun, as the two after it: another revision of the actor may have it.
    #[error("the component does not export that function")]
    NoSuchFunction,
    #[error("the function's signature is another than the caller was built with")]
    WrongSignature,
    #[error("the arguments are not of the function's types: {reason}")]
    BadArguments { reason: String },
    /// The guest did something it may not, or gave up: `unreachable`, out of bounds, stack
    /// overflow.
    #[error("the component trapped: {reason}")]
    Trap { reason: String },
    /// As [`Trap`](Self::Trap), after it was refused memory it asked for.
    #[error(
        "the component trapped after {wanted} bytes of memory were refused; its limit is {limit}"
    )]
    Memory { wanted: usize, limit: usize },
    #[error("the component exited with status {status}")]
    Exit { status: i32 },
    #[error("the component ended without an answer")]
    NoAnswer,
    /// The guest answered with an error of `wasi:http` instead of a response.
    #[error("the component answered with an error: {error}")]
    Answered { error: String },
    /// A call that the guest made did not come about, its declared type has no room for such an
    /// error, and so the guest ended there.
    #[error("a call it made failed: {message}")]
    Mesh { code: &'static str, message: String },
    /// As with a trap, by another call that shared its instance.
    #[error("its instance ended because of another call: {reason}")]
    Lost { reason: String },
    /// Whoever waited for it has gone.
    #[error("nobody waited for it any more")]
    GivenUp,
    /// A defect of ours.
    #[error("the host failed: {reason}")]
    Internal { reason: String },
}

impl CallError {
    /// Stable; `docs/errors/WT-ENGINE.md` says what would help.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Overloaded { .. } => "WT-ENGINE-OVERLOADED",
            Self::DeadlineExceeded { .. } => "WT-ENGINE-DEADLINE",
            Self::NotHttp => "WT-ENGINE-NOT-HTTP",
            Self::NoHandler => "WT-ENGINE-NO-HANDLER",
            Self::BadRequest { .. } => "WT-ENGINE-BAD-REQUEST",
            Self::NoSuchFunction => "WT-ENGINE-NO-SUCH-FUNCTION",
            Self::WrongSignature => "WT-ENGINE-WRONG-SIGNATURE",
            Self::BadArguments { .. } => "WT-ENGINE-BAD-ARGUMENTS",
            Self::Trap { .. } => "WT-ENGINE-TRAP",
            Self::Memory { .. } => "WT-ENGINE-MEMORY",
            Self::Exit { .. } => "WT-ENGINE-EXIT",
            Self::NoAnswer => "WT-ENGINE-NO-ANSWER",
            Self::Answered { .. } => "WT-ENGINE-ANSWERED",
            Self::Mesh { code, .. } => code,
            Self::Lost { .. } => "WT-ENGINE-INSTANCE-LOST",
            Self::GivenUp => "WT-ENGINE-GIVEN-UP",
            Self::Internal { .. } => "WT-ENGINE-INTERNAL",
        }
    }

    /// Whether the guest may have done something. If not, the same call may be made elsewhere.
    pub fn begun(&self) -> bool {
        match self {
            Self::Overloaded { .. }
            | Self::NotHttp
            | Self::NoHandler
            | Self::BadRequest { .. }
            | Self::NoSuchFunction
            | Self::WrongSignature
            | Self::BadArguments { .. } => false,
            Self::DeadlineExceeded { begun } => *begun,
            _ => true,
        }
    }

    /// What an HTTP client is told.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Overloaded { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::DeadlineExceeded { .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::NotHttp | Self::NoHandler | Self::NoSuchFunction => StatusCode::NOT_FOUND,
            Self::BadRequest { .. } | Self::BadArguments { .. } => StatusCode::BAD_REQUEST,
            Self::WrongSignature => StatusCode::CONFLICT,
            Self::Answered { .. } | Self::Mesh { .. } => StatusCode::BAD_GATEWAY,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// How long a client that was refused under load should wait.
    pub const RETRY_AFTER: Duration = RETRY_AFTER;
}

impl From<Undriven> for CallError {
    fn from(error: Undriven) -> Self {
        match error {
            Undriven::Late => Self::DeadlineExceeded { begun: true },
            Undriven::Panicked(error) => Self::Internal { reason: error.to_string() },
        }
    }
}

impl Actor {
    /// Answers one HTTP request.
    ///
    /// Returns when the guest has set the head of its answer; the instance lives until the body
    /// ended or is dropped. The call ends at the deadline of `ctx` or after the actor's own
    /// maximum, whichever comes first; dropping the future or the body ends it too.
    ///
    /// # Errors
    ///
    /// See [`CallError`]. What goes wrong after the head is an error of the body.
    pub async fn http(
        &self,
        mut ctx: CallContext,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, CallError> {
        if !self.loaded.exports_http() {
            return Err(CallError::NotHttp);
        }
        if self.loaded.linked().wasi() == Wasi::P3 {
            return self.http_concurrently(ctx, request).await;
        }
        let now = Instant::now();
        ctx.deadline = ctx.deadline.min(now + self.core.limits.execution_max);
        if ctx.deadline <= now {
            return Err(CallError::DeadlineExceeded { begun: false });
        }
        let admitted = self.admit(&ctx).await?;
        let expected = reply::Expected::to(request.method());
        let mut call = Call::new(self, ctx, admitted);

        let (head, answered) = oneshot::channel();
        let bad_request =
            |error: wasmtime::Error| CallError::BadRequest { reason: error.to_string() };
        let mut http = call.seat.store.data_mut().http();
        let scheme = scheme(request.uri());
        let request = request.map(|body| body.map_err(|error| into_guest(&error)));
        let request = http.new_incoming_request(scheme, request).map_err(bad_request)?;
        let response = http.new_response_outparam(head).map_err(bad_request)?;

        let driver = call.driver();
        let called = Box::pin(call.drive(async move |store: &mut Store<State>, live: &Live| {
            let proxy = live.proxy.as_ref().expect("whoever exports HTTP has a proxy");
            proxy.wasi_http_incoming_handler().call_handle(store, request, response).await
        }));
        let mut running = Running::start(async move { driver.drive(called).await? });
        match running.unless_failed(answered).await? {
            Ok(Ok(response)) => Reply::of(response, running, expected),
            Ok(Err(code)) => Err(CallError::Answered { error: code.to_string() }),
            // The store is gone, and with it the guest's chance to answer.
            Err(_) => Err(running.ended().await.err().unwrap_or(CallError::NoAnswer)),
        }
    }
}

pub(crate) fn scheme(uri: &http::Uri) -> Scheme {
    if uri.scheme() == Some(&http::uri::Scheme::HTTPS) { Scheme::Https } else { Scheme::Http }
}

/// A call that is admitted and has its seat. Dropped in this order: if its task is aborted, the store
/// goes before its permit.
pub(crate) struct Call {
    pub(crate) seat: Seat,
    admitted: Admitted,
    actor: Actor,
    ongoing: Arc<Ongoing>,
}

/// Fails the call unless it ends well; the drop of an aborted task is a bad end too, and is told
/// before the store goes.
struct Fate(Option<Arc<Ongoing>>);

impl Drop for Fate {
    fn drop(&mut self) {
        if let Some(ongoing) = &self.0 {
            ongoing.fail(CallError::GivenUp);
        }
    }
}

impl Call {
    pub(crate) fn new(actor: &Actor, ctx: CallContext, admitted: Admitted) -> Self {
        let ongoing = Ongoing::new(ctx);
        let seat = actor.stock.take(actor, &ongoing);
        Self { seat, admitted, actor: actor.clone(), ongoing }
    }

    /// What is to drive it. Every call of an actor goes through [`Driver::drive`]; only benchmarks,
    /// whose guests are never slow, leave it out.
    pub(crate) fn driver(&self) -> Driver {
        self.actor.driver(self.seat.turn.clone(), Some(self.ongoing.ctx.deadline))
    }

    /// Runs `work` in an instance, to its end or the deadline, and then gives everything back. The
    /// deadline covers making the instance too: that runs guest code.
    pub(crate) async fn drive<T>(
        mut self,
        work: impl AsyncFnOnce(&mut Store<State>, &Live) -> wasmtime::Result<T>,
    ) -> Result<T, CallError> {
        let mut fate = Fate(Some(self.ongoing.clone()));
        let turn = self.seat.turn.clone();
        let driven = {
            // Nothing here is moved once it is where it is: it is large.
            let working = pin!(self.seat.run(self.actor.loaded.linked(), work));
            timeout_at(self.ongoing.ctx.deadline, turn.drive(working)).await
        };
        let (outcome, cause) = match driven {
            Ok(Ok(value)) => (Ok(value), None),
            Ok(Err(error)) => (Err(classify(&error, self.seat.store.data())), Some(error)),
            Err(_) => (Err(CallError::DeadlineExceeded { begun: true }), None),
        };
        let id = &self.actor.core.id;
        match &outcome {
            Ok(_) => tracing::debug!(actor = %id, used = ?turn.used(), "call ended"),
            Err(error) => tracing::warn!(
                actor = %id, used = ?turn.used(), code = error.code(), %error, "call failed"
            ),
        }
        let ongoing = fate.0.take();
        match &outcome {
            Ok(_) => {
                self.admitted.done();
                self.seat.store.data_mut().cut_unfinished();
            }
            Err(error) => {
                self.admitted.failed(error, cause.as_ref());
                self.seat.retire(Gone::after(error));
                if let Some(ongoing) = ongoing {
                    ongoing.fail(error.clone());
                }
            }
        }
        // In this order: a permit is free only when what it stands for is.
        drop(fate);
        match outcome {
            Ok(_) => self.actor.stock.put(&self.actor.core, self.seat),
            Err(_) => drop(self.seat),
        }
        drop(self.admitted);
        outcome
    }
}

pub(crate) fn classify(error: &wasmtime::Error, state: &State) -> CallError {
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return CallError::Exit { status: exit.0 };
    }
    if let Some(Unanswered { code, message }) = error.downcast_ref() {
        // What it called had no longer than itself.
        if *code == import::DEADLINE && state.acting().ongoing.ctx.deadline <= Instant::now() {
            return CallError::DeadlineExceeded { begun: true };
        }
        return CallError::Mesh { code, message: message.clone() };
    }
    if let Some(Misfit { args, reason }) = error.downcast_ref() {
        let reason = reason.to_string();
        return match args {
            true => CallError::BadArguments { reason },
            false => CallError::Mesh { code: "WT-ENGINE-CALLEE-FAILED", message: reason },
        };
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return CallError::Overloaded { what: "host", retry_after: RETRY_AFTER };
    }
    if let Some(refused) = state.meter.refused() {
        return CallError::Memory { wanted: refused.wanted, limit: refused.limit };
    }
    let reason = match error.downcast_ref::<Trap>() {
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    };
    CallError::Trap { reason }
}

/// What writes an answer. Dropping it ends the call.
pub(crate) enum Running {
    /// A task for this call alone.
    Task {
        task: JoinHandle<Result<(), CallError>>,
        ended: Option<Result<(), CallError>>,
        ends_with_us: bool,
    },
    /// An instance of WASI 0.3.
    Worker { watch: Watch, deadline: Option<Pin<Box<Sleep>>> },
}

impl Running {
    fn start(call: impl Future<Output = Result<(), CallError>> + Send + 'static) -> Self {
        let task = tokio::spawn(call.in_current_span());
        Self::Task { task, ended: None, ends_with_us: true }
    }

    pub(crate) fn worker(watch: Watch) -> Self {
        Self::Worker { watch, deadline: None }
    }

    /// How it ended, once it has.
    pub(crate) fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        match self {
            Self::Task { ended: Some(ended), .. } => Poll::Ready(ended.clone()),
            Self::Task { task, ended, .. } => {
                let joined = ready!(Pin::new(task).poll(cx));
                let panicked = |error: JoinError| CallError::Internal { reason: error.to_string() };
                Poll::Ready(ended.insert(joined.map_err(panicked).flatten()).clone())
            }
            // A stream in there ends only with what wrote it, or with its store; and who ends a
            // store says before that what failed.
            Self::Worker { watch, .. } => Poll::Ready(watch.outcome()),
        }
    }

    /// Ready when no more of the answer is to be waited for. What the guest wrote before may still be
    /// read, and its stream may not have ended yet: who is late waits in the slow lane for that, and
    /// an instance that others share goes on.
    pub(crate) fn poll_failed(&mut self, cx: &mut Context<'_>) -> Poll<CallError> {
        match self {
            Self::Task { .. } => match ready!(self.poll_ended(cx)) {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(error),
            },
            Self::Worker { watch, deadline } => {
                let at = watch.deadline();
                let passed = deadline.get_or_insert_with(|| Box::pin(sleep_until(at)));
                passed.as_mut().poll(cx).map(|()| CallError::DeadlineExceeded { begun: true })
            }
        }
    }

    /// Waits for an answer that the call is to give.
    pub(crate) async fn unless_failed<T>(
        &mut self,
        answer: impl Future<Output = T>,
    ) -> Result<T, CallError> {
        let mut answer = pin!(answer);
        poll_fn(|cx| match answer.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Ok(answer)),
            Poll::Pending => self.poll_failed(cx).map(Err),
        })
        .await
    }

    async fn ended(mut self) -> Result<(), CallError> {
        poll_fn(|cx| self.poll_ended(cx)).await
    }

    /// Lets the call end by itself, at its deadline at the latest: nobody waits for it any more,
    /// and everything it had to say arrived.
    pub(crate) fn let_go(&mut self) {
        match self {
            Self::Task { ends_with_us, .. } => *ends_with_us = false,
            Self::Worker { watch, .. } => watch.let_go(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Self::Task { task, ends_with_us: true, .. } = self {
            task.abort();
        }
    }
}
