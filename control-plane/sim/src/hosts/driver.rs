//! What the driver of an agent does: reads, writes to disk, starts, serves, stops, beats.

use std::collections::BTreeSet;
use std::ops::Range;

use wattle_agent::{Closure, Component, Effect, Event, Failure, Reading};
use wattle_types::{ActorId, Beat, Digest, Exports, IssuerKey, Key, PublicKey, Role};

use super::life::{GRACE_MS, body_of};
use super::{Phase, Run};
use crate::controllers::Wanted;
use crate::faults::{Fault, happens};
use crate::network::{Process, Who};
use crate::properties::Property;
use crate::store::{Ask, Outcome};
use crate::world::{Due, World};

pub(super) const READ_MS: u64 = 1_000;
const FORGED_MS: u64 = 500;

/// How long a disk mostly takes to make something durable, and how long one in so many times.
const DISK_MS: Range<u64> = 2..60;
const BUSY_DISK_MS: Range<u64> = 60..2_000;
const BUSY_DISK_ONE_IN: u8 = 8;

impl World {
    /// Other programs write, too.
    pub(super) fn disk_ms(&mut self) -> Range<u64> {
        let is_busy = 0 < self.network.hazards.slow && self.rng.u8(..BUSY_DISK_ONE_IN) == 0;
        if is_busy { BUSY_DISK_MS } else { DISK_MS }
    }

    pub(super) fn do_for_agent(&mut self, process: Process, effect: Effect) {
        let now = self.now;
        let Some((index, daemon)) = self.host_run(process) else { return };
        match effect {
            Effect::Read { keys } => {
                for key in keys {
                    let failed = Event::Read { key: key.clone(), reading: Reading::Failed };
                    let late = |process, ask| Due::AgentAnswer(process, ask, failed);
                    self.ask_store(process, Wanted::Value { key }, READ_MS, late);
                }
            }
            Effect::ReadLinks { source } => {
                let (of, links, up_to) = (source.clone(), Err(()), 0);
                let failed = Event::LinksRead { source: of, links, up_to };
                let late = |process, ask| Due::AgentAnswer(process, ask, failed);
                self.ask_store(process, Wanted::Links { source }, READ_MS, late);
            }
            Effect::Bind { run, links, .. } => {
                if let Some(run) = daemon.runs.get_mut(&run) {
                    run.links = Some(links);
                }
            }
            Effect::StoreEpoch { epoch } => {
                let disk = &mut self.hosts[index].disk;
                disk.epoch_max = epoch.max(disk.epoch_max);
            }
            Effect::StoreClosure(closure) => {
                let ms = self.disk_ms();
                self.later(ms, Due::Saved(process, Box::new(closure)));
            }
            Effect::Start { run, id, hash, count, .. } => {
                if daemon.agent.inventory(daemon.clock_at(now)).draining {
                    let message = format!("host {index} starts {id}, and leaves");
                    return self.law.breaks(Property::OnlyAssigned, now, message);
                }
                // A person who asks again need not wait.
                if daemon.is_hasty(now, &id, hash) && !daemon.has_by_hand(&id, hash, count) {
                    let message = format!("host {index} tries {id} again without a pause");
                    return self.law.breaks(Property::Rests, now, message);
                }
                let by_hand = daemon.has_by_hand(&id, hash, count);
                let phase = Phase::Starting;
                let started = Run { id, hash, count, by_hand, links: None, phase };
                let followed = daemon.followed.clone();
                daemon.runs.insert(run, started.clone());
                if by_hand {
                    self.law.ran_by_hand(self.hosts[index].id, &started.id);
                } else {
                    self.law.started(now, index, &started, followed.as_ref());
                }
                let event = self.start(run);
                self.later(10..1_500, Due::Agent(process, event));
            }
            Effect::Serve { run, count, .. } => {
                if let Some(run) = daemon.runs.get_mut(&run) {
                    (run.count, run.phase) = (count, Phase::Serving);
                }
            }
            Effect::Stop { run, .. } => {
                let leaves = daemon.agent.inventory(daemon.clock_at(now)).draining;
                if let Some(id) = daemon.ends_early(run).filter(|_| !leaves) {
                    let message = format!("host {index} ends {id} before its successor serves");
                    return self.law.breaks(Property::Undisturbed, now, message);
                }
                if let Some(run) = daemon.runs.get_mut(&run) {
                    run.phase = Phase::Stopping;
                }
                self.later(1..GRACE_MS, Due::Agent(process, Event::Stopped { run }));
            }
            Effect::Adopt { run, hash, .. } => {
                if let Some(run) = daemon.runs.get_mut(&run) {
                    (run.hash, run.by_hand) = (hash, false);
                }
            }
            Effect::ReadOwner { .. }
            | Effect::WriteOwner { .. }
            | Effect::StoreManual { .. }
            | Effect::Answer { .. } => self.do_by_hand(process, effect),
            Effect::Beat(beat) => self.send_beat(index, &beat),
            Effect::Announce(_) | Effect::Emit(_) => {}
            Effect::Refused(refusal) => {
                self.note(format!("host {index} refuses: {refusal}"));
                self.law.refused(now, index, &refusal);
            }
            Effect::Leave => self.kill_host(index, 500..8_000),
        }
    }

