//! What an agent is given when it starts.

use std::collections::BTreeSet;

use wattle_types::{HostId, Labels, LatticeId, PublicKey};

/// Who this host is and whom it obeys. Does not change while it runs.
#[derive(Clone, Debug)]
pub struct Config {
    pub lattice: LatticeId,
    pub host: HostId,
    /// Random per process.
    pub boot: u64,
    /// The friendly name; never an identity.
    pub name: String,
    pub labels: Labels,
    /// Semantic version of the host.
    pub version: String,
    /// Where the shared HTTP listener is, as `host:port`.
    pub http_addr: Option<String>,
    /// How many instances the planner may place here.
    pub capacity: u32,
    /// Keys that may sign for this lattice, of the trust file.
    pub controllers: BTreeSet<PublicKey>,
    /// How long a run may finish what is in flight, and how long this host may take to leave, in
    /// milliseconds.
    pub grace_ms: u64,
}
