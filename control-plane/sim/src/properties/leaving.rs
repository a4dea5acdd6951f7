//! What is on a host only until it is ready on another: which entries may be that, and whether
//! anything ends before.

use std::collections::{BTreeMap, BTreeSet};

use wattle_planner::{Desired, What};
use wattle_types::{ActorId, Assignment, Entry, HostId, ScalerKind};

use super::{Law, Property};
use crate::hosts::Host;

/// What hosts were told before a batch.
pub(super) type Before = BTreeMap<HostId, Assignment>;

impl Law {
    /// Whether this entry may be leaving: it was told so before, and another host is told the actor
    /// as it should be, or could be if something else did not leave it.
    pub(super) fn may_leave(
        &self,
        host: &HostId,
        entry: &Entry,
        before: &Before,
        desired: &Desired,
    ) -> bool {
        let is_place = |other: &HostId, told: &Entry| {
            told.id == entry.id && self.is_as_it_should_be(other, told, desired)
        };
        let is_room = |other: &HostId, told: &Entry| {
            told.id != entry.id
                && self.fits(other, &entry.id, desired)
                && before.get(other).is_none_or(|_| was_told(other, told, before))
                && self.leaves(other, told, desired)
        };
        let others = || self.known.assignments.iter().filter(|(other, _)| *other != host);
        let any = |goes_to: &dyn Fn(&HostId, &Entry) -> bool| {
            others().any(|(other, told)| told.entries.iter().any(|told| goes_to(other, told)))
        };
        was_told(host, entry, before) && (any(&is_place) || any(&is_room))
    }

    fn is_as_it_should_be(&self, host: &HostId, told: &Entry, desired: &Desired) -> bool {
        let wanted = desired.actors.get(&told.id);
        wanted.is_some_and(|wanted| wanted.what == What::Run(told.spec))
            && self.fits(host, &told.id, desired)
    }

    /// Whether this is no place for it, or it is told more often than it should run.
    fn leaves(&self, host: &HostId, told: &Entry, desired: &Desired) -> bool {
        let all = || {
            let told_all = self.known.assignments.values().flat_map(|told| &told.entries);
            told_all.filter(|of| of.id == told.id).map(|of| of.count).sum()
        };
        let is_too_much = || {
            desired.actors.get(&told.id).is_some_and(|wanted| {
                wanted.scaler.kind == ScalerKind::Spread && wanted.scaler.instances < all()
            })
        };
        !self.is_as_it_should_be(host, told, desired) || is_too_much()
    }

    /// Nothing is told more often than it should run; only what was told before may leave.
    pub(super) fn check_double(
        &self,
        told: &BTreeSet<HostId>,
        before: &Before,
        desired: &Desired,
    ) -> Result<(), (Property, String)> {
        let mut begun: BTreeMap<&ActorId, u32> = BTreeMap::new();
        for host in told {
            let entries = self.known.assignments.get(host).into_iter().flat_map(|t| &t.entries);
            let begun_here = |entry: &&Entry| {
                !was_told(host, entry, before) && !self.may_be_by_hand(host, &entry.id)
            };
            for entry in entries.filter(begun_here) {
                *begun.entry(&entry.id).or_default() += entry.count;
            }
        }
        for (id, count) in begun {
            let Some(wanted) = desired.actors.get(id) else { continue };
            let instances = wanted.scaler.instances;
            if self.is_excused(id) {
                continue;
            }
            if wanted.scaler.kind == ScalerKind::Spread && instances < count {
                let message = format!("{id} should run {instances} times and is begun {count}");
                return Err((Property::Constraints, message));
            }
        }
        Ok(())
    }

    /// Counts what the batch ends where it serves, and whether that leaves a gap.
    pub(super) fn count_moves(
        &mut self,
        now: u64,
        told: &BTreeSet<HostId>,
        before: &Before,
        hosts: &[Host],
    ) {
        let (desired, mut moved, mut gaps) = (self.known.desired(), 0, Vec::new());
        let serving: BTreeSet<(HostId, &ActorId)> =
            hosts.iter().flat_map(|host| host.serving().map(|id| (host.id, id))).collect();
        for host in told {
            let had = before.get(host).into_iter().flat_map(|told| &told.entries);
            let ended = had.map(|entry| &entry.id).filter(|id| {
                !self.is_told(host, id)
                    && serving.contains(&(*host, *id))
                    && desired.actors.contains_key(*id)
            });
            for id in ended {
                let mut places = self
                    .known
                    .assignments
                    .keys()
                    .filter(|place| self.is_told(place, id))
                    .peekable();
                if places.peek().is_none() {
                    continue;
                }
                if places.any(|place| serving.contains(&(*place, id))) {
                    moved += 1;
                } else {
                    gaps.push(format!("{id} on {host}"));
                }
            }
        }
        self.counts.moved += moved;
        self.counts.gaps += gaps.len() as u64;
        if self.calm && !gaps.is_empty() {
            let message = format!("{} ends, and serves nowhere else", gaps.join(", "));
            self.breaks(Property::Undisturbed, now, message);
        }
    }

    fn is_told(&self, host: &HostId, id: &ActorId) -> bool {
        let told = self.known.assignments.get(host);
        told.is_some_and(|told| told.entries.iter().any(|entry| entry.id == *id))
    }
}

/// In this revision, and as often or more.
pub(super) fn was_told(host: &HostId, entry: &Entry, before: &Before) -> bool {
    let told = before.get(host).into_iter().flat_map(|told| &told.entries);
    told.into_iter()
        .any(|was| (&was.id, was.spec) == (&entry.id, entry.spec) && entry.count <= was.count)
}
