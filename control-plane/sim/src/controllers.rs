//! Controllers: the brain as shipped, and a driver that gets the results nobody hopes for.

use std::collections::BTreeSet;
use std::sync::Arc;

use wattle_brain::lease::Identity;
use wattle_brain::{
    Brain, Config, Content, Effect, Event, Expect, LeaseReading, OpId, Payload, ProbeReply, Write,
    Wrote,
};
use wattle_trust::signed::{self, Context};
use wattle_types::{
    AppHead, Epoch, HostId, Inventory, Key, Lease, Leadership, stored,
};

use crate::agenda::Moment;
use crate::hosts::Within;
use crate::laws::Violation;
use crate::options::Plant;
use crate::store::{Message, Put, Refused};
use crate::world::{Batch, Job, Link, Party, World, lattice};

#[derive(Debug)]
pub(crate) struct Controller {
    pub(crate) brain: Option<Brain>,
    /// Which process this is.
    pub(crate) life: u64,
    pub(crate) serving: bool,
    pub(crate) link: Link,
    /// Stopped by SIGSTOP until then: what comes waits.
    pub(crate) paused_until: Moment,
    /// On its disk.
    pub(crate) epoch_kept: Epoch,
    holder: String,
    boot: u64,
    skew_ms: u64,
    drift_ppm: i64,
    /// How far it has followed the store.
    position: Option<u64>,
    /// What it has asked and not heard of.
    waiting: BTreeSet<OpId>,
    asking: BTreeSet<HostId>,
}

/// What happens at a controller.
#[derive(Clone, Debug)]
pub(crate) enum Of {
    Tick,
    Follow,
    Event(Event),
    LeaseRead { op: OpId, reading: LeaseReading },
    Committed { op: OpId, wrote: Wrote },
    Inventoried { host: HostId, inventory: Option<Box<Inventory>> },
    /// It notices that its link is cut.
    Notice,
}

const TICK_MS: u64 = 100;
const COMMIT_WITHIN_MS: u64 = 700;
const READ_WITHIN_MS: u64 = 2_000;
const PROBE_WITHIN_MS: u64 = 250;
const INVENTORY_WITHIN_MS: u64 = 1_000;

impl Controller {
    pub(crate) fn new(index: usize, rng: &mut fastrand::Rng) -> Self {
        Self {
            brain: None,
            life: 0,
            serving: false,
            link: Link::default(),
            paused_until: 0,
            epoch_kept: Epoch::ZERO,
            holder: format!("c{index}"),
            boot: 0,
            skew_ms: rng.u64(..1_000_000),
            drift_ppm: rng.i64(-500..500),
            position: None,
            waiting: BTreeSet::new(),
            asking: BTreeSet::new(),
        }
    }
}

impl World {
    pub(crate) fn start_controller(&mut self, index: usize) -> Result<(), Violation> {
        let boot = self.rng.u64(..);
        let controller = &mut self.controllers[index];
        if controller.brain.is_some() {
            return Ok(());
        }
        let identity = Identity {
            holder: controller.holder.clone(),
            boot,
            version: "0.1.0".to_owned(),
        };
        let config = Config { lattice: lattice(), identity, epoch_known: controller.epoch_kept };
        controller.boot = boot;
        controller.life += 1;
        controller.brain = Some(Brain::new(config));
        controller.position = None;
        let life = controller.life;
        self.later(index, life, 1, Of::Tick);
        self.later(index, life, 5, Of::Follow);
        self.tell_controller(index, Event::Connected)
    }

    /// The process ends, between two steps.
    pub(crate) fn crash_controller(&mut self, index: usize) {
        let controller = &mut self.controllers[index];
        controller.brain = None;
        controller.life += 1;
        controller.serving = false;
        controller.waiting.clear();
        controller.asking.clear();
    }

    fn later(&mut self, at: usize, life: u64, ms: u64, of: Of) {
        self.agenda.after(ms, Job::Controller { at, life, of });
    }

