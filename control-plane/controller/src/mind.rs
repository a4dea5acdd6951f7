//! The task that owns the brain: takes letters, hands out effects.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info_span, warn};
use wattle_brain::apps::Command;
use wattle_brain::{Brain, Effect, Event, Forwarded, RequestId, Stamp, Terms};
use wattle_lattice::subject::AppSubject;
use wattle_lattice::{Reply, ReplyTo, RequestError};
use wattle_types::{AuthorKey, Millis, stored};

use crate::api::{self, Asked, Original};
use crate::desk::{self, Question, What};
use crate::hands::Hands;

/// The brain's own timer (it judges pauses longer than a second as "I was not running").
const TICK: Duration = Duration::from_millis(100);

/// What comes to the mind.
#[derive(Debug)]
pub(crate) enum Letter {
    Event(Event),
    Asked(Asked),
    Question(Question),
    /// What another controller answered to what was handed on to it.
    Forwarded {
        request: RequestId,
        reply: Result<Reply, RequestError>,
    },
    /// Messages were dropped on the way to us: we have been deaf.
    Deaf,
}

/// Why a mind ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    AsAsked,
    /// It could no longer listen.
    Deaf,
}

/// In which form an answer is given.
enum Words {
    App(AppSubject, Original),
    Desk,
}

pub(crate) struct Mind {
    brain: Brain,
    hands: Hands,
    letters: mpsc::Receiver<Letter>,
    born: Instant,
    last_request: u64,
    /// Who waits for which answer, and in whose words.
    waiting: BTreeMap<RequestId, (Words, ReplyTo)>,
    /// What others answered, until the brain says what is done with it.
    brought: BTreeMap<RequestId, Reply>,
    stopped: bool,
}

impl Mind {
    pub(crate) fn new(brain: Brain, hands: Hands, letters: mpsc::Receiver<Letter>) -> Self {
        let (waiting, brought) = (BTreeMap::new(), BTreeMap::new());
        let born = Instant::now();
        Self { brain, hands, letters, born, last_request: 0, waiting, brought, stopped: false }
    }

    /// Runs until `stop`, and then until the lease is given back, but no longer than `grace`.
    /// Ends at once when an essential task has ended: who hears half decides wrongly.
    pub(crate) async fn run(mut self, stop: CancellationToken, grace: Duration) -> Ended {
        let deaf = self.hands.tasks.stop().clone();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut deadline: Option<Instant> = None;
        while !self.stopped {
            let at_last = deadline.unwrap_or_else(|| Instant::now() + Duration::from_secs(3_600));
            let letter = tokio::select! {
                biased;
                () = tokio::time::sleep_until(at_last), if deadline.is_some() => {
                    warn!("the lease could not be given back in time");
                    return Ended::AsAsked;
                }
                () = deaf.cancelled() => return Ended::Deaf,
                () = stop.cancelled(), if deadline.is_none() => {
                    deadline = Some(Instant::now() + grace);
                    Letter::Event(Event::Stop)
                }
                // Before letters: a flood of them must not make the brain miss its time.
                _ = ticks.tick() => Letter::Event(Event::Tick { random: fastrand::u64(..) }),
                letter = self.letters.recv() => match letter {
                    Some(letter) => letter,
                    None => return Ended::Deaf,
                },
            };
            self.take(letter).await;
        }
        Ended::AsAsked
    }

    async fn take(&mut self, letter: Letter) {
        match letter {
            Letter::Event(event) => self.step(event).await,
            Letter::Deaf => {
                self.step(Event::Disconnected).await;
                self.step(Event::Connected).await;
            }
            Letter::Asked(asked) => self.ask(asked).await,
            Letter::Forwarded { request, reply } => {
                let outcome = match reply {
                    Ok(reply) => {
                        self.brought.insert(request, reply);
                        Forwarded::Answered
                    }
                    Err(error) if error.may_have_arrived() => Forwarded::Silent,
                    Err(_) => Forwarded::Nobody,
                };
                self.step(Event::Forwarded { request, outcome }).await;
                // What came too late is nobody's.
                self.brought.remove(&request);
            }
            Letter::Question(Question { what, reply }) => match what {
                What::Report => {
                    let report = self.brain.report(self.now());
                    self.hands.respond(&reply, stored::encode(&report).into());
                }
                What::Export(page) => self.hands.export(reply, page),
                What::Command(command) => {
                    self.request(command, None, Terms::default(), Words::Desk, reply).await;
                }
                What::Unknown => self.hands.respond(&reply, desk::unknown()),
            },
        }
    }

    async fn ask(&mut self, asked: Asked) {
        let span = info_span!("application request", op = %asked.op);
        asked.trace.adopt(&span);
        match asked.command {
            Err(message) => {
                let beside = api::own(&self.hands.config.name);
                self.hands.respond_with(&asked.reply, beside, api::refused(&asked.op, message));
            }
            Ok(command) => {
                let words = Words::App(asked.op, asked.original);
                self.request(command, asked.by, asked.terms, words, asked.reply)
                    .instrument(span)
                    .await;
            }
        }
    }

    async fn request(
        &mut self,
        command: Command,
        by: Option<AuthorKey>,
        terms: Terms,
        words: Words,
        reply: ReplyTo,
    ) {
        self.last_request += 1;
        let request = RequestId(self.last_request);
        self.waiting.insert(request, (words, reply));
        self.step(Event::Requested { request, command, terms, at: stamp(by) }).await;
    }

    fn now(&self) -> Millis {
        Millis(u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    async fn step(&mut self, event: Event) {
        for effect in self.brain.step(self.now(), event) {
            match effect {
                Effect::Reply { request, answer, seen } => {
                    // Answered once; a second answer would have nobody to go to.
                    if let Some((words, reply)) = self.waiting.remove(&request) {
                        let (beside, payload) = match words {
                            Words::App(op, original) => {
                                let (asked, name) = (&original.payload, &self.hands.config.name);
                                let bytes_max = self.hands.connection.max_payload();
                                api::reply(&op, asked, *answer, seen, name, bytes_max)
                            }
                            Words::Desk => (Vec::new(), desk::words(*answer)),
                        };
                        self.hands.respond_with(&reply, beside, payload);
                    }
                }
                Effect::Forward { request, to, boot, within_ms } => {
                    // Only what came over the application API is handed on.
                    if let Some((Words::App(op, original), _)) = self.waiting.get(&request) {
                        let within = Duration::from_millis(within_ms);
                        self.hands.forward(request, (to, boot), within, (op, original));
                    }
                }
                Effect::PassOn { request } => {
                    let reply = self.brought.remove(&request);
                    let asker = self.waiting.remove(&request);
                    if let (Some(reply), Some((_, asker))) = (reply, asker) {
                        self.hands.pass_on(asker, reply);
                    }
                }
                Effect::Stopped => self.stopped = true,
                effect => self.hands.act(effect).await,
            }
        }
    }
}

fn stamp(by: Option<AuthorKey>) -> Stamp {
    Stamp { unix_ms: api::unix_ms(), random: fastrand::u128(..), by }
}
