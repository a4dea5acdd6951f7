//! Links: where the calls of an actor through one interface go. And named configuration.
//!
//! A link can change while the actor runs, so it is no part of a spec: it has a key of its own,
//! changed by compare-and-set, and the hosts that run its source read it again.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::stored::{Unknown, VERSION};
use crate::{ActorId, ConfigName, InterfaceName, Key, LinkName, Owner, Token};

/// Everything linked under one name between one actor and one WIT package: the value of
/// `link.<source>.<namespace>.<package>.<name>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkRecord {
    pub v: u8,
    pub source: ActorId,
    pub namespace: Token,
    pub package: Token,
    pub name: LinkName,
    /// No interface is in two of them.
    pub targets: Vec<LinkTarget>,
    pub owner: Owner,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// Where some interfaces of the package lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkTarget {
    pub target: ActorId,
    pub interfaces: BTreeSet<Token>,
    /// Calls may be repeated even if it is unknown what became of them.
    #[serde(default)]
    pub idempotent: bool,
    /// Named configuration for the source's side of the link, and for the target's.
    #[serde(default)]
    pub source_config: Vec<ConfigName>,
    #[serde(default)]
    pub target_config: Vec<ConfigName>,
}

/// Named configuration: the value of `config.<name>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigRecord {
    pub v: u8,
    pub name: ConfigName,
    pub values: BTreeMap<String, String>,
    pub owner: Owner,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// What became of a link on a host that runs its source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum LinkState {
    /// Calls go through: a host serves the target, and its signatures fit.
    Bound,
    /// Nobody serves the target now; calls fail as `unreachable`.
    Waiting { why: String },
    /// Calls cannot go through as things are; `why` says what must change.
    Failed { why: String },
}

/// One interface of one link, on one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkReport {
    pub interface: InterfaceName,
    pub name: LinkName,
    pub target: ActorId,
    #[serde(flatten)]
    pub state: LinkState,
}

impl LinkRecord {
    /// Where it is stored.
    pub fn key(&self) -> Key {
        Key::Link {
            source: self.source.clone(),
            namespace: self.namespace.clone(),
            package: self.package.clone(),
            name: self.name.clone(),
        }
    }

    /// A record with one target.
    pub fn new(
        source: ActorId,
        namespace: Token,
        package: Token,
        name: LinkName,
        target: LinkTarget,
        owner: Owner,
    ) -> Self {
        let (v, targets, unknown) = (VERSION, vec![target], Unknown::new());
        Self { v, source, namespace, package, name, targets, owner, unknown }
    }
}

impl ConfigRecord {
    pub fn new(name: ConfigName, values: BTreeMap<String, String>, owner: Owner) -> Self {
        Self { v: VERSION, name, values, owner, unknown: Unknown::new() }
    }
}
