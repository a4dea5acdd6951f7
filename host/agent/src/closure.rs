//! What an assignment refers to: which specs, id records, links and configuration are here, which
//! must be read, and when everything is together that a restart without the lattice needs.
//!
//! Specs never change. Links and configuration do, while the actors they are of run: they are
//! watched for as long as an assignment refers to them, and what is followed is written again
//! when they change.

mod by_hand;
mod candidate;
mod disk;
mod known;
mod meaning;
mod watch;

use std::collections::{BTreeMap, BTreeSet};

use wattle_types::{ActorId, Applied, ConfigName, Entry, Epoch, Generation, Key, Millis};

use crate::acceptance::Accepted;
use crate::effect::Closure;
use crate::event::Reading;
use crate::refusal::Refusal;

use by_hand::ByHand;
use candidate::{Candidate, Followed};
use disk::{Disk, Of};
use known::Known;
use watch::{Answer, Watches};

#[derive(Debug, Default)]
pub(crate) struct Closures {
    known: Known,
    links: Watches<ActorId>,
    configs: Watches<ConfigName>,
    disk: Disk,
    /// On disk and acknowledged.
    current: Option<Followed>,
    candidate: Option<Candidate>,
    /// What came while the candidate was being written.
    waiting: Option<Candidate>,
    by_hand: ByHand,
}

/// What is needed next.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    Read(BTreeSet<Key>),
    ReadLinks(ActorId),
    Store(Closure),
}

/// What came of an answer of the store.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Learned {
    /// Something is known now that was not before.
    pub(crate) news: bool,
    pub(crate) refusals: Vec<Refusal>,
}

impl Closures {
    /// Takes what was on disk for the assignment that was, if that is trusted still. What has not
    /// the content that its name says is not taken.
    pub(crate) fn restore(
        &mut self,
        values: BTreeMap<Key, Vec<u8>>,
        followed: Option<&Accepted>,
    ) -> Vec<Refusal> {
        let entries = followed.map_or(&[][..], |accepted| &accepted.assignment.entries);
        let on_disk = values.len();
        let refusals = self.known.restore(entries.iter().map(|entry| entry.id.clone()), values);
        for entry in entries {
            self.watch_configs(entry);
            if self.known.has_links(&entry.id) {
                self.links.begin(&entry.id, Some(0));
            }
        }
        let image = self.known.all();
        self.disk.begin(Some(image).filter(|image| image.len() == on_disk));
        refusals
    }

    /// Goes on with what was restored. Whether all of it is there: if the disk lost something, it
    /// is read again, and the assignment is a candidate until then.
    pub(crate) fn resume(&mut self, accepted: Accepted, sealed: Vec<u8>) -> bool {
        let is_whole = accepted.assignment.entries.iter().all(|entry| {
            let mut configs = self.known.config_names(entry).iter();
            self.known.spec(&entry.spec).is_some()
                && self.known.has_links(&entry.id)
                && configs.all(|name| self.known.has_config(name))
        });
        if is_whole {
            self.current = Some(Followed { sealed, accepted });
        } else {
            self.follow(accepted, sealed, 0);
        }
        is_whole
    }

    /// Works on `accepted`, which was read at `seq`, from now on, instead of any candidate before
    /// it.
    pub(crate) fn follow(&mut self, accepted: Accepted, sealed: Vec<u8>, seq: u64) {
        let before = self.being_stored().map(|candidate| &candidate.followed);
        let before = before.or(self.current.as_ref()).map(|followed| &followed.accepted);
        let mut fresh = BTreeSet::new();
        for entry in &accepted.assignment.entries {
            let known = before.and_then(|before| entry_of(&before.assignment.entries, &entry.id));
            if known.is_none_or(|known| known.spec != entry.spec) {
                fresh.insert(entry.id.clone());
            }
        }
        let mut awaited = BTreeSet::new();
        for entry in &accepted.assignment.entries {
            let is_known = self.known.has_links(&entry.id);
            self.links.begin(&entry.id, is_known.then_some(0));
            if !is_known || fresh.contains(&entry.id) {
                // What was stored before the assignment was belongs to it.
                self.links.tell(&entry.id, seq);
                if !self.links.is_settled(&entry.id, seq) {
                    awaited.insert(entry.id.clone());
                }
            }
        }
        let candidate = Candidate::new(Followed { sealed, accepted }, seq, fresh, awaited);
        if self.disk.is_writing(Of::Candidate) {
            self.waiting = Some(candidate);
        } else {
            self.candidate = Some(candidate);
        }
    }

    fn being_stored(&self) -> Option<&Candidate> {
        self.candidate.as_ref().filter(|_| self.disk.is_writing(Of::Candidate))
    }

    /// What will be followed as soon as the disk has it, whatever comes meanwhile.
    pub(crate) fn imminent(&self) -> impl Iterator<Item = &ActorId> {
        self.being_stored().into_iter().flat_map(Candidate::entries).map(|entry| &entry.id)
    }

