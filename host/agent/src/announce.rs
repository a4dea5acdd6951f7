//! What this host says it serves: numbered deltas, and everything on request.

use std::collections::{BTreeMap, BTreeSet};

use wattle_types::stored::VERSION;
use wattle_types::{
    ActorId, Exports, HostId, HttpRoute, ServeDelta, ServeEntry, ServeState, SpecHash,
};

use crate::runs::{Actor, Phase};

#[derive(Debug)]
pub(crate) struct Announcer {
    host: HostId,
    boot: u64,
    seq: u64,
    said: BTreeMap<ActorId, BTreeMap<SpecHash, Said>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Said {
    state: ServeState,
    routes: Vec<HttpRoute>,
    exports: Exports,
}

impl Said {
    fn of(state: ServeState, routes: &[HttpRoute], exports: &Exports) -> Self {
        Self { state, routes: routes.to_vec(), exports: exports.clone() }
    }
}

impl Announcer {
    pub(crate) const fn new(host: HostId, boot: u64) -> Self {
        Self { host, boot, seq: 0, said: BTreeMap::new() }
    }

    /// What is new about the `changed` actors, if anything is.
    pub(crate) fn delta(
        &mut self,
        changed: &BTreeSet<ActorId>,
        actors: &BTreeMap<ActorId, Actor>,
        leaving: bool,
    ) -> Option<ServeDelta> {
        let mut entries = Vec::new();
        for id in changed {
            let now = actors.get(id).map(|actor| view(actor, leaving)).unwrap_or_default();
            let before = self.said.remove(id).unwrap_or_default();
            for (hash, said) in &now {
                if before.get(hash) != Some(said) {
                    entries.push(entry(id, *hash, said.clone()));
                }
            }
            for hash in before.keys().filter(|hash| !now.contains_key(hash)) {
                let gone = Said::of(ServeState::Gone, &[], &Exports::new());
                entries.push(entry(id, *hash, gone));
            }
            if !now.is_empty() {
                self.said.insert(id.clone(), now);
            }
        }
        if entries.is_empty() {
            return None;
        }
        self.seq += 1;
        Some(self.message(false, entries))
    }

    /// Everything, as it was last said. Does not count: it repeats what the numbers said so far.
    pub(crate) fn full(&self) -> ServeDelta {
        let entries = self.said.iter().flat_map(|(id, revisions)| {
            revisions.iter().map(|(hash, said)| entry(id, *hash, said.clone()))
        });
        self.message(true, entries.collect())
    }

    /// The number of the last delta, without its content: who missed one learns it from this.
    pub(crate) fn repeat(&self) -> ServeDelta {
        self.message(false, Vec::new())
    }

    fn message(&self, full: bool, entries: Vec<ServeEntry>) -> ServeDelta {
        let (host, boot, seq) = (self.host, self.boot, self.seq);
        ServeDelta { v: VERSION, host, boot, seq, full, entries }
    }
}

fn entry(id: &ActorId, revision: SpecHash, said: Said) -> ServeEntry {
    ServeEntry {
        actor: id.clone(),
        revision,
        state: said.state,
        routes: said.routes,
        exports: said.exports,
    }
}

/// What an actor's runs amount to, by revision. One that never served is not there.
fn view(actor: &Actor, leaving: bool) -> BTreeMap<SpecHash, Said> {
    let mut view: BTreeMap<SpecHash, Said> = BTreeMap::new();
    for run in actor.runs.values() {
        let (state, component) = match &run.phase {
            Phase::Ready(component) if !leaving => (ServeState::Ready, component),
            Phase::Ready(component) | Phase::Draining(Some(component)) => {
                (ServeState::Draining, component)
            }
            Phase::Starting | Phase::Draining(None) => continue,
        };
        let is_ready = view.get(&run.hash).is_some_and(|said| said.state == ServeState::Ready);
        if !is_ready {
            view.insert(run.hash, Said::of(state, &run.spec.routes, &component.exports));
        }
    }
    view
}
