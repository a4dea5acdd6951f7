//! Everything there is in one run, and how time goes on in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fastrand::Rng;
use wattle_agent as agent;
use wattle_brain as brain;
use wattle_trust::KeyPair;
use wattle_types::{HostId, LatticeId, ManualSet, PublicKey, Role, nkey};

use crate::agenda::Agenda;
use crate::controllers::{Controller, Forwards, Inquiry, Request};
use crate::faults::{Fault, Hazards, Options};
use crate::hosts::Host;
use crate::losses::Losses;
use crate::network::{Network, Process, Who};
use crate::operator::Operator;
use crate::orders::Orders;
use crate::properties::Law;
use crate::store::Store;
use crate::trace::Trace;

/// Something that is going to happen.
#[derive(Debug)]
pub(crate) enum Due {
    Brain(Process, brain::Event),
    Agent(Process, agent::Event),
    /// The end of a request, if it has not ended yet.
    BrainAnswer(Process, u64, brain::Event),
    AgentAnswer(Process, u64, agent::Event),
    BrainTick(Process),
    AgentTick(Process),
    NextBeat(Process),
    NextLook(Process),
    /// The follower of a controller looks for more.
    Pump(Process),
    AtStore(Box<Request>),
    AtHost(Inquiry),
    Saved(Process, Box<agent::Closure>),
    SavedByHand(Process, u64, Arc<ManualSet>),
    Boot(Who),
    Heal(Who),
    CutNoticed(Process),
    /// A process that was connected to this server goes to another.
    LeavesNode(Who, usize),
    NodeBack(usize),
    /// A dead host's beat, by somebody else.
    Forged(usize),
    Weather,
    /// Heads that cannot be read are put right again.
    HeadsReadable,
    /// The operator looks whether anything is to be restored.
    Restorer,
    Operator,
    Meddler,
    /// The operator looks for hosts that were forgotten and still run.
    Restarter,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) rng: Rng,
    pub(crate) agenda: Agenda<Due>,
    pub(crate) store: Store,
    pub(crate) network: Network,
    pub(crate) controllers: Vec<Controller>,
    pub(crate) hosts: Vec<Host>,
    /// Where in `hosts` an identity is, now.
    pub(crate) host_by_id: BTreeMap<HostId, usize>,
    pub(crate) operator: Operator,
    pub(crate) forwards: Forwards,
    pub(crate) losses: Losses,
    pub(crate) orders: Orders,
    pub(crate) law: Law,
    pub(crate) trace: Trace,
    pub(crate) fault: Option<Fault>,
    /// Whether things still go wrong.
    pub(crate) storm: bool,
    /// Whom hosts believe.
    pub(crate) trusted: BTreeSet<PublicKey>,
    numbers: u64,
}

impl World {
    pub(crate) fn new(seed: u64, options: &Options) -> Self {
        let mut rng = Rng::with_seed(seed);
        // Everything is drawn, also what is given: a run differs from another in little else.
        let hazards = Hazards::draw(&mut rng, &options.hazards);
        let drawn = [1, 1, 2, 2, 2, 3][rng.usize(..6)];
        let controllers = options.controllers.unwrap_or(drawn);
        let drawn = rng.usize(2..=6);
        let hosts = options.hosts.unwrap_or(drawn);
        let controllers: Vec<Controller> = (0..controllers).map(Controller::new).collect();
        let mut world = Self {
            // Nothing must depend on the clock beginning at zero.
            now: 1_000,
            agenda: Agenda::default(),
            store: Store::with(options.fault),
            law: Law::new(&hazards),
            network: Network::new(hazards),
            trusted: controllers.iter().map(Controller::public).collect(),
            controllers,
            hosts: Vec::new(),
            host_by_id: BTreeMap::new(),
            operator: Operator::new(hosts, options.wishes),
            forwards: Forwards::default(),
            losses: Losses::new(seed),
            orders: Orders::new(seed),
            trace: Trace::default(),
            fault: options.fault,
            storm: true,
            numbers: 0,
            rng,
        };
        for index in 0..hosts {
            let host = Host::new(index, world.number(), &mut world.rng);
            world.law.meet(&host);
            world.host_by_id.insert(host.id, index);
            world.hosts.push(host);
        }
        for index in 0..world.controllers.len() {
            world.later(0..500, Due::Boot(Who::Controller(index)));
        }
        for index in 0..hosts {
            world.later(0..2_000, Due::Boot(Who::Host(index)));
        }
        world.later(500..1_000, Due::Weather);
        world.later(4_000..6_000, Due::Operator);
        world.later(6_000..8_000, Due::Meddler);
        if 0 < world.network.hazards.host_forgotten {
            world.restart_forgotten();
        }
        world
    }

