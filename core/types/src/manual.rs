//! What one host runs because it was told to, and not because it was assigned: kept on its own
//! disk.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::stored::{self, VERSION};
use crate::{ActorId, ActorSpec, Owner};

/// How long something that was started by hand stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Life {
    /// Until it is stopped, also after restarts of the host.
    Manual,
    /// Until the host's process ends: its manager starts it again by itself.
    Session,
}

impl Life {
    /// The annotation by which a manager marks what it starts.
    pub const MANAGED_BY: &str = "wasmcloud.dev/managed-by";

    /// How long something with these annotations stays.
    pub fn of(annotations: &BTreeMap<String, String>) -> Self {
        if annotations.contains_key(Self::MANAGED_BY) { Self::Session } else { Self::Manual }
    }

    pub const fn owner(self) -> Owner {
        match self {
            Self::Manual => Owner::Manual,
            Self::Session => Owner::Session,
        }
    }
}

/// One actor that was started by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManualEntry {
    /// Belongs to no application, and has no annotations: these may change while it runs.
    pub spec: ActorSpec,
    /// How many instances; never none.
    pub count: u32,
    pub life: Life,
    /// Of the last command, which events repeat.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// Everything that was started by hand on one host, with what a restart without the lattice needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManualSet {
    pub v: u8,
    pub entries: Vec<ManualEntry>,
    /// Ids whose records still name this host, though nothing runs under them any more.
    #[serde(default)]
    pub released: BTreeSet<ActorId>,
    /// Links and configuration, by their keys in the control stream.
    #[serde(default)]
    pub values: Vec<ManualValue>,
}

/// What was read of the control stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManualValue {
    pub key: String,
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
}

impl ManualSet {
    pub fn new(entries: Vec<ManualEntry>, released: BTreeSet<ActorId>) -> Self {
        Self { v: VERSION, entries, released, values: Vec::new() }
    }

    pub fn encode(&self) -> Vec<u8> {
        stored::encode(self)
    }

    /// # Errors
    /// What is not such a set, or one of a later version.
    pub fn decode(bytes: &[u8]) -> Result<Self, stored::Error> {
        stored::decode("what was started by hand", bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_manager_marks_is_a_session() {
        assert_eq!(Life::of(&BTreeMap::new()), Life::Manual);
        let marked = BTreeMap::from([(Life::MANAGED_BY.to_owned(), "wadm".to_owned())]);
        assert_eq!(Life::of(&marked), Life::Session);
    }

    #[test]
    fn a_set_survives_the_disk() {
        let spec = ActorSpec::new("web".parse().unwrap(), "file:///web.wasm");
        let annotations = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        let entry = ManualEntry { spec, count: 3, life: Life::Session, annotations };
        let mut set = ManualSet::new(vec![entry], ["db".parse().unwrap()].into());
        set.values = vec![ManualValue { key: "config.a".to_owned(), bytes: vec![0, 255] }];
        assert_eq!(ManualSet::decode(&set.encode()).unwrap(), set);
    }
}
