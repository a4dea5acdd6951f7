//! How long a message takes, whether it arrives at all, and how often.

use std::collections::BTreeMap;

use fastrand::Rng;

use crate::faults::{Hazards, SLOW_MS, happens};
use crate::nodes::Nodes;

/// No message takes longer.
pub(crate) const UNDER_WAY_MS: u64 = 10_000;
/// No process sleeps longer.
pub(crate) const SLEEP_MS: u64 = 12_000;
/// So long after it was decided on, and after a storm, something can still take effect.
pub(crate) const AFTERMATH_MS: u64 = SLEEP_MS + UNDER_WAY_MS;

/// Where a link to NATS ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Who {
    Controller(usize),
    Host(usize),
}

/// One run of a process: what was under way for an earlier one never reaches the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Process {
    pub(crate) who: Who,
    pub(crate) life: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Network {
    pub(crate) hazards: Hazards,
    pub(crate) nodes: Nodes,
    /// Links that are cut, and since when.
    cut: BTreeMap<Who, u64>,
    /// When links were connected again.
    healed: BTreeMap<Who, u64>,
}

/// How a write gets to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    After(u64),
    Never,
}

impl Network {
    pub(crate) fn new(hazards: Hazards) -> Self {
        Self { hazards, ..Self::default() }
    }

    pub(crate) fn cut(&mut self, who: Who, now: u64) -> bool {
        let fresh = !self.cut.contains_key(&who);
        self.cut.entry(who).or_insert(now);
        fresh
    }

    pub(crate) fn heal(&mut self, who: Who, now: u64) -> bool {
        let was_cut = self.cut.remove(&who).is_some();
        if was_cut {
            self.heals(who, now);
        }
        was_cut
    }

    pub(crate) fn heals(&mut self, who: Who, now: u64) {
        self.healed.insert(who, now);
    }

    /// Since when a link holds; none while it is cut.
    pub(crate) fn healed_at(&self, who: Who) -> Option<u64> {
        (!self.is_cut(who)).then(|| self.healed.get(&who).copied().unwrap_or(0))
    }

    pub(crate) fn is_cut(&self, who: Who) -> bool {
        self.cut.contains_key(&who) || self.nodes.is_cut(who)
    }

    /// The servers notice a link that is cut only after a while.
    pub(crate) fn is_known_cut(&self, who: Who, now: u64) -> bool {
        let noticed = self.cut.get(&who).is_some_and(|since| since + 10_000 < now);
        noticed || self.nodes.is_known_gone(who)
    }

    /// A core message: the delay of every copy that arrives.
    pub(crate) fn copies(&self, rng: &mut Rng, from: Who, to: Who) -> Vec<u64> {
        if self.is_cut(from) || self.is_cut(to) || happens(rng, self.hazards.drop) {
            return Vec::new();
        }
        let copies = if happens(rng, self.hazards.duplicate) { 2 } else { 1 };
        (0..copies).map(|_| self.delay(rng)).collect()
    }

    pub(crate) fn delay(&self, rng: &mut Rng) -> u64 {
        if happens(rng, self.hazards.slow) { rng.u64(5..=SLOW_MS) } else { rng.u64(1..=5) }
    }

    /// A request to the store. What is sent over a cut link waits in a buffer, or is lost.
    pub(crate) fn way_to_store(&self, rng: &mut Rng, from: Who) -> Way {
        let stuck = happens(rng, self.hazards.stuck);
        if self.is_cut(from) && !stuck {
            return Way::Never;
        }
        Way::After(if stuck { rng.u64(1_000..UNDER_WAY_MS) } else { self.delay(rng) })
    }

    /// Its answer.
    pub(crate) fn way_back(&self, rng: &mut Rng, to: Who) -> Way {
        if self.is_cut(to) { Way::Never } else { Way::After(self.delay(rng)) }
    }
}
