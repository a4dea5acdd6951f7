//! Who owns an actor's id: the record `id.<id>`, written before anything runs under it.

use serde::{Deserialize, Serialize};

use crate::stored::Unknown;
use crate::{ActorId, AppName, IssuerKey};

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

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::App(app) => write!(f, "application {app}"),
            Self::Manual => f.write_str("a person (started by hand)"),
            Self::Session => f.write_str("another manager's session"),
        }
    }
}

/// The one owner of an id in a lattice. Created if absent; changed only by compare-and-set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IdRecord {
    pub v: u8,
    pub id: ActorId,
    pub owner: Owner,
    /// Who signed the component that first ran under this id; unknown until one did.
    pub issuer: Option<IssuerKey>,
    pub first_seen_unix_s: u64,
    #[serde(flatten)]
    pub unknown: Unknown,
}
