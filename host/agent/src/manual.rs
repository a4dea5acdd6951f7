//! What was started by hand: what a command makes of it, and how it gets to the disk.
//!
//! One write at a time, and one command in each: what a command changes is there when it is on
//! disk, and not before. What changes without a command is written as soon as the disk is free.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wattle_types::{ActorId, AppName, Entry, Life, ManualEntry, ManualSet, ManualValue, Millis};

use crate::backoff::STORE;
use crate::command::{Command, Denial, Start};
use crate::effect::Effect;

/// An application took an id over: so long its leader may take to assign it here, or to have it
/// elsewhere, before it ends here.
const TAKEN_MS: u64 = 10_000;

#[derive(Debug, Default)]
pub(crate) struct Manual {
    entries: BTreeMap<ActorId, ManualEntry>,
    /// Ids whose records may still name this host, though nothing is started under them.
    released: BTreeSet<ActorId>,
    /// Whose entries are an application's now, and until when they stay.
    taken: BTreeMap<ActorId, (AppName, Millis)>,
    /// Links and configuration as they were written last.
    values: Vec<ManualValue>,
    last_write: u64,
    writing: Option<Writing>,
    /// Something is not on disk as it is.
    touched: bool,
    failures: u32,
    again: Option<Millis>,
}

#[derive(Debug)]
struct Writing {
    number: u64,
    change: Option<Change>,
}

/// What a command makes of an id.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    pub(crate) id: ActorId,
    /// None: it ends.
    pub(crate) entry: Option<Box<ManualEntry>>,
}

/// A command as far as it can be decided here.
#[derive(Debug, PartialEq)]
pub(crate) enum Decision {
    Change(Change, String),
    /// It is so already.
    Same(String),
    /// Whoever asks for it has been followed by another, and is not told that.
    Outdated,
    Denied(Denial),
}

impl Manual {
    /// Takes what was on disk. Sessions ended with the process they were of.
    pub(crate) fn restore(&mut self, set: &ManualSet) {
        self.released = set.released.clone();
        self.values.clone_from(&set.values);
        for entry in &set.entries {
            let id = entry.spec.id.clone();
            match entry.life {
                Life::Manual => drop(self.entries.insert(id, entry.clone())),
                Life::Session => {
                    self.released.insert(id);
                    self.touched = true;
                }
            }
        }
    }

    pub(crate) const fn entries(&self) -> &BTreeMap<ActorId, ManualEntry> {
        &self.entries
    }

    pub(crate) fn has(&self, id: &ActorId) -> bool {
        self.entries.contains_key(id)
    }

    pub(crate) const fn released(&self) -> &BTreeSet<ActorId> {
        &self.released
    }

    /// Ids and specs, for whoever knows what these refer to.
    pub(crate) fn specs(&self) -> impl Iterator<Item = (Entry, &ManualEntry)> {
        self.entries.iter().map(|(id, entry)| {
            (Entry { id: id.clone(), spec: entry.spec.hash(), count: entry.count }, entry)
        })
    }

    /// What it refers to may have changed.
    pub(crate) fn look_at(&mut self, values: &[ManualValue]) {
        self.touched |= self.values != values;
    }

    /// It runs by assignment from now on, or not at all.
    pub(crate) fn drop_entry(&mut self, id: &ActorId) {
        self.taken.remove(id);
        if self.entries.remove(id).is_some() {
            self.touched = true;
        }
    }

    /// The record of an id names an application. What is being written may be under way since
    /// before that.
    pub(crate) fn take_over(&mut self, id: &ActorId, app: AppName, now: Millis) {
        let is_written = self.writing.as_ref().and_then(|writing| writing.change.as_ref());
        if self.has(id) || is_written.is_some_and(|change| change.id == *id) {
            self.taken.entry(id.clone()).or_insert((app, now + TAKEN_MS));
        }
    }

    /// Which application took an id over.
    pub(crate) fn taken_by(&self, id: &ActorId) -> Option<&AppName> {
        self.taken.get(id).map(|(app, _)| app)
    }

    /// What was taken over, and assigned to this host in all the time that there was.
    pub(crate) fn overdue(&self, now: Millis) -> Vec<ActorId> {
        let overdue = self.taken.iter().filter(|(_, (_, until))| *until <= now);
        overdue.map(|(id, _)| id.clone()).collect()
    }

    /// The record of an id may name this host, and does not need to.
    pub(crate) fn note_released(&mut self, id: &ActorId) {
        self.touched |= self.released.insert(id.clone());
    }

    /// It does not name it any more.
    pub(crate) fn is_released(&mut self, id: &ActorId) {
        self.touched |= self.released.remove(id);
    }

