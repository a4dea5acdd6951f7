//! What a controller says of itself, and how it answers what a person asks of it. Never stored.

use serde::{Deserialize, Serialize};

use crate::stored::VERSION;
use crate::{Epoch, HostId, LatticeId, Token};

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
    /// Not done yet: asking again shows how far it has come.
    #[serde(default)]
    pub underway: bool,
}

impl ControllerAnswer {
    pub fn new(done: bool, message: impl Into<String>) -> Self {
        Self { v: VERSION, done, message: message.into(), underway: false }
    }
}

/// Asks the leader to take a host out of the lattice. Asked again until it is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetRequest {
    pub v: u8,
    pub host: HostId,
    /// Also one that is alive: a person agreed that all it runs ends.
    pub yes: bool,
}

impl ForgetRequest {
    pub const fn new(host: HostId, yes: bool) -> Self {
        Self { v: VERSION, host, yes }
    }
}

/// A value of the control stream, as an export has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportEntry {
    /// As [`Key`](crate::Key) is written; text, because a newer version may know more.
    pub key: String,
    /// The sequence it had.
    pub seq: u64,
    /// Without its signature; none when it was deleted.
    #[serde(with = "serde_bytes")]
    pub bytes: Option<Vec<u8>>,
}

/// Asks a controller for the next page of its export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportRequest {
    pub v: u8,
    /// The last key of the page before; none asks for the first page.
    pub after: Option<String>,
}

impl ExportRequest {
    pub const fn new(after: Option<String>) -> Self {
        Self { v: VERSION, after }
    }
}

/// One page of a controller's export, in the order of keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportPage {
    pub v: u8,
    pub lattice: LatticeId,
    pub entries: Vec<ExportEntry>,
    /// Whether another page follows.
    pub more: bool,
}

/// Asks the leader to put back what the store has lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreRequest {
    pub v: u8,
    /// Of the export: one of another lattice is refused.
    pub lattice: LatticeId,
    pub entries: Vec<ExportEntry>,
    /// Also what is older than what was seen, or another than what is stored.
    pub force: bool,
}

impl RestoreRequest {
    pub const fn new(lattice: LatticeId, entries: Vec<ExportEntry>, force: bool) -> Self {
        Self { v: VERSION, lattice, entries, force }
    }
}

/// What became of a page that was to be put back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreAnswer {
    pub v: u8,
    /// Whether it was judged at all; if not, `message` says why, and the rest is not there.
    pub done: bool,
    pub message: String,
    /// Values written.
    #[serde(default)]
    pub stored: usize,
    /// Values that the store has already, or that are nobody's to put back.
    #[serde(default)]
    pub passed_over: usize,
    /// What was not put back though the store lacks it, and why.
    #[serde(default)]
    pub refused: Vec<String>,
}
