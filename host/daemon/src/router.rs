//! Brings a call to where its actor runs: into the engine here, or to another host.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::Instant;
use tracing::Instrument;
use wattle_capability::{Body, CallContext};
use wattle_engine::Engine;
use wattle_lattice::call::{
    CallBody, CallReply, CallRequest, Caller, HttpRequest, Limits, NotBegun, Trace,
};
use wattle_lattice::subject::HostOp;
use wattle_lattice::wire::WireError;
use wattle_lattice::{Connection, RequestError, Subject};
use wattle_tasks::TraceContext;
use wattle_types::{ActorId, HostId, Load, Millis, RouteTable, ServeDelta};

use crate::actors::Actors;
use crate::answer::{self, Trouble};
use crate::forward::{self, Mark, Next, Silence, TRIES_MAX};
use crate::table::{Choice, Heard, Table};

/// What NATS itself puts beside the envelope counts towards its limit too: the trace's headers.
const HEADERS_ROOM_BYTES: usize = 4 << 10;

/// Between probes of a host that has been asked and not answered yet. Most calls are answered
/// before the first.
const PROBE_PERIOD: Duration = Duration::from_millis(500);

/// Everything a request needs to find its actor. Shared by the listener and the call server.
#[derive(Debug)]
pub(crate) struct Router {
    own: HostId,
    engine: Engine,
    pub(crate) actors: Actors,
    table: Mutex<Table>,
    routes: ArcSwap<RouteTable<ActorId>>,
    /// Set once this host has joined.
    lattice: OnceLock<Connection>,
    started: Instant,
}

impl Router {
    pub(crate) fn new(own: HostId, engine: Engine) -> Arc<Self> {
        Arc::new(Self {
            table: Mutex::new(Table::new(own)),
            own,
            engine,
            actors: Actors::default(),
            routes: ArcSwap::default(),
            lattice: OnceLock::new(),
            started: Instant::now(),
        })
    }

    pub(crate) fn join(&self, connection: Connection) {
        // There is one membership per process, and it joins once.
        let _ = self.lattice.set(connection);
    }

    pub(crate) fn lattice(&self) -> Option<&Connection> {
        self.lattice.get()
    }