    pub(crate) fn at_controller(&mut self, at: usize, life: u64, of: Of) -> Result<(), Violation> {
        let controller = &self.controllers[at];
        if controller.life != life || controller.brain.is_none() {
            return Ok(());
        }
        let now = self.now();
        if now < controller.paused_until {
            let wait = controller.paused_until - now;
            self.later(at, life, wait, of);
            return Ok(());
        }
        match of {
            Of::Tick => {
                self.later(at, life, TICK_MS, Of::Tick);
                let random = self.rng.u64(..);
                self.tell_controller(at, Event::Tick { random })
            }
            Of::Follow => self.follow(at, life),
            Of::Event(event) => self.tell_controller(at, event),
            Of::LeaseRead { op, reading } if self.controllers[at].waiting.remove(&op) => {
                let reading = self.reading_as_planted(reading);
                self.tell_controller(at, Event::LeaseRead { op, reading })
            }
            Of::Committed { op, wrote } if self.controllers[at].waiting.remove(&op) => {
                let wrote = match wrote {
                    Wrote::Unknown if self.has(Plant::UnknownIsStored) => {
                        Wrote::Ok { last_seq: self.store.last_seq() }
                    }
                    wrote => wrote,
                };
                self.tell_controller(at, Event::Committed { op, wrote })
            }
            Of::Inventoried { host, inventory } if self.controllers[at].asking.remove(&host) => {
                self.tell_controller(at, Event::Inventoried { host, inventory })
            }
            Of::LeaseRead { .. } | Of::Committed { .. } | Of::Inventoried { .. } => Ok(()),
            Of::Notice => {
                let link = &mut self.controllers[at].link;
                if link.is_cut() && !link.noticed {
                    link.noticed = true;
                    return self.tell_controller(at, Event::Disconnected);
                }
                Ok(())
            }
        }
    }

    /// One step of the brain, and everything it wants done.
    pub(crate) fn tell_controller(&mut self, at: usize, event: Event) -> Result<(), Violation> {
        let controller = &self.controllers[at];
        let clock = self.clock(controller.skew_ms, controller.drift_ppm);
        let line = format!("{} c{at} {event:?}", self.agenda.now());
        let Some(brain) = &mut self.controllers[at].brain else { return Ok(()) };
        let effects = brain.step(clock, event);
        self.trace.take(format_args!("{line} => {effects:?}"));
        let life = self.controllers[at].life;
        for effect in effects {
            // A crash in the middle leaves the rest undone.
            if self.controllers[at].life != life {
                break;
            }
            self.do_for_controller(at, effect)?;
        }
        Ok(())
    }

    fn do_for_controller(&mut self, at: usize, effect: Effect) -> Result<(), Violation> {
        let (from, life) = (Party::Controller(at), self.controllers[at].life);
        match effect {
            Effect::ReadLease { op } => {
                self.controllers[at].waiting.insert(op);
                for ms in self.fate(from, None) {
                    self.agenda.after(ms, Job::ReadLease { from: at, life, op });
                }
                self.later(at, life, READ_WITHIN_MS, Of::LeaseRead { op, reading: LeaseReading::Failed });
            }
            Effect::Commit { op, writes } => self.send_batch(at, op, writes),
            Effect::RememberEpoch { epoch } => {
                if !self.has(Plant::HideEpochs) {
                    self.controllers[at].epoch_kept = epoch;
                }
            }
            Effect::Probe { host } => self.probe(at, host),
            Effect::AskInventory { host } => {
                self.controllers[at].asking.insert(host);
                self.later(at, life, INVENTORY_WITHIN_MS, Of::Inventoried { host, inventory: None });
                let Some(index) = self.host_by_id(&host) else { return Ok(()) };
                for ms in self.fate(from, Some(Party::Host(index))) {
                    let (life_there, of) = (self.hosts[index].life, Within::Asked { by: at, life });
                    self.agenda.after(ms, Job::Host { at: index, life: life_there, of });
                }
            }
            Effect::Wake { host, at_least } => {
                let index = self.host_by_id(&host);
                if let Some(index) = index.filter(|_| !self.has(Plant::NeverLook)) {
                    self.send_to_host(from, index, &Within::Woken { at_least });
                }
            }
            Effect::Announce { epoch } => {
                let controller = &self.controllers[at];
                let word = Leadership::new(lattice(), controller.holder.clone(), controller.boot, epoch);
                let sealed: Arc<[u8]> =
                    signed::seal(Context::Leader, &word.encode(), &self.key).into();
                for index in 0..self.hosts.len() {
                    self.send_to_host(from, index, &Within::LeaderHeard(sealed.clone()));
                }
            }
            Effect::AskWhoServes => {
                let others = self.controllers.iter().enumerate();
                let yes = others.filter(|(index, _)| *index != at).any(|(_, other)| other.serving);
                if !self.link(from).is_cut() {
                    let event = Event::ServedByAnother { yes };
                    self.later(at, life, 10, Of::Event(event));
                }
            }
            Effect::Serve { yes } => self.controllers[at].serving = yes,
            Effect::Reply { request, answer } => {
                if !self.fate(from, Some(Party::Client)).is_empty() {
                    self.client_hears(request, *answer)?;
                }
            }
            Effect::Raise(alarm) => self.heard_alarm(at, &alarm)?,
            Effect::Stopped => {
                self.crash_controller(at);
                let after = self.rng.u64(200..5_000);
                self.agenda.after(after, Job::StartController(at));
            }
        }
        Ok(())
    }

