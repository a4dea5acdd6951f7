//! Which hosts get a new assignment, with which generation, and whether so much may end at once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use wattle_planner::{Desired, Placed, Plan};
use wattle_types::time::Millis;
use wattle_types::{
    ActorId, ActorReport, ActorState, Applied, Assignment, Entry, Epoch, Generation, HostId, Key,
    LatticeId, Owner, stored,
};

use super::gather::may_end;
use crate::alarm::Alarm;
use crate::effect::{Payload, Write};
use crate::fleet::{Fleet, Host, Phase};
use crate::mirror::{At, Mirror, Told};

pub(super) struct Changes<'a> {
    pub(super) now: Millis,
    pub(super) lattice: &'a LatticeId,
    pub(super) epoch: Epoch,
    pub(super) mirror: &'a Mirror,
    pub(super) fleet: &'a Fleet,
    pub(super) desired: &'a Desired,
}

/// Entries that ended lately, in all hosts.
#[derive(Debug, Default)]
pub(super) struct Removals {
    window: VecDeque<(Millis, usize)>,
}

const WINDOW_MS: u64 = 60_000;

impl Removals {
    /// Takes note of `count` more; whether they make more than a tenth of `of` within a minute.
    fn is_mass(&mut self, now: Millis, count: usize, of: usize) -> bool {
        self.window.push_back((now, count));
        while self.window.front().is_some_and(|(at, _)| WINDOW_MS < now.since(*at)) {
            self.window.pop_front();
        }
        let lately: usize = self.window.iter().map(|(_, count)| count).sum();
        of + lately < 10 * lately
    }
}

