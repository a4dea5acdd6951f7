//! An accepted assignment on its way to the disk: what of it was asked for, and what is missing.

use std::collections::{BTreeMap, BTreeSet};

use wattle_types::{ActorId, Entry, Epoch, Key, Millis};

use super::known::Image;
use crate::acceptance::Accepted;
use crate::backoff::READ;
use crate::effect::Closure;

/// An assignment as it was signed, and what it says.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) sealed: Vec<u8>,
    pub(super) accepted: Accepted,
}

#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) followed: Followed,
    /// The sequence it was read at: links are read as new as that.
    pub(super) seq: u64,
    /// What is another actor, or another revision, than what is followed before it.
    pub(super) fresh: BTreeSet<ActorId>,
    /// Whose links are awaited.
    pub(super) links: BTreeSet<ActorId>,
    /// Asked for and not answered yet.
    asking: BTreeSet<Key>,
    /// Id records and configuration that were looked for, found or not.
    settled: BTreeSet<Key>,
    /// Nothing is missing but the awaited links. What is known of a candidate stays known.
    complete: bool,
    again: Option<Millis>,
    failures: u32,
}

impl Followed {
    /// What is written of it: everything in `image`, of which the disk lacks `values`.
    pub(super) fn closure(
        &self,
        image: &Image,
        values: BTreeMap<Key, Vec<u8>>,
        epoch_max: Epoch,
    ) -> Closure {
        let applied = self.accepted.applied;
        Closure {
            generation: applied.generation,
            applied,
            epoch_max,
            sealed: self.sealed.clone(),
            values,
            keep: image.keys().cloned().collect(),
        }
    }
}

impl Candidate {
    pub(super) fn new(
        followed: Followed,
        seq: u64,
        fresh: BTreeSet<ActorId>,
        links: BTreeSet<ActorId>,
    ) -> Self {
        let (asking, settled) = (BTreeSet::new(), BTreeSet::new());
        let (complete, again, failures) = (false, None, 0);
        Self { followed, seq, fresh, links, asking, settled, complete, again, failures }
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.followed.accepted.assignment.entries
    }

    /// Everything is together.
    pub(super) fn is_whole(&self) -> bool {
        self.complete && self.links.is_empty()
    }

    pub(super) fn is_settled(&self, key: &Key) -> bool {
        self.settled.contains(key)
    }

    /// Whether it is time to find out what is missing: not while answers are under way.
    pub(super) fn wants_to_ask(&self, now: Millis) -> bool {
        !self.complete && self.again.map_or_else(|| self.asking.is_empty(), |at| at <= now)
    }

    /// Takes note of all that is missing, and says what of it was not asked for yet.
    pub(super) fn ask(&mut self, missing: &BTreeSet<Key>) -> BTreeSet<Key> {
        self.again = None;
        self.complete = missing.is_empty();
        let ask: BTreeSet<Key> = missing.difference(&self.asking).cloned().collect();
        self.asking.extend(ask.iter().cloned());
        ask
    }

    /// The store has this to say of a key, which may be that there is nothing.
    pub(super) fn answered(&mut self, key: &Key, found: bool, now: Millis) {
        match key {
            // An id without a record, or with one nobody can read, is no reason to wait: the
            // assignment is signed. Nor is configuration that is not stored: one actor is not
            // started for it. A store that does not answer is.
            Key::Id(_) | Key::Config(_) => {
                self.asking.remove(key);
                self.settled.insert(key.clone());
            }
            _ if found => drop(self.asking.remove(key)),
            _ => self.missed(key, now),
        }
    }

    /// One of those asked for did not come. Several that miss together count as one failure.
    pub(super) fn missed(&mut self, key: &Key, now: Millis) {
        if self.asking.remove(key) && self.again.is_none() {
            self.failures += 1;
            self.again = Some(now + READ.delay_ms(self.failures));
        }
    }

    /// Asks again for what is missing, whatever was asked before: an answer may have been lost.
    pub(super) fn look_again(&mut self) {
        self.asking.clear();
        self.again = None;
    }

    pub(super) const fn due(&self) -> Option<Millis> {
        self.again
    }
}