    fn send_batch(&mut self, at: usize, op: OpId, mut writes: Vec<Write>) {
        let (from, life) = (Party::Controller(at), self.controllers[at].life);
        let crash = 1 < writes.len() && self.chance(self.weather.crash_at_write);
        if crash && self.rng.bool() {
            self.crash_controller(at);
            let after = self.rng.u64(200..5_000);
            self.agenda.after(after, Job::StartController(at));
            return;
        }
        if self.has(Plant::SkipLease) && writes.iter().any(|write| matches!(write.key, Key::Assign(_))) {
            writes.remove(0);
        }
        let clock = {
            let controller = &self.controllers[at];
            self.clock(controller.skew_ms, controller.drift_ppm)
        };
        let counted_on = self.controllers[at].brain.as_ref();
        let counted_on = counted_on.map(|brain| brain.hosts_alive(clock)).unwrap_or_default();
        let batch = Arc::new(Batch { op, writes, counted_on: counted_on.into_iter().collect() });
        self.controllers[at].waiting.insert(op);
        for ms in self.fate(from, None) {
            self.agenda.after(ms.min(5_000), Job::Commit { from: at, life, batch: batch.clone() });
        }
        self.later(at, life, COMMIT_WITHIN_MS, Of::Committed { op, wrote: Wrote::Unknown });
        if crash {
            self.crash_controller(at);
            let after = self.rng.u64(200..5_000);
            self.agenda.after(after, Job::StartController(at));
        }
    }

    /// A batch has reached the store.
    pub(crate) fn at_store_commit(
        &mut self,
        from: usize,
        life: u64,
        batch: &Arc<Batch>,
    ) -> Result<(), Violation> {
        if self.now() < self.store_down_until {
            // Either it waits in a queue for the new leader, or it is gone.
            if self.rng.bool() {
                let wait = self.store_down_until - self.now();
                self.agenda.after(wait, Job::Commit { from, life, batch: batch.clone() });
            }
            return Ok(());
        }
        let wrote = if self.chance(self.weather.in_flight) {
            Wrote::InFlight
        } else {
            let puts: Vec<Put> = batch.writes.iter().map(|write| self.put(write)).collect();
            let before = self.store.clone();
            match self.store.commit(&puts) {
                Ok(last_seq) => {
                    self.laws.committed(&before, &self.store, batch, &self.hosts)?;
                    self.trace.take(format_args!("{} stored up to {last_seq}", self.agenda.now()));
                    self.somebody_wrote();
                    Wrote::Ok { last_seq }
                }
                Err(Refused::Conflict) => Wrote::Conflict,
                Err(Refused::Size | Refused::Twice) => Wrote::TooLarge,
            }
        };
        // The answer needs the way back; without one the sender's own clock answers.
        if !self.link(Party::Controller(from)).cut_in && !self.chance(self.weather.drop) {
            let ms = self.rng.u64(1..20);
            self.later(from, life, ms, Of::Committed { op: batch.op, wrote });
        }
        Ok(())
    }

    fn put(&self, write: &Write) -> Put {
        let bytes = match &write.payload {
            Payload::Plain(bytes) => Some(bytes.clone()),
            Payload::Assignment(body) => {
                let key = if self.has(Plant::WrongKey) { &self.stranger } else { &self.key };
                Some(signed::seal(Context::Assignment, body, key))
            }
            Payload::Gone => None,
        };
        let expect = match write.expect {
            Expect::Absent => 0,
            Expect::Seq(seq) => seq,
        };
        Put { key: write.key.clone(), bytes, expect }
    }

    /// Followers hear of what was written within a few milliseconds.
    pub(crate) fn somebody_wrote(&mut self) {
        for at in 0..self.controllers.len() {
            let (life, ms) = (self.controllers[at].life, self.rng.u64(1..20));
            self.later(at, life, ms, Of::Follow);
        }
    }

