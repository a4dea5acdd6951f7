//! What the servers do to what they have acknowledged: they lose it, and they let it expire. And
//! when nobody leads the stream.

use wattle_types::Key;

use super::{Expect, Step, Store, Write};

/// How a store comes to have less than it acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The newest writes, so many: they were not on the disk yet. Their sequences are used again.
    Tail(u64),
    /// Everything after the write that was the last one then.
    Backup { last_seq: u64 },
    /// Somebody deleted the stream: there is none until somebody makes it, and then it begins at 1.
    Deleted,
}

impl Store {
    pub fn lose(&mut self, loss: Loss) {
        self.losses += 1;
        match loss {
            Loss::Tail(writes) => {
                let writes = usize::try_from(writes).unwrap_or(usize::MAX);
                let left = self.ends.len().saturating_sub(writes);
                self.truncate(left.checked_sub(1).map_or(0, |last| self.ends[last]));
            }
            Loss::Backup { last_seq } => self.truncate(last_seq),
            Loss::Deleted => {
                self.truncate(0);
                self.deleted = true;
            }
        }
    }

    /// What a script lets happen; `backup` is the last sequence of what was kept. What is asked is
    /// not for here.
    pub fn undergo(&mut self, step: &Step, backup: &mut u64) {
        match step {
            Step::Asked(..) => {}
            Step::Expires(key) => self.expire(key.clone()),
            Step::BackedUp => *backup = self.last_seq(),
            Step::GoneBack => self.lose(Loss::Backup { last_seq: *backup }),
            Step::Deleted => self.lose(Loss::Deleted),
            Step::Made => self.make(),
        }
    }

    /// Makes the stream, if there is none.
    pub fn make(&mut self) {
        self.deleted = false;
    }

    pub fn is_deleted(&self) -> bool {
        self.deleted
    }

    pub(crate) fn losses(&self) -> u64 {
        self.losses
    }

    /// The time of a key is over: the server puts a marker, whatever anybody expects.
    pub fn expire(&mut self, key: Key) {
        self.append(&[Write { key, value: None, expect: Expect::Absent }]);
    }

    /// The last sequence of the write that so many others have followed.
    pub(crate) fn seq_before(&self, writes: usize) -> u64 {
        self.ends.len().checked_sub(writes + 1).map_or(0, |index| self.ends[index])
    }

    pub(crate) fn elect(&mut self, until: u64) {
        self.leaderless_until = self.leaderless_until.max(until);
    }

    pub(crate) fn end_election(&mut self, now: u64) {
        self.leaderless_until = now;
    }

    pub(crate) fn has_leader(&self, now: u64) -> bool {
        self.leaderless_until <= now
    }

    pub(crate) fn leaderless_until(&self) -> u64 {
        self.leaderless_until
    }

    fn truncate(&mut self, last_seq: u64) {
        self.log.truncate(usize::try_from(last_seq).unwrap_or(usize::MAX));
        self.ends.retain(|end| *end <= last_seq);
        for seqs in self.keys.values_mut() {
            seqs.retain(|seq| *seq <= last_seq);
        }
        self.keys.retain(|_, seqs| !seqs.is_empty());
        self.kept = self.keys.values().filter_map(|seqs| seqs.last().copied()).collect();
    }
}
