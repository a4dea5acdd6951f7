//! The machine as a whole: which part an event concerns, and what all parts say together.

mod by_hand;
mod leave;
mod look;
mod orders;

use std::collections::{BTreeMap, BTreeSet};

use wattle_types::stored::VERSION;
use wattle_types::{ActorId, Applied, Beat, Generation, IdRecord, Inventory, Key, Load, Millis};

use crate::acceptance::Acceptance;
use crate::announce::Announcer;
use crate::closure::{Closures, Learned, Next};
use crate::config::Config;
use crate::effect::{Effect, Happening};
use crate::event::{Component, Event, Failure, Reading, Restored, RunId};
use crate::manual::Manual;
use crate::ownership::Ownership;
use crate::refusal::Refusal;
use crate::report;
use crate::runs::Runs;

use leave::Leaving;
use look::Looking;
use orders::Orders;

/// Of the 1.x heartbeat; its listeners call a host lost after 70 s.
const HEARTBEAT_MS: u64 = 30_000;
/// A host's decisions. The driver calls [`Agent::step`] for everything that happens, and again
/// with [`Event::Tick`] when [`Agent::due`] has come.
#[derive(Debug)]
pub struct Agent {
    config: Config,
    started: Millis,
    acceptance: Acceptance,
    closures: Closures,
    manual: Manual,
    ownership: Ownership,
    orders: Orders,
    runs: Runs,
    announcer: Announcer,
    /// On disk, acknowledged, followed.
    applied: Option<Applied>,
    beats: u64,
    /// The last one.
    said: Option<Beat>,
    inventory_revision: u64,
    was_connected: bool,
    heartbeat_at: Option<Millis>,
    looking: Option<Looking>,
    /// Links and configuration are looked at as soon as the store has shown that it knows us.
    looks_at_all: bool,
    leaving: Option<Leaving>,
    /// When the leader last said that it leads.
    leader_heard: Option<Millis>,
    refused: BTreeMap<&'static str, u64>,
}

impl Agent {
    /// Goes on from what was on disk: what was followed is verified again and started at once,
    /// with the lattice or without it.
    pub fn start(config: Config, restored: Restored, now: Millis) -> (Self, Vec<Effect>) {
        let acceptance = Acceptance::new(
            config.lattice.clone(),
            config.host,
            config.controllers.clone(),
            restored.epoch_max,
            restored.applied,
        );
        let mut agent = Self {
            started: now,
            acceptance,
            closures: Closures::default(),
            manual: Manual::default(),
            ownership: Ownership::new(config.host),
            orders: Orders::default(),
            runs: Runs::new(config.grace_ms),
            announcer: Announcer::new(config.host, config.boot),
            applied: None,
            beats: 0,
            said: None,
            inventory_revision: 1,
            was_connected: false,
            heartbeat_at: None,
            looking: None,
            looks_at_all: false,
            leaving: None,
            leader_heard: None,
            refused: BTreeMap::new(),
            config,
        };
        let mut out = Vec::new();
        agent.restore(restored, now, &mut out);
        agent.conclude(now, &mut out);
        (agent, out)
    }

    /// Takes note of what happened and says what to do about it.
    pub fn step(&mut self, now: Millis, event: Event) -> Vec<Effect> {
        let mut out = Vec::new();
        if self.leaving == Some(Leaving::Left) {
            return out;
        }
        self.on(event, now, &mut out);
        self.conclude(now, &mut out);
        out
    }

    /// When to step with [`Event::Tick`] though nothing happened.
    pub fn due(&self) -> Option<Millis> {
        let looking = self.looking.as_ref().and_then(Looking::due);
        // A host that finishes stores nothing any more.
        let closures = self.closures.due().filter(|_| self.listens());
        let by_hand = [self.manual.due(), self.ownership.due()];
        let times = [closures, self.runs.due(), self.heartbeat_at, looking, self.leave_due()];
        let times = times.into_iter().chain(by_hand);
        times.into_iter().flatten().min()
    }

    /// Everything this host runs, and how it is.
    pub fn inventory(&self, now: Millis) -> Inventory {
        let config = &self.config;
        Inventory {
            v: VERSION,
            lattice: config.lattice.clone(),
            host: config.host,
            boot: config.boot,
            name: config.name.clone(),
            labels: config.labels.clone(),
            version: config.version.clone(),
            uptime_s: now.since(self.started) / 1_000,
            http_addr: config.http_addr.clone(),
            capacity: config.capacity,
            revision: self.inventory_revision,
            applied: self.applied,
            draining: self.leaving.is_some(),
            actors: report::actors(self.runs.actors()),
        }
    }

    /// Everything this host serves, for those who join or missed something.
    pub fn serves(&self) -> wattle_types::ServeDelta {
        self.announcer.full()
    }