    pub(crate) fn at_store_read_lease(&mut self, from: usize, life: u64, op: OpId) {
        if self.now() < self.store_down_until || self.link(Party::Controller(from)).cut_in {
            return;
        }
        let reading = match self.store.get(&Key::Lease) {
            Some(Message { seq, bytes, .. }) => {
                LeaseReading::Found { seq: *seq, bytes: bytes.clone().unwrap_or_default() }
            }
            None => LeaseReading::Absent,
        };
        let ms = self.rng.u64(1..20);
        self.later(from, life, ms, Of::LeaseRead { op, reading });
    }

    fn reading_as_planted(&self, reading: LeaseReading) -> LeaseReading {
        let LeaseReading::Found { seq, bytes } = &reading else { return reading };
        match stored::decode::<Lease>("the lease", bytes) {
            Ok(mut lease) if self.has(Plant::ReuseEpoch) && lease.holder.is_some() => {
                lease.epoch = Epoch(lease.epoch.0.saturating_sub(1));
                LeaseReading::Found { seq: *seq, bytes: stored::encode(&lease) }
            }
            _ => reading,
        }
    }

    fn probe(&mut self, at: usize, host: HostId) {
        let (from, life) = (Party::Controller(at), self.controllers[at].life);
        let index = self.host_by_id(&host).filter(|index| self.hosts[*index].agent.is_some());
        let reply = match index {
            // NATS knows at once that nobody listens there.
            None => ProbeReply::NoResponders,
            Some(_) if self.has(Plant::ProbesLie) => ProbeReply::NoResponders,
            Some(index) => {
                let there = !self.fate(from, Some(Party::Host(index))).is_empty();
                let back = !self.fate(Party::Host(index), Some(from)).is_empty();
                if there && back { ProbeReply::Answered } else { ProbeReply::TimedOut }
            }
        };
        let cut = self.link(from).is_cut();
        let reply = if cut { ProbeReply::TimedOut } else { reply };
        let ms = if reply == ProbeReply::TimedOut { PROBE_WITHIN_MS } else { self.rng.u64(1..40) };
        self.later(at, life, ms, Of::Event(Event::Probed { host, reply }));
    }

    /// The follower of the store takes what is new; an ordered consumer loses nothing, but may
    /// have to begin anew.
    fn follow(&mut self, at: usize, life: u64) -> Result<(), Violation> {
        if self.link(Party::Controller(at)).is_cut() || self.now() < self.store_down_until {
            self.later(at, life, 200, Of::Follow);
            return Ok(());
        }
        let last = self.store.last_seq();
        if self.controllers[at].position.is_some_and(|position| last < position) {
            self.controllers[at].position = None;
            self.tell_controller(at, Event::FollowReset)?;
        }
        let position = self.controllers[at].position;
        for message in self.store.after(position.unwrap_or(0)) {
            if self.controllers[at].life != life {
                return Ok(());
            }
            if self.has(Plant::DropFollowed) && self.chance(0.05) {
                continue;
            }
            let content = self.content(&message);
            let (key, seq) = (message.key, message.seq);
            self.tell_controller(at, Event::Followed { key, seq, content })?;
        }
        if self.controllers[at].life != life {
            return Ok(());
        }
        self.controllers[at].position = Some(last);
        if position.is_none() {
            self.tell_controller(at, Event::FollowedAll { seq: last })?;
        }
        Ok(())
    }

    /// The consumer's place is lost: a snapshot follows.
    pub(crate) fn lose_place(&mut self, at: usize) -> Result<(), Violation> {
        self.controllers[at].position = None;
        self.tell_controller(at, Event::FollowReset)?;
        let life = self.controllers[at].life;
        let ms = self.rng.u64(1..2_000);
        self.later(at, life, ms, Of::Follow);
        Ok(())
    }

    fn content(&self, message: &Message) -> Content {
        let Some(bytes) = &message.bytes else {
            return match &message.key {
                Key::App(name) if self.has(Plant::GoneIsEmpty) => {
                    Content::Value(stored::encode(&AppHead::new(name.clone())))
                }
                _ => Content::Gone,
            };
        };
        if !matches!(message.key, Key::Assign(_)) {
            return Content::Value(bytes.clone());
        }
        let opened = signed::open(bytes).and_then(|sealed| {
            sealed.verify(Context::Assignment, &self.believed()).map(<[u8]>::to_vec)
        });
        opened.map_or(Content::Unreadable, Content::Value)
    }
}
