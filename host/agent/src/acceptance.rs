//! Which assignments this host obeys: signed, for it, not older than what it knows, and not a
//! mass end that nobody marked as one.

use std::collections::BTreeSet;

use wattle_trust::signed::{self, Context};
use wattle_types::{
    ActorId, Applied, Assignment, Digest, Epoch, Generation, HostId, LatticeId, Leadership,
    PublicKey,
};

use crate::Refusal;

const ASSIGNMENT: &str = "the assignment";
const LEADER: &str = "the leader's word";

/// The marks against which everything signed is judged. They only rise.
#[derive(Debug)]
pub(crate) struct Acceptance {
    lattice: LatticeId,
    host: HostId,
    controllers: BTreeSet<PublicKey>,
    epoch_max: Epoch,
    /// The newest assignment that was accepted, durable or not yet.
    accepted: Option<Applied>,
    /// Whether the accepted one is really here. Its mark alone may have survived on disk.
    held: bool,
    /// The newest generation that the disk has, or may have.
    durable: Option<Generation>,
    /// The last leader's word that was verified. A leader says the same each second, and a
    /// signature costs more than to see that.
    word: Option<(Vec<u8>, Epoch)>,
}

/// An assignment that is to be followed.
#[derive(Debug, PartialEq)]
pub(crate) struct Accepted {
    pub(crate) assignment: Assignment,
    pub(crate) applied: Applied,
}

impl Acceptance {
    pub(crate) fn new(
        lattice: LatticeId,
        host: HostId,
        controllers: BTreeSet<PublicKey>,
        epoch_max: Epoch,
        accepted: Option<Applied>,
    ) -> Self {
        let (held, word) = (false, None);
        let durable = accepted.map(|mark| mark.generation);
        Self { lattice, host, controllers, epoch_max, accepted, held, durable, word }
    }

    pub(crate) const fn epoch_max(&self) -> Epoch {
        self.epoch_max
    }

    /// Judges what was read under our key. `None`: we follow exactly this already.
    ///
    /// `running` are, for the mass rule, the ids of what is followed now, and of what will be before
    /// this.
    pub(crate) fn judge(
        &mut self,
        sealed: &[u8],
        running: &[BTreeSet<ActorId>],
    ) -> Result<Option<Accepted>, Refusal> {
        let offered = self.open(sealed)?;
        let (epoch, generation) = (offered.applied.epoch, offered.applied.generation);
        // Whatever comes of it: its leader was chosen, so that all before it were deposed.
        let seen = self.epoch_max;
        self.epoch_max = self.epoch_max.max(epoch);
        if epoch < seen {
            return Err(Refusal::LowerEpoch { what: ASSIGNMENT, offered: epoch, seen });
        }
        if let Some(current) = self.accepted.filter(|current| !self.yields(current, &offered)) {
            if generation < current.generation {
                let current = current.generation;
                return Err(Refusal::LowerGeneration { offered: generation, current });
            }
            if generation == current.generation {
                return self.judge_repeated(offered, current);
            }
        }
        running.iter().try_for_each(|running| check_mass(&offered.assignment, running))?;
        self.accepted = Some(offered.applied);
        self.held = true;
        Ok(Some(offered))
    }

    /// What never went to the disk was acknowledged to nobody. If the store has lost it, the next
    /// leader cannot count on from it.
    fn yields(&self, current: &Applied, offered: &Accepted) -> bool {
        let (epoch, generation) = (offered.applied.epoch, offered.applied.generation);
        current.epoch < epoch && self.durable < Some(generation)
    }

    /// This generation goes to the disk now.
    pub(crate) fn writes(&mut self, generation: Generation) {
        self.durable = self.durable.max(Some(generation));
    }

    fn judge_repeated(
        &mut self,
        offered: Accepted,
        current: Applied,
    ) -> Result<Option<Accepted>, Refusal> {
        if offered.applied.hash != current.hash {
            let (offered, generation) = (offered.applied.hash, current.generation);
            return Err(Refusal::SameGeneration { generation, offered, current: current.hash });
        }
        if self.held {
            return Ok(None);
        }
        self.held = true;
        Ok(Some(offered))
    }

