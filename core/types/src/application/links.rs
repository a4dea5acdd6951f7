//! Links between the components of one manifest: from traits to records.
//!
//! A record is made where a host has something to look up. What every host provides itself needs
//! none, and what cannot lead anywhere has none and says why.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::traits::{properties, wrong};
use super::{AppComponent, Part, generated};
use crate::manifest::{Config, Error, Position, Secret, Trait};
use crate::stored::{Unknown, VERSION};
use crate::{
    ActorId, AppName, ComponentName, ConfigName, ConfigRecord, InterfaceName, Key, LinkName,
    LinkRecord, LinkTarget, Owner, Token,
};

/// A link that is written in the manifest and that nobody stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlinked {
    pub interface: InterfaceName,
    pub name: LinkName,
    /// As the manifest calls it.
    pub target: ComponentName,
    pub why: Why,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Every host provides the interface itself.
    BuiltIn,
    /// Calls through it cannot go through.
    Impossible(String),
}

/// What an actor imports from every host, which no link leads elsewhere. Except that
/// `wasi:http/outgoing-handler` may lead to an actor.
const PROVIDED: [&str; 12] = [
    "wasi:keyvalue/store",
    "wasi:keyvalue/atomics",
    "wasi:keyvalue/batch",
    "wasi:http/types",
    "wasi:http/outgoing-handler",
    "wasi:config/store",
    "wasi:config/runtime",
    "wasi:logging/logging",
    "wasmcloud:bus/lattice",
    "wasmcloud:messaging/consumer",
    "wasmcloud:secrets/store",
    "wasmcloud:secrets/reveal",
];
const OUTGOING_HTTP: &str = "wasi:http/outgoing-handler";
/// What every host calls in an actor: in 1.x a provider did, by a link.
const CALLED: [&str; 2] = ["wasi:http/incoming-handler", "wasmcloud:messaging/handler"];

