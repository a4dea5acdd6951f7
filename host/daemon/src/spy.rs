//! Tells whoever asks of the calls by and to an actor, as long as they ask.
//!
//! *Expected flow*: somebody asks everyone on `ask.spy`, and again before what they asked for runs
//! out; each host tells on `spy.<actor>` of the calls of that actor that it sees, those inside its
//! own process too. Of a call between hosts the caller's host tells those who asked about the
//! caller, and the callee's host those who asked about the callee. *Guarantees*: never arguments,
//! results or headers. A call nobody asked about pays one load of a flag. *Caveats*: hints for
//! people; what cannot be said in time is dropped and not said later.

pub(crate) mod watched;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body::Body as _;
use tokio::sync::mpsc;
use tokio::time::Instant;
use wattle_capability::{Body, CallContext, Callee, Caller, Returned};
use wattle_engine::CallError;
use wattle_lattice::call::{Outcome, ReplyBody};
use wattle_lattice::signal::{SpyEvent, SpyRequest, Way};
use wattle_lattice::{Connection, Subject, Subscription};
use wattle_tasks::CancellationToken;
use wattle_types::stored::VERSION;
use wattle_types::{ActorId, HostId, Millis};

use crate::admission;
use watched::Watched;

/// Events that are not said yet. When it is full the newest is dropped: calls do not wait for it.
const WAITING_MAX: usize = 1_024;

/// The part of a host that watches calls.
#[derive(Debug)]
pub(crate) struct Spy {
    own: HostId,
    /// Whether anybody asked at all.
    asked: AtomicBool,
    watched: Mutex<Watched>,
    /// Set once this host has joined.
    events: OnceLock<mpsc::Sender<Told>>,
    started: Instant,
}

#[derive(Debug)]
struct Told {
    whose: ActorId,
    event: SpyEvent,
}

/// Whose calls a place in the code can speak for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Caller and callee are both here.
    Both,
    /// The callee is on another host.
    Caller,
    /// The caller is on another host.
    Callee,
}

/// A call that somebody asked about. Dropped without an end, it was given up.
#[must_use]
#[derive(Debug)]
pub(crate) struct Sighting<'a> {
    spy: &'a Spy,
    whose: Vec<ActorId>,
    begun: Instant,
    event: Option<SpyEvent>,
}

impl Spy {
    pub(crate) fn new(own: HostId) -> Self {
        Self {
            own,
            asked: AtomicBool::new(false),
            watched: Mutex::default(),
            events: OnceLock::new(),
            started: Instant::now(),
        }
    }

    /// The beginning of a call, if anybody asked about it. `what` and `bytes_in` are asked for
    /// only then.
    pub(crate) fn look<'a>(
        &'a self,
        ctx: &CallContext,
        side: Side,
        what: impl FnOnce() -> (String, u64),
    ) -> Option<Sighting<'a>> {
        if !self.asked.load(Ordering::Relaxed) {
            return None;
        }
        let caller = match &ctx.caller {
            Caller::Actor(caller) => Some(caller),
            Caller::Outside => None,
        };
        let seen = [
            caller.filter(|_| side != Side::Callee),
            Some(&ctx.actor).filter(|_| side != Side::Caller),
        ];
        let now = self.now();
        let whose: Vec<ActorId> = {
            let watched = self.watched();
            seen.into_iter().flatten().filter(|id| watched.is(id, now)).cloned().collect()
        };
        if whose.is_empty() {
            return None;
        }
        let (what, bytes_in) = what();
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let event = SpyEvent {
            v: VERSION,
            host: self.own,
            at_unix_ms: u64::try_from(at.as_millis()).unwrap_or(u64::MAX),
            caller: caller.cloned(),
            callee: ctx.actor.clone(),
            what,
            way: if side == Side::Both { Way::InProcess } else { Way::Remote },
            outcome: "cancelled".to_owned(),
            code: String::new(),
            micros: 0,
            bytes_in,
            bytes_out: 0,
        };
        Some(Sighting { spy: self, whose, begun: Instant::now(), event: Some(event) })
    }

    /// Forgets who stopped asking.
    pub(crate) fn sweep(&self) {
        if self.asked.load(Ordering::Relaxed) {
            let now = self.now();
            let mut watched = self.watched();
            let anybody = watched.sweep(now);
            self.asked.store(anybody, Ordering::Relaxed);
        }
    }

    fn ask(&self, request: &SpyRequest) {
        let now = self.now();
        let mut watched = self.watched();
        if watched.ask(request, now) {
            self.asked.store(true, Ordering::Relaxed);
        } else {
            tracing::info!(actor = %request.actor, "too many actors are watched already");
        }
    }

    fn tell(&self, whose: Vec<ActorId>, event: &SpyEvent) {
        let Some(events) = self.events.get() else { return };
        for whose in whose {
            // Whoever watches a torrent sees a part of it.
            let _ = events.try_send(Told { whose, event: event.clone() });
        }
    }

    fn now(&self) -> Millis {
        crate::driver::millis_since(self.started)
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().expect("nothing panics while it holds this lock")
    }
}

