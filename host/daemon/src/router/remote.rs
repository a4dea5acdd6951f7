//! Calls that go to another host: which one, what is asked, and which one next.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;
use wattle_capability::CallContext;
use wattle_lattice::call::{CallBody, CallReply, CallRequest, Caller, NotBegun, Trace};
use wattle_lattice::{Connection, Content, Subject};
use wattle_tasks::TraceContext;
use wattle_types::{ActorId, Fingerprint, HostId};

use super::Router;
use crate::admission::Refusal;
use crate::forward::{self, Asked, Mark, Next, TRIES_MAX};
use crate::probe;
use crate::rewind::Rewind;
use crate::streams;
use crate::table::Choice;

/// What came of a call to other hosts.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) reply: CallReply,
    pub(crate) streams: Vec<Content>,
    /// Who answered, if anybody did.
    pub(crate) from: Option<HostId>,
}

impl From<CallReply> for Answer {
    fn from(reply: CallReply) -> Self {
        Self { reply, streams: Vec::new(), from: None }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        CallReply::not_begun(refusal.reason, refusal.why).into()
    }
}

impl Router {
    /// Brings a call to a host that serves its actor; to another if it was not begun there.
    ///
    /// `idempotent`: to another also if nobody knows whether it was done.
    pub(crate) async fn call(
        &self,
        call: CallRequest,
        streams: Vec<Rewind>,
        deadline: Instant,
        idempotent: bool,
    ) -> Answer {
        let Some(connection) = self.lattice() else {
            let alone = "this host has not joined a lattice";
            return CallReply::not_begun(NotBegun::Unreachable, alone).into();
        };
        self.budgets().call(&call.actor, self.now());
        // Whoever comes here found nothing on this host, or no room.
        let mut tried = BTreeSet::from([self.own]);
        let mut last = CallReply::not_begun(NotBegun::Unreachable, "no host serves the actor");
        for attempt in 1..=TRIES_MAX {
            let Choice::There(host) = self.choose(&call.actor, &tried) else { break };
            // Somebody read more of the request than was kept: it cannot be sent again.
            let streams: Option<Vec<_>> = streams.iter().map(Rewind::reader).collect();
            let Some(streams) = streams else { break };
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(remaining_ms) = whole_ms(left) else {
                let late = CallReply::not_begun(NotBegun::DeadlineExceeded, "no time is left");
                return if attempt == 1 { late } else { last }.into();
            };
            let one = CallRequest { attempt, remaining_ms, ..call.clone() };
            let streams = streams.into_iter().map(streams::outgoing).collect();
            self.table().asked(&host, self.now());
            let (asked, streams) = ask(connection, host, one, streams, left).await;
            match self.noted(&host, &call.actor, asked, idempotent) {
                Next::Done(reply) => return Answer { reply, streams, from: Some(host) },
                Next::Elsewhere { paid, instead, .. } => {
                    tracing::debug!(
                        %host, actor = %call.actor, attempt, outcome = ?instead.outcome,
                        "to be done elsewhere"
                    );
                    last = instead;
                    tried.insert(host);
                    if paid && !self.may_try_again(&call.actor) {
                        break;
                    }
                }
            }
        }
        last.into()
    }

    /// What every call says of itself.
    pub(super) fn envelope(
        &self,
        ctx: &CallContext,
        fingerprint: Option<Fingerprint>,
        body: CallBody,
    ) -> CallRequest {
        let trace = TraceContext::current();
        let trace = if trace.traceparent.is_some() { trace } else { ctx.trace.clone() };
        let id = match &ctx.caller {
            wattle_capability::Caller::Outside => String::new(),
            wattle_capability::Caller::Actor(actor) => actor.to_string(),
        };
        CallRequest {
            actor: ctx.actor.clone(),
            instance: String::new(),
            revision: None,
            fence: 0,
            hop: ctx.hop,
            attempt: 1,
            idempotency: String::new(),
            remaining_ms: u64::MAX,
            caller: Caller { id, host: Some(self.own), proof: Vec::new() },
            trace: Trace { traceparent: trace.traceparent, tracestate: trace.tracestate },
            fingerprint,
            body,
        }
    }

    /// Whether one more try for an actor may be made; if so it is paid for.
    pub(super) fn may_try_again(&self, actor: &ActorId) -> bool {
        self.budgets().retry(actor, self.now())
    }

    /// Whether another host takes calls of an actor.
    pub(super) fn is_elsewhere(&self, actor: &ActorId) -> bool {
        self.lattice().is_some()
            && self.choose(actor, &BTreeSet::from([self.own])) != Choice::Nobody
    }

    /// Decides what follows, and keeps what it says about the host.
    fn noted(&self, host: &HostId, actor: &ActorId, asked: Asked, idempotent: bool) -> Next {
        let now = self.now();
        match &asked {
            Asked::Answered(reply) => self.table().answered(host, reply.load, now),
            Asked::NotAnswered(_) => {}
            Asked::Lost => self.table().suspect(host, now),
        }
        let next = forward::next(asked, idempotent);
        let mut table = self.table();
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
}

async fn ask(
    connection: &Connection,
    host: HostId,
    call: CallRequest,
    streams: Vec<Content>,
    within: Duration,
) -> (Asked, Vec<Content>) {
    let subject = Subject::Call { host, actor: call.actor.clone() };
    let limits = super::limits(connection);
    let exchanged = tokio::select! {
        biased;
        exchanged = connection.exchange(&subject, call, streams, &limits, within) => exchanged,
        () = probe::until_lost(connection, host) => return (Asked::Lost, Vec::new()),
    };
    match exchanged {
        Ok(exchanged) => (Asked::Answered(exchanged.reply), exchanged.streams),
        Err(error) => (Asked::NotAnswered(error), Vec::new()),
    }
}

/// None if less than a millisecond is left: nothing can be done in it.
fn whole_ms(left: Duration) -> Option<u64> {
    u64::try_from(left.as_millis()).ok().filter(|ms| *ms != 0)
}