    pub(crate) fn now(&self) -> Millis {
        Millis(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    pub(crate) fn load(&self) -> Load {
        Load { in_flight: self.engine.in_flight(), limit: self.engine.permits() }
    }

    /// Takes what a host announced. `true`: something before it was missed.
    pub(crate) fn hear(&self, delta: ServeDelta) -> bool {
        let now = self.now();
        let mut table = self.table();
        let Heard { gap, routes_changed } = table.hear(delta, now);
        if routes_changed {
            self.publish_routes(&table);
        }
        gap
    }

    /// Forgets who has gone silently.
    pub(crate) fn sweep(&self) {
        let now = self.now();
        let mut table = self.table();
        if table.sweep(now) {
            self.publish_routes(&table);
        }
    }

    /// The actor that a request is for.
    pub(crate) fn route(&self, host: Option<&str>, path: &str) -> Option<ActorId> {
        self.routes.load().find(host, path).cloned()
    }

    /// Answers one HTTP request, wherever its actor runs.
    pub(crate) async fn http(
        &self,
        ctx: CallContext,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, Trouble> {
        if let Some(run) = self.actors.get(&ctx.actor) {
            return run.http(ctx, request).await.map_err(|error| Trouble::from(&error));
        }
        let Some(connection) = self.lattice() else { return Err(Trouble::NobodyServes) };
        let limits = limits(connection);
        let span = tracing::info_span!("forward", actor = %ctx.actor);
        let call = self.envelope(&ctx, request, &limits).instrument(span.clone()).await?;
        answer::of_reply(self.call(call, ctx.deadline).instrument(span).await)
    }

    /// Brings a call to a host that serves its actor; to another if it was not begun there.
    pub(crate) async fn call(&self, call: CallRequest, deadline: Instant) -> CallReply {
        let Some(connection) = self.lattice() else {
            return CallReply::not_begun(NotBegun::Unreachable, "this host has not joined yet");
        };
        let limits = limits(connection);
        // Whoever comes here found nothing on this host.
        let mut tried = BTreeSet::from([self.own]);
        let mut last = CallReply::not_begun(NotBegun::Unreachable, "no host serves the actor");
        for attempt in 1..=TRIES_MAX {
            let Choice::There(host) = self.choose(&call.actor, &tried) else { break };
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(remaining_ms) = whole_ms(left) else {
                return CallReply::not_begun(NotBegun::DeadlineExceeded, "no time is left");
            };
            let one = CallRequest { attempt, remaining_ms, ..call.clone() };
            let subject = Subject::Call { host, actor: call.actor.clone() };
            let bytes = match one.encode(&limits) {
                Ok(bytes) => bytes,
                Err(error) => return CallReply::not_begun(NotBegun::Malformed, error.to_string()),
            };
            let asked = tokio::select! {
                biased;
                asked = connection.request(&subject, bytes, left) => asked,
                () = until_lost(connection, host) => {
                    self.table().suspect(&host, self.now());
                    return forward::unknown("the host was lost meanwhile".to_owned());
                }
            };
            let asked = match asked.map(|reply| CallReply::decode(&reply.payload, &limits)) {
                Ok(Ok(reply)) => Ok(reply),
                Ok(Err(error)) => {
                    return forward::unknown(format!("the answer is not readable: {error}"));
                }
                Err(error) => Err(error),
            };
            match self.noted(&host, &call.actor, asked) {
                Next::Done(reply) => return reply,
                Next::Elsewhere { instead, .. } => {
                    tracing::debug!(%host, actor = %call.actor, attempt, outcome = ?instead.outcome, "not begun");
                    last = instead;
                    tried.insert(host);
                }
            }
        }
        last
    }

    /// Decides what follows, and keeps what it says about the host.
    fn noted(
        &self,
        host: &HostId,
        actor: &ActorId,
        asked: Result<CallReply, RequestError>,
    ) -> Next {
        let load = asked.as_ref().ok().and_then(|reply| reply.load);
        let next = forward::next(asked);
        let now = self.now();
        let mut table = self.table();
        if let Some(load) = load {
            table.note_load(host, load);
        }
        match &next {
            Next::Elsewhere { mark: Mark::Suspect, .. } => table.suspect(host, now),
            Next::Elsewhere { mark: Mark::Refused, .. } => table.refused(host, actor),
            Next::Elsewhere { mark: Mark::Nothing, .. } | Next::Done(_) => {}
        }
        next
    }

    fn choose(&self, actor: &ActorId, tried: &BTreeSet<HostId>) -> Choice {
        let now = self.now();
        self.table().choose(actor, tried, now, [fastrand::u64(..), fastrand::u64(..)])
    }

    /// The whole request in one message, or why not.
    async fn envelope(
        &self,
        ctx: &CallContext,
        request: http::Request<Body>,
        limits: &Limits,
    ) -> Result<CallRequest, Trouble> {
        let (parts, body) = request.into_parts();
        let max = limits.message_bytes_max;
        let collected = tokio::time::timeout_at(ctx.deadline, Limited::new(body, max).collect());
        let body = match collected.await {
            Ok(Ok(collected)) => collected.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                return Err(Trouble::TooLarge { max });
            }
            Ok(Err(error)) => return Err(too_large_or_broken(&*error)),
            Err(_) => return Err(Trouble::DeadlineExceeded),
        };
        let trace = TraceContext::current();
        let trace = if trace.traceparent.is_some() { trace } else { ctx.trace.clone() };
        let call = CallRequest {
            actor: ctx.actor.clone(),
            instance: String::new(),
            revision: None,
            fence: 0,
            hop: ctx.hop,
            attempt: 1,
            idempotency: String::new(),
            remaining_ms: u64::MAX,
            caller: caller(ctx, &self.own),
            trace: Trace { traceparent: trace.traceparent, tracestate: trace.tracestate },
            fingerprint: Bytes::new(),
            body: CallBody::Http(HttpRequest::new(&parts, body)),
        };
        // Tried once here, where it can be told apart from what another host finds wrong.
        match call.clone().encode(limits) {
            Ok(_) => Ok(call),
            Err(WireError::TooLarge { max, .. }) => Err(Trouble::TooLarge { max }),
            Err(error) => Err(Trouble::BadRequest(error.to_string())),
        }
    }

    fn publish_routes(&self, table: &Table) {
        self.routes.store(Arc::new(RouteTable::new(table.routes())));
    }

    fn table(&self) -> std::sync::MutexGuard<'_, Table> {
        self.table.lock().expect("nothing panics while it holds this lock")
    }
}

/// What fits into one message to or from another host.
pub(crate) fn limits(connection: &Connection) -> Limits {
    let message_bytes_max = connection.max_payload().saturating_sub(HEADERS_ROOM_BYTES);
    Limits { message_bytes_max, ..Limits::default() }
}

fn caller(ctx: &CallContext, own: &HostId) -> Caller {
    let id = match &ctx.caller {
        wattle_capability::Caller::Outside => String::new(),
        wattle_capability::Caller::Actor(actor) => actor.to_string(),
    };
    Caller { id, host: Some(*own), proof: Vec::new() }
}

/// None if less than a millisecond is left: nothing can be done in it.
fn whole_ms(left: Duration) -> Option<u64> {
    u64::try_from(left.as_millis()).ok().filter(|ms| *ms != 0)
}

/// Completes when a host that was asked is gone: its caller need not wait out the deadline.
async fn until_lost(connection: &Connection, host: HostId) {
    let probe = Subject::Host { host, op: HostOp::Probe };
    let mut silence = Silence::default();
    loop {
        tokio::time::sleep(PROBE_PERIOD).await;
        let probed = connection.request(&probe, Bytes::new(), PROBE_PERIOD).await;
        if silence.probed(matches!(probed, Err(RequestError::NoResponders))) {
            return;
        }
    }
}

fn too_large_or_broken(error: &(dyn std::error::Error + 'static)) -> Trouble {
    match error.downcast_ref::<wattle_capability::BodyError>() {
        Some(wattle_capability::BodyError::TooLarge { limit }) => {
            Trouble::TooLarge { max: usize::try_from(*limit).unwrap_or(usize::MAX) }
        }
        _ => Trouble::BadRequest("the request's body ended early".to_owned()),
    }
}