impl Sighting<'_> {
    /// The call ended so; as much of its answer is counted as was there when it began.
    pub(crate) fn ended(mut self, outcome: &Outcome) {
        let bytes_out = match outcome {
            Outcome::Ok(ReplyBody::Value(value)) => value.len(),
            Outcome::Ok(ReplyBody::Http(response)) => response.body.len(),
            _ => 0,
        };
        self.note(outcome, bytes_out as u64);
    }

    pub(crate) fn returned(mut self, returned: &Result<Returned, CallError>) {
        match returned {
            Ok(returned) => self.note_ok(returned.result.len() as u64),
            Err(error) => self.note(&admission::refusal(error).outcome, 0),
        }
    }

    pub(crate) fn responded(mut self, answered: &Result<http::Response<Body>, CallError>) {
        match answered {
            Ok(response) => self.note_ok(response.body().size_hint().lower()),
            Err(error) => self.note(&admission::refusal(error).outcome, 0),
        }
    }

    /// As of a message, which has no answer.
    #[cfg(feature = "messaging-nats")]
    pub(crate) fn told(mut self, told: &Result<Result<(), String>, CallError>) {
        match told {
            Ok(Ok(())) => self.note_ok(0),
            Ok(Err(said)) => {
                let failed = wattle_lattice::call::CallReply::failed("", said.clone());
                self.note(&failed.outcome, 0);
            }
            Err(error) => self.note(&admission::refusal(error).outcome, 0),
        }
    }

    fn note_ok(&mut self, bytes_out: u64) {
        if let Some(event) = &mut self.event {
            (event.outcome, event.bytes_out) = (OK.to_owned(), bytes_out);
        }
    }

    fn note(&mut self, outcome: &Outcome, bytes_out: u64) {
        if let Some(event) = &mut self.event {
            event.outcome = outcome.as_str().to_owned();
            event.code = code(outcome).to_owned();
            event.bytes_out = bytes_out;
        }
    }
}

impl Drop for Sighting<'_> {
    fn drop(&mut self) {
        if let Some(mut event) = self.event.take() {
            event.micros = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.spy.tell(std::mem::take(&mut self.whose), &event);
        }
    }
}

/// What is said of a call of a function, and how many bytes go in.
pub(crate) fn function(callee: &Callee, args: &Bytes) -> (String, u64) {
    (format!("{}.{}", callee.interface, callee.function), args.len() as u64)
}

/// What is said of an HTTP request; without its query, which may hold secrets.
pub(crate) fn http(request: &http::Request<Body>) -> (String, u64) {
    let what = format!("{} {}", request.method(), request.uri().path());
    (what, request.body().size_hint().lower())
}

/// As of an answer.
const OK: &str = "ok";

fn code(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Failed { code, .. } => code,
        Outcome::NotBegun { reason, .. } => reason.as_str(),
        Outcome::Ok(_) | Outcome::Unknown { .. } => "",
    }
}

/// Takes note of who asks, and says what was seen, until `stop`.
pub(crate) async fn serve(
    spy: &Spy,
    connection: &Connection,
    mut asked: Subscription,
    stop: &CancellationToken,
) {
    let (sender, mut events) = mpsc::channel(WAITING_MAX);
    // There is one membership per process, and it joins once.
    let _ = spy.events.set(sender);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            message = asked.next() => match message.map(|asked| SpyRequest::decode(&asked.payload)) {
                Some(Ok(request)) => spy.ask(&request),
                Some(Err(error)) => tracing::debug!(%error, "passed over"),
                None => return,
            },
            told = events.recv() => {
                let Some(Told { whose, event }) = told else { return };
                let subject = Subject::Spied { actor: whose };
                if let Err(error) = connection.publish(&subject, event.encode()).await {
                    tracing::debug!(%error, "a call that was watched is not told of");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
