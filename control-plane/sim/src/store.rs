//! The control stream as NATS keeps it: one newest message per key, one sequence for all keys,
//! conditions on a key's sequence, and batches that are stored wholly or not at all.
//!
//! Everything that can be observed of it goes through [`Store::ask`], whose asks and outcomes are
//! plain values. [`scripts`] are sequences of asks with the outcomes they must have, so that the
//! same ones can be put to a real nats-server: what that answers differently is a mistake here.
//!
//! What goes wrong on the way is a [`Mood`], chosen by whoever asks: a conflict in flight, silence
//! with or without effect, a replica that lags behind, nobody who leads. What goes wrong with what
//! was acknowledged is a [`Loss`]. *Not modelled*: a batch of which a loss leaves a part.

mod losses;
mod scripts;

use std::collections::{BTreeMap, BTreeSet};

pub use wattle_brain::Expect;
use wattle_types::{ActorId, Key};

use crate::faults::Fault;

pub use losses::Loss;
pub use scripts::{Script, Step, scripts};

/// The most messages of one batch; one more is refused with code 10199.
pub const BATCH_MAX: usize = 1_000;

/// One message for a key, on a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    pub key: Key,
    /// None is a marker of deletion.
    pub value: Option<Vec<u8>>,
    pub expect: Expect,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    Put(Write),
    /// All or nothing.
    Batch(Vec<Write>),
    /// From the stream's leader.
    ReadLeader(Key),
    /// From any replica.
    ReadDirect(Key),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The sequence of the last message stored; those before it have the ones before that.
    Stored {
        last_seq: u64,
    },
    /// Code 10071: a condition does not hold. Nothing is stored.
    Conflict,
    /// Code 10164: another conditional write of the key is being decided. Nothing is stored.
    InFlight,
    /// Code 10199. Nothing is stored.
    TooMany,
    /// There is no such stream, or it has no leader that takes writes. Nothing is stored.
    Nobody,
    /// No answer: stored or not.
    Unknown,
    Found {
        seq: u64,
        value: Vec<u8>,
    },
    /// Deleted; the marker has a sequence like any message.
    Marker {
        seq: u64,
    },
    Nothing,
}

/// How the servers are when asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Fine,
    /// Writes meet one that is being decided.
    Busy,
    /// No answer, though it may have been done.
    Mute {
        done: bool,
    },
    /// The replica asked directly lacks so many of the newest messages.
    Behind(u64),
    /// The stream's leader is gone, and no other is elected yet: only replicas answer.
    Leaderless,
}

/// A message as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub seq: u64,
    pub key: Key,
    pub value: Option<Vec<u8>>,
}

#[derive(Debug, Default)]
pub struct Store {
    /// Everything ever stored; the one at index `i` has sequence `i + 1`.
    log: Vec<Message>,
    /// The sequences of each key, oldest first. The stream keeps the last one only; the others
    /// are what replicas behind it still have.
    keys: BTreeMap<Key, Vec<u64>>,
    /// The newest message of every key, which is what a follower can be sent.
    kept: BTreeSet<u64>,
    /// The last sequence of each write: a batch is one.
    ends: Vec<u64>,
    /// Nobody has made the stream again since it was deleted.
    deleted: bool,
    /// How often something was lost: whoever followed the stream before must begin anew.
    losses: u64,
    /// Until then the stream has no leader.
    leaderless_until: u64,
    fault: Option<Fault>,
}

impl Store {
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn with(fault: Option<Fault>) -> Self {
        Self { fault, ..Self::default() }
    }

    /// Does what is asked, as far as the mood allows.
    pub fn ask(&mut self, ask: &Ask, mood: Mood) -> Outcome {
        match (ask, mood) {
            _ if self.deleted => Outcome::Nobody,
            (Ask::Put(_) | Ask::Batch(_), Mood::Leaderless) => Outcome::Nobody,
            (Ask::ReadLeader(_), Mood::Leaderless) => Outcome::Unknown,
            (Ask::Put(_) | Ask::Batch(_), Mood::Busy) => Outcome::InFlight,
            (_, Mood::Mute { done }) => {
                if done {
                    self.ask(ask, Mood::Fine);
                }
                Outcome::Unknown
            }
            (Ask::Put(write), _) => self.write(std::slice::from_ref(write)),
            (Ask::Batch(writes), _) => self.write(writes),
            (Ask::ReadDirect(key), Mood::Behind(lag)) => {
                self.read(key, self.last_seq().saturating_sub(lag))
            }
            (Ask::ReadLeader(key) | Ask::ReadDirect(key), _) => self.read(key, self.last_seq()),
        }
    }

    pub fn last_seq(&self) -> u64 {
        self.log.len() as u64
    }

