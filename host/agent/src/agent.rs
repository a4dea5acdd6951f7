//! The machine as a whole: which part an event concerns, and what all parts say together.

mod leave;
mod look;

use std::collections::{BTreeMap, BTreeSet};

use wattle_types::stored::VERSION;
use wattle_types::{ActorId, Applied, Beat, Generation, IdRecord, Inventory, Key, Load, Millis};

use crate::acceptance::{Acceptance, Accepted};
use crate::announce::Announcer;
use crate::closure::{Closures, Next};
use crate::config::Config;
use crate::effect::{Effect, Happening};
use crate::event::{Component, Event, Failure, Reading, Restored, RunId};
use crate::refusal::Refusal;
use crate::report;
use crate::runs::{Runs, Target};

use leave::Leaving;
use look::Looking;

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
    runs: Runs,
    announcer: Announcer,
    /// On disk, acknowledged, followed.
    applied: Option<Applied>,
    beats: u64,
    inventory_revision: u64,
    was_connected: bool,
    heartbeat_at: Option<Millis>,
    looking: Option<Looking>,
    leaving: Option<Leaving>,
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
            runs: Runs::new(config.grace_ms),
            announcer: Announcer::new(config.host, config.boot),
            applied: None,
            beats: 0,
            inventory_revision: 1,
            was_connected: false,
            heartbeat_at: None,
            looking: None,
            leaving: None,
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
        let leaving = self.leaving.as_ref().and_then(Leaving::due);
        let times = [self.closures.due(), self.runs.due(), self.heartbeat_at, looking, leaving];
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
            Event::LookDue => self.look(None, out),
            Event::Read { key: Key::Assign(host), reading } => {
                if host == self.config.host {
                    self.on_assignment(reading, now, out);
                }
            }
            Event::Read { key, reading } => self.on_value(&key, reading, now, out),
            Event::LeaderHeard { sealed } => match self.acceptance.hear_leader(&sealed) {
                Ok(true) => out.push(Effect::StoreEpoch { epoch: self.acceptance.epoch_max() }),
                Ok(false) => {}
                Err(refusal) => self.refuse(refusal, out),
            },
            Event::Stored { generation } => self.on_stored(generation, now, out),
            Event::StoreFailed { generation, .. } => self.closures.store_failed(generation, now),
            Event::Started { run, component } => self.on_started(run, component, now, out),
            Event::StartFailed { run, failure } => {
                self.runs.start_failed(run, failure, now, out);
            }
            Event::Stopped { run } => self.runs.stopped(run, now, out),
            Event::BeatDue { period_ms, load, server } => {
                self.beats += 1;
                out.push(Effect::Beat(self.beat(period_ms, load, server)));
            }
            Event::AnnounceDue => out.push(Effect::Announce(self.announcer.repeat())),
            Event::Tick => self.on_tick(now, out),
            Event::Drain => self.on_drain(now),
        }
    }

    /// What follows from any event alike.
    fn conclude(&mut self, now: Millis, out: &mut Vec<Effect>) {
        self.leave(now, out);
        if self.leaving.is_none() {
            match self.closures.advance(self.acceptance.epoch_max(), now) {
                Some(Next::Read(keys)) => out.push(Effect::Read { keys }),
                Some(Next::Store(closure)) => out.push(Effect::StoreClosure(closure)),
                None => {}
            }
        }
        let changed = self.runs.take_changed();
        if !changed.is_empty() {
            self.inventory_revision += 1;
            self.announce(&changed, out);
        }
        if self.leaving == Some(Leaving::Left) {
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
        self.look(None, out);
    }

    fn on_tick(&mut self, now: Millis, out: &mut Vec<Effect>) {
        if self.heartbeat_at.is_some_and(|at| at <= now) {
            self.heartbeat_at = Some(now + HEARTBEAT_MS);
            out.push(Effect::Emit(Happening::Heartbeat(Box::new(self.inventory(now)))));
        }
        self.look_if_due(now, out);
        let keys: BTreeSet<Key> = self.runs.tick(now, out).into_iter().map(Key::Id).collect();
        if !keys.is_empty() {
            out.push(Effect::Read { keys });
        }
    }

    fn on_value(&mut self, key: &Key, reading: Reading, now: Millis, out: &mut Vec<Effect>) {
        if let Err(refusal) = self.closures.read(key, reading, now) {
            self.refuse(refusal, out);
        }
        if let Key::Id(id) = key {
            self.judge_owner_again(id, now, out);
        }
    }

    /// A record was read again: what was blocked by the old one may be free now. What runs by a
    /// signed assignment is not stopped by a record, which is not signed.
    fn judge_owner_again(&mut self, id: &ActorId, now: Millis, out: &mut Vec<Effect>) {
        let Some(target) = self.runs.target(id) else { return };
        if !target.is_blocked() {
            return;
        }
        let entry = wattle_types::Entry { id: id.clone(), spec: target.hash, count: target.count };
        let target = self.closures.target(&entry);
        self.runs.set(id, Some(target), now, out);
    }

    fn on_stored(&mut self, generation: Generation, now: Millis, out: &mut Vec<Effect>) {
        if let Some(accepted) = self.closures.stored(generation) {
            self.applied = Some(accepted.applied);
            self.inventory_revision += 1;
            if self.leaving.is_none() {
                self.follow(&accepted, now, out);
            }
        }
    }

    fn follow(&mut self, accepted: &Accepted, now: Millis, out: &mut Vec<Effect>) {
        let targets: BTreeMap<ActorId, Target> = accepted
            .assignment
            .entries
            .iter()
            .map(|entry| (entry.id.clone(), self.closures.target(entry)))
            .collect();
        self.runs.set_all(targets, now, out);
    }

    fn on_started(&mut self, run: RunId, component: Component, now: Millis, out: &mut Vec<Effect>) {
        let record = self.runs.actor_of(run).and_then(|id| self.closures.record(id));
        match record.and_then(|record| foreign_issuer(record, &component)) {
            Some(failure) => self.runs.reject(run, failure, now, out),
            None => self.runs.started(run, component, now, out),
        }
    }

    fn restore(&mut self, restored: Restored, now: Millis, out: &mut Vec<Effect>) {
        for refusal in self.closures.restore(restored.values) {
            self.refuse(refusal, out);
        }
        let Some(sealed) = restored.sealed else { return };
        match self.acceptance.restore(&sealed) {
            Err(refusal) => self.refuse(refusal, out),
            Ok(accepted) => {
                self.follow(&accepted, now, out);
                if self.closures.has_specs_of(&accepted) {
                    self.applied = Some(accepted.applied);
                } else {
                    // The disk lost something: what is there runs, the rest is read again, and
                    // only then is the generation acknowledged.
                    self.closures.follow(accepted, sealed);
                }
            }
        }
    }

    fn announce(&mut self, changed: &BTreeSet<ActorId>, out: &mut Vec<Effect>) {
        let leaving = self.leaving.is_some();
        let delta = self.announcer.delta(changed, self.runs.actors(), leaving);
        out.extend(delta.map(Effect::Announce));
    }

    fn beat(&self, period_ms: u32, load: Load, server: String) -> Beat {
        Beat {
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
