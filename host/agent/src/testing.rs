//! What the tables of this crate are made of: keys, specs and signed assignments with short names.

use std::collections::{BTreeMap, BTreeSet};

use wattle_trust::KeyPair;
use wattle_trust::signed::{self, Context};
use wattle_types::stored::{self, VERSION};
use wattle_types::{
    ActorId, ActorSpec, Applied, Assignment, ConfigRecord, Digest, Entry, Epoch, Exports,
    Generation, HostId, HttpRoute, IdRecord, IssuerKey, Key, LatticeId, Leadership, LinkName,
    LinkRecord, LinkTarget, Owner, PublicKey, Role, SpecHash,
};

use crate::{Component, Config};

/// The controller that the trust file of these tests names.
pub(crate) fn controller() -> KeyPair {
    key(Role::Cluster, 1)
}

/// A controller nobody trusts.
pub(crate) fn stranger() -> KeyPair {
    key(Role::Cluster, 2)
}

fn key(role: Role, seed: u8) -> KeyPair {
    KeyPair::from_seed(&wattle_types::nkey::encode_seed(role, &[seed; 32])).unwrap()
}

pub(crate) fn host(number: u8) -> HostId {
    HostId::try_from(PublicKey::new(Role::Server, [number; 32])).unwrap()
}

pub(crate) fn lattice() -> LatticeId {
    "test".parse().unwrap()
}

pub(crate) fn id(name: &str) -> ActorId {
    name.parse().unwrap()
}

pub(crate) fn config() -> Config {
    Config {
        lattice: lattice(),
        host: host(1),
        boot: 77,
        name: "one".to_owned(),
        labels: BTreeMap::new(),
        version: "0.1.0".to_owned(),
        http_addr: None,
        capacity: 100,
        controllers: BTreeSet::from([controller().public()]),
        grace_ms: 10_000,
    }
}

/// `web` is image 1 of actor `web`, `web#2` its image 2. All belong to application `shop`. What is
/// called `set` is configured by `settings` and `more`.
/// Of the application `shop`, but for `hand`, which a person started. `hand:web` is what a person
/// starts as `web`: the same image, with neither routes nor configuration of its own.
pub(crate) fn spec(name: &str) -> ActorSpec {
    if let Some(name) = name.strip_prefix("hand:") {
        let ActorSpec { id, image, config_from, .. } = spec(name);
        return ActorSpec { config_from, ..ActorSpec::new(id, image) };
    }
    let (actor, version) = name.split_once('#').unwrap_or((name, "1"));
    let route = HttpRoute { host: None, path: format!("/{actor}") };
    let image = format!("file:///{actor}/{version}.wasm");
    let names: &[&str] = if actor == "set" { &["settings", "more"] } else { &[] };
    ActorSpec {
        config: BTreeMap::from([("own".to_owned(), version.to_owned())]),
        config_from: names.iter().map(|name| name.parse().unwrap()).collect(),
        app: (actor != "hand").then(|| "shop".parse().unwrap()),
        routes: vec![route],
        ..ActorSpec::new(id(actor), image)
    }
}

pub(crate) fn spec_hash(name: &str) -> SpecHash {
    spec(name).hash()
}

/// An assignment to host 1 by what tests vary; `mass`, host and lattice can be set afterwards.
pub(crate) fn assignment(epoch: u64, generation: u64, entries: &[(&str, u32)]) -> Assignment {
    let mut entries: Vec<Entry> = entries
        .iter()
        .map(|(name, count)| Entry { id: spec(name).id, spec: spec_hash(name), count: *count })
        .collect();
    entries.sort_by(|a, b| a.id.cmp(&b.id));
    Assignment {
        v: VERSION,
        lattice: lattice(),
        host: host(1),
        epoch: Epoch(epoch),
        generation: Generation(generation),
        mass: false,
        entries,
    }
}

pub(crate) fn sealed(assignment: &Assignment) -> Vec<u8> {
    signed::seal(Context::Assignment, &assignment.encode(), &controller())
}

pub(crate) fn applied(assignment: &Assignment) -> Applied {
    Applied {
        epoch: assignment.epoch,
        generation: assignment.generation,
        hash: Digest::of(&assignment.encode()),
    }
}

pub(crate) fn leads(epoch: u64) -> Vec<u8> {
    let word = Leadership::new(lattice(), "c1", 1, Epoch(epoch));
    signed::seal(Context::Leader, &word.encode(), &controller())
}

pub(crate) fn record(name: &str, owner: &str) -> IdRecord {
    IdRecord::new(id(name), Owner::App(owner.parse().unwrap()), 1)
}

/// `web -> db` is a link of `web` by which its calls to `acme:shop/orders` go to `db`.
pub(crate) fn link(text: &str) -> LinkRecord {
    link_of_package(text, "shop")
}

pub(crate) fn link_of_package(text: &str, package: &str) -> LinkRecord {
    let (source, target) = text.split_once(" -> ").unwrap();
    let target = LinkTarget {
        target: id(target),
        interfaces: ["orders".parse().unwrap()].into(),
        idempotent: false,
        source_config: Vec::new(),
        target_config: Vec::new(),
    };
    let [namespace, package] = ["acme", package].map(|word| word.parse().unwrap());
    let name = LinkName::default();
    LinkRecord::new(id(source), namespace, package, name, target, Owner::Manual)
}

/// `settings: colour=red size=1`.
pub(crate) fn named_config(text: &str) -> ConfigRecord {
    let (name, values) = text.split_once(':').unwrap();
    let pair = |word: &str| {
        let (key, value) = word.split_once('=').unwrap();
        (key.to_owned(), value.to_owned())
    };
    let values = values.split_whitespace().map(pair).collect();
    ConfigRecord::new(name.parse().unwrap(), values, Owner::Manual)
}

pub(crate) fn issuer(number: u8) -> IssuerKey {
    IssuerKey::try_from(PublicKey::new(Role::Account, [number; 32])).unwrap()
}

pub(crate) fn component() -> Component {
    Component {
        digest: Digest::of(b"component"),
        issuer: issuer(1),
        name: Some("counter".to_owned()),
        revision: Some(3),
        exports: Exports::new(),
        imports: BTreeSet::new(),
    }
}

/// What a lattice has stored under a key, for the specs and records of these tests.
pub(crate) fn stored_value(key: &Key, specs: &[&str]) -> Option<Vec<u8>> {
    match key {
        Key::Spec(hash) => {
            specs.iter().map(|name| spec(name)).find(|s| s.hash() == *hash).map(|s| s.encode())
        }
        Key::Id(id) => Some(stored::encode(&record(id.as_str(), "shop"))),
        _ => None,
    }
}
