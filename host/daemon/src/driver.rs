//! Runs the agent: one task that owns it, gives it what happens, and does what it says.
//!
//! Decides nothing. What takes time is done by other tasks, which report back by mail; what is
//! said to the lattice is said here, in the order in which the agent said it.

mod by_hand;
mod work;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::DropGuard;
use tokio_util::task::TaskTracker;
use wattle_agent::{Agent, Answer, Effect, Event, RequestId, RunId};
use wattle_lattice::event::CloudEvent;
use wattle_lattice::{PublishError, Store, Subject};
use wattle_tasks::CancellationToken;
use wattle_types::{Millis, stored};

use crate::disk::{Disk, Writing};
use crate::happenings::Source;
use crate::mailbox::{Mail, Mailbox};
use crate::router::Router;
use crate::start::Starter;

const BEAT_PERIOD: Duration = Duration::from_millis(500);
/// Of the period, either way: hosts started together do not beat together.
const BEAT_SPREAD: f64 = 0.1;
const LOOK_PERIOD: Duration = Duration::from_secs(30);
const LOOK_SPREAD: f64 = 0.5;
const ANNOUNCE_PERIOD: Duration = Duration::from_secs(30);
const ANNOUNCE_SPREAD: f64 = 0.2;
const SWEEP_PERIOD: Duration = Duration::from_secs(1);

/// What the driver does things with.
pub(crate) struct Means {
    pub(crate) router: Arc<Router>,
    pub(crate) starter: Starter,
    pub(crate) disk: Disk,
    pub(crate) writer: mpsc::Sender<Writing>,
    pub(crate) mailbox: Mailbox,
    pub(crate) source: Source,
    /// Starts, stops and reads under way; they end by themselves or with their cause.
    pub(crate) work: TaskTracker,
}

pub(crate) struct Driver {
    agent: Agent,
    means: Means,
    mail: mpsc::Receiver<Mail>,
    store: Option<Store>,
    /// Dropping one gives up its start.
    starting: BTreeMap<RunId, DropGuard>,
    /// Dropping one ends what its run listens to.
    listening: BTreeMap<RunId, DropGuard>,
    /// Who waits for what came of a command.
    asking: BTreeMap<RequestId, oneshot::Sender<Answer>>,
    requests: u64,
    started: Instant,
    left: bool,
}

impl Driver {
    pub(crate) fn new(
        agent: Agent,
        started: Instant,
        means: Means,
        mail: mpsc::Receiver<Mail>,
    ) -> Self {
        let (starting, listening, asking) = Default::default();
        let (store, requests, left) = (None, 0, false);
        Self { agent, means, mail, store, starting, listening, asking, requests, started, left }
    }