    /// What a follower that has come as far as `seq` is sent next. Messages that were replaced
    /// meanwhile are gone, so that what it knows on its way is no state there ever was.
    pub fn next_after(&self, seq: u64) -> Option<&Message> {
        let next = self.kept.range(seq + 1..).next()?;
        self.message(*next)
    }

    /// The newest message of a key.
    pub fn newest(&self, key: &Key) -> Option<&Message> {
        self.message(*self.keys.get(key)?.last()?)
    }

    /// The newest message of every key, in the order of keys.
    pub fn all(&self) -> impl Iterator<Item = &Message> {
        self.keys.values().filter_map(|seqs| self.message(*seqs.last()?))
    }

    /// Everything stored after this sequence, oldest first, also what was replaced.
    pub fn since(&self, seq: u64) -> &[Message] {
        let from = usize::try_from(seq).unwrap_or(usize::MAX).min(self.log.len());
        &self.log[from..]
    }

    /// All links of one actor, as a replica has them that has come as far as `as_of`.
    pub(crate) fn links_as_of(&self, source: &ActorId, as_of: u64) -> Vec<(Key, Vec<u8>, u64)> {
        let is_link = |key: &&Key| matches!(key, Key::Link { source: of, .. } if of == source);
        let links = self.keys.keys().filter(is_link);
        let found = links.filter_map(|key| match self.read(key, as_of) {
            Outcome::Found { seq, value } => Some((key.clone(), value, seq)),
            _ => None,
        });
        found.collect()
    }

    fn message(&self, seq: u64) -> Option<&Message> {
        self.log.get(usize::try_from(seq.checked_sub(1)?).ok()?)
    }

    fn read(&self, key: &Key, as_of: u64) -> Outcome {
        let seqs = self.keys.get(key).map(Vec::as_slice).unwrap_or_default();
        let seq = seqs.iter().rev().find(|seq| **seq <= as_of);
        match seq.and_then(|seq| self.message(*seq)) {
            None => Outcome::Nothing,
            Some(Message { seq, value: Some(value), .. }) => {
                Outcome::Found { seq: *seq, value: value.clone() }
            }
            Some(Message { seq, value: None, .. }) => Outcome::Marker { seq: *seq },
        }
    }

    fn write(&mut self, writes: &[Write]) -> Outcome {
        if BATCH_MAX < writes.len() {
            return Outcome::TooMany;
        }
        let mut named = BTreeSet::new();
        if writes.iter().any(|write| !named.insert(&write.key)) {
            // The first one is in flight when the second is looked at, for ever.
            return Outcome::InFlight;
        }
        let refused = writes.iter().filter(|write| !self.holds(write)).count();
        if self.fault == Some(Fault::TornBatches) && 1 < writes.len() {
            let fit: Vec<Write> =
                writes.iter().filter(|write| self.holds(write)).cloned().collect();
            self.append(&fit);
        } else if refused == 0
            && matches!(self.fault, Some(Fault::AcknowledgedAndLost | Fault::LinksLost))
        {
            return self.acknowledge_and_lose(writes);
        } else if refused == 0 {
            self.append(writes);
        }
        match refused {
            0 => Outcome::Stored { last_seq: self.last_seq() },
            _ => Outcome::Conflict,
        }
    }

    fn holds(&self, write: &Write) -> bool {
        let last = self.keys.get(&write.key).and_then(|seqs| seqs.last()).copied();
        let unconditional = match self.fault {
            Some(Fault::NoConditions) => true,
            Some(Fault::NoFence) => write.key == Key::Lease,
            _ => false,
        };
        unconditional || write.expect == last.map_or(Expect::Absent, Expect::Seq)
    }

    fn append(&mut self, writes: &[Write]) {
        for Write { key, value, .. } in writes {
            let seq = self.last_seq() + 1;
            let seqs = self.keys.entry(key.clone()).or_default();
            if let Some(replaced) = seqs.last() {
                self.kept.remove(replaced);
            }
            seqs.push(seq);
            self.kept.insert(seq);
            self.log.push(Message { seq, key: key.clone(), value: value.clone() });
        }
        if !writes.is_empty() {
            self.ends.push(self.last_seq());
        }
    }

    /// The planted bugs: of every batch with applications in it, or with links, those messages
    /// are lost.
    fn acknowledge_and_lose(&mut self, writes: &[Write]) -> Outcome {
        let last_seq = self.last_seq() + writes.len() as u64;
        let of_links = self.fault == Some(Fault::LinksLost);
        let is_lost = |write: &&Write| match write.key {
            Key::App(_) => !of_links,
            Key::Link { .. } => of_links,
            _ => false,
        };
        let kept: Vec<Write> = writes.iter().filter(|write| !is_lost(write)).cloned().collect();
        self.append(&kept);
        Outcome::Stored { last_seq }
    }
}

#[cfg(test)]
mod tests;