    /// How often something was not obeyed, by the code of the reason.
    pub const fn refused(&self) -> &BTreeMap<&'static str, u64> {
        &self.refused
    }

    fn on(&mut self, event: Event, now: Millis, out: &mut Vec<Effect>) {
        match event {
            Event::Connected => self.on_connected(now, out),
            Event::Woken { at_least } => self.look(Some(at_least), out),
            Event::LinkChanged { source, at_least } => {
                self.closures.link_changed(&source, at_least);
            }
            Event::ConfigChanged { name, at_least } => {
                self.closures.config_changed(&name, at_least);
            }
            Event::LookDue => self.look_at_all(out),
            Event::Commanded { request, command } => self.on_commanded(request, command, out),
            Event::OwnerRead { id, reading, unix_s } => {
                self.on_owner_read(&id, reading, unix_s, now, out);
            }
            Event::OwnerWritten { id, stored } => self.on_owner_written(&id, stored, now, out),
            Event::ManualStored { number } => self.on_manual_stored(number, now, out),
            Event::ManualStoreFailed { number, message } => {
                self.on_manual_store_failed(number, message, now, out);
            }
            Event::Read { key: Key::Assign(host), reading } => {
                if host == self.config.host {
                    self.on_assignment(reading, now, out);
                }
            }
            Event::Read { key, reading } => self.on_value(&key, reading, now, out),
            Event::LinksRead { source, links, up_to } => {
                let learned = self.closures.links_read(&source, links, up_to, now);
                self.on_learned(learned, [source], now, out);
            }
            Event::LinksJudged { id, reports } => self.runs.judged(&id, reports),
            Event::LeaderHeard { sealed } => self.on_leader(&sealed, now, out),
            Event::Stored { generation } => self.on_stored(generation, now, out),
            Event::StoreFailed { generation, .. } => self.closures.store_failed(generation, now),
            Event::Started { run, component } => self.on_started(run, component, now, out),
            Event::StartFailed { run, failure } => {
                self.runs.start_failed(run, failure, now, out);
            }
            Event::Stopped { run } => self.runs.stopped(run, now, out),
            Event::BeatDue { period_ms, load, server } => {
                self.say(period_ms, load, server, out);
            }
            Event::AnnounceDue => out.push(Effect::Announce(self.announcer.repeat())),
            Event::Tick => self.on_tick(now, out),
            Event::Drain => self.on_drain(now, out),
        }
    }

    /// What follows from any event alike.
    fn conclude(&mut self, now: Millis, out: &mut Vec<Effect>) {
        self.leave(now, out);
        if self.listens() {
            let next = self.closures.advance(self.acceptance.epoch_max(), now);
            out.extend(next.into_iter().map(|next| match next {
                Next::Read(keys) => Effect::Read { keys },
                Next::ReadLinks(source) => Effect::ReadLinks { source },
                Next::Store(closure) => {
                    self.acceptance.writes(closure.generation);
                    Effect::StoreClosure(closure)
                }
            }));
        }
        self.write_manual(now, out);
        let changed = self.runs.take_changed();
        if !changed.is_empty() {
            self.inventory_revision += 1;
            self.announce(&changed, out);
        }
        if self.leaving == Some(Leaving::Left) {
            self.say_goodbye(out);
            out.push(Effect::Emit(Happening::HostStopped));
            out.push(Effect::Leave);
        }
    }

    fn on_connected(&mut self, now: Millis, out: &mut Vec<Effect>) {
        if !self.was_connected {
            self.was_connected = true;
            // Whoever knew this id from an earlier run believes everything still runs, unless
            // told that it ended.
            out.push(Effect::Emit(Happening::HostStopped));
            out.push(Effect::Emit(Happening::HostStarted));
            self.heartbeat_at = Some(now + HEARTBEAT_MS);
        }
        out.push(Effect::Announce(self.announcer.full()));
        self.look_at_all(out);
    }

    fn on_leader(&mut self, sealed: &[u8], now: Millis, out: &mut Vec<Effect>) {
        match self.acceptance.hear_leader(sealed) {
            Ok(is_higher) => {
                self.leader_heard = Some(now);
                let epoch = self.acceptance.epoch_max();
                out.extend(is_higher.then_some(Effect::StoreEpoch { epoch }));
            }
            Err(refusal) => self.refuse(refusal, out),
        }
    }

    fn on_tick(&mut self, now: Millis, out: &mut Vec<Effect>) {
        if self.heartbeat_at.is_some_and(|at| at <= now) {
            self.heartbeat_at = Some(now + HEARTBEAT_MS);
            out.push(Effect::Emit(Happening::Heartbeat(Box::new(self.inventory(now)))));
        }
        self.look_if_due(now, out);
        self.ownership.tick(now, out);
        self.end_overdue(now, out);
        let blocked = self.runs.tick(now, out);
        let keys: BTreeSet<Key> = blocked.iter().flat_map(|id| self.reasons(id)).collect();
        if !keys.is_empty() {
            out.push(Effect::Read { keys });
        }
    }

    fn on_value(&mut self, key: &Key, reading: Reading, now: Millis, out: &mut Vec<Effect>) {
        let learned = self.closures.read(key, reading, now);
        let concerned = match key {
            Key::Id(id) => vec![id.clone()],
            Key::Config(name) => self.closures.users_of(name),
            _ => Vec::new(),
        };
        self.on_learned(learned, concerned, now, out);
    }

    fn on_learned(
        &mut self,
        learned: Learned,
        concerned: impl IntoIterator<Item = ActorId>,
        now: Millis,
        out: &mut Vec<Effect>,
    ) {
        for refusal in learned.refusals {
            self.refuse(refusal, out);
        }
        if learned.news {
            for id in concerned {
                self.judge_again(&id, now, out);
            }
        }
    }

    /// What is known of an actor has changed: it is bound anew, and what was blocked may be free
    /// now. What runs by a signed assignment is not stopped by a record, which is not signed.
    fn judge_again(&mut self, id: &ActorId, now: Millis, out: &mut Vec<Effect>) {
        self.adopt();
        let Some(before) = self.runs.target(id) else { return };
        // Of a disk that lost something, an assignment may run that is not followed yet.
        let restored = || self.closures.target(&self.entry_of(id, before));
        let mut target = self.wanted(id).unwrap_or_else(restored);
        if target.is_blocked() && !before.is_blocked() {
            target.plan = before.plan.clone();
        }
        self.runs.set(id, Some(target), now, out);
    }

    fn on_stored(&mut self, generation: Generation, now: Millis, out: &mut Vec<Effect>) {
        if let Some(applied) = self.closures.stored(generation) {
            self.applied = Some(applied);
            self.inventory_revision += 1;
            self.adopt();
            match self.leaving {
                None => {
                    let targets = self.targets(self.closures.entries());
                    self.runs.set_all(targets, now, out);
                }
                Some(_) if self.listens() => {
                    let entries = self.closures.entries().to_vec();
                    self.hand_over(&entries, now, out);
                }
                Some(_) => {}
            }
        }
    }

    fn on_started(&mut self, run: RunId, component: Component, now: Millis, out: &mut Vec<Effect>) {
        let record = self.runs.actor_of(run).and_then(|id| self.closures.record(id));
        match record.and_then(|record| foreign_issuer(record, &component)) {
            Some(failure) => self.runs.reject(run, failure, now, out),
            None => self.runs.started(run, component, now, out),
        }
    }

    fn restore(&mut self, restored: Restored, now: Millis, out: &mut Vec<Effect>) {
        let Restored { sealed, values, manual, .. } = restored;
        let accepted = sealed.as_deref().map(|sealed| self.acceptance.restore(sealed));
        let accepted = match accepted.transpose() {
            Ok(accepted) => accepted,
            Err(refusal) => {
                self.refuse(refusal, out);
                None
            }
        };
        for refusal in self.closures.restore(values, accepted.as_ref()) {
            self.refuse(refusal, out);
        }
        let entries = accepted.as_ref().map_or(&[][..], |accepted| &accepted.assignment.entries);
        let entries = entries.to_vec();
        if let (Some(accepted), Some(sealed)) = (accepted, sealed) {
            let applied = accepted.applied;
            // Of a disk that lost something, what is there runs, and only once the rest was read
            // is the generation acknowledged.
            if self.closures.resume(accepted, sealed) {
                self.applied = Some(applied);
            }
        }
        self.restore_manual(manual.as_deref(), now, out);
        self.adopt();
        self.runs.set_all(self.targets(&entries), now, out);
    }

    fn announce(&mut self, changed: &BTreeSet<ActorId>, out: &mut Vec<Effect>) {
        // Whoever hands over is still asked.
        let leaving = !self.listens();
        let delta = self.announcer.delta(changed, self.runs.actors(), leaving);
        out.extend(delta.map(Effect::Announce));
    }

    fn say(&mut self, period_ms: u32, load: Load, server: String, out: &mut Vec<Effect>) {
        self.beats += 1;
        let beat = Beat {
            v: VERSION,
            host: self.config.host,
            boot: self.config.boot,
            seq: self.beats,
            period_ms,
            applied: self.applied,
            epoch_max: self.acceptance.epoch_max(),
            draining: self.leaving.is_some(),
            inventory: self.inventory_revision,
            load,
            server,
        };
        self.said = Some(beat.clone());
        out.push(Effect::Beat(beat));
    }

    /// A host that is gone before its next beat was due says all the same that it leaves, or it
    /// would be taken for one whose link broke, and waited for.
    fn say_goodbye(&mut self, out: &mut Vec<Effect>) {
        if let Some(last) = self.said.take_if(|last| !last.draining) {
            self.say(last.period_ms, last.load, last.server, out);
        }
    }

    fn refuse(&mut self, refusal: Refusal, out: &mut Vec<Effect>) {
        *self.refused.entry(refusal.code()).or_default() += 1;
        out.push(Effect::Refused(refusal));
    }
}

/// The id belongs to whoever signed what first ran under it.
fn foreign_issuer(record: &IdRecord, component: &Component) -> Option<Failure> {
    let issuer = record.issuer.as_ref().filter(|issuer| **issuer != component.issuer)?;
    let message = format!(
        "the component is signed by {}, and id {} belongs to {issuer}",
        component.issuer, record.id
    );
    Some(Failure { code: "WT-HOST-ISSUER".to_owned(), message })
}

#[cfg(test)]
mod tests;