    /// Somebody changed a link of this actor.
    pub(crate) fn link_changed(&mut self, source: &ActorId, at_least: u64) {
        self.links.tell(source, at_least);
    }

    /// Somebody changed this configuration.
    pub(crate) fn config_changed(&mut self, name: &ConfigName, at_least: u64) {
        self.configs.tell(name, at_least);
    }

    /// Takes the answer for one spec, id record or configuration.
    pub(crate) fn read(&mut self, key: &Key, reading: Reading, now: Millis) -> Learned {
        let (answer, bytes) = match reading {
            Reading::Value { bytes, seq } => (Answer::UpTo(seq), Some(bytes)),
            Reading::Nothing => (Answer::Nothing, None),
            Reading::Failed => (Answer::Failed, None),
        };
        let is_taken = match key {
            Key::Config(name) => self.configs.answer(name, answer, now),
            Key::Link { .. } => false,
            _ => true,
        };
        let learned = bytes.filter(|_| is_taken).map(|bytes| self.known.learn(key, bytes));
        let found = matches!(learned, Some(Ok(_)));
        if let Some(candidate) = &mut self.candidate {
            match answer {
                Answer::Failed => candidate.missed(key, now),
                _ => candidate.answered(key, found, now),
            }
        }
        let learned = match learned {
            Some(Ok(news)) => Learned { news, refusals: Vec::new() },
            Some(Err(refusal)) => Learned { news: false, refusals: vec![refusal] },
            None => Learned::default(),
        };
        let is_written = match key {
            Key::Id(id) => self.is_written(id),
            // A spec that was read now is none that is followed already.
            _ => matches!(key, Key::Config(_)),
        };
        if learned.news && is_written {
            self.disk.touch();
        }
        if learned.news && self.is_used_by_hand(key) {
            self.by_hand.touched = true;
        }
        learned
    }

    /// Takes the answer for all links of an actor. What failed says nothing; that there are none
    /// is obeyed.
    pub(crate) fn links_read(
        &mut self,
        source: &ActorId,
        links: Result<Vec<(Key, Vec<u8>, u64)>, ()>,
        up_to: u64,
        now: Millis,
    ) -> Learned {
        let answer = if links.is_ok() { Answer::UpTo(up_to) } else { Answer::Failed };
        let is_taken = self.links.answer(source, answer, now);
        let mut learned = Learned::default();
        if let Ok(links) = links
            && is_taken
        {
            (learned.news, learned.refusals) = self.known.learn_links(source, links);
        }
        if learned.news && self.is_written(source) {
            self.disk.touch();
        }
        if learned.news && self.by_hand.entries.contains_key(source) {
            self.by_hand.touched = true;
        }
        if let Some(candidate) = &mut self.candidate
            && self.links.is_settled(source, candidate.seq)
        {
            candidate.links.remove(source);
        }
        learned
    }

    /// Whether something of this actor is on disk, or on its way to it.
    fn is_written(&self, id: &ActorId) -> bool {
        let current = self.current.as_ref().map(|current| &current.accepted);
        let current = current.map_or(&[][..], |accepted| &accepted.assignment.entries);
        let stored = self.being_stored().map_or(&[][..], Candidate::entries);
        entry_of(current, id).is_some() || entry_of(stored, id).is_some()
    }

    /// Asks again for what a candidate lacks, whatever was asked before: an answer may have been
    /// lost.
    pub(crate) fn look_again(&mut self) {
        if let Some(candidate) = &mut self.candidate {
            candidate.look_again();
        }
    }

    /// Asks again for all links and configuration: what was said of them may not have been heard.
    pub(crate) fn look_at_all(&mut self) {
        self.links.look();
        self.configs.look();
    }

    /// What to do next, if anything; to be asked after every event.
    pub(crate) fn advance(&mut self, epoch_max: Epoch, now: Millis) -> Vec<Next> {
        let mut keys = self.ask(now);
        keys.extend(self.configs.take(now).into_iter().map(Key::Config));
        let mut next = Vec::new();
        if !keys.is_empty() {
            next.push(Next::Read(keys));
        }
        next.extend(self.links.take(now).into_iter().map(Next::ReadLinks));
        next.extend(self.store(epoch_max, now).map(Next::Store));
        next
    }

    /// When something wants to be advanced though nothing happened.
    pub(crate) fn due(&self) -> Option<Millis> {
        let candidate = self.candidate.as_ref().and_then(Candidate::due);
        let times = [candidate, self.disk.due(), self.links.due(), self.configs.due()];
        times.into_iter().flatten().min()
    }

    /// This generation is on disk. What is followed from now on, if it was not before.
    pub(crate) fn stored(&mut self, generation: Generation) -> Option<Applied> {
        if self.disk.written(generation)? == Of::Current {
            return None;
        }
        let candidate = self.candidate.take()?;
        let applied = candidate.followed.accepted.applied;
        self.current = Some(candidate.followed);
        self.promote();
        self.tidy();
        Some(applied)
    }