impl Changes<'_> {
    /// The new assignment of each host that needs one, in the order of hosts.
    pub(super) fn assignments(
        &self,
        plan: &Plan,
        removals: &mut Removals,
        alarms: &mut BTreeSet<Alarm>,
    ) -> Vec<Write> {
        let entries_now: usize = plan.target.values().map(BTreeMap::len).sum();
        let mut writes = Vec::new();
        for (id, target) in &plan.target {
            let Some(host) = self.fleet.hosts().get(id) else { continue };
            // Whatever is written for a copied disk is obeyed twice.
            if host.is_cloned(self.now) || !self.needs_write(id, host, target, alarms) {
                continue;
            }
            let before = self.before(id, host);
            let ended: Vec<ActorId> =
                before.iter().filter(|id| !target.contains_key(*id)).cloned().collect();
            let unexplained: Vec<ActorId> =
                ended.iter().filter(|id| !self.is_explained(id, host)).cloned().collect();
            if !unexplained.is_empty() {
                alarms.insert(Alarm::Withheld { host: *id, ids: unexplained });
                continue;
            }
            let mass = before.len() < 2 * ended.len()
                || (!ended.is_empty() && removals.is_mass(self.now, ended.len(), entries_now));
            writes.push(self.write(id, Some(host), target, mass));
        }
        writes
    }

    /// The explicitly empty list, for a host that is to be forgotten.
    pub(super) fn empty(&self, id: &HostId) -> Write {
        self.write(id, self.fleet.hosts().get(id), &BTreeMap::new(), true)
    }

    fn told(&self, id: &HostId) -> Option<&Told> {
        self.mirror.assignments.get(id)?.value.as_ref()
    }

    fn needs_write(
        &self,
        id: &HostId,
        host: &Host,
        target: &BTreeMap<ActorId, Placed>,
        alarms: &mut BTreeSet<Alarm>,
    ) -> bool {
        let applied = host.beat.as_ref().and_then(|beat| beat.applied);
        let Some(told) = self.told(id) else {
            if self.mirror.assignments.get(id).is_some_and(|at| at.newer) {
                alarms.insert(Alarm::AssignmentNewer { host: *id });
                return false;
            }
            // A marker is what is left of a host that was forgotten, and has returned.
            let is_forgotten = self.mirror.assignments.get(id).is_some_and(|at| !at.unreadable);
            if applied.is_some() && !is_forgotten {
                alarms.insert(Alarm::AssignmentLost { host: *id });
            }
            return true;
        };
        let stored = &told.assignment;
        if let Some(applied) = applied {
            // Of the same generation only one content was ever stored, unless a write was lost
            // after its answer.
            let forked = applied.generation == stored.generation && applied.hash != told.hash;
            if forked {
                alarms.insert(Alarm::AssignmentForked { host: *id });
            }
            let ahead = stored.generation < applied.generation || stored.epoch < applied.epoch;
            if ahead {
                alarms.insert(Alarm::AssignmentLost { host: *id });
            }
            if forked || ahead {
                return true;
            }
        }
        stored.entries != entries(target) || self.is_stuck(told, host)
    }

    /// The host did not follow what is stored, and never will: it has heard of a later epoch, or,
    /// seen from what it really runs, too much ends and nobody said that it may. It missed the
    /// steps between.
    fn is_stuck(&self, told: &Told, host: &Host) -> bool {
        let assignment = &told.assignment;
        let Some(beat) = host.beat.as_ref().filter(|_| host.phase == Phase::Alive) else {
            return false;
        };
        let follows = |applied: Applied| assignment.generation <= applied.generation;
        if beat.applied.is_some_and(follows) {
            return false;
        }
        // Below our own epoch too, or the word of one host could make us write for ever.
        if assignment.epoch < beat.epoch_max.min(self.epoch) {
            return true;
        }
        let named: BTreeSet<&ActorId> = assignment.entries.iter().map(|entry| &entry.id).collect();
        let runs = reported(host);
        let ended = runs.iter().filter(|id| !named.contains(id)).count();
        beat.applied.is_some() && !assignment.mass && runs.len() < 2 * ended
    }

    /// What the host would lose something of: what it was told, and what it says it runs.
    fn before(&self, id: &HostId, host: &Host) -> BTreeSet<ActorId> {
        let told = self.told(id).map(|told| &told.assignment.entries);
        let told = told.into_iter().flatten().map(|entry| entry.id.clone());
        told.chain(reported(host)).collect()
    }

    fn is_explained(&self, id: &ActorId, host: &Host) -> bool {
        if self.desired.actors.contains_key(id) {
            return true;
        }
        // The application it runs for may have taken the id over, and the store has lost both.
        let runs_for = reports(host).filter(|report| report.id == *id).map(|report| &report.owner);
        let mut unreadable =
            runs_for.filter(|of| matches!(of, Owner::App(app) if self.mirror.is_unreadable(app)));
        may_end(id, self.mirror) && unreadable.next().is_none()
    }

    fn write(
        &self,
        id: &HostId,
        host: Option<&Host>,
        target: &BTreeMap<ActorId, Placed>,
        mass: bool,
    ) -> Write {
        let applied = host.and_then(|host| host.beat.as_ref()?.applied);
        let applied = applied.map_or(Generation::ZERO, |applied| applied.generation);
        let stored = match self.mirror.assignments.get(id) {
            None => Generation::ZERO,
            Some(At { value: Some(told), .. }) => told.assignment.generation,
            // What was there is deleted or unreadable, and the host may follow it, or come to. In
            // a stream that was not begun anew no generation is above the sequence it has there:
            // each was one write at least.
            Some(at) => Generation(at.seq),
        };
        let assignment = Assignment {
            v: stored::VERSION,
            lattice: self.lattice.clone(),
            host: *id,
            epoch: self.epoch,
            generation: applied.max(stored).next(),
            mass,
            entries: entries(target),
        };
        Write {
            key: Key::Assign(*id),
            payload: Payload::Assignment(assignment.encode()),
            expect: self.mirror.expect_assignment(id),
        }
    }
}

fn entries(target: &BTreeMap<ActorId, Placed>) -> Vec<Entry> {
    let entry = |(id, placed): (&ActorId, &Placed)| Entry {
        id: id.clone(),
        spec: placed.spec,
        count: placed.count,
    };
    target.iter().map(entry).collect()
}

fn reported(host: &Host) -> BTreeSet<ActorId> {
    reports(host).map(|report| report.id.clone()).collect()
}

/// What the host says it runs for applications, and has not begun to end.
fn reports(host: &Host) -> impl Iterator<Item = &ActorReport> {
    let all = host.inventory.iter().flat_map(|inventory| &inventory.actors);
    all.filter(|report| {
        matches!(report.owner, Owner::App(_)) && report.state != ActorState::Draining
    })
}
