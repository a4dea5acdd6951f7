//! Asking an actor, from outside: no table is here, so any host takes the call to where it belongs.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use wattle_lattice::call::{
    CallBody, CallRequest, Caller, Limits, NotBegun, Outcome, ReplyBody, Trace,
};
use wattle_lattice::{Content, Subject};
use wattle_tasks::TraceContext;
use wattle_types::{ActorId, Fingerprint};
use wattle_value::Signatures;

use crate::lattice::Lattice;

/// Asks, and gives what the actor answered; every other outcome is an error that says what it was.
pub(super) async fn ask(
    lattice: &Lattice,
    id: &ActorId,
    body: CallBody,
    fingerprint: Option<Fingerprint>,
) -> Result<(ReplyBody, Vec<Content>)> {
    let connection = &lattice.connection;
    let limits = Limits { message_bytes_max: connection.max_payload(), ..Limits::default() };
    let TraceContext { traceparent, tracestate } = TraceContext::current();
    let call = CallRequest {
        actor: id.clone(),
        instance: String::new(),
        revision: None,
        fence: 0,
        hop: 0,
        attempt: 1,
        idempotency: String::new(),
        remaining_ms: u64::try_from(lattice.within.as_millis()).unwrap_or(u64::MAX),
        caller: Caller { id: connection.who().to_string(), ..Caller::default() },
        trace: Trace { traceparent, tracestate },
        fingerprint,
        body,
    };
    let subject = Subject::Any { actor: id.clone() };
    // A little longer than the call may take: its own deadline gives the better answer.
    let within = lattice.within + Duration::from_millis(500);
    let asked = connection.exchange(&subject, call, Vec::new(), &limits, within).await;
    let answer = asked.map_err(|error| lattice.no_answer(error))?;
    match answer.reply.outcome {
        Outcome::Ok(body) => Ok((body, answer.streams)),
        Outcome::Failed { code, message } => bail!("{message} [{code}]"),
        Outcome::NotBegun { reason: NotBegun::NoSuchActor | NotBegun::Unreachable, .. } => {
            bail!("unreachable: no host serves {id}; `wattle get inventory` shows what runs")
        }
        Outcome::NotBegun { reason, message, .. } => {
            bail!("the call was not begun ({}): {message}", reason.as_str())
        }
        Outcome::Unknown { message } => bail!("nobody knows whether the call was done: {message}"),
    }
}

/// What an actor can be asked for; none of its code runs for it.
pub(crate) async fn describe(lattice: &Lattice, id: &ActorId) -> Result<Signatures> {
    let described = ask(lattice, id, CallBody::Describe, None).await;
    match described.with_context(|| format!("could not learn what {id} can be asked for"))? {
        (ReplyBody::Described(signatures), _) => Ok(signatures),
        _ => bail!("{id} was described by something else than functions"),
    }
}
