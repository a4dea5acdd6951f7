//! The ids that this host runs by hand, as the lattice records who owns them.
//!
//! *Expected flow.* Before something is started by hand under an id, its record is read from the
//! store's leader, and this host is written into it on the condition that nobody wrote meanwhile;
//! what ended is taken out of it, and the record goes with the last host. *Guarantees.* Of an
//! application and a person who want one id at once, one has it. *Assumptions.* A record that names
//! an application is never one of a person's again. *Caveats.* A host whose disk was lost stays in
//! its records until an application takes the ids over. *Errors.* What cannot be reached is asked
//! again: for what ended, until it is done.

use std::collections::BTreeMap;

use wattle_types::{ActorId, AppName, HostId, IdRecord, Life, Millis, Owner, stored};

use crate::backoff::READ;
use crate::effect::Effect;
use crate::event::OwnerReading;

/// Each lost race is somebody else's success, so many in a row mean that something is wrong.
const TRIES_MAX: u32 = 5;

#[derive(Debug)]
pub(crate) struct Ownership {
    host: HostId,
    ids: BTreeMap<ActorId, Holding>,
}

#[derive(Debug)]
struct Holding {
    /// As what it is to be held; none: not any more.
    wants: Option<Life>,
    /// The record named this host when it was seen last.
    held: bool,
    /// It may do so: what became of a write is not known.
    maybe_held: bool,
    step: Step,
    /// Races lost in a row.
    tries: u32,
    /// Answers in a row that did not come.
    failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Settled,
    Reading,
    /// So that it is held as this.
    Writing(Option<Life>),
    Waiting(Millis),
}

/// What is known of an id now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// This host may run it by hand.
    Held,
    /// This host does not any more, and its record says so.
    Released,
    /// It is an application's.
    Taken(AppName),
    Unreadable,
    Contended,
    /// Nobody answers. Whether this host was in the record, or may have been written into it.
    OutOfReach {
        held: bool,
        maybe_held: bool,
    },
}

impl Ownership {
    pub(crate) const fn new(host: HostId) -> Self {
        Self { host, ids: BTreeMap::new() }
    }

    /// At the start: what the record said when it was known last.
    pub(crate) fn restore(&mut self, id: ActorId, wants: Option<Life>, now: Millis) {
        let step = if wants.is_some() { Step::Settled } else { Step::Waiting(now) };
        self.ids.insert(id, Holding { held: true, maybe_held: true, step, ..Holding::of(wants) });
    }

    /// Finds out whether this host may run something by hand under this id.
    pub(crate) fn claim(&mut self, id: &ActorId, life: Life, out: &mut Vec<Effect>) {
        self.want(id, Some(life), out);
    }

    /// This host does not run it any more.
    pub(crate) fn release(&mut self, id: &ActorId, out: &mut Vec<Effect>) {
        self.want(id, None, out);
    }

    /// It is held as this from now on, without a look at the record.
    pub(crate) fn keep(&mut self, id: &ActorId, life: Life) {
        if let Some(holding) = self.ids.get_mut(id) {
            holding.wants = Some(life);
        }
    }

    /// Nothing is started under it after all. Whether this host may be in its record, and takes
    /// itself out of it.
    pub(crate) fn forgo(&mut self, id: &ActorId, out: &mut Vec<Effect>) -> bool {
        let maybe_held = self.ids.get(id).is_some_and(|holding| holding.maybe_held);
        if maybe_held {
            self.release(id, out);
        } else {
            self.forget(id);
        }
        maybe_held
    }

    /// The record is somebody else's business from now on.
    pub(crate) fn forget(&mut self, id: &ActorId) {
        self.ids.remove(id);
    }

    /// Looks whether all records still say what they said.
    pub(crate) fn look(&mut self, out: &mut Vec<Effect>) {
        for (id, holding) in &mut self.ids {
            if matches!(holding.step, Step::Settled | Step::Waiting(_)) {
                holding.read(id, out);
            }
        }
    }

    /// Asks again where nobody answered.
    pub(crate) fn tick(&mut self, now: Millis, out: &mut Vec<Effect>) {
        for (id, holding) in &mut self.ids {
            if matches!(holding.step, Step::Waiting(at) if at <= now) {
                holding.read(id, out);
            }
        }
    }

    pub(crate) fn due(&self) -> Option<Millis> {
        let waiting = self.ids.values().filter_map(|holding| match holding.step {
            Step::Waiting(at) => Some(at),
            _ => None,
        });
        waiting.min()
    }

