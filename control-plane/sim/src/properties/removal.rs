//! Hosts that people want forgotten: only those, step by step, and nobody who lives unasked.

use wattle_brain::apps::Answer;
use wattle_types::HostId;

use super::{Law, Property};
use crate::hosts::Host;
use crate::world::World;

impl Law {
    /// Whether somebody wants this host forgotten.
    pub(super) fn is_to_be_forgotten(&self, host: &HostId) -> bool {
        self.to_forget.contains_key(host)
    }

    /// Its assignment is gone.
    pub(super) fn forgets(&mut self, id: &HostId, hosts: &[Host]) {
        self.counts.forgotten += 1;
        let host = hosts.iter().find(|host| host.id == *id);
        let life = host.and_then(|host| host.running.as_ref()).map_or(0, |daemon| daemon.life);
        self.forgotten.insert(*id, life);
    }

    /// Whether this process of a host is told nothing any more.
    pub(crate) fn is_forgotten(&self, host: &HostId, life: u64) -> bool {
        let is_told = self.known.assignments.contains_key(host);
        self.forgotten.get(host) == Some(&life) && !is_told
    }
}

impl World {
    /// A controller answered whoever wants a host forgotten.
    pub(crate) fn told_of_removal(&mut self, host: &HostId, yes: bool, answer: &Answer) {
        if !matches!(answer, Answer::Underway(_) | Answer::Forgotten { .. }) {
            return;
        }
        let index = self.host_index(host);
        let is_well = index.is_some_and(|index| self.is_well(&self.hosts[index]));
        // What was begun while it was lost goes on.
        let is_agreed = self.law.to_forget.insert(*host, true) == Some(true);
        if is_well && !yes && !is_agreed {
            let message = format!("{host} is well, and is forgotten though nobody agreed");
            self.law.breaks(Property::NoFalseAlarm, self.now, message);
        }
    }
}
