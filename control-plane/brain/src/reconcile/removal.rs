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

/// Hosts that are being forgotten, or were.
#[derive(Debug, Default)]
pub(super) struct Forgetting(BTreeMap<HostId, State>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Once its key is being deleted: the process of it that beats meanwhile.
    Underway { boot: Option<u64> },
    /// Its key is gone, and this process of it may still beat: it is told nothing any more.
    Beats { boot: u64 },
    /// Its key is gone, and so is it; whoever wanted that may still ask.
    Gone,
}

impl Forgetting {
    pub(super) fn begin(&mut self, host: HostId) {
        if !self.is_underway(&host) {
            self.0.insert(host, State::Underway { boot: None });
        }
    }

    pub(super) fn is_underway(&self, host: &HostId) -> bool {
        matches!(self.0.get(host), Some(State::Underway { .. }))
    }

    pub(super) fn hosts(&self) -> impl Iterator<Item = &HostId> {
        self.0.keys().filter(|host| self.is_underway(host))
    }

    /// Its key is being deleted. Whoever begins after this is a new host.
    pub(super) fn deletes(&mut self, id: HostId, host: Option<&Host>) {
        let beat = host.filter(|host| host.phase == Phase::Alive);
        let boot = beat.and_then(|host| host.beat.as_ref()).map(|beat| beat.boot);
        self.0.insert(id, State::Underway { boot });
    }

    /// Whether nothing is planned for it.
    pub(super) fn has(&self, host: &HostId) -> bool {
        self.0.get(host).is_some_and(|state| *state != State::Gone)
    }

    /// Its key is gone.
    pub(super) fn done(&mut self, id: &HostId) {
        if let Some(state) = self.0.get_mut(id)
            && let State::Underway { boot } = *state
        {
            *state = boot.map_or(State::Gone, |boot| State::Beats { boot });
        }
    }

    /// Whether its key went because somebody wanted that, who is told so now.
    pub(super) fn is_told(&mut self, host: &HostId) -> bool {
        match self.0.get(host) {
            Some(State::Gone) => self.0.remove(host).is_some(),
            Some(State::Beats { .. }) => true,
            Some(State::Underway { .. }) | None => false,
        }
    }

    /// Whoever was silent long enough to be lost, or begins as another process, is a new host.
    pub(super) fn welcome(&mut self, hosts: &BTreeMap<HostId, Host>) {
        self.0.retain(|id, state| {
            let host = hosts.get(id).filter(|host| host.phase != Phase::Lost);
            let boot = host.and_then(|host| host.beat.as_ref()).map(|beat| beat.boot);
            match state {
                State::Underway { .. } => true,
                State::Beats { boot: known } => boot == Some(*known),
                State::Gone => boot.is_none(),
            }
        });
    }
}

#[cfg(test)]
mod tests;
