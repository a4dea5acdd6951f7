//! Hosts that a person wants forgotten: the steps from an assignment to none.
//!
//! *Expected flow.* A host that is lost, or whose end a person agreed to, is told a list that is
//! explicitly empty; once it follows that, or is lost, its key is deleted. *Guarantees.* The key
//! is deleted only over an empty list, so whoever returns with the old one meets a sequence of
//! known steps: it is a new host then, and what it is told has a higher generation than what it
//! follows. *Caveats.* What is under way is known to this leader alone: after a change of leaders
//! the person asks again, and the steps go on from what is stored. Whatever is unsure, waits.

use std::collections::BTreeMap;

use wattle_types::{Applied, Generation, HostId};

use crate::fleet::{Host, Phase};
use crate::mirror::{At, Told};

/// What the store says of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    /// No key, or it was deleted.
    Nothing,
    /// A later version wrote it.
    Newer,
    /// It cannot be read.
    Unreadable,
    /// It is to run something.
    Something,
    Empty {
        generation: Generation,
        /// Whoever follows may end all it has at once.
        mass: bool,
    },
}

/// What is known of the host itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// Given up, or never heard of.
    Lost,
    Alive {
        applied: Option<Generation>,
    },
    /// Silent and not given up, or two processes.
    Unsure,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Tell it the empty list, marked as a mass end.
    Empty,
    Delete,
    /// For this.
    Wait(&'static str),
    Done,
}

/// The next step towards a host that nobody knows any more.
pub(super) fn step(stored: Stored, life: Life) -> Step {
    match (stored, life) {
        (Stored::Nothing, _) => Step::Done,
        (Stored::Newer, _) => Step::Wait("a controller of the version that wrote its assignment"),
        (_, Life::Unsure) => Step::Wait("it to be heard, or given up as lost"),
        (Stored::Something | Stored::Unreadable, _) => Step::Empty,
        (Stored::Empty { .. }, Life::Lost) => Step::Delete,
        (Stored::Empty { generation, mass }, Life::Alive { applied }) => match applied {
            Some(applied) if applied == generation => Step::Delete,
            // The store has lost what it follows.
            Some(applied) if generation < applied => Step::Empty,
            _ if mass => Step::Wait("it to follow the empty assignment"),
            _ => Step::Empty,
        },
    }
}

impl Stored {
    pub(super) fn of(at: Option<&At<Told>>) -> Self {
        match at {
            None => Self::Nothing,
            Some(At { value: Some(told), .. }) => {
                let assignment = &told.assignment;
                let (generation, mass) = (assignment.generation, assignment.mass);
                match assignment.entries.is_empty() {
                    true => Self::Empty { generation, mass },
                    false => Self::Something,
                }
            }
            Some(At { newer: true, .. }) => Self::Newer,
            Some(At { unreadable: true, .. }) => Self::Unreadable,
            Some(_) => Self::Nothing,
        }
    }
}

impl Life {
    pub(super) fn of(host: Option<&Host>, is_cloned: bool) -> Self {
        let Some(host) = host else { return Self::Lost };
        match (host.phase, &host.beat) {
            _ if is_cloned => Self::Unsure,
            (Phase::Lost, _) => Self::Lost,
            (Phase::Alive, Some(beat)) => {
                let generation = |applied: Applied| applied.generation;
                Self::Alive { applied: beat.applied.map(generation) }
            }
            (Phase::Alive | Phase::Suspect { .. }, _) => Self::Unsure,
        }
    }
}

/// Hosts that are being forgotten; of one whose key is gone and that still beats, its boot: that
/// process is told nothing any more.
#[derive(Debug, Default)]
pub(super) struct Forgetting(BTreeMap<HostId, Option<u64>>);

impl Forgetting {
    pub(super) fn begin(&mut self, host: HostId) {
        self.0.entry(host).or_insert(None);
    }

    pub(super) fn hosts(&self) -> impl Iterator<Item = &HostId> {
        self.0.iter().filter(|(_, boot)| boot.is_none()).map(|(host, _)| host)
    }

    /// Whether nothing is planned for it.
    pub(super) fn has(&self, host: &HostId) -> bool {
        self.0.contains_key(host)
    }

    /// Its key is gone.
    pub(super) fn done(&mut self, id: HostId, host: Option<&Host>) {
        match host.and_then(|host| host.beat.as_ref().filter(|_| host.phase == Phase::Alive)) {
            Some(beat) => drop(self.0.insert(id, Some(beat.boot))),
            None => drop(self.0.remove(&id)),
        }
    }

    /// Whoever was silent long enough to be lost, or begins as another process, is a new host.
    pub(super) fn welcome(&mut self, hosts: &BTreeMap<HostId, Host>) {
        self.0.retain(|id, boot| {
            let Some(boot) = boot else { return true };
            let host = hosts.get(id).filter(|host| host.phase != Phase::Lost);
            let beat = host.and_then(|host| host.beat.as_ref());
            beat.is_some_and(|beat| beat.boot == *boot)
        });
    }
}

#[cfg(test)]
mod tests;