    /// Runs until the agent has left, which it does after `leave`, or until `stop`.
    pub(crate) async fn run(
        mut self,
        first: Vec<Effect>,
        leave: CancellationToken,
        stop: CancellationToken,
    ) {
        let now = Instant::now();
        let mut beat_at = now;
        let mut look_at = now + spread(LOOK_PERIOD, LOOK_SPREAD);
        let mut announce_at = now + spread(ANNOUNCE_PERIOD, ANNOUNCE_SPREAD);
        let mut sweep_at = now + SWEEP_PERIOD;
        let mut leaving = false;
        self.carry_out(first).await;
        while !self.left {
            let due = self.due();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = leave.cancelled(), if !leaving => {
                    leaving = true;
                    self.step(Event::Drain).await;
                    // Whoever decides where things run learns it now, not half a second later.
                    beat_at = Instant::now();
                }
                () = tokio::time::sleep_until(beat_at) => {
                    let period = spread(BEAT_PERIOD, BEAT_SPREAD);
                    beat_at = Instant::now() + period;
                    self.beat(period).await;
                }
                () = tokio::time::sleep_until(due) => self.step(Event::Tick).await,
                () = tokio::time::sleep_until(look_at) => {
                    look_at = Instant::now() + spread(LOOK_PERIOD, LOOK_SPREAD);
                    self.step(Event::LookDue).await;
                }
                () = tokio::time::sleep_until(announce_at) => {
                    announce_at = Instant::now() + spread(ANNOUNCE_PERIOD, ANNOUNCE_SPREAD);
                    self.step(Event::AnnounceDue).await;
                }
                () = tokio::time::sleep_until(sweep_at) => {
                    sweep_at = Instant::now() + SWEEP_PERIOD;
                    self.means.router.sweep();
                }
                mail = self.mail.recv() => match mail {
                    Some(Mail::Event(event)) => self.step(event).await,
                    Some(Mail::Command(command, reply)) => {
                        let event = self.commanded(command, reply);
                        self.step(event).await;
                    }
                    // Who asked may have gone away meanwhile.
                    Some(Mail::Inventory(reply)) => {
                        let _ = reply.send(self.agent.inventory(self.now()));
                    }
                    Some(Mail::Serves(reply)) => {
                        let _ = reply.send(self.agent.serves());
                    }
                    None => return,
                },
            }
        }
    }

    fn now(&self) -> Millis {
        millis_since(self.started)
    }

    fn due(&self) -> Instant {
        const FAR: Duration = Duration::from_secs(3_600);
        match self.agent.due() {
            Some(at) => self.started + Duration::from_millis(at.0),
            None => Instant::now() + FAR,
        }
    }

    async fn beat(&mut self, period: Duration) {
        let Some(connection) = self.means.router.lattice() else { return };
        let server = connection.server();
        let period_ms = u32::try_from(period.as_millis()).unwrap_or(u32::MAX);
        self.step(Event::BeatDue { period_ms, load: self.means.router.load(), server }).await;
    }

    async fn step(&mut self, event: Event) {
        let effects = self.agent.step(self.now(), event);
        self.carry_out(effects).await;
    }

    async fn carry_out(&mut self, mut effects: Vec<Effect>) {
        while !effects.is_empty() {
            let mut more = Vec::new();
            for effect in effects {
                // What could not even be handed over is told at once.
                if let Some(event) = self.perform(effect).await {
                    more.extend(self.agent.step(self.now(), event));
                }
            }
            effects = more;
        }
    }

    async fn perform(&mut self, effect: Effect) -> Option<Event> {
        match effect {
            Effect::Read { keys } => self.read(keys.into_iter().collect()),
            Effect::ReadLinks { source } => self.read_links(source),
            Effect::Bind { id, run, links, config } => {
                self.means.router.bind(&id, run, links, &config);
            }
            Effect::StoreEpoch { epoch } => {
                if self.means.writer.try_send(Writing::Epoch(epoch)).is_err() {
                    tracing::warn!(%epoch, "the disk is behind: this epoch is not stored");
                }
            }
            Effect::StoreClosure(closure) => {
                let generation = closure.generation;
                let closure = Writing::Closure(Box::new(closure));
                if self.means.writer.try_send(closure).is_err() {
                    let message = "the disk is behind".to_owned();
                    return Some(Event::StoreFailed { generation, message });
                }
            }
            Effect::Start { run, id, hash, spec, count } => self.start(run, &id, hash, spec, count),
            Effect::Serve { id, run, count } => {
                self.starting.remove(&run);
                self.means.router.actors.serve(&id, run, count);
                self.listen(run);
                tracing::info!(actor = %id, count, "serving");
            }
            Effect::Stop { run, grace_ms } => self.stop(run, Duration::from_millis(grace_ms)),
            Effect::Adopt { id, run, hash, spec, digest } => {
                self.adopt(&id, run, hash, spec, digest);
            }
            Effect::ReadOwner { id } => self.read_owner(id),
            Effect::WriteOwner { id, record, expect } => self.write_owner(id, record, expect),
            Effect::StoreManual { number, set } => {
                if self.means.writer.try_send(Writing::Manual { number, set }).is_err() {
                    let message = "the disk is behind".to_owned();
                    return Some(Event::ManualStoreFailed { number, message });
                }
            }
            Effect::Answer { request, answer } => self.answer(request, answer),
            Effect::Beat(beat) => {
                let subject = Subject::Beat { host: beat.host };
                self.publish(&subject, stored::encode(&beat).into()).await;
            }
            Effect::Announce(delta) => {
                let subject = Subject::Serve { host: delta.host };
                let bytes = stored::encode(&delta).into();
                self.means.router.hear(delta);
                self.publish(&subject, bytes).await;
            }
            Effect::Emit(happening) => {
                let data = self.means.source.event(happening);
                let subject = Subject::Event(data.name());
                let event = CloudEvent::new(self.means.source.host, data, SystemTime::now());
                self.publish(&subject, event.encode()).await;
            }
            Effect::Refused(refusal) => {
                let code = refusal.code();
                if refusal.is_alarm() {
                    tracing::error!(code, reason = %refusal, "refused");
                } else {
                    tracing::info!(code, reason = %refusal, "refused");
                }
            }
            Effect::Leave => self.left = true,
        }
        None
    }

    /// Says something, if there is anybody to say it to: what is said here is said again, or is
    /// only news.
    async fn publish(&self, subject: &Subject, payload: Bytes) {
        let Some(connection) = self.means.router.lattice() else { return };
        match connection.publish(subject, payload).await {
            Ok(()) => {}
            Err(error @ PublishError::TooLarge { .. }) => {
                tracing::error!(?subject, %error, "not said");
            }
            Err(error @ PublishError::Closed) => tracing::debug!(?subject, %error, "not said"),
        }
    }
}

pub(crate) fn millis_since(started: Instant) -> Millis {
    Millis(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX))
}

/// A random duration within `share` of `period`, either way.
pub(crate) fn spread(period: Duration, share: f64) -> Duration {
    period.mul_f64(1.0 - share + 2.0 * share * fastrand::f64())
}

/// The id under which this process's messages are told from those of a copy.
pub(crate) fn boot() -> u64 {
    fastrand::u64(1..)
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("agent", &self.agent).finish_non_exhaustive()
    }
}
