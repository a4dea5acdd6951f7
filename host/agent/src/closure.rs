//! What an assignment refers to: which specs and id records are here, which must be read, and
//! when everything is together that a restart without the lattice needs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wattle_types::{
    ActorId, ActorSpec, Entry, Epoch, Generation, IdRecord, Key, Millis, Owner, SpecHash, stored,
};

use crate::acceptance::Accepted;
use crate::backoff::{READ, STORE};
use crate::effect::Closure;
use crate::event::{Failure, Reading};
use crate::refusal::{Refusal, chain};
use crate::runs::{Plan, Target};

#[derive(Debug, Default)]
pub(crate) struct Closures {
    specs: BTreeMap<SpecHash, Spec>,
    owners: BTreeMap<ActorId, IdRecord>,
    /// The bytes of everything known.
    values: BTreeMap<Key, Vec<u8>>,
    /// Which of them are on disk.
    durable: BTreeSet<Key>,
    candidate: Option<Candidate>,
    /// What came while the candidate was being written. Replacing that one would leave unknown
    /// what the disk keeps.
    waiting: Option<Candidate>,
}

/// A spec whose content is what its name says. It may still be unreadable: written by a version
/// newer than this host. That is one actor's failure and holds up no other.
type Spec = Result<Arc<ActorSpec>, String>;

/// An accepted assignment on its way to the disk.
#[derive(Debug)]
struct Candidate {
    sealed: Vec<u8>,
    accepted: Accepted,
    /// Asked for and not answered yet.
    asking: BTreeSet<Key>,
    /// Ids whose record was looked for, found or not.
    settled: BTreeSet<ActorId>,
    /// What will be on disk once it is stored.
    storing: BTreeSet<Key>,
    stage: Stage,
    failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Reading,
    /// Something did not come; to be asked for again at this time.
    ReadAgain {
        at: Millis,
    },
    Storing,
    /// The disk refused; again at this time.
    StoreAgain {
        at: Millis,
    },
}

/// What the candidate needs next.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    Read(BTreeSet<Key>),
    Store(Closure),
}

