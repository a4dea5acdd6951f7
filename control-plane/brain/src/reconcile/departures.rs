//! Since when what moves has been leaving its old places: the planner has no clock.

use std::collections::{BTreeMap, BTreeSet};

use wattle_planner::{Observed, Plan};
use wattle_types::time::Millis;
use wattle_types::{ActorId, HostId};

/// An image of a hundred megabytes over a slow line, and its compilation, take a few minutes. What
/// is not ready by then has failed, and its old place is wanted by others.
const LEAVING_MAX_MS: u64 = 300_000;

/// A new leader counts anew, so a move during which leaders change may take longer.
#[derive(Debug, Default)]
pub(super) struct Departures {
    since: BTreeMap<HostId, BTreeMap<ActorId, Millis>>,
}

impl Departures {
    /// What has been leaving this host for too long.
    pub(super) fn overdue(&self, now: Millis, host: &HostId) -> BTreeSet<ActorId> {
        let leaving = self.since.get(host).into_iter().flatten();
        let overdue = leaving.filter(|(_, since)| LEAVING_MAX_MS <= now.since(**since));
        overdue.map(|(id, _)| id.clone()).collect()
    }

    /// Takes note of what leaves by `plan`, which is of `observed`.
    pub(super) fn note(&mut self, now: Millis, plan: &Plan, observed: &Observed) {
        self.since.retain(|host, leaving| {
            // What was overdue may still be there, if its end could not be written.
            leaving.retain(|id, _| {
                let has = observed.get(host).is_some_and(|view| view.assigned.contains_key(id));
                let gets = plan.target.get(host).is_some_and(|target| target.contains_key(id));
                has && (!gets || plan.leaves(host, id))
            });
            !leaving.is_empty()
        });
        for (host, leaving) in &plan.leaving {
            let since = self.since.entry(*host).or_default();
            for id in leaving {
                since.entry(id.clone()).or_insert(now);
            }
        }
    }
}
