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

/// All links of one actor, as its calls look them up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkTable(BTreeMap<String, BTreeMap<LinkName, Bound>>);

/// Where calls through one interface go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    pub target: ActorId,
    /// Calls may be repeated even if it is unknown what became of them.
    pub idempotent: bool,
}

impl LinkTable {
    /// Of records of one source. The key of each is another, so no two speak of one interface
    /// under one name; of two targets for one interface within a record the first counts.
    pub fn of(records: &[LinkRecord]) -> Self {
        let mut table = Self::default();
        for record in records {
            for target in &record.targets {
                for interface in &target.interfaces {
                    let by_name = table.0.entry(record.path(interface)).or_default();
                    by_name.entry(record.name.clone()).or_insert_with(|| Bound {
                        target: target.target.clone(),
                        idempotent: target.idempotent,
                    });
                }
            }
        }
        table
    }

    /// Where calls of the interface with this path (`ns:pkg/iface`) go under this name.
    pub fn get(&self, path: &str, link: &LinkName) -> Option<&Bound> {
        self.0.get(path)?.get(link)
    }

    /// Whether calls of the interface with this path go anywhere, under whatever name.
    pub fn leads(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// In the order of interfaces, then of names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &LinkName, &Bound)> {
        self.0.iter().flat_map(|(path, by_name)| {
            by_name.iter().map(move |(name, bound)| (path.as_str(), name, bound))
        })
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
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

/// An interface that a component imports and that no link of its actor leads anywhere: calls
/// through it fail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingLink {
    pub interface: InterfaceName,
    /// For people: what must change.
    pub why: String,
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

    /// What `interface` of this package is called in full, without a version.
    pub fn path(&self, interface: &Token) -> String {
        format!("{}:{}/{interface}", self.namespace, self.package)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn target(id: &str, interfaces: &[&str], idempotent: bool) -> LinkTarget {
        LinkTarget {
            target: id.parse().unwrap(),
            interfaces: interfaces.iter().map(|name| name.parse().unwrap()).collect(),
            idempotent,
            source_config: Vec::new(),
            target_config: Vec::new(),
        }
    }

    fn record(name: &str, targets: Vec<LinkTarget>) -> LinkRecord {
        let [source, namespace, package] = ["web", "acme", "billing"];
        LinkRecord {
            v: VERSION,
            source: source.parse().unwrap(),
            namespace: namespace.parse().unwrap(),
            package: package.parse().unwrap(),
            name: name.parse().unwrap(),
            targets,
            owner: Owner::Manual,
            unknown: Unknown::new(),
        }
    }

    #[test]
    fn calls_find_their_target_by_interface_and_name() {
        let records = [
            record("default", vec![target("a", &["invoices"], false), target("b", &["tax"], true)]),
            record("old", vec![target("c", &["invoices"], false)]),
        ];
        let table = LinkTable::of(&records);
        let at = |path: &str, name: &str| {
            let bound = table.get(path, &name.parse().unwrap())?;
            Some((bound.target.as_str(), bound.idempotent))
        };
        assert_eq!(at("acme:billing/invoices", "default"), Some(("a", false)));
        assert_eq!(at("acme:billing/invoices", "old"), Some(("c", false)));
        assert_eq!(at("acme:billing/tax", "default"), Some(("b", true)));
        assert_eq!(at("acme:billing/tax", "old"), None);
        assert_eq!(at("acme:billing/other", "default"), None);
        assert!(table.leads("acme:billing/tax") && !table.leads("acme:billing/other"));
        assert_eq!(table.iter().count(), 3);
        assert!(LinkTable::of(&[]).is_empty());
    }

    #[test]
    fn a_record_is_read_back_with_what_a_newer_writer_added() {
        let mut link = record("default", vec![target("a", &["invoices"], true)]);
        link.unknown.insert("added-later".to_owned(), 7.into());
        let bytes = crate::stored::encode(&link);
        assert_eq!(crate::stored::decode::<LinkRecord>("a link", &bytes).unwrap(), link);
        assert_eq!(link.key().to_string(), "link.web.acme.billing.default");
    }
}
