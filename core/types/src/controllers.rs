//! What a controller says of itself, and how it answers what a person asks of it. Never stored.

use serde::{Deserialize, Serialize};

use crate::stored::VERSION;
use crate::{Epoch, Token};

/// How one controller is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControllerReport {
    pub v: u8,
    pub name: Token,
    /// Semantic version.
    pub version: String,
    /// Random per process.
    pub boot: u64,
    /// Whether it decides now.
    pub leads: bool,
    /// Who has the lease, as far as this controller has followed the store.
    pub holder: Option<String>,
    /// Of that lease.
    pub epoch: Epoch,
    /// The last sequence of the store that was followed.
    pub followed: u64,
    /// The last that it wrote itself; nothing is decided before that is followed.
    pub wrote: u64,
    pub canary: CanaryReport,
    /// Batches that the store refused because somebody else was first, since the process began.
    pub batches_refused: u64,
    pub hosts: HostCounts,
    /// Another server answers the application API.
    pub api_taken: bool,
    /// What is wrong now, the oldest first.
    pub alarms: Vec<AlarmReport>,
}

/// Whether small writes of this controller succeed: one every five seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryReport {
    /// One did within 15 s.
    pub well: bool,
    /// How long ago the last one succeeded, in milliseconds.
    pub ok_ms_ago: Option<u64>,
    /// How long that one took, in milliseconds.
    pub took_ms: Option<u64>,
}

/// Hosts by how they are. A controller that does not lead judges none to be lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostCounts {
    pub ready: usize,
    pub suspect: usize,
    pub draining: usize,
    pub lost: usize,
}

/// Something that needs a person's eyes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmReport {
    pub message: String,
    /// Since when, in milliseconds.
    pub for_ms: u64,
}

/// What came of something that was asked of one controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControllerAnswer {
    pub v: u8,
    pub done: bool,
    /// What was done, or why nothing was.
    pub message: String,
}

impl ControllerAnswer {
    pub fn new(done: bool, message: impl Into<String>) -> Self {
        Self { v: VERSION, done, message: message.into() }
    }
}
