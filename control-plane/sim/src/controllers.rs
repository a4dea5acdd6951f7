//! Controllers: the shipped brain in a process that crashes, sleeps and starts again, and a driver
//! that does what it wants over a bad network.

mod driver;
mod following;
mod requests;

use std::collections::{BTreeMap, BTreeSet};

use wattle_brain::lease::{Identity, MIN_VERSION};
use wattle_brain::marks::Marks;
use wattle_brain::{Brain, Config, Effect, Event, OpId};
use wattle_trust::KeyPair;
use wattle_types::{ActorId, Epoch, HostId, Key, Millis, PublicKey};

use crate::clock::Clock;
use crate::faults::{happens, happens_of};
use crate::network::{Process, Who};
use crate::store::Write;
use crate::world::{Due, World, controller_key, lattice};

pub(crate) use requests::Forwards;

/// Understands less than [`MIN_VERSION`] does.
pub(crate) const OLD_VERSION: &str = "0.0.9";

#[derive(Debug)]
pub(crate) struct Controller {
    key: KeyPair,
    /// On its disk.
    epoch_known: Epoch,
    /// Its export.
    kept: BTreeMap<Key, Option<Vec<u8>>>,
    pub(crate) running: Option<Run>,
}

/// One process.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) life: u64,
    pub(crate) brain: Brain,
    pub(crate) clock: Clock,
    pub(crate) paused_until: u64,
    /// Requests that have not ended yet.
    asks: BTreeSet<u64>,
    /// Whether it answers the application API.
    pub(crate) serves: bool,
    /// Until then it is sent nothing of what is stored.
    pub(crate) stalls_until: u64,
    /// How far it has followed the store.
    position: u64,
    /// How often the store had lost something when it began to follow it.
    losses: u64,
    complete: bool,
    /// The lease of the batch that was sent last, and what was seen when it was sent first.
    decided: Option<(wattle_brain::Write, Seen)>,
    /// It knows that its link is cut.
    knows_cut: bool,
    /// What it says each second, signed once.
    word: Option<(Epoch, Vec<u8>)>,
}

/// On its way to the store.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) from: Process,
    pub(crate) ask: u64,
    pub(crate) deadline: u64,
    pub(crate) what: Wanted,
}

#[derive(Debug)]
pub(crate) enum Wanted {
    Lease {
        op: OpId,
    },
    Commit {
        op: OpId,
        writes: Vec<Write>,
        seen: Seen,
    },
    /// Make the stream, if there is none.
    Make,
    /// One value, outside of any batch.
    Write {
        op: OpId,
        write: Write,
    },
    /// By a host.
    Value {
        key: Key,
    },
    /// All of one actor, by a host.
    Links {
        source: ActorId,
    },
    /// Who owns an id, of the stream's leader, by a host.
    Owner {
        id: ActorId,
    },
    /// The same, to be changed.
    Own {
        id: ActorId,
        write: Write,
    },
}

/// What its sender had followed of the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) position: u64,
    /// How many it had been through, if the sender had seen anything of it since the last.
    pub(crate) losses: Option<u64>,
}

/// On its way to a host.
#[derive(Debug)]
pub(crate) struct Inquiry {
    from: Process,
    ask: u64,
    host: HostId,
    for_inventory: bool,
}

impl Controller {
    pub(crate) fn new(index: usize) -> Self {
        Self {
            key: controller_key(index),
            epoch_known: Epoch::ZERO,
            kept: BTreeMap::new(),
            running: None,
        }
    }

    /// Its export, as people take it from its disk.
    pub(crate) fn kept(&self) -> &BTreeMap<Key, Option<Vec<u8>>> {
        &self.kept
    }

    pub(crate) fn key(&self) -> &KeyPair {
        &self.key
    }

    pub(crate) fn public(&self) -> PublicKey {
        self.key.public()
    }

    pub(crate) fn run(&self, life: u64) -> Option<&Run> {
        self.running.as_ref().filter(|run| run.life == life)
    }
}

impl Run {
    pub(crate) fn clock_at(&self, now: u64) -> Millis {
        self.clock.at(now)
    }

    /// What it had followed when it decided on the batch that begins with this lease: one whose
    /// fate is unknown is sent again as it was.
    fn seen_when_decided(&mut self, lease: &wattle_brain::Write) -> Seen {
        if let Some((same, seen)) = &self.decided
            && same == lease
        {
            return *seen;
        }
        let has_begun = 0 < self.position || self.complete;
        let losses = has_begun.then_some(self.losses);
        let seen = Seen { position: self.position, losses };
        self.decided = Some((lease.clone(), seen));
        seen
    }
}

impl World {
    pub(crate) fn controller_process(&self, index: usize) -> Option<Process> {
        let run = self.controllers[index].running.as_ref()?;
        Some(Process { who: Who::Controller(index), life: run.life })
    }