    /// Lets time pass until `end`, or until a promise is broken.
    pub(crate) fn run_until(&mut self, end: u64) {
        while self.law.is_kept() {
            let Some((at, due)) = self.agenda.next(end) else {
                self.now = end;
                return;
            };
            self.now = at;
            self.happen(due);
        }
    }

    fn happen(&mut self, due: Due) {
        if let Some(until) = due.process().and_then(|process| self.paused_until(process)) {
            self.agenda.plan(until, due);
            return;
        }
        match due {
            Due::Brain(to, event) => self.tell_brain(to, event),
            Due::Agent(to, event) => self.tell_agent(to, event),
            Due::BrainAnswer(to, ask, event) => self.answer_brain(to, ask, event),
            Due::AgentAnswer(to, ask, event) => self.answer_agent(to, ask, event),
            Due::BrainTick(of) => self.tick_brain(of),
            Due::AgentTick(of) => self.tick_agent(of),
            Due::NextBeat(of) => self.beat(of),
            Due::NextLook(of) => self.look(of),
            Due::Pump(of) => self.pump(of),
            Due::AtStore(request) => self.at_store(*request),
            Due::AtHost(inquiry) => self.at_host(&inquiry),
            Due::Saved(of, closure) => self.saved(of, *closure),
            Due::SavedByHand(of, number, set) => self.saved_by_hand(of, number, &set),
            Due::Boot(Who::Controller(index)) => self.boot_controller(index),
            Due::Boot(Who::Host(index)) => self.boot_host(index),
            Due::Heal(who) => self.heal(who),
            Due::CutNoticed(of) => self.notice_cut(of),
            Due::LeavesNode(who, node) => self.leave_node(who, node),
            Due::NodeBack(node) => self.node_back(node),
            Due::Forged(index) => self.forge_beat(index),
            Due::Weather => self.weather(),
            Due::HeadsReadable => self.make_heads_readable(),
            Due::Restorer => self.restore_lost(),
            Due::Operator => self.operate(),
            Due::Meddler => self.meddle(),
            Due::Restarter => self.restart_forgotten(),
        }
    }

    pub(crate) fn later(&mut self, ms: std::ops::Range<u64>, due: Due) {
        let at = self.now + self.rng.u64(ms);
        self.agenda.plan(at, due);
    }

    /// A number nobody had before.
    pub(crate) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    pub(crate) fn paused_until(&self, process: Process) -> Option<u64> {
        let until = match process.who {
            Who::Controller(index) => {
                self.controllers[index].run(process.life).map(|run| run.paused_until)
            }
            Who::Host(index) => self.hosts[index].run(process.life).map(|run| run.paused_until),
        };
        until.filter(|until| self.now < *until)
    }

    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.trace.note(self.now, text.into());
    }
}

impl Due {
    /// The process that has to be awake for it.
    const fn process(&self) -> Option<Process> {
        match self {
            Self::Brain(process, _)
            | Self::Agent(process, _)
            | Self::BrainAnswer(process, ..)
            | Self::AgentAnswer(process, ..)
            | Self::BrainTick(process)
            | Self::AgentTick(process)
            | Self::NextBeat(process)
            | Self::NextLook(process)
            | Self::Pump(process)
            | Self::Saved(process, _)
            | Self::SavedByHand(process, ..)
            | Self::CutNoticed(process) => Some(*process),
            _ => None,
        }
    }
}

pub(crate) fn lattice() -> LatticeId {
    "sim".parse().expect("this is a name")
}

/// The key of the controller with this number. It signs nothing outside of a simulation.
pub(crate) fn controller_key(index: usize) -> KeyPair {
    let seed = [u8::try_from(index + 1).unwrap_or(u8::MAX); 32];
    KeyPair::from_seed(&nkey::encode_seed(Role::Cluster, &seed)).expect("a seed of 32 bytes is one")
}