    fn start(&mut self, run: wattle_agent::RunId) -> Event {
        if happens(&mut self.rng, self.network.hazards.start_fails) {
            let (code, message) = ("SIM-START".to_owned(), "it did not start".to_owned());
            return Event::StartFailed { run, failure: Failure { code, message } };
        }
        let issuer = IssuerKey::try_from(PublicKey::new(Role::Account, [9; 32]));
        let component = Component {
            digest: Digest::of(b"component"),
            issuer: issuer.expect("this is an issuer's role"),
            name: None,
            revision: None,
            exports: Exports::new(),
            imports: BTreeSet::new(),
        };
        Event::Started { run, component }
    }

    /// A closure has reached the disk, or not.
    pub(crate) fn saved(&mut self, process: Process, closure: Closure) {
        let Some((index, _)) = self.host_run(process) else { return };
        let generation = closure.generation;
        let fails = happens(&mut self.rng, self.network.hazards.disk_fails);
        // What a disk that failed has kept is anybody's guess.
        if !fails || self.rng.bool() {
            let host = &mut self.hosts[index];
            host.backup.clone_from(&host.disk);
            let disk = &mut host.disk;
            disk.epoch_max = closure.epoch_max.max(disk.epoch_max);
            disk.applied = Some(closure.applied);
            disk.sealed = Some(closure.sealed.clone());
            disk.values.extend(closure.values);
            disk.values.retain(|key, _| closure.keep.contains(key));
        }
        if fails {
            let message = "no space is left".to_owned();
            self.tell_agent(process, Event::StoreFailed { generation, message });
            return;
        }
        let (now, next) = (self.now, body_of(&closure.sealed));
        if let Some((index, daemon)) = self.host_run(process) {
            let before = std::mem::replace(&mut daemon.followed, next.clone());
            if before != next {
                daemon.failed.clear();
            }
            let host = &self.hosts[index];
            let (before, next) = (before.as_ref(), next.as_ref());
            self.law.follows(now, host, before, next, closure.applied);
        }
        self.tell_agent(process, Event::Stored { generation });
    }

    fn send_beat(&mut self, index: usize, beat: &Beat) {
        self.law.beat(self.now, &self.hosts[index], beat);
        self.hosts[index].last_beat = Some(beat.clone());
        self.spread_beat(index, beat);
        if self.fault == Some(Fault::StartsUnassigned) && self.storm && self.rng.u8(..) == 0 {
            self.start_unassigned(index);
        }
    }

    fn spread_beat(&mut self, index: usize, beat: &Beat) {
        for controller in 0..self.controllers.len() {
            let Some(to) = self.controller_process(controller) else { continue };
            for ms in self.network.copies(&mut self.rng, Who::Host(index), to.who) {
                let event = wattle_brain::Event::Beat(beat.clone());
                self.agenda.plan(self.now + ms, Due::Brain(to, event));
            }
        }
    }

    /// A host reads one key by direct get. None: no answer comes.
    pub(crate) fn read_for_host(&mut self, from: Process, ask: u64, key: Key) -> Option<Due> {
        let others = self.hosts.iter().map(|host| Key::Assign(host.id)).find(|other| *other != key);
        let asked = match (&key, self.fault) {
            (Key::Assign(_), Some(Fault::OthersAssignment)) => others.unwrap_or(key.clone()),
            _ => key.clone(),
        };
        let reading = match self.put_to_store(&Ask::ReadDirect(asked)) {
            Outcome::Found { seq, mut value } => {
                if matches!(key, Key::Spec(_)) && self.fault == Some(Fault::SwappedSpecs) {
                    value.push(0);
                }
                Reading::Value { bytes: value, seq }
            }
            Outcome::Marker { .. } | Outcome::Nothing => Reading::Nothing,
            _ => return None,
        };
        Some(Due::AgentAnswer(from, ask, Event::Read { key, reading }))
    }

    /// A host reads all links of one actor from one replica. None: no answer comes.
    pub(crate) fn read_links_for_host(
        &mut self,
        from: Process,
        ask: u64,
        source: ActorId,
    ) -> Option<Due> {
        let hazards = &self.network.hazards;
        if happens(&mut self.rng, hazards.mute) || self.store.is_deleted() {
            return None;
        }
        let lag = if happens(&mut self.rng, hazards.stale) { self.rng.u64(1..40) } else { 0 };
        let up_to = self.store.last_seq().saturating_sub(lag);
        let links = Ok(self.store.links_as_of(&source, up_to));
        Some(Due::AgentAnswer(from, ask, Event::LinksRead { source, links, up_to }))
    }

    /// The planted bugs of hosts.
    fn start_unassigned(&mut self, index: usize) {
        let Some(daemon) = &mut self.hosts[index].running else { return };
        let id = "uninvited".parse().expect("this is an id");
        let hash = wattle_types::SpecHash(Digest::of(b"uninvited"));
        let phase = Phase::Serving;
        let started = Run { id, hash, count: 1, by_hand: false, links: None, phase };
        self.law.started(self.now, index, &started, daemon.followed.as_ref());
        daemon.runs.insert(wattle_agent::RunId(u64::MAX), started);
    }

    pub(crate) fn forge_beat(&mut self, index: usize) {
        if self.hosts[index].running.is_some() {
            return;
        }
        if let Some(beat) = &mut self.hosts[index].last_beat {
            beat.seq += 1;
            let beat = beat.clone();
            self.spread_beat(index, &beat);
        }
        self.later(FORGED_MS..FORGED_MS + 1, Due::Forged(index));
    }
}
