//! The store's content as the law reads it, with no code in common with the brain's reading.

use std::collections::{BTreeMap, BTreeSet};

use wattle_brain::mirror::StoredManifest;
use wattle_planner::{Desired, Wanted, What};
use wattle_trust::signed::Context;
use wattle_types::{
    ActorId, ActorSpec, AppHead, AppName, Application, Assignment, ConfigName, ConfigRecord,
    HostId, IdRecord, Key, Lease, LinkRecord, Manifest, Owner, Part, Revision, SpecHash, stored,
};

use crate::hosts::{body_of, opened};
use crate::store::Message;

#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) lease: Option<Lease>,
    pub(super) heads: BTreeMap<AppName, AppHead>,
    pub(super) applications: BTreeMap<(AppName, Revision), Application>,
    pub(super) owners: BTreeMap<ActorId, Owner>,
    pub(super) specs: BTreeSet<SpecHash>,
    pub(super) assignments: BTreeMap<HostId, Assignment>,
    pub(super) links: BTreeMap<Key, LinkRecord>,
    pub(super) configs: BTreeMap<ConfigName, ConfigRecord>,
}

/// A message, read.
#[derive(Debug)]
pub(super) enum Fact {
    Lease(Lease),
    Head(AppHead),
    Manifest((AppName, Revision), Application),
    ManifestGone((AppName, Revision)),
    /// And the hosts where it runs by hand.
    Owner(ActorId, Owner, BTreeSet<HostId>),
    OwnerGone(ActorId),
    Spec(SpecHash),
    Assignment(Assignment),
    AssignmentGone(HostId),
    /// None: it is deleted.
    Link(Key, Option<LinkRecord>),
    Config(ConfigName, Option<ConfigRecord>),
}

pub(super) fn read(message: &Message) -> Result<Fact, String> {
    let Message { key, value, .. } = message;
    let Some(bytes) = value.as_deref() else {
        return match key {
            Key::Manifest(name, revision) => Ok(Fact::ManifestGone((name.clone(), *revision))),
            Key::Link { .. } => Ok(Fact::Link(key.clone(), None)),
            Key::Config(name) => Ok(Fact::Config(name.clone(), None)),
            Key::Assign(host) => Ok(Fact::AssignmentGone(*host)),
            Key::Id(id) => Ok(Fact::OwnerGone(id.clone())),
            _ => Err(format!("{key} is deleted, which nobody asks for")),
        };
    };
    let unreadable = |error: stored::Error| format!("{key} is unreadable: {error}");
    Ok(match key {
        Key::Lease => Fact::Lease(stored::decode("it", bytes).map_err(unreadable)?),
        Key::App(name) => {
            let body = opened(Context::Head, bytes).ok_or_else(|| format!("{key} is unsigned"))?;
            let head: AppHead = stored::decode("it", &body).map_err(unreadable)?;
            if head.name != *name {
                return Err(format!("{key} is the head of {}", head.name));
            }
            Fact::Head(head)
        }
        Key::Manifest(name, revision) => {
            let text: StoredManifest = stored::decode("it", bytes).map_err(unreadable)?;
            let manifest = Manifest::parse(&text.json).map_err(|error| error.to_string())?;
            let application =
                Application::try_from(&manifest).map_err(|error| error.to_string())?;
            Fact::Manifest((name.clone(), *revision), application)
        }
        Key::Id(id) => {
            let record: IdRecord = stored::decode("it", bytes).map_err(unreadable)?;
            Fact::Owner(id.clone(), record.owner, record.hosts)
        }
        Key::Spec(hash) => {
            ActorSpec::decode(*hash, bytes).map_err(|error| error.to_string())?;
            Fact::Spec(*hash)
        }
        Key::Assign(host) => {
            let assignment = body_of(bytes).ok_or_else(|| format!("{key} is unreadable"))?;
            if assignment.host != *host {
                return Err(format!("{key} is for {}", assignment.host));
            }
            Fact::Assignment(assignment)
        }
        Key::Link { .. } => {
            let record: LinkRecord = stored::decode("it", bytes).map_err(unreadable)?;
            if record.key() != *key {
                return Err(format!("{key} is the link {}", record.key()));
            }
            Fact::Link(key.clone(), Some(record))
        }
        Key::Canary(_) => return Err(format!("{key} is in a batch")),
        Key::Config(name) => {
            let record: ConfigRecord = stored::decode("it", bytes).map_err(unreadable)?;
            if record.name != *name {
                return Err(format!("{key} is the config {}", record.name));
            }
            Fact::Config(name.clone(), Some(record))
        }
    })
}

impl Known {
    pub(super) fn take(&mut self, fact: Fact) {
        match fact {
            Fact::Lease(lease) => self.lease = Some(lease),
            Fact::Head(head) => drop(self.heads.insert(head.name.clone(), head)),
            Fact::Manifest(key, application) => drop(self.applications.insert(key, application)),
            Fact::ManifestGone(key) => drop(self.applications.remove(&key)),
            Fact::Owner(id, owner, _) => drop(self.owners.insert(id, owner)),
            Fact::OwnerGone(id) => drop(self.owners.remove(&id)),
            Fact::Spec(hash) => drop(self.specs.insert(hash)),
            Fact::Assignment(told) => drop(self.assignments.insert(told.host, told)),
            Fact::AssignmentGone(host) => drop(self.assignments.remove(&host)),
            Fact::Link(key, Some(record)) => drop(self.links.insert(key, record)),
            Fact::Link(key, None) => drop(self.links.remove(&key)),
            Fact::Config(name, Some(record)) => drop(self.configs.insert(name, record)),
            Fact::Config(name, None) => drop(self.configs.remove(&name)),
        }
    }

    /// The application that should run, by its head.
    pub(super) fn deployed(&self, head: &AppHead) -> Option<&Application> {
        self.applications.get(&(head.name.clone(), head.deployed?))
    }

    pub(super) fn desired(&self) -> Desired {
        let mut desired = Desired::default();
        for head in self.heads.values() {
            for component in self.deployed(head).iter().flat_map(|deployed| &deployed.components) {
                let what = match &component.part {
                    Part::Actor(spec) => What::Run(spec.hash()),
                    Part::Unsupported(reason) => What::Unsupported(reason.clone()),
                };
                // Who claimed an id while the store had lost its owner has it.
                let owner = self.owners.get(&component.id);
                if owner.is_some_and(|owner| *owner != Owner::App(head.name.clone())) {
                    continue;
                }
                let wanted = Wanted { what, scaler: component.scaler.clone() };
                desired.actors.insert(component.id.clone(), wanted);
            }
        }
        desired
    }
}