    pub(crate) fn store_failed(&mut self, generation: Generation, now: Millis) {
        let failed = self.disk.failed(generation, now);
        if failed == Some(Of::Candidate) && self.waiting.is_some() {
            self.promote();
        }
    }

    /// What waited for the candidate takes its place.
    fn promote(&mut self) {
        self.candidate = self.waiting.take();
        if let Some(candidate) = &mut self.candidate {
            // Some of it was read while it waited.
            candidate.links.retain(|id| !self.links.is_settled(id, candidate.seq));
        }
    }

    /// The entries that are followed.
    pub(crate) fn entries(&self) -> &[Entry] {
        self.current.as_ref().map_or(&[], |current| &current.accepted.assignment.entries)
    }

    /// The entry that is followed for an actor.
    pub(crate) fn entry(&self, id: &ActorId) -> Option<&Entry> {
        entry_of(self.entries(), id)
    }

    /// Who runs here and refers to this configuration.
    pub(crate) fn users_of(&self, name: &ConfigName) -> Vec<ActorId> {
        let users = self.entries().iter().chain(self.by_hand.entries.values());
        let users = users.filter(|entry| self.known.config_names(entry).contains(name));
        users.map(|entry| entry.id.clone()).collect()
    }

    /// What the candidate has to ask for now.
    fn ask(&mut self, now: Millis) -> BTreeSet<Key> {
        let missing = match &self.candidate {
            Some(candidate) if candidate.wants_to_ask(now) => self.missing(candidate),
            _ => return BTreeSet::new(),
        };
        for key in &missing {
            if let Key::Config(name) = key {
                self.configs.begin(name, Some(0));
            }
        }
        self.candidate.as_mut().map(|candidate| candidate.ask(&missing)).unwrap_or_default()
    }

    /// Specs first: only they tell whose record an id should have, and which configuration is
    /// used. That of an actor that is new here is read though it is known: it may have changed
    /// with the actor.
    fn missing(&self, candidate: &Candidate) -> BTreeSet<Key> {
        let entries = candidate.entries();
        let specs: BTreeSet<Key> = entries
            .iter()
            .filter(|entry| self.known.spec(&entry.spec).is_none())
            .map(|entry| Key::Spec(entry.spec))
            .collect();
        if !specs.is_empty() {
            return specs;
        }
        let mut missing = BTreeSet::new();
        for entry in entries {
            let is_fresh = candidate.fresh.contains(&entry.id);
            let names = self.known.config_names(entry).iter();
            let names = names.filter(|name| is_fresh || !self.known.has_config(name));
            missing.extend(names.cloned().map(Key::Config));
            if !self.owner_agrees(entry) {
                missing.insert(Key::Id(entry.id.clone()));
            }
        }
        missing.retain(|key| !candidate.is_settled(key));
        missing
    }

    /// The next write: of the candidate as soon as it is whole, else of what changed.
    fn store(&mut self, epoch_max: Epoch, now: Millis) -> Option<Closure> {
        if !self.disk.is_free(now) {
            return None;
        }
        if let Some(candidate) = self.candidate.as_ref().filter(|candidate| candidate.is_whole()) {
            let image = self.known.image(candidate.entries());
            let values = self.known.beyond(&image, self.disk.image());
            let closure = candidate.followed.closure(&image, values, epoch_max);
            self.disk.write(closure.generation, Of::Candidate, image);
            return Some(closure);
        }
        let current = self.current.as_ref().filter(|_| self.disk.is_touched())?;
        let image = self.known.image(&current.accepted.assignment.entries);
        if self.disk.image() == Some(&image) {
            self.disk.settle();
            return None;
        }
        let values = self.known.beyond(&image, self.disk.image());
        let closure = current.closure(&image, values, epoch_max);
        self.disk.write(closure.generation, Of::Current, image);
        Some(closure)
    }

    /// Forgets what neither is followed nor will be.
    fn tidy(&mut self) {
        let current = self.current.iter().flat_map(|f| &f.accepted.assignment.entries);
        let candidates = self.candidate.iter().chain(&self.waiting).flat_map(Candidate::entries);
        let entries = current.chain(candidates).chain(self.by_hand.entries.values());
        let entries: Vec<&Entry> = entries.collect();
        let ids = entries.iter().map(|entry| entry.id.clone()).collect();
        let names = entries.iter().flat_map(|entry| self.known.config_names(entry));
        let names = names.cloned().collect();
        self.known.keep(&entries, &names);
        self.links.keep(&ids);
        self.configs.keep(&names);
    }

    fn watch_configs(&mut self, entry: &Entry) {
        for name in self.known.config_names(entry) {
            self.configs.begin(name, Some(0));
        }
    }
}

/// Entries are in the order of their ids.
fn entry_of<'a>(entries: &'a [Entry], id: &ActorId) -> Option<&'a Entry> {
    let at = entries.binary_search_by(|entry| entry.id.cmp(id)).ok()?;
    entries.get(at)
}
