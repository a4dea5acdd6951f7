//! Everything one host should run: a full target, by reference, fenced by epoch and generation.

use serde::{Deserialize, Serialize};

use crate::stored::{self, VERSION};
use crate::{ActorId, Digest, Epoch, Generation, HostId, LatticeId, SpecHash};

/// The whole target of one host. Applying it twice changes nothing.
///
/// Twenty thousand entries fit into one message, since all but the count is behind the hash.
/// It is signed as bytes, so lattice and host are inside: an assignment cannot be given to
/// another host, or to the same host in another lattice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    pub v: u8,
    pub lattice: LatticeId,
    pub host: HostId,
    pub epoch: Epoch,
    /// Rises with each change for this host, across epochs.
    pub generation: Generation,
    /// Whoever leads has checked that so much may end at once.
    pub mass: bool,
    /// Sorted by id, each id once.
    pub entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub id: ActorId,
    pub spec: SpecHash,
    pub count: u32,
}

/// Why bytes are not an assignment.
#[derive(Debug, thiserror::Error)]
pub enum AssignmentError {
    #[error(transparent)]
    Unreadable(#[from] stored::Error),
    #[error("entries are not sorted by id, or name one twice: {0}")]
    Disorder(ActorId),
    #[error("the entry of {0} asks for no instance; what should not run is left out")]
    NoInstance(ActorId),
}

impl Assignment {
    /// Nothing to run: what a host has before anyone told it anything is different (no
    /// assignment at all), so this is only ever said on purpose.
    pub fn empty(lattice: LatticeId, host: HostId, epoch: Epoch, generation: Generation) -> Self {
        Self { v: VERSION, lattice, host, epoch, generation, mass: false, entries: Vec::new() }
    }

    pub fn encode(&self) -> Vec<u8> {
        stored::encode(self)
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, AssignmentError> {
        let assignment: Self = stored::decode("an assignment", bytes)?;
        for pair in assignment.entries.windows(2) {
            if pair[1].id <= pair[0].id {
                return Err(AssignmentError::Disorder(pair[1].id.clone()));
            }
        }
        if let Some(entry) = assignment.entries.iter().find(|entry| entry.count == 0) {
            return Err(AssignmentError::NoInstance(entry.id.clone()));
        }
        Ok(assignment)
    }

    /// Of the encoded bytes, as hosts report what they applied.
    pub fn hash(&self) -> Digest {
        Digest::of(&self.encode())
    }
}
