//! What runs here is what is assigned and what was started by hand; where both name an id, its
//! record says whose it is.
//!
//! *Expected flow.* An application that names what runs by hand owns the id from then on. Its
//! leader assigns it to the host where it runs, which makes it the application's. *Caveats.* A host
//! that learns of a new owner and is assigned nothing ends what it runs, but not before the leader
//! had time to have it elsewhere.

use std::collections::BTreeMap;

use wattle_types::{ActorId, Entry, Key, ManualSet, Millis};

use super::Agent;
use crate::command::Command;
use crate::effect::{Effect, Happening, Scaled};
use crate::refusal::{Refusal, chain};
use crate::runs::Target;

impl Agent {
    /// Takes what was on disk. What sessions started ended with the last process.
    pub(super) fn restore_manual(
        &mut self,
        stored: Option<&[u8]>,
        now: Millis,
        out: &mut Vec<Effect>,
    ) {
        let Some(set) = stored.map(ManualSet::decode) else { return };
        let set = match set {
            Ok(set) => set,
            Err(error) => return self.refuse(Refusal::ManualSet { reason: chain(&error) }, out),
        };
        self.manual.restore(&set);
        let refusals = self.closures.restore_by_hand(self.manual.specs(), set.values);
        for refusal in refusals {
            self.refuse(refusal, out);
        }
        for (id, entry) in self.manual.entries() {
            self.ownership.restore(id.clone(), Some(entry.life), now);
        }
        for id in self.manual.released() {
            self.ownership.restore(id.clone(), None, now);
        }
    }

    /// Everything that should run here.
    pub(super) fn targets(&self, assigned: &[Entry]) -> BTreeMap<ActorId, Target> {
        let assigned = assigned.iter();
        let assigned = assigned.map(|entry| (entry.id.clone(), self.closures.target(entry)));
        let by_hand = self.manual.entries().iter();
        let by_hand = by_hand.map(|(id, of)| (id.clone(), self.closures.target_by_hand(of)));
        assigned.chain(by_hand).collect()
    }

    /// What one actor should be here, if anything.
    pub(super) fn wanted(&self, id: &ActorId) -> Option<Target> {
        let assigned = || self.closures.entry(id).map(|entry| self.closures.target(entry));
        self.target_by_hand(id).or_else(assigned)
    }

    /// Makes what was started by hand the application's whose id it is now and which is assigned
    /// here.
    pub(super) fn adopt(&mut self) {
        let entries = self.closures.entries().iter();
        let ours = entries.filter(|entry| self.manual.has(&entry.id));
        let adopted: Vec<ActorId> =
            ours.filter(|entry| !self.closures.is_foreign(entry)).map(|e| e.id.clone()).collect();
        for id in &adopted {
            self.manual.drop_entry(id);
            self.ownership.forget(id);
        }
        if !adopted.is_empty() {
            self.closures.set_by_hand(self.manual.specs());
        }
    }

    /// Ends what another owner had the time to take.
    pub(super) fn end_overdue(&mut self, now: Millis, out: &mut Vec<Effect>) {
        for id in self.manual.overdue(now) {
            self.manual.drop_entry(&id);
            self.ownership.forget(&id);
            self.closures.set_by_hand(self.manual.specs());
            if self.leaving.is_none() {
                self.runs.set(&id, self.wanted(&id), now, out);
            }
        }
    }

    /// What has to be read again because an actor must not be started as it is.
    pub(super) fn reasons(&self, id: &ActorId) -> impl Iterator<Item = Key> + use<> {
        let target = self.runs.target(id);
        let entry = target.map(|target| self.entry_of(id, target));
        let keys = match entry {
            Some(entry) if self.manual.has(id) => self.closures.reasons_by_hand(&entry),
            Some(entry) => self.closures.reasons(&entry),
            None => Default::default(),
        };
        keys.into_iter()
    }

    /// Does what a command says. Whoever gave it waits for an event, also if nothing changes.
    pub(super) fn carry_out(
        &mut self,
        id: &ActorId,
        command: &Command,
        now: Millis,
        out: &mut Vec<Effect>,
    ) {
        let before = out.len();
        let is_told = |out: &[Effect], ended: bool| {
            out[before..].iter().any(|effect| match effect {
                Effect::Emit(Happening::Scaled(scaled)) => {
                    scaled.id == *id && (scaled.count == 0) == ended
                }
                Effect::Start { id: started, .. } => started == id && !ended,
                _ => false,
            })
        };
        if self.manual.has(id) {
            self.runs.set(id, self.wanted(id), now, out);
            if !is_told(out, false) {
                self.runs.again(id, now, out);
            }
            return;
        }
        let (said, annotations) = match command {
            Command::Start(start) => (Some(&start.spec.image), Some(&start.annotations)),
            Command::Stop { image, annotations, .. } => (image.as_ref(), Some(annotations)),
            Command::Scale { .. } | Command::Update { .. } => (None, None),
        };
        let ran = self.runs.image_of(id);
        if let Some(annotations) = annotations {
            self.runs.annotate(id, annotations);
        }
        self.runs.set(id, self.wanted(id), now, out);
        if !is_told(out, true) {
            let image = said.cloned().or(ran).unwrap_or_default();
            let annotations = annotations.cloned().unwrap_or_default();
            let ended = Scaled { id: id.clone(), image, count: 0, annotations, component: None };
            out.push(Effect::Emit(Happening::Scaled(ended)));
        }
    }

    fn target_by_hand(&self, id: &ActorId) -> Option<Target> {
        self.manual.entries().get(id).map(|entry| self.closures.target_by_hand(entry))
    }

    /// What runs, as an assignment would say it.
    pub(super) fn entry_of(&self, id: &ActorId, target: &Target) -> Entry {
        Entry { id: id.clone(), spec: target.hash, count: target.count }
    }
}
