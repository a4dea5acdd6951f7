//! How a host's process begins, is told things, and ends.

use std::collections::{BTreeMap, BTreeSet};

use wattle_agent::{Agent, Config, Effect, Event};
use wattle_trust::signed::{self, Context};
use wattle_types::{Assignment, Life, Load};

use super::{Daemon, Phase};
use crate::clock::Clock;
use crate::faults::{Fault, happens_of};
use crate::network::{Process, Who};
use crate::properties::entries_of;
use crate::world::{Due, World, lattice};

/// A run may finish what is in flight for so long.
pub(super) const GRACE_MS: u64 = 3_000;
const FIRST_BEAT_MS: u64 = 500;

impl World {
    pub(crate) fn boot_host(&mut self, index: usize) {
        if self.hosts[index].running.is_some() || self.hosts[index].kept_down {
            return;
        }
        let life = self.number();
        let clock = Clock::new(&mut self.rng, self.network.hazards.clock_drifts);
        let host = &mut self.hosts[index];
        if self.fault == Some(Fault::DiskGoesBack) {
            host.disk = host.backup.clone();
        }
        let config = Config {
            lattice: lattice(),
            host: host.id,
            boot: life,
            name: format!("h{index}"),
            labels: host.labels.clone(),
            version: "0.1.0".to_owned(),
            http_addr: None,
            capacity: host.capacity,
            controllers: self.trusted.clone(),
            grace_ms: GRACE_MS,
        };
        let (agent, effects) = Agent::start(config, host.disk.clone(), clock.at(self.now));
        let followed = host.disk.sealed.as_deref().and_then(body_of);
        let mut by_hand = entries_of(host);
        by_hand.retain(|entry| entry.life == Life::Manual);
        self.law.restarts(self.now, host);
        host.running = Some(Daemon {
            life,
            agent,
            clock,
            booted_at: self.now,
            paused_until: 0,
            asks: BTreeSet::new(),
            tick_at: None,
            followed,
            by_hand,
            runs: BTreeMap::new(),
            failed: BTreeMap::new(),
        });
        self.note(format!("host {index} starts as boot {life}"));
        let process = Process { who: Who::Host(index), life };
        self.carry_out_of_agent(process, effects);
        self.plan_tick(process);
        self.later(1..FIRST_BEAT_MS, Due::NextBeat(process));
        self.later(15_000..45_000, Due::NextLook(process));
        self.network.nodes.join(process.who, &mut self.rng);
        if !self.network.is_cut(process.who) {
            self.later(1..1_000, Due::Agent(process, Event::Connected));
        }
    }

    /// The process dies, and with it all that runs there.
    pub(crate) fn kill_host(&mut self, index: usize, back: std::ops::Range<u64>) {
        if self.hosts[index].running.take().is_some() {
            self.note(format!("host {index} is gone"));
            self.later(back, Due::Boot(Who::Host(index)));
            if self.is_forged() {
                self.later(1..FIRST_BEAT_MS, Due::Forged(index));
            }
        }
    }

    pub(crate) fn tell_host(&mut self, from: Who, index: usize, event: &Event) {
        let Some(process) = self.host_process(index) else { return };
        for ms in self.network.copies(&mut self.rng, from, process.who) {
            self.agenda.plan(self.now + ms, Due::Agent(process, event.clone()));
        }
    }

    pub(crate) fn tell_hosts(&mut self, from: Who, event: &Event) {
        for index in 0..self.hosts.len() {
            self.tell_host(from, index, event);
        }
    }

