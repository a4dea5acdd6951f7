//! The NATS servers: three of them, of which one at a time hangs, dies or is split off. Each process
//! is connected to one; one of them leads the stream.
//!
//! A server that hangs takes what is sent to it and passes nothing on, so that whoever is connected
//! to it finds out by pings and goes to another. One that dies breaks its connections at once. One
//! that is split off keeps them, and nobody notices. *Not modelled*: that two processes on a server
//! which is split off reach each other.

use std::collections::BTreeMap;

use fastrand::Rng;

use crate::faults::happens;
use crate::network::Who;
use crate::world::{Due, World};

pub(crate) const NODES: usize = 3;

/// A ping each second, of which two are not answered; then another server is tried.
const LEAVE_HUNG_MS: std::ops::Range<u64> = 3_000..3_600;
const LEAVE_DEAD_MS: std::ops::Range<u64> = 10..2_000;
/// Measured with nats-server: until the stream has a leader again.
const ELECTION_MS: std::ops::Range<u64> = 4_000..6_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    Hangs,
    IsDead,
    SplitOff,
}

#[derive(Debug, Default)]
pub(crate) struct Nodes {
    /// Who is not connected where it was at first.
    moved: BTreeMap<Who, usize>,
    trouble: Option<(usize, Trouble)>,
    leader: usize,
}

impl Nodes {
    /// The server a process is connected to.
    pub(crate) fn of(&self, who: Who) -> usize {
        let first = match who {
            Who::Controller(index) => index + 1,
            Who::Host(index) => index,
        };
        self.moved.get(&who).copied().unwrap_or(first % NODES)
    }

    /// Whether nothing gets through to it, nor from it.
    pub(crate) fn is_cut(&self, who: Who) -> bool {
        self.trouble.is_some_and(|(node, _)| node == self.of(who))
    }

    /// Whether the other servers know that nobody is there.
    pub(crate) fn is_known_gone(&self, who: Who) -> bool {
        self.trouble == Some((self.of(who), Trouble::IsDead))
    }

    /// Whoever starts tries servers until one answers.
    pub(crate) fn join(&mut self, who: Who, rng: &mut Rng) {
        if self.is_cut(who) {
            let next = (self.of(who) + rng.usize(1..NODES)) % NODES;
            self.moved.insert(who, next);
        }
    }
}

impl World {
    /// Each half second.
    pub(crate) fn trouble_nodes(&mut self) {
        let hazards = &self.network.hazards;
        let chances = [
            (hazards.node_hangs, Trouble::Hangs),
            (hazards.node_dies, Trouble::IsDead),
            (hazards.node_split, Trouble::SplitOff),
        ];
        for (chance, trouble) in chances {
            let node = self.rng.usize(..NODES);
            if happens(&mut self.rng, chance) && self.network.nodes.trouble.is_none() {
                self.begin_trouble(node, trouble);
            }
        }
    }

    pub(crate) fn begin_trouble(&mut self, node: usize, trouble: Trouble) {
        self.note(format!("server {node}: {trouble:?}"));
        self.network.nodes.trouble = Some((node, trouble));
        self.later(500..20_000, Due::NodeBack(node));
        if self.network.nodes.leader == node {
            self.network.nodes.leader = (node + self.rng.usize(1..NODES)) % NODES;
            let until = self.now + self.rng.u64(ELECTION_MS);
            self.elect(until);
        }
        let leave_ms = match trouble {
            Trouble::Hangs => LEAVE_HUNG_MS,
            Trouble::IsDead => LEAVE_DEAD_MS,
            Trouble::SplitOff => return,
        };
        for who in self.everybody_on(node) {
            if let (Trouble::IsDead, Who::Controller(index)) = (trouble, who)
                && let Some(process) = self.controller_process(index)
            {
                self.notice_cut(process);
            }
            self.later(leave_ms.clone(), Due::LeavesNode(who, node));
        }
    }

    fn everybody_on(&self, node: usize) -> Vec<Who> {
        let everybody = (0..self.hosts.len()).map(Who::Host);
        let everybody = everybody.chain((0..self.controllers.len()).map(Who::Controller));
        everybody.filter(|who| self.network.nodes.of(*who) == node).collect()
    }

    /// It has found out that its server does not answer, and goes to another.
    pub(crate) fn leave_node(&mut self, who: Who, node: usize) {
        let nodes = &mut self.network.nodes;
        if nodes.of(who) != node || !nodes.is_cut(who) {
            return;
        }
        nodes.join(who, &mut self.rng);
        if let Who::Controller(index) = who
            && let Some(process) = self.controller_process(index)
        {
            self.tell_disconnected(process);
        }
        self.connected_again(who);
    }

    /// A server works again; who stayed with it goes on there.
    pub(crate) fn node_back(&mut self, node: usize) {
        if self.network.nodes.trouble.is_none_or(|(troubled, _)| troubled != node) {
            return;
        }
        self.note(format!("server {node} is back"));
        self.network.nodes.trouble = None;
        for who in self.everybody_on(node) {
            self.connected_again(who);
        }
    }

    pub(crate) fn end_node_trouble(&mut self) {
        if let Some((node, _)) = self.network.nodes.trouble {
            self.node_back(node);
        }
    }
}
