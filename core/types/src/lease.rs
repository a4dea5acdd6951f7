//! Who may decide now: the value of the key `lease`, never deleted and without expiry.

use serde::{Deserialize, Serialize};

use crate::Epoch;
use crate::stored::{Unknown, VERSION};

/// The lease as stored. Its validity is judged by the holder's own monotonic clock, and by
/// candidates from whether its revision in the store stands still; no time is in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lease {
    pub v: u8,
    /// The controller that leads; none after it stepped down.
    pub holder: Option<String>,
    /// Which run of the holder: two runs under one name are two candidates.
    pub boot: u64,
    pub epoch: Epoch,
    /// Rises with each renewal, so that the holder recognises its own write after a time-out.
    pub beat: u64,
    /// The version of the holder.
    pub version: String,
    /// A controller older than this does not lead: it would not understand what is stored.
    pub min_version: String,
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Lease {
    /// Nobody leads yet.
    pub fn vacant() -> Self {
        Self {
            v: VERSION,
            holder: None,
            boot: 0,
            epoch: Epoch::ZERO,
            beat: 0,
            version: String::new(),
            min_version: String::new(),
            unknown: Unknown::new(),
        }
    }
}