    pub(crate) fn tell_agent(&mut self, process: Process, event: Event) {
        let (now, never_stops) = (self.now, self.fault == Some(Fault::NeverStops));
        let Some((index, daemon)) = self.host_run(process) else { return };
        let clock = daemon.clock_at(now);
        match &event {
            Event::StartFailed { run, .. } => {
                // One that was told to stop before has not failed.
                let failed = daemon.runs.remove(run);
                if let Some(run) = failed.filter(|run| run.phase == Phase::Starting) {
                    daemon.failed.insert((run.id, run.hash), clock);
                }
            }
            Event::Stopped { run } if !never_stops => drop(daemon.runs.remove(run)),
            _ => {}
        }
        let effects = daemon.agent.step(clock, event.clone());
        self.trace.agent(now, index, event, &effects);
        self.carry_out_of_agent(process, effects);
        self.plan_tick(process);
    }

    pub(crate) fn answer_agent(&mut self, process: Process, ask: u64, event: Event) {
        if self.host_run(process).is_some_and(|(_, daemon)| daemon.asks.remove(&ask)) {
            self.tell_agent(process, event);
        }
    }

    pub(crate) fn begin_host_ask(&mut self, process: Process, ask: u64) {
        if let Some((_, daemon)) = self.host_run(process) {
            daemon.asks.insert(ask);
        }
    }

    fn carry_out_of_agent(&mut self, process: Process, effects: Vec<Effect>) {
        for effect in effects {
            // What is done all the time would otherwise be the only thing at which anybody dies.
            let matters = !matches!(
                effect,
                Effect::Beat(_) | Effect::Announce(_) | Effect::Emit(_) | Effect::Read { .. }
            );
            let chance = self.network.hazards.crash_at_effect;
            if happens_of(&mut self.rng, chance, if matters { 1 } else { 20 }) {
                if self.rng.bool() {
                    self.do_for_agent(process, effect);
                }
                if let Who::Host(index) = process.who {
                    self.kill_host(index, 200..6_000);
                }
                return;
            }
            self.do_for_agent(process, effect);
        }
    }

    /// Wakes the agent when it wants to be.
    fn plan_tick(&mut self, process: Process) {
        let now = self.now;
        let Some((_, daemon)) = self.host_run(process) else { return };
        let Some(due) = daemon.agent.due() else { return };
        let at = now + due.since(daemon.clock_at(now)).max(1);
        if daemon.tick_at.is_none_or(|planned| planned <= now || at < planned) {
            daemon.tick_at = Some(at);
            self.agenda.plan(at, Due::AgentTick(process));
        }
    }

    pub(crate) fn tick_agent(&mut self, process: Process) {
        let now = self.now;
        let Some((_, daemon)) = self.host_run(process) else { return };
        if daemon.tick_at.is_some_and(|at| at <= now) {
            daemon.tick_at = None;
            self.tell_agent(process, Event::Tick);
        }
    }

    pub(crate) fn beat(&mut self, process: Process) {
        let Some((index, _)) = self.host_run(process) else { return };
        let (server, period_ms) =
            (format!("nats-{}", self.network.nodes.of(process.who)), self.hosts[index].beat_ms);
        self.tell_agent(process, Event::BeatDue { period_ms, load: Load::default(), server });
        let ms = u64::from(period_ms);
        self.later(ms * 9 / 10..ms * 11 / 10, Due::NextBeat(process));
    }

    pub(crate) fn look(&mut self, process: Process) {
        if self.host_run(process).is_none() {
            return;
        }
        self.tell_agent(process, Event::LookDue);
        self.tell_agent(process, Event::AnnounceDue);
        self.later(15_000..45_000, Due::NextLook(process));
    }
}

/// What a sealed assignment says, whoever signed it.
pub(crate) fn body_of(sealed: &[u8]) -> Option<Assignment> {
    Assignment::decode(&opened(Context::Assignment, sealed)?).ok()
}

/// What was signed, by whomever.
pub(crate) fn opened(context: Context, sealed: &[u8]) -> Option<Vec<u8>> {
    let signed = signed::open(sealed).ok()?;
    let signer = std::iter::once(*signed.claimed_key()).collect();
    signed.verify(context, &signer).map(<[u8]>::to_vec).ok()
}
