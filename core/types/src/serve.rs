//! Who serves what: deltas from each host, from which every host keeps the whole table.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ActorId, Fingerprint, HostId, HttpRoute, InterfaceName, SpecHash};

/// What changed on one host, or all of it when `full`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServeDelta {
    pub v: u8,
    pub host: HostId,
    pub boot: u64,
    /// One more than the last delta of this boot; a gap means: ask for everything. What is full,
    /// or has no entries, repeats the number of the last delta, for those who missed it.
    pub seq: u64,
    /// The entries are all there are, and replace what was known of this host.
    pub full: bool,
    pub entries: Vec<ServeEntry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServeEntry {
    pub actor: ActorId,
    pub revision: SpecHash,
    pub state: ServeState,
    /// Where the actor wants HTTP requests from; listeners everywhere forward by it.
    #[serde(default)]
    pub routes: Vec<HttpRoute>,
    /// What others may call: per interface, each function with the fingerprint of its signature
    /// (`wattle-value`), so that a link can be judged before the first call.
    #[serde(default, skip_serializing_if = "Exports::is_empty")]
    pub exports: Exports,
}

/// Functions by name, by interface; the fingerprint is 16 bytes.
pub type Exports = BTreeMap<InterfaceName, BTreeMap<String, Fingerprint>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServeState {
    Ready,
    /// Finishes what it has and refuses what is new.
    Draining,
    Gone,
}
