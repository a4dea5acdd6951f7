//! For how long what runs on a silent host is waited for, where its application says so.
//!
//! *Expected flow.* A host is lost when the lattice says so, never before. What it was told then
//! counts as placed there until the host has been silent for as long as the deployed manifest says of
//! that component; after that, as everything else, it is placed elsewhere. *Guarantees.* Nothing is
//! told to the host meanwhile. A host whose last word was that it leaves is not waited for, nor is one
//! that a person wants forgotten. *Assumptions.* That the server says nobody listens there shows
//! that a link or a process is gone, and not which: it is waited for. *Caveats.* Silence is counted by
//! whoever leads: from the last sign of life, if this process could hear it, else from when it
//! began to listen, so that after its restart or a break of its own link the wait is longer. That
//! a host had said that it leaves is forgotten with the process that heard it, too.

use std::collections::BTreeMap;

use wattle_planner::Plan;
use wattle_types::time::Millis;
use wattle_types::{ActorId, HostId};

use crate::fleet::{Fleet, Host};

/// The silence in milliseconds after which an actor is started elsewhere, of those that have a time of
/// their own.
#[derive(Debug, Default)]
pub(super) struct Patience(BTreeMap<ActorId, u64>);

impl Patience {
    /// Of two that would name one id, the first counts.
    pub(super) fn add(&mut self, id: &ActorId, lost_after_ms: Option<u64>) {
        if let Some(ms) = lost_after_ms {
            self.0.entry(id.clone()).or_insert(ms);
        }
    }

    /// Until when `id` is waited for on `host`, should it be lost.
    fn until(&self, host: &Host, id: &ActorId) -> Option<Millis> {
        let ms = self.0.get(id).filter(|_| !host.has_left())?;
        Some(host.silent_since() + *ms)
    }

    /// Whether what `host` was told of `id` counts as placed there, should it be lost.
    pub(super) fn holds(&self, now: Millis, host: &Host, id: &ActorId) -> bool {
        self.until(host, id).is_some_and(|until| now < until)
    }
}

/// What is waited for, and until when, as of the newest plan.
#[derive(Debug, Default)]
pub(crate) struct Waits(BTreeMap<(HostId, ActorId), Millis>);

impl Waits {
    pub(super) fn of(plan: &Plan, patience: &Patience, fleet: &Fleet) -> Self {
        let all = plan.awaited.iter().flat_map(|(host, awaited)| {
            awaited.keys().filter_map(|id| {
                let until = patience.until(fleet.hosts().get(host)?, id)?;
                Some(((*host, id.clone()), until))
            })
        });
        Self(all.collect())
    }

    /// When the first of them is over.
    pub(super) fn first(&self) -> Option<Millis> {
        self.0.values().min().copied()
    }

    /// How many milliseconds more `id` is waited for on `host`.
    pub(crate) fn left_ms(&self, now: Millis, host: &HostId, id: &ActorId) -> u64 {
        self.0.get(&(*host, id.clone())).map_or(0, |until| until.since(now))
    }
}

#[cfg(test)]
mod tests;