    /// What a command comes to.
    pub(crate) fn decide(&self, command: &Command) -> Decision {
        let entry = self.entries.get(command.id());
        match (command, entry) {
            (Command::Start(Start { count: 0, spec, .. }), _) => self.stop(&spec.id),
            (Command::Start(start), None) => change(entry, started(start)),
            (Command::Start(start), Some(entry)) => self.start_again(start, entry),
            (Command::Stop { annotations, .. }, Some(entry)) if is_outdated(entry, annotations) => {
                Decision::Outdated
            }
            (Command::Scale { id, count: 0 } | Command::Stop { id, .. }, _) => self.stop(id),
            (Command::Scale { id, .. } | Command::Update { id, .. }, None) => {
                Decision::Denied(Denial::Unknown { id: id.clone() })
            }
            (Command::Scale { count, .. }, Some(entry)) => {
                change(Some(entry), ManualEntry { count: *count, ..entry.clone() })
            }
            (Command::Update { image, annotations, .. }, Some(entry)) => {
                let mut next = entry.clone();
                next.spec.image.clone_from(image);
                if let Some(annotations) = annotations {
                    next.annotations.clone_from(annotations);
                }
                change(Some(entry), next)
            }
        }
    }

    fn start_again(&self, start: &Start, entry: &ManualEntry) -> Decision {
        let mut next = started(start);
        if start.replace || next.spec == entry.spec {
            return change(Some(entry), next);
        }
        next.spec.clone_from(&entry.spec);
        let message = format!(
            "{} runs {} and goes on doing so; `wattle update component` gives it another",
            entry.spec.id, entry.spec.image
        );
        match change(Some(entry), next) {
            Decision::Change(change, _) => Decision::Change(change, message),
            _ => Decision::Same(message),
        }
    }

    fn stop(&self, id: &ActorId) -> Decision {
        if self.has(id) {
            Decision::Change(Change { id: id.clone(), entry: None }, String::new())
        } else {
            Decision::Same(String::new())
        }
    }

    /// Whether something can be written now.
    pub(crate) fn is_free(&mut self, now: Millis) -> bool {
        self.again = self.again.filter(|at| now < *at);
        self.writing.is_none() && self.again.is_none()
    }

    pub(crate) const fn is_touched(&self) -> bool {
        self.touched
    }

    /// Writes everything, with what a command changes. `values` is what a restart needs besides.
    pub(crate) fn write(&mut self, change: Option<Change>, values: Vec<ManualValue>) -> Effect {
        let (mut entries, mut released) = (self.entries.clone(), self.released.clone());
        if let Some(change) = &change {
            put(&mut entries, &mut released, change);
        }
        let mut set = ManualSet::new(entries.into_values().collect(), released);
        set.values.clone_from(&values);
        self.values = values;
        self.last_write += 1;
        let number = self.last_write;
        self.writing = Some(Writing { number, change });
        self.touched = false;
        Effect::StoreManual { number, set: Arc::new(set) }
    }

    /// It is on disk: what a command changed holds from now on.
    pub(crate) fn written(&mut self, number: u64) -> Option<Option<Change>> {
        let change = self.take(number)?.change;
        self.failures = 0;
        if let Some(change) = &change {
            if change.entry.is_none() {
                self.taken.remove(&change.id);
            }
            put(&mut self.entries, &mut self.released, change);
        }
        Some(change)
    }

    /// It is not, and what the disk has is anybody's guess.
    pub(crate) fn failed(&mut self, number: u64, now: Millis) -> Option<Option<Change>> {
        let change = self.take(number)?.change;
        self.failures += 1;
        self.again = Some(now + STORE.delay_ms(self.failures));
        self.touched = true;
        Some(change)
    }

    pub(crate) fn due(&self) -> Option<Millis> {
        let taken = self.taken.values().map(|(_, until)| *until).min();
        self.again.into_iter().chain(taken).min()
    }

    fn take(&mut self, number: u64) -> Option<Writing> {
        self.writing.take_if(|writing| writing.number == number)
    }
}

fn put(
    entries: &mut BTreeMap<ActorId, ManualEntry>,
    released: &mut BTreeSet<ActorId>,
    change: &Change,
) {
    let id = change.id.clone();
    match &change.entry {
        Some(entry) => {
            released.remove(&id);
            entries.insert(id, (**entry).clone());
        }
        None => {
            entries.remove(&id);
            released.insert(id);
        }
    }
}

/// A manager's scaler stops what it started, after another one has taken that over: to give it
/// another image, it starts the new scaler first. Obeying would end what was just asked for.
fn is_outdated(entry: &ManualEntry, annotations: &BTreeMap<String, String>) -> bool {
    const SCALER: &str = "wasmcloud.dev/scaler";
    let (now, asked) = (entry.annotations.get(SCALER), annotations.get(SCALER));
    now.is_some() && asked.is_some() && now != asked
}

fn started(start: &Start) -> ManualEntry {
    let Start { spec, count, life, annotations, .. } = start;
    let (spec, annotations) = ((**spec).clone(), annotations.clone());
    ManualEntry { spec, count: *count, life: *life, annotations }
}

fn change(before: Option<&ManualEntry>, entry: ManualEntry) -> Decision {
    if before == Some(&entry) {
        return Decision::Same(String::new());
    }
    Decision::Change(
        Change { id: entry.spec.id.clone(), entry: Some(Box::new(entry)) },
        String::new(),
    )
}

#[cfg(test)]
mod tests;
