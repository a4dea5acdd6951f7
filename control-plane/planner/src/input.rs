//! What the planner is told. Everything observed is late and partial; each field says why that
//! is fine where it is used.

use std::collections::{BTreeMap, BTreeSet};

use wattle_types::{ActorId, HostId, Labels, Scaler, SpecHash};

/// What should run in the lattice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    pub actors: BTreeMap<ActorId, Wanted>,
    /// Ids whose application is not readable now. Not knowing is no reason to stop: their
    /// entries stay exactly as they are.
    pub frozen: BTreeSet<ActorId>,
}

/// One actor, as its application wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub what: What,
    pub scaler: Scaler,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Run(SpecHash),
    /// A part of the manifest that this version does not run, and why.
    Unsupported(String),
}

/// What is known of every host, by id.
pub type Observed = BTreeMap<HostId, HostView>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostView {
    pub status: HostStatus,
    /// None for a host that has an assignment from before but was not heard of by this observer
    /// yet: it keeps what it has and gets nothing new.
    pub about: Option<About>,
    /// What the host was last told to run. The planner goes by this and not by what the host
    /// reports to run, so that a slow start is not taken for a missing one.
    pub assigned: BTreeMap<ActorId, Placed>,
    /// What it reported to be ready since it follows `assigned`: decides where to stop when there
    /// is too much, and when what moved here may end where it was. Late is fine: too long in two
    /// places is better than a moment in none.
    pub ready: BTreeSet<ActorId>,
    /// What has been leaving here for so long that nobody waits any more for its new places.
    pub overdue: BTreeSet<ActorId>,
    /// What is not given up here though the host is lost, for its application waits longer: it
    /// counts as placed here, and nobody starts it elsewhere. Says nothing of any other host.
    pub awaited: BTreeSet<ActorId>,
}

/// What a host said of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// For people; never an identity.
    pub name: String,
    pub labels: Labels,
    /// Instances it has room for.
    pub capacity: u32,
    /// Instances that are not ours to place: started by hand or by another manager.
    pub reserved: u32,
}

/// The order is that of preference when there is a choice of where to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostStatus {
    Ready,
    /// Silent, but not for long enough to be judged: keeps what it has, gets nothing new.
    Suspect,
    /// Leaving: should end up with nothing.
    Draining,
    /// Not counted on but for what is awaited. Its assignment stays where it is, for the day it
    /// returns.
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    pub spec: SpecHash,
    pub count: u32,
}

impl HostView {
    /// Room for instances of applications, in total.
    pub(crate) fn room(&self) -> u32 {
        match &self.about {
            Some(about) => about.capacity.saturating_sub(about.reserved),
            // Unknown, and nothing is added there: as much as it has.
            None => self.assigned.values().fold(0, |sum, placed| sum.saturating_add(placed.count)),
        }
    }

    pub(crate) fn may_keep(&self) -> bool {
        matches!(self.status, HostStatus::Ready | HostStatus::Suspect)
    }

    /// Whether `id` counts as placed here where it is.
    pub(crate) fn keeps(&self, id: &ActorId) -> bool {
        self.may_keep() || self.awaits(id)
    }

    /// Whether the host is lost, and this is waited for all the same.
    pub(crate) fn awaits(&self, id: &ActorId) -> bool {
        self.status == HostStatus::Lost && self.awaited.contains(id)
    }

    pub(crate) fn may_start(&self) -> bool {
        self.status == HostStatus::Ready && self.about.is_some()
    }

    /// Whether the host is known to have all of `requirements`.
    pub(crate) fn satisfies(&self, requirements: &Labels) -> bool {
        let has = |(key, value): (&String, &String)| {
            self.about.as_ref().is_some_and(|about| about.labels.get(key) == Some(value))
        };
        requirements.iter().all(has)
    }

    /// Whether `id` may be here as `spec`. A host of which nothing is known is believed to suit
    /// what it has: somebody who knew placed it there. Not so what is to become something else,
    /// for that was never placed there by anybody.
    pub(crate) fn suits(&self, id: &ActorId, spec: SpecHash, requirements: &Labels) -> bool {
        match &self.about {
            Some(_) => self.satisfies(requirements),
            None => self.assigned.get(id).is_some_and(|placed| placed.spec == spec),
        }
    }

    pub(crate) fn assigned_count(&self, id: &ActorId) -> u32 {
        self.assigned.get(id).map_or(0, |placed| placed.count)
    }
}