    /// Takes the assignment that was on disk, whose epoch may be older than the highest seen: it
    /// was accepted when it was current.
    pub(crate) fn restore(&mut self, sealed: &[u8]) -> Result<Accepted, Refusal> {
        let stored = self.open(sealed)?;
        self.epoch_max = self.epoch_max.max(stored.applied.epoch);
        if let Some(mark) = self.accepted {
            let (offered, current) = (stored.applied.generation, mark.generation);
            if offered < current {
                return Err(Refusal::LowerGeneration { offered, current });
            }
            if offered == current && stored.applied.hash != mark.hash {
                let (offered, current) = (stored.applied.hash, mark.hash);
                let generation = mark.generation;
                return Err(Refusal::SameGeneration { generation, offered, current });
            }
        }
        self.accepted = Some(stored.applied);
        self.held = true;
        self.writes(stored.applied.generation);
        Ok(stored)
    }

    /// Takes note of the epoch that a leader says, under its signature, to lead.
    /// `true` if it is higher than all before.
    pub(crate) fn hear_leader(&mut self, sealed: &[u8]) -> Result<bool, Refusal> {
        let known = self.word.as_ref().filter(|(word, _)| word == sealed).map(|(_, epoch)| *epoch);
        let epoch = match known {
            Some(epoch) => epoch,
            None => self.open_word(sealed)?,
        };
        let seen = self.epoch_max;
        if epoch < seen {
            return Err(Refusal::LowerEpoch { what: LEADER, offered: epoch, seen });
        }
        self.epoch_max = epoch;
        Ok(seen < epoch)
    }

    /// The epoch of a leader's word that is whole, signed, and of this lattice.
    fn open_word(&mut self, sealed: &[u8]) -> Result<Epoch, Refusal> {
        let body = self.verified(LEADER, Context::Leader, sealed)?;
        let said =
            Leadership::decode(&body).map_err(|error| Refusal::unreadable(LEADER, &error))?;
        if said.lattice != self.lattice {
            return Err(self.other_lattice(LEADER, said.lattice));
        }
        self.word = Some((sealed.to_vec(), said.epoch));
        Ok(said.epoch)
    }

    /// An assignment that is whole, signed, and for this host; nothing is said of its age.
    fn open(&self, sealed: &[u8]) -> Result<Accepted, Refusal> {
        let body = self.verified(ASSIGNMENT, Context::Assignment, sealed)?;
        let assignment =
            Assignment::decode(&body).map_err(|error| Refusal::unreadable(ASSIGNMENT, &error))?;
        if assignment.lattice != self.lattice {
            return Err(self.other_lattice(ASSIGNMENT, assignment.lattice));
        }
        if assignment.host != self.host {
            let (found, own) = (assignment.host, self.host);
            return Err(Refusal::OtherHost { found, own });
        }
        // Of the bytes that were signed: a newer version may have put more into them than we read.
        let hash = Digest::of(&body);
        let applied = Applied { epoch: assignment.epoch, generation: assignment.generation, hash };
        Ok(Accepted { assignment, applied })
    }

    fn verified(
        &self,
        what: &'static str,
        context: Context,
        sealed: &[u8],
    ) -> Result<Vec<u8>, Refusal> {
        signed::open(sealed)
            .and_then(|signed| signed.verify(context, &self.controllers).map(<[u8]>::to_vec))
            .map_err(|error| Refusal::signature(what, &error))
    }

    fn other_lattice(&self, what: &'static str, found: LatticeId) -> Refusal {
        Refusal::OtherLattice { what, found, own: self.lattice.clone() }
    }
}

/// A list that ends more than half of what runs must say that this is meant. The leader that lost
/// its memory, or reads somebody else's, would otherwise stop everything at once.
fn check_mass(next: &Assignment, running: &BTreeSet<ActorId>) -> Result<(), Refusal> {
    let named: BTreeSet<&ActorId> = next.entries.iter().map(|entry| &entry.id).collect();
    let (ended, of) = (running.iter().filter(|id| !named.contains(id)).count(), running.len());
    if !next.mass && of < 2 * ended {
        return Err(Refusal::Mass { ended, of });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
