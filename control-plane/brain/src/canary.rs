//! Whether writes really succeed: a small one of this controller's own, every five seconds, by
//! compare-and-set and through everything that a batch goes through.
//!
//! What a server says of its streams is no sign of health: streams have taken nothing for hours
//! while they were said to be well. Every controller has a canary, also one that does not lead.

use serde::Serialize;
use wattle_types::time::Millis;
use wattle_types::{Key, Token, stored};

use crate::alarm::Alarm;
use crate::effect::{Effect, Expect, Payload, Write};
use crate::event::{OpId, Wrote};

const EVERY_MS: u64 = 5_000;
/// After one that did not succeed.
const AGAIN_MS: u64 = 1_000;
/// An answer that the driver forgot.
const FORGOTTEN_MS: u64 = 5_000;
/// Well, for so long after one succeeded: two may fail.
const WELL_MS: u64 = 15_000;
/// An election of the stream's leader takes up to ten seconds.
pub(crate) const WEDGED_MS: u64 = 20_000;

#[derive(Debug)]
pub(crate) struct Canary {
    key: Key,
    boot: u64,
    count: u64,
    /// The newest of the key, as far as it was written or followed.
    seq: Option<u64>,
    /// Sent then, and not answered.
    underway: Option<(OpId, Millis)>,
    next_at: Millis,
    connected_at: Option<Millis>,
    ok_at: Option<Millis>,
    took_ms: Option<u64>,
    wedged: bool,
}

/// The value; nobody reads it but people.
#[derive(Serialize)]
struct Song {
    v: u8,
    boot: u64,
    count: u64,
}

impl Canary {
    pub(crate) fn new(controller: Token, boot: u64) -> Self {
        Self {
            key: Key::Canary(controller),
            boot,
            count: 0,
            seq: None,
            underway: None,
            next_at: Millis(0),
            connected_at: None,
            ok_at: None,
            took_ms: None,
            wedged: false,
        }
    }

    pub(crate) fn connected(&mut self, now: Millis) {
        self.connected_at = Some(now);
        self.next_at = now;
    }

    pub(crate) fn disconnected(&mut self) {
        self.connected_at = None;
    }

    /// What was known of the store is void.
    pub(crate) fn reset(&mut self) {
        self.seq = None;
    }

    pub(crate) fn followed(&mut self, key: &Key, seq: u64) {
        if *key == self.key {
            self.seq = self.seq.max(Some(seq));
        }
    }

    /// The next one, when it is due.
    pub(crate) fn tick(&mut self, now: Millis, op: OpId) -> Option<Effect> {
        let forgotten = |(_, sent): (OpId, Millis)| FORGOTTEN_MS <= now.since(sent);
        let free = self.underway.is_none_or(forgotten);
        if self.connected_at.is_none() || !free || now < self.next_at {
            return None;
        }
        self.underway = Some((op, now));
        self.next_at = now + EVERY_MS;
        self.count += 1;
        let song = Song { v: stored::VERSION, boot: self.boot, count: self.count };
        let payload = Payload::Plain(stored::encode(&song));
        let write = Write { key: self.key.clone(), payload, expect: Expect::of(self.seq) };
        Some(Effect::Write { op, write })
    }

    pub(crate) fn written(&mut self, now: Millis, op: OpId, wrote: &Wrote) {
        let Some((_, sent)) = self.underway.take_if(|(asked, _)| *asked == op) else { return };
        match wrote {
            Wrote::Ok { last_seq } => {
                self.seq = Some(*last_seq);
                self.ok_at = Some(now);
                self.took_ms = Some(now.since(sent));
                self.wedged = false;
            }
            // After a conflict, or where it is not known, the follower tells what is there.
            _ => self.next_at = now + AGAIN_MS,
        }
    }

    /// Says when it becomes clear that nothing is written any more.
    pub(crate) fn look(&mut self, now: Millis) -> Option<Alarm> {
        let since = self.connected_at?.max(self.ok_at.unwrap_or_default());
        let wedged = WEDGED_MS <= now.since(since);
        let began = wedged && !self.wedged;
        self.wedged |= wedged;
        began.then_some(Alarm::StoreWedged)
    }

    pub(crate) fn is_wedged(&self) -> bool {
        self.wedged
    }

    pub(crate) fn is_well(&self, now: Millis) -> bool {
        self.ok_ms_ago(now).is_some_and(|ago| ago < WELL_MS)
    }

    pub(crate) fn ok_ms_ago(&self, now: Millis) -> Option<u64> {
        self.ok_at.map(|at| now.since(at))
    }

    pub(crate) fn took_ms(&self) -> Option<u64> {
        self.took_ms
    }
}