    /// Takes what the store's leader has under an id. `unix_s` is the time of this host's clock,
    /// for a record that is made. None: there is more to do first.
    pub(crate) fn read(
        &mut self,
        id: &ActorId,
        reading: &OwnerReading,
        unix_s: u64,
        now: Millis,
        out: &mut Vec<Effect>,
    ) -> Option<Standing> {
        let host = self.host;
        let holding = self.ids.get_mut(id).filter(|holding| holding.step == Step::Reading)?;
        let (record, expect) = match reading {
            OwnerReading::Failed => return self.failed(id, now),
            OwnerReading::Free { seq } => (None, *seq),
            OwnerReading::Record { bytes, seq } => match record_of(id, bytes) {
                Some(record) => (Some(record), *seq),
                None if holding.wants.is_none() => return self.settle(id),
                None => {
                    holding.step = Step::Settled;
                    return Some(Standing::Unreadable);
                }
            },
        };
        holding.failures = 0;
        if let Some(IdRecord { owner: Owner::App(app), .. }) = &record {
            self.ids.remove(id);
            return Some(Standing::Taken(app.clone()));
        }
        let next = match holding.wants {
            Some(life) => Some(held_by(host, life, record.as_ref(), id, unix_s)),
            None => released_by(host, record.as_ref()),
        };
        if next == record {
            return self.settle(id);
        }
        let record = next.map(|next| stored::encode(&next));
        holding.step = Step::Writing(holding.wants);
        out.push(Effect::WriteOwner { id: id.clone(), record, expect });
        None
    }

    /// Takes what became of a write; what is not surely stored is read again.
    pub(crate) fn written(
        &mut self,
        id: &ActorId,
        is_stored: bool,
        out: &mut Vec<Effect>,
    ) -> Option<Standing> {
        let holding = self.ids.get_mut(id)?;
        let Step::Writing(life) = holding.step else { return None };
        holding.held = is_stored && life.is_some();
        holding.maybe_held |= life.is_some();
        if is_stored && holding.wants == life {
            return self.settle(id);
        }
        holding.tries += u32::from(!is_stored);
        if holding.tries < TRIES_MAX {
            holding.read(id, out);
            return None;
        }
        holding.tries = 0;
        holding.step = Step::Settled;
        Some(Standing::Contended)
    }

    fn want(&mut self, id: &ActorId, wants: Option<Life>, out: &mut Vec<Effect>) {
        let holding = self.ids.entry(id.clone()).or_insert_with(|| Holding::of(wants));
        holding.wants = wants;
        // What is under way is judged by what is wanted when it comes back.
        if matches!(holding.step, Step::Settled | Step::Waiting(_)) {
            holding.tries = 0;
            holding.read(id, out);
        }
    }

    fn failed(&mut self, id: &ActorId, now: Millis) -> Option<Standing> {
        let holding = self.ids.get_mut(id)?;
        holding.failures += 1;
        if holding.wants.is_none() {
            holding.step = Step::Waiting(now + READ.delay_ms(holding.failures));
            return None;
        }
        holding.step = Step::Settled;
        let (held, maybe_held) = (holding.held, holding.maybe_held);
        Some(Standing::OutOfReach { held, maybe_held })
    }

    /// The record says what it is to say.
    fn settle(&mut self, id: &ActorId) -> Option<Standing> {
        let holding = self.ids.get_mut(id)?;
        (holding.step, holding.tries) = (Step::Settled, 0);
        holding.held = holding.wants.is_some();
        holding.maybe_held = holding.held;
        if holding.held {
            return Some(Standing::Held);
        }
        self.ids.remove(id);
        Some(Standing::Released)
    }
}

impl Holding {
    const fn of(wants: Option<Life>) -> Self {
        let (held, maybe_held, step) = (false, false, Step::Settled);
        Self { wants, held, maybe_held, step, tries: 0, failures: 0 }
    }

    fn read(&mut self, id: &ActorId, out: &mut Vec<Effect>) {
        self.step = Step::Reading;
        out.push(Effect::ReadOwner { id: id.clone() });
    }
}

fn record_of(id: &ActorId, bytes: &[u8]) -> Option<IdRecord> {
    stored::decode("an id record", bytes).ok().filter(|record: &IdRecord| record.id == *id)
}

/// The record with this host in it. What one host keeps for a person is a person's, whatever
/// others run it for.
fn held_by(
    host: HostId,
    life: Life,
    record: Option<&IdRecord>,
    id: &ActorId,
    unix_s: u64,
) -> IdRecord {
    let fresh = || IdRecord::new(id.clone(), life.owner(), unix_s);
    let mut next = record.cloned().unwrap_or_else(fresh);
    if life == Life::Manual {
        next.owner = Owner::Manual;
    }
    next.hosts.insert(host);
    next
}

/// The record without this host; none if no host is left.
fn released_by(host: HostId, record: Option<&IdRecord>) -> Option<IdRecord> {
    let mut next = record?.clone();
    let was_held = next.hosts.remove(&host);
    (!was_held || !next.hosts.is_empty()).then_some(next)
}

#[cfg(test)]
mod tests;