/// A link trait, read and not yet understood.
pub(super) struct WrittenLink {
    at: Option<Position>,
    namespace: Token,
    package: Token,
    interfaces: Vec<Token>,
    name: LinkName,
    target: String,
    source_config: Vec<Config>,
    target_config: Vec<Config>,
    has_secrets: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Properties {
    namespace: Token,
    package: Token,
    interfaces: Vec<Token>,
    /// A component's name, or [`End`] with one.
    target: Value,
    source: Option<SourceEnd>,
    #[serde(default)]
    name: LinkName,
    // What early manifests of 1.x have in place of the two ends.
    #[serde(default)]
    source_config: Vec<Config>,
    #[serde(default)]
    target_config: Vec<Config>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    name: String,
    #[serde(default)]
    config: Vec<Config>,
    #[serde(default)]
    secrets: Vec<Secret>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceEnd {
    #[serde(default)]
    config: Vec<Config>,
    #[serde(default)]
    secrets: Vec<Secret>,
}

pub(super) fn written(written: &Trait) -> Result<WrittenLink, Error> {
    let read: Properties = properties(written)?;
    let target = match read.target {
        Value::String(name) => End { name, config: Vec::new(), secrets: Vec::new() },
        end => serde_json::from_value(end)
            .map_err(|error| wrong(written, format!("target: {error}")))?,
    };
    if read.interfaces.is_empty() {
        return Err(wrong(written, "interfaces is empty; nothing is linked"));
    }
    let source = read.source.unwrap_or_default();
    Ok(WrittenLink {
        at: written.properties.at,
        namespace: read.namespace,
        package: read.package,
        interfaces: read.interfaces,
        name: read.name,
        target: target.name,
        has_secrets: !source.secrets.is_empty() || !target.secrets.is_empty(),
        source_config: [read.source_config, source.config].concat(),
        target_config: [read.target_config, target.config].concat(),
    })
}

impl WrittenLink {
    pub(super) fn leads(&self, path: &str) -> bool {
        self.interfaces.iter().any(|interface| self.interface(interface).path() == path)
    }

    fn interface(&self, interface: &Token) -> InterfaceName {
        InterfaceName::new(&self.namespace, &self.package, interface, None)
    }

    fn wrong(&self, message: impl std::fmt::Display) -> Error {
        Error::new(self.at, format!("trait link: {message}"))
    }
}

/// Named configuration that the manifest's links bring along.
pub(super) struct Configs {
    app: AppName,
    records: BTreeMap<ConfigName, ConfigRecord>,
}

impl Configs {
    pub(super) fn of(app: &AppName) -> Self {
        Self { app: app.clone(), records: BTreeMap::new() }
    }

    pub(super) fn into_records(self) -> Vec<ConfigRecord> {
        self.records.into_values().collect()
    }

    /// The names under which these are kept in the lattice.
    fn names(&mut self, written: &[Config]) -> Result<Vec<ConfigName>, String> {
        written.iter().map(|config| self.name(config)).collect()
    }

    fn name(&mut self, config: &Config) -> Result<ConfigName, String> {
        let fail = |error| format!("config {:?}: {error}", config.name);
        let Some(values) = &config.properties else { return config.name.parse().map_err(fail) };
        let name = generated(self.app.as_str(), &config.name);
        let name: ConfigName = name.parse().map_err(fail)?;
        let owner = Owner::App(self.app.clone());
        let record = ConfigRecord::new(name.clone(), values.clone(), owner);
        match self.records.insert(name.clone(), record) {
            Some(other) if other.values != *values => Err(format!(
                "config {:?} is there twice with different properties; its name holds for the whole \
                 application",
                config.name
            )),
            _ => Ok(name),
        }
    }
}

/// What the links of one component become.
#[derive(Default)]
pub(super) struct Linked {
    pub(super) records: Vec<LinkRecord>,
    pub(super) unlinked: Vec<Unlinked>,
}

/// `idempotent` has the paths of interfaces whose calls may be repeated.
pub(super) fn link(
    source: &AppComponent,
    written: &[WrittenLink],
    idempotent: &BTreeSet<String>,
    components: &BTreeMap<&str, &AppComponent>,
    configs: &mut Configs,
) -> Result<Linked, Error> {
    let mut linked = Linked::default();
    let mut seen: BTreeMap<(InterfaceName, &LinkName), &str> = BTreeMap::new();
    let mut records: BTreeMap<Key, LinkRecord> = BTreeMap::new();
    for link in written {
        let unknown = || {
            let message = format!("there is no component {:?} to link to", link.target);
            link.wrong(message)
        };
        let target = *components.get(link.target.as_str()).ok_or_else(unknown)?;
        for interface in &link.interfaces {
            let path = link.interface(interface);
            if let Some(first) = seen.insert((path.clone(), &link.name), &link.target) {
                let (name, second) = (&link.name, &link.target);
                let message = format!(
                    "{path} is linked to {first} and to {second} under one name, {name}; give \
                     one of the links another name"
                );
                return Err(link.wrong(message));
            }
            // It calls nobody.
            if matches!(source.part, Part::Unsupported(_)) {
                continue;
            }
            let why = obstacle(&path, target, link.has_secrets);
            if let Some(why) = why {
                let (name, target) = (link.name.clone(), target.name.clone());
                linked.unlinked.push(Unlinked { interface: path, name, target, why });
                continue;
            }
            let own = LinkTarget {
                target: target.id.clone(),
                interfaces: [interface.clone()].into(),
                idempotent: idempotent.contains(path.path()),
                source_config: configs.names(&link.source_config).map_err(|e| link.wrong(e))?,
                target_config: configs.names(&link.target_config).map_err(|e| link.wrong(e))?,
            };
            let empty = empty(&source.id, link, &configs.app);
            let record = records.entry(empty.key()).or_insert(empty);
            add(record, own);
        }
    }
    linked.records = records.into_values().collect();
    Ok(linked)
}

fn empty(source: &ActorId, link: &WrittenLink, app: &AppName) -> LinkRecord {
    LinkRecord {
        v: VERSION,
        source: source.clone(),
        namespace: link.namespace.clone(),
        package: link.package.clone(),
        name: link.name.clone(),
        targets: Vec::new(),
        owner: Owner::App(app.clone()),
        unknown: Unknown::new(),
    }
}

/// Interfaces that lead to one place in one way are one target.
fn add(record: &mut LinkRecord, target: LinkTarget) {
    let alike = |known: &&mut LinkTarget| {
        let of =
            |target: &LinkTarget| LinkTarget { interfaces: Default::default(), ..target.clone() };
        of(known) == of(&target)
    };
    match record.targets.iter_mut().find(alike) {
        Some(known) => known.interfaces.extend(target.interfaces),
        None => record.targets.push(target),
    }
}

/// Why no record is made for a link of `path` to `target`, if none is.
fn obstacle(path: &InterfaceName, target: &AppComponent, has_secrets: bool) -> Option<Why> {
    let path = path.path();
    let provided = PROVIDED.contains(&path);
    let why = match &target.part {
        Part::Unsupported(_) if provided || CALLED.contains(&path) => return Some(Why::BuiltIn),
        Part::Unsupported(reason) => format!("{} cannot serve it: {reason}", target.name),
        Part::Actor(_) if provided && path != OUTGOING_HTTP => {
            format!("{path} is built into every host and cannot lead to a component")
        }
        Part::Actor(_) if has_secrets => {
            "secrets of a link are for providers; list them in properties.secrets of the \
             component that needs them"
                .to_owned()
        }
        Part::Actor(_) => return None,
    };
    Some(Why::Impossible(why))
}

#[cfg(test)]
mod tests;
