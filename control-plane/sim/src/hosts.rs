//! Hosts: the shipped agent in a process that crashes, sleeps and starts again, its disk, and what
//! really runs there.

mod by_hand;
mod driver;
mod life;

use std::collections::{BTreeMap, BTreeSet};

use std::sync::Arc;

use fastrand::Rng;
use wattle_agent::{Agent, Restored, RunId};
use wattle_types::{
    ActorId, Assignment, Beat, HostId, Inventory, Labels, LinkTable, ManualEntry, Millis,
    PublicKey, Role, SpecHash,
};

use crate::clock::Clock;
use crate::network::{Process, Who};
use crate::world::World;

pub(crate) use life::{body_of, opened};

/// A machine, under one identity for as long as its disk lives.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) index: usize,
    pub(crate) id: HostId,
    pub(crate) labels: Labels,
    pub(crate) capacity: u32,
    beat_ms: u32,
    pub(crate) disk: Restored,
    /// The disk before it was last written to.
    backup: Restored,
    pub(crate) running: Option<Daemon>,
    /// Must not start again before it is told to.
    pub(crate) kept_down: bool,
    /// For those who beat in its name.
    last_beat: Option<Beat>,
}

/// One process of a host.
#[derive(Debug)]
pub(crate) struct Daemon {
    pub(crate) life: u64,
    agent: Agent,
    pub(crate) clock: Clock,
    pub(crate) booted_at: u64,
    pub(crate) paused_until: u64,
    asks: BTreeSet<u64>,
    /// When the agent is woken next.
    tick_at: Option<u64>,
    /// What it follows: durable, and acknowledged.
    pub(crate) followed: Option<Assignment>,
    /// What was started by hand and is durable, as the agent was told.
    by_hand: Vec<ManualEntry>,
    pub(crate) runs: BTreeMap<RunId, Run>,
    /// When, by its clock, what failed to start last, since the assignment that names it is followed.
    pub(crate) failed: BTreeMap<(ActorId, SpecHash), Millis>,
}

/// Something that really runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) id: ActorId,
    pub(crate) hash: SpecHash,
    pub(crate) count: u32,
    /// A person's, and not an application's.
    pub(crate) by_hand: bool,
    /// What it was last told to call through.
    pub(crate) links: Option<Arc<LinkTable>>,
    pub(crate) phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Starting,
    Serving,
    Stopping,
}

impl Host {
    pub(crate) fn new(index: usize, number: u64, rng: &mut Rng) -> Self {
        let zone = if index == 0 || rng.u8(..3) < 2 { "cloud" } else { "edge" };
        let mut labels = Labels::from([("zone".to_owned(), zone.to_owned())]);
        if rng.bool() {
            labels.insert("disk".to_owned(), "ssd".to_owned());
        }
        Self {
            index,
            id: identity(number),
            labels,
            capacity: rng.u32(2..=6),
            beat_ms: if rng.u8(..5) == 0 { 2_000 } else { 500 },
            disk: Restored::default(),
            backup: Restored::default(),
            running: None,
            kept_down: false,
            last_beat: None,
        }
    }

    /// The disk is another one, and with it the identity.
    pub(crate) fn renew(&mut self, number: u64) {
        self.id = identity(number);
        self.lose_disk();
        self.last_beat = None;
    }

    pub(crate) fn lose_disk(&mut self) {
        (self.disk, self.backup) = Default::default();
    }

    pub(crate) fn run(&self, life: u64) -> Option<&Daemon> {
        self.running.as_ref().filter(|run| run.life == life)
    }

    /// What really serves there.
    pub(crate) fn serving(&self) -> impl Iterator<Item = &ActorId> {
        let runs = self.running.iter().flat_map(|daemon| daemon.runs.values());
        runs.filter(|run| run.phase == Phase::Serving).map(|run| &run.id)
    }

    /// What it says to whoever asks. None: nobody listens. Some none: it does not answer now.
    pub(crate) fn inventory(&self, now: u64) -> Option<Option<Inventory>> {
        let run = self.running.as_ref()?;
        Some((run.paused_until <= now).then(|| run.agent.inventory(run.clock_at(now))))
    }
}

impl Daemon {
    pub(crate) fn clock_at(&self, now: u64) -> Millis {
        self.clock.at(now)
    }
}

fn identity(number: u64) -> HostId {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    HostId::try_from(PublicKey::new(Role::Server, bytes)).expect("this is a host's role")
}

impl World {
    pub(crate) fn host_index(&self, id: &HostId) -> Option<usize> {
        self.host_by_id.get(id).copied()
    }

    pub(crate) fn host_process(&self, index: usize) -> Option<Process> {
        let run = self.hosts[index].running.as_ref()?;
        Some(Process { who: Who::Host(index), life: run.life })
    }

    /// The host whose process this is, while it runs.
    fn host_run(&mut self, process: Process) -> Option<(usize, &mut Daemon)> {
        let Who::Host(index) = process.who else { return None };
        let run = self.hosts[index].running.as_mut()?;
        (run.life == process.life).then_some((index, run))
    }
}
