//! What an entry of an assignment means here: what to run, how it is bound, or why it must not run.

use std::collections::BTreeSet;
use std::sync::Arc;

use wattle_types::{ActorId, ActorSpec, AppName, Entry, IdRecord, Key, ManualEntry, Owner};

use super::Closures;
use crate::event::Failure;
use crate::runs::{Plan, Target};

impl Closures {
    /// What an entry means here, as far as it is known.
    pub(crate) fn target(&self, entry: &Entry) -> Target {
        let (owner, plan) = match self.known.spec(&entry.spec) {
            Some(Ok(spec)) => {
                let owner = owner_of(spec);
                let plan = self.plan(entry, spec, &owner);
                (owner, plan)
            }
            Some(Err(reason)) => (Owner::Manual, blocked("WT-HOST-SPEC", reason.clone())),
            None => {
                let message = format!("spec {} is not on this host's disk", entry.spec);
                (Owner::Manual, blocked("WT-HOST-SPEC-MISSING", message))
            }
        };
        let links = self.known.table(&entry.id);
        let annotations = match &plan {
            Plan::Run { spec, .. } => spec.annotations.clone(),
            Plan::Blocked { .. } => Default::default(),
        };
        let (hash, count, annotations) = (entry.spec, entry.count, Arc::new(annotations));
        Target { hash, count, owner, annotations, links, plan }
    }

    /// What something that was started by hand means here. Who owns its id was found out before.
    pub(crate) fn target_by_hand(&self, of: &ManualEntry) -> Target {
        Target {
            hash: of.spec.hash(),
            count: of.count,
            owner: of.life.owner(),
            annotations: Arc::new(of.annotations.clone()),
            links: self.known.table(&of.spec.id),
            plan: self.configured(&Arc::new(of.spec.clone())),
        }
    }

    /// Whether the record of an id is known to name another owner than its entry does.
    pub(crate) fn is_foreign(&self, entry: &Entry) -> bool {
        match (self.known.spec(&entry.spec), self.known.owner(&entry.id)) {
            (Some(Ok(spec)), Some(record)) => record.owner != owner_of(spec),
            _ => false,
        }
    }

    /// The application that an entry is of, as far as it is known.
    pub(crate) fn app_of(&self, entry: &Entry) -> Option<&AppName> {
        self.known.spec(&entry.spec)?.as_ref().ok()?.app.as_ref()
    }

    /// What has to be read again to learn whether what was started by hand is still blocked.
    pub(crate) fn reasons_by_hand(&self, entry: &Entry) -> BTreeSet<Key> {
        let names = self.known.config_names(entry).iter();
        let names = names.filter(|name| !self.known.has_config(name));
        names.cloned().map(Key::Config).collect()
    }

    /// What has to be read again to learn whether an entry is still blocked.
    pub(crate) fn reasons(&self, entry: &Entry) -> BTreeSet<Key> {
        let mut keys = self.reasons_by_hand(entry);
        if !self.owner_agrees(entry) {
            keys.insert(Key::Id(entry.id.clone()));
        }
        keys
    }

    /// Who signed what first ran under this id, if the lattice knows.
    pub(crate) fn record(&self, id: &ActorId) -> Option<&IdRecord> {
        self.known.owner(id)
    }

    fn plan(&self, entry: &Entry, spec: &Arc<ActorSpec>, owner: &Owner) -> Plan {
        if spec.id != entry.id {
            let message = format!("spec {} is of actor {}", entry.spec, spec.id);
            return blocked("WT-HOST-SPEC-ID", message);
        }
        if let Some(record) = self.known.owner(&entry.id)
            && record.owner != *owner
        {
            let message = format!("id {} belongs to {}, not to {owner}", entry.id, record.owner);
            // The record may have been read from a replica that lags behind.
            let failure = failure("WT-HOST-OWNER", message);
            return Plan::Blocked { failure, read_again: true };
        }
        self.configured(spec)
    }

    fn configured(&self, spec: &Arc<ActorSpec>) -> Plan {
        match self.known.config(spec) {
            Ok(config) => Plan::Run { spec: Arc::clone(spec), config: Arc::new(config) },
            Err(name) => {
                let message = format!(
                    "config {name} is not stored; put it with `wattle config put {name} key=value`"
                );
                Plan::Blocked { failure: failure("WT-HOST-CONFIG", message), read_again: true }
            }
        }
    }

    pub(super) fn owner_agrees(&self, entry: &Entry) -> bool {
        match (self.known.spec(&entry.spec), self.known.owner(&entry.id)) {
            (Some(Ok(spec)), Some(record)) => record.owner == owner_of(spec),
            // Nothing will run under it, whoever owns it.
            (Some(Err(_)), _) => true,
            _ => false,
        }
    }
}

fn owner_of(spec: &ActorSpec) -> Owner {
    spec.app.clone().map_or(Owner::Manual, Owner::App)
}

fn failure(code: &str, message: String) -> Failure {
    Failure { code: code.to_owned(), message }
}

/// Blocked by what cannot change under this spec's name.
fn blocked(code: &str, message: String) -> Plan {
    Plan::Blocked { failure: failure(code, message), read_again: false }
}
