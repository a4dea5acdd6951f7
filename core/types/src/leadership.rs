//! What the leader tells everybody once a second, under its signature: which epoch it leads.

use serde::{Deserialize, Serialize};

use crate::stored::{self, VERSION};
use crate::{Epoch, LatticeId};

/// Hosts raise the highest epoch they know to this at once, so that a deposed leader is refused
/// also by those to whom the new one has written nothing yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leadership {
    pub v: u8,
    /// Inside what is signed: a leader of one lattice says nothing to another.
    pub lattice: LatticeId,
    /// The controller that leads, as in the lease.
    pub holder: String,
    pub boot: u64,
    pub epoch: Epoch,
}

impl Leadership {
    pub fn new(lattice: LatticeId, holder: impl Into<String>, boot: u64, epoch: Epoch) -> Self {
        Self { v: VERSION, lattice, holder: holder.into(), boot, epoch }
    }

    pub fn encode(&self) -> Vec<u8> {
        stored::encode(self)
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, stored::Error> {
        stored::decode("a leader's word", bytes)
    }
}
