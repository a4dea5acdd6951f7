//! Who owns an actor's id: the record `id.<id>`, written before anything runs under it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::stored::{Unknown, VERSION};
use crate::{ActorId, AppName, HostId, IssuerKey};

/// On whose behalf an actor runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// An application; the controller places it.
    App(AppName),
    /// A person started it by hand; kept across restarts of the host.
    Manual,
    /// Another manager's session (`wasmcloud.dev/managed-by`); ends with the host's process.
    Session,
}

impl Owner {
    /// Whether hosts were told to run it one by one, and no application wants it.
    pub const fn is_by_hand(&self) -> bool {
        matches!(self, Self::Manual | Self::Session)
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::App(app) => write!(f, "application {app}"),
            Self::Manual => f.write_str("a person (started by hand)"),
            Self::Session => f.write_str("another manager's session"),
        }
    }
}

/// The one owner of an id in a lattice. Created if absent; changed and deleted only by
/// compare-and-set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IdRecord {
    pub v: u8,
    pub id: ActorId,
    pub owner: Owner,
    /// Who signed the component that first ran under this id; unknown until one did.
    pub issuer: Option<IssuerKey>,
    /// By the clock of whoever made the record, in seconds since 1970.
    pub first_seen_unix_s: u64,
    /// Which hosts run it by hand. The record goes with the last of them. None of an
    /// application's: where these run is in the assignments.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub hosts: BTreeSet<HostId>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl IdRecord {
    /// A record of somebody whose component was not seen yet, and which no host runs by hand.
    pub fn new(id: ActorId, owner: Owner, first_seen_unix_s: u64) -> Self {
        let (issuer, hosts, unknown) = Default::default();
        Self { v: VERSION, id, owner, issuer, first_seen_unix_s, hosts, unknown }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PublicKey, Role, stored};

    #[test]
    fn a_record_of_before_hosts_were_in_it_is_read_and_written_as_it_was() {
        let old = IdRecord::new("web".parse().unwrap(), Owner::Manual, 7);
        let bytes = stored::encode(&old);
        assert!(!bytes.windows(5).any(|part| part == b"hosts"));
        assert_eq!(stored::decode::<IdRecord>("a record", &bytes).unwrap(), old);
        let host = HostId::try_from(PublicKey::new(Role::Server, [3; 32])).unwrap();
        let held = IdRecord { hosts: [host].into(), ..old };
        let read: IdRecord = stored::decode("a record", &stored::encode(&held)).unwrap();
        assert_eq!(read, held);
    }
}