    /// The controller whose process this is, while it runs.
    fn controller_run(&mut self, process: Process) -> Option<(usize, &mut Run)> {
        let Who::Controller(index) = process.who else { return None };
        let run = self.controllers[index].running.as_mut()?;
        (run.life == process.life).then_some((index, run))
    }

    pub(crate) fn boot_controller(&mut self, index: usize) {
        if self.controllers[index].running.is_some() {
            return;
        }
        let life = self.number();
        let clock = Clock::new(&mut self.rng, self.network.hazards.clock_drifts);
        let version = self.version_of(index, life);
        let controller = &mut self.controllers[index];
        let holder = format!("c{index}").parse().expect("this is a name");
        let identity = Identity { holder, boot: life, min_version: version.clone(), version };
        let kept = controller.kept.iter();
        let marks = Marks::of(kept.filter_map(|(key, bytes)| Some((key, bytes.as_deref()?))));
        let epoch_known = controller.epoch_known;
        let config = Config { lattice: lattice(), identity, epoch_known, marks };
        controller.running = Some(Run {
            life,
            brain: Brain::new(config),
            clock,
            paused_until: 0,
            asks: BTreeSet::new(),
            serves: false,
            stalls_until: 0,
            position: 0,
            losses: self.store.losses(),
            complete: false,
            decided: None,
            knows_cut: true,
            word: None,
        });
        self.note(format!("controller {index} starts as boot {life}"));
        let process = Process { who: Who::Controller(index), life };
        self.later(0..100, Due::BrainTick(process));
        self.network.nodes.join(process.who, &mut self.rng);
        if !self.network.is_cut(process.who) {
            self.reconnect_controller(process);
        }
    }

    /// The version that a process is of: this one, or for a while the one before.
    fn version_of(&mut self, index: usize, life: u64) -> String {
        let chance = self.network.hazards.old_version;
        let is_old = happens(&mut self.orders.rng, chance);
        let version = if is_old { OLD_VERSION } else { MIN_VERSION };
        self.law.is_of_version(life, version);
        if is_old {
            self.note(format!("controller {index} is of version {version}"));
        }
        version.to_owned()
    }

    pub(crate) fn kill_controller(&mut self, index: usize, back: std::ops::Range<u64>) {
        if self.controllers[index].running.take().is_some() {
            self.note(format!("controller {index} is gone"));
            self.later(back, Due::Boot(Who::Controller(index)));
        }
    }

    pub(crate) fn reconnect_controller(&mut self, process: Process) {
        let Some((_, run)) = self.controller_run(process) else { return };
        if std::mem::replace(&mut run.knows_cut, false) {
            self.later(1..300, Due::Brain(process, Event::Connected));
        }
        self.later(1..400, Due::Pump(process));
    }

    pub(crate) fn notice_cut(&mut self, process: Process) {
        if self.network.is_cut(process.who) {
            self.tell_disconnected(process);
        }
    }

    pub(crate) fn tell_disconnected(&mut self, process: Process) {
        let Some((_, run)) = self.controller_run(process) else { return };
        if !std::mem::replace(&mut run.knows_cut, true) {
            self.tell_brain(process, Event::Disconnected);
        }
    }

    pub(crate) fn tick_brain(&mut self, process: Process) {
        if self.controller_run(process).is_none() {
            return;
        }
        let random = self.rng.u64(..);
        self.tell_brain(process, Event::Tick { random });
        self.later(90..111, Due::BrainTick(process));
    }

    pub(crate) fn answer_brain(&mut self, process: Process, ask: u64, event: Event) {
        if self.controller_run(process).is_some_and(|(_, run)| run.asks.remove(&ask)) {
            self.tell_brain(process, event);
        }
    }

    pub(crate) fn tell_brain(&mut self, process: Process, event: Event) {
        let now = self.now;
        let Some((index, run)) = self.controller_run(process) else { return };
        let effects = run.brain.step(run.clock_at(now), event.clone());
        if let Event::Inventoried { host, inventory: Some(_) } = &event {
            self.law.sees(now, process.life, *host);
        }
        self.trace.brain(now, index, event, &effects);
        for effect in effects {
            if self.crashes_at(&effect) {
                // Before the write, or after it was sent and before anybody heard what became of it.
                if self.rng.bool() {
                    self.carry_out_of_brain(process, effect);
                }
                self.kill_controller(index, 200..6_000);
                return;
            }
            self.carry_out_of_brain(process, effect);
        }
    }

    /// Whether the process dies just before or after this. What is done all the time would
    /// otherwise be the only thing at which anybody dies.
    fn crashes_at(&mut self, effect: &Effect) -> bool {
        let matters = matches!(
            effect,
            Effect::Commit { .. }
                | Effect::RememberEpoch { .. }
                | Effect::Reply { .. }
                | Effect::Forward { .. }
        );
        let seldom = if matters { 1 } else { 20 };
        let chance = self.network.hazards.crash_at_effect;
        happens_of(&mut self.rng, chance, seldom)
    }
}