impl Closures {
    /// Takes what was on disk. What has not the content that its name says is not taken.
    pub(crate) fn restore(&mut self, values: BTreeMap<Key, Vec<u8>>) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        for (key, bytes) in values {
            match self.learn(&key, bytes) {
                Ok(()) => {
                    self.durable.insert(key);
                }
                Err(refusal) => refusals.push(refusal),
            }
        }
        refusals
    }

    /// Works on `accepted` from now on, instead of any candidate before it.
    pub(crate) fn follow(&mut self, accepted: Accepted, sealed: Vec<u8>) {
        let candidate = Candidate {
            sealed,
            accepted,
            asking: BTreeSet::new(),
            settled: BTreeSet::new(),
            storing: BTreeSet::new(),
            stage: Stage::Reading,
            failures: 0,
        };
        if self.is_storing() {
            self.waiting = Some(candidate);
        } else {
            self.candidate = Some(candidate);
        }
    }

    fn is_storing(&self) -> bool {
        self.being_stored().is_some()
    }

    fn being_stored(&self) -> Option<&Candidate> {
        self.candidate.as_ref().filter(|candidate| candidate.stage == Stage::Storing)
    }

    /// What will be followed as soon as the disk has it, whatever comes meanwhile.
    pub(crate) fn imminent(&self) -> impl Iterator<Item = &ActorId> {
        let candidates = self.being_stored().into_iter();
        candidates.flat_map(|c| &c.accepted.assignment.entries).map(|entry| &entry.id)
    }

    /// Takes the answer for one spec or id record.
    pub(crate) fn read(&mut self, key: &Key, reading: Reading, now: Millis) -> Result<(), Refusal> {
        let failed = reading == Reading::Failed;
        let learned = match reading {
            Reading::Value { bytes, .. } => self.learn(key, bytes).map(|()| true),
            Reading::Nothing | Reading::Failed => Ok(false),
        };
        if let Some(candidate) = &mut self.candidate {
            candidate.asking.remove(key);
            match key {
                // An id without a record, or with one nobody can read, is no reason to wait: the
                // assignment is signed. A store that does not answer is.
                Key::Id(id) if !failed => {
                    candidate.settled.insert(id.clone());
                }
                _ if matches!(learned, Ok(true)) => {}
                _ => candidate.missed(now),
            }
        }
        learned.map(drop)
    }

    /// Asks again for what is missing, whatever was asked before: an answer may have been lost.
    pub(crate) fn look_again(&mut self) {
        if let Some(candidate) = &mut self.candidate {
            candidate.asking.clear();
            if let Stage::ReadAgain { .. } = candidate.stage {
                candidate.stage = Stage::Reading;
            }
        }
    }

    /// What to do next for the candidate, if anything; to be asked after every event.
    pub(crate) fn advance(&mut self, epoch_max: Epoch, now: Millis) -> Option<Next> {
        let missing = self.missing();
        let candidate = self.candidate.as_mut()?;
        match candidate.stage {
            Stage::Storing => return None,
            Stage::ReadAgain { at } | Stage::StoreAgain { at } if now < at => return None,
            Stage::ReadAgain { .. } => candidate.stage = Stage::Reading,
            Stage::Reading | Stage::StoreAgain { .. } => {}
        }
        if missing.is_empty() {
            candidate.stage = Stage::Storing;
            let closure = self.closure(epoch_max)?;
            self.candidate.as_mut()?.storing.clone_from(&closure.keep);
            return Some(Next::Store(closure));
        }
        let ask: BTreeSet<Key> = missing.difference(&candidate.asking).cloned().collect();
        candidate.asking.extend(ask.iter().cloned());
        (!ask.is_empty()).then_some(Next::Read(ask))
    }

    /// When the candidate wants to be advanced though nothing happened.
    pub(crate) fn due(&self) -> Option<Millis> {
        match self.candidate.as_ref()?.stage {
            Stage::ReadAgain { at } | Stage::StoreAgain { at } => Some(at),
            Stage::Reading | Stage::Storing => None,
        }
    }

    /// The candidate with this generation is on disk and is no candidate any more.
    pub(crate) fn stored(&mut self, generation: Generation) -> Option<Accepted> {
        let candidate = self.candidate.take_if(|candidate| candidate.is_storing(generation))?;
        let keep = self.keep(&candidate.accepted);
        self.specs.retain(|hash, _| keep.contains(&Key::Spec(*hash)));
        self.owners.retain(|id, _| keep.contains(&Key::Id(id.clone())));
        self.values.retain(|key, _| keep.contains(key));
        self.durable = candidate.storing;
        self.candidate = self.waiting.take();
        Some(candidate.accepted)
    }

    pub(crate) fn store_failed(&mut self, generation: Generation, now: Millis) {
        let Some(candidate) = &mut self.candidate else { return };
        if !candidate.is_storing(generation) {
            return;
        }
        // What the disk has now is anybody's guess: everything is written again.
        self.durable.clear();
        candidate.failures += 1;
        candidate.stage = Stage::StoreAgain { at: now + STORE.delay_ms(candidate.failures) };
        if let Some(newer) = self.waiting.take() {
            self.candidate = Some(newer);
        }
    }

    /// Whether all specs of an assignment are known.
    pub(crate) fn has_specs_of(&self, accepted: &Accepted) -> bool {
        let mut entries = accepted.assignment.entries.iter();
        entries.all(|entry| self.specs.contains_key(&entry.spec))
    }

    /// What an entry means here, as far as it is known.
    pub(crate) fn target(&self, entry: &Entry) -> Target {
        let (owner, plan) = match self.specs.get(&entry.spec) {
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
        Target { hash: entry.spec, count: entry.count, owner, plan }
    }

    /// Who signed what first ran under this id, if the lattice knows.
    pub(crate) fn record(&self, id: &ActorId) -> Option<&IdRecord> {
        self.owners.get(id)
    }

    fn plan(&self, entry: &Entry, spec: &Arc<ActorSpec>, owner: &Owner) -> Plan {
        if spec.id != entry.id {
            let message = format!("spec {} is of actor {}", entry.spec, spec.id);
            return blocked("WT-HOST-SPEC-ID", message);
        }
        match self.owners.get(&entry.id) {
            Some(record) if record.owner != *owner => {
                let message =
                    format!("id {} belongs to {}, not to {owner}", entry.id, record.owner);
                // The record may have been read from a replica that lags behind.
                Plan::Blocked { failure: failure("WT-HOST-OWNER", message), read_again: true }
            }
            _ => Plan::Run(Arc::clone(spec)),
        }
    }

    fn learn(&mut self, key: &Key, bytes: Vec<u8>) -> Result<(), Refusal> {
        match key {
            Key::Spec(hash) if ActorSpec::hash_of(&bytes) != *hash => {
                return Err(Refusal::SpecContent { expected: *hash });
            }
            Key::Spec(hash) => {
                let spec = ActorSpec::decode(*hash, &bytes);
                self.specs.insert(*hash, spec.map(Arc::new).map_err(|error| chain(&error)));
            }
            Key::Id(id) => {
                let record: IdRecord = stored::decode("an id record", &bytes)
                    .map_err(|error| owner_record(id, chain(&error)))?;
                if record.id != *id {
                    return Err(owner_record(id, format!("it is the record of {}", record.id)));
                }
                self.owners.insert(id.clone(), record);
            }
            // Nothing else belongs to a closure.
            Key::Lease
            | Key::App(_)
            | Key::Manifest(..)
            | Key::Assign(_)
            | Key::Link { .. }
            | Key::Config(_) => return Ok(()),
        }
        if self.values.get(key) != Some(&bytes) {
            self.durable.remove(key);
            if let Some(candidate) = &mut self.candidate {
                // What is being written now is the value before this one.
                candidate.storing.remove(key);
            }
            self.values.insert(key.clone(), bytes);
        }
        Ok(())
    }

    /// Specs first: only they tell whose record an id should have.
    fn missing(&self) -> BTreeSet<Key> {
        let Some(candidate) = &self.candidate else { return BTreeSet::new() };
        let entries = &candidate.accepted.assignment.entries;
        let specs: BTreeSet<Key> = entries
            .iter()
            .filter(|entry| !self.specs.contains_key(&entry.spec))
            .map(|entry| Key::Spec(entry.spec))
            .collect();
        if !specs.is_empty() {
            return specs;
        }
        let unsettled = entries.iter().filter(|entry| !candidate.settled.contains(&entry.id));
        unsettled.filter(|entry| !self.owner_agrees(entry)).map(|e| Key::Id(e.id.clone())).collect()
    }

    fn owner_agrees(&self, entry: &Entry) -> bool {
        match (self.specs.get(&entry.spec), self.owners.get(&entry.id)) {
            (Some(Ok(spec)), Some(record)) => record.owner == owner_of(spec),
            // Nothing will run under it, whoever owns it.
            (Some(Err(_)), _) => true,
            _ => false,
        }
    }

    fn closure(&self, epoch_max: Epoch) -> Option<Closure> {
        let candidate = self.candidate.as_ref()?;
        let keep = self.keep(&candidate.accepted);
        let new =
            self.values.iter().filter(|(key, _)| keep.contains(key) && !self.durable.contains(key));
        Some(Closure {
            generation: candidate.accepted.applied.generation,
            applied: candidate.accepted.applied,
            epoch_max,
            sealed: candidate.sealed.clone(),
            values: new.map(|(key, bytes)| (key.clone(), bytes.clone())).collect(),
            keep,
        })
    }

    fn keep(&self, accepted: &Accepted) -> BTreeSet<Key> {
        let entries = &accepted.assignment.entries;
        let specs = entries.iter().map(|entry| Key::Spec(entry.spec));
        let owned = entries.iter().filter(|entry| self.owners.contains_key(&entry.id));
        specs.chain(owned.map(|entry| Key::Id(entry.id.clone()))).collect()
    }
}

impl Candidate {
    fn is_storing(&self, generation: Generation) -> bool {
        self.stage == Stage::Storing && self.accepted.applied.generation == generation
    }

    /// One of those asked for did not come. Several that miss together count as one failure.
    fn missed(&mut self, now: Millis) {
        if self.stage == Stage::Reading {
            self.failures += 1;
            self.stage = Stage::ReadAgain { at: now + READ.delay_ms(self.failures) };
        }
    }
}

fn owner_of(spec: &ActorSpec) -> Owner {
    spec.app.clone().map_or(Owner::Manual, Owner::App)
}

fn owner_record(id: &ActorId, reason: String) -> Refusal {
    Refusal::OwnerRecord { id: id.clone(), reason }
}

fn failure(code: &str, message: String) -> Failure {
    Failure { code: code.to_owned(), message }
}

/// Blocked by what cannot change under this spec's name.
fn blocked(code: &str, message: String) -> Plan {
    Plan::Blocked { failure: failure(code, message), read_again: false }
}
