//! How the store is changed: one batch at a time, each renewing the lease, and none forgotten
//! before it is known what became of it.
//!
//! *Expected flow.* [`Journal::begin`], a result, [`Settled::Stored`]. *Unknown outcome*: the
//! lease is read back from the stream's leader; its `beat` tells whether the batch is stored. If
//! not, the very same batch is sent again: should the first one still arrive, the second meets a
//! conflict and the lease shows our `beat`, so it is stored once. *In flight* is tried again.
//! *Conflict*: the lease is read; ours, and another key was stale; or somebody else's. *Nobody*
//! takes it: the lease is read, to learn whether the stream is still there. *Refused* for a reason
//! that lasts: it is given up, unless an attempt before may still arrive.
//!
//! *Guarantees.* A batch is stored once or not at all, and never after another of ours.

use wattle_types::stored;
use wattle_types::time::Millis;
use wattle_types::{Key, Lease as Stored};

use crate::dice::Dice;
use crate::effect::{Effect, Expect, Payload, Write};
use crate::event::{LeaseReading, OpId, RequestId, Wrote};

/// What a batch is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    TakeOver,
    Renew,
    StepDown,
    /// As [`Purpose::StepDown`], but because somebody asked: we go on as a candidate.
    Yield,
    Request(RequestId),
    /// What follows from a look at everything.
    Reconcile,
}

/// A batch whose fate is known.
#[derive(Debug, PartialEq)]
pub(crate) enum Settled {
    Stored {
        purpose: Purpose,
        lease: Stored,
        lease_seq: u64,
        /// What follows the lease, each with the next sequence.
        keys: Vec<Key>,
        sent_at: Millis,
    },
    /// Not stored: another key than the lease was stale. We still lead.
    Refused { purpose: Purpose },
    /// Not stored, and never will be: a message is too large.
    TooLarge { purpose: Purpose },
    /// Not stored, and the lease is no longer ours.
    Lost { purpose: Purpose },
    /// Not stored: the server takes no writes now.
    NotTaken { purpose: Purpose },
}

#[derive(Debug, Default)]
pub(crate) struct Journal {
    pending: Option<Pending>,
    last_op: u64,
}

#[derive(Debug)]
struct Pending {
    purpose: Purpose,
    lease: Stored,
    expect: Expect,
    writes: Vec<Write>,
    /// Of the first attempt: validity counts from there.
    sent_at: Millis,
    /// An attempt may still arrive.
    unsure: bool,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Sent(OpId),
    SendAt(Millis),
    ReadAt { at: Millis, conflict: bool },
    Reading { op: OpId, conflict: bool },
}

/// Between two attempts of what failed for no lasting reason.
const AGAIN_MS: u64 = 50;
const READ_AGAIN_MS: u64 = 250;
const REFUSED_AGAIN_MS: u64 = 1_000;

impl Journal {
    pub(crate) fn is_idle(&self) -> bool {
        self.pending.is_none()
    }

    pub(crate) fn next_op(&mut self) -> OpId {
        self.last_op += 1;
        OpId(self.last_op)
    }

    /// Sends a batch that begins with `lease`. Only when idle.
    pub(crate) fn begin(
        &mut self,
        now: Millis,
        purpose: Purpose,
        lease: Stored,
        expect: Expect,
        rest: Vec<Write>,
    ) -> Effect {
        debug_assert!(self.is_idle(), "one batch at a time");
        let payload = Payload::Plain(stored::encode(&lease));
        let mut writes = vec![Write { key: Key::Lease, payload, expect }];
        writes.extend(rest);
        let stage = Stage::SendAt(now);
        self.pending =
            Some(Pending { purpose, lease, expect, writes, sent_at: now, unsure: false, stage });
        self.tick(now).expect("a batch that is due is sent")
    }

    /// What is due: an attempt, or a look.
    pub(crate) fn tick(&mut self, now: Millis) -> Option<Effect> {
        let op = OpId(self.last_op + 1);
        let pending = self.pending.as_mut()?;
        let effect = match pending.stage {
            Stage::SendAt(at) if at <= now => {
                pending.stage = Stage::Sent(op);
                Effect::Commit { op, writes: pending.writes.clone() }
            }
            Stage::ReadAt { at, conflict } if at <= now => {
                pending.stage = Stage::Reading { op, conflict };
                Effect::ReadLease { op }
            }
            _ => return None,
        };
        self.last_op = op.0;
        Some(effect)
    }

    /// The result of an attempt.
    pub(crate) fn wrote(
        &mut self,
        now: Millis,
        op: OpId,
        wrote: &Wrote,
        dice: &mut Dice,
    ) -> Option<Settled> {
        let pending = self.pending.as_mut()?;
        if !matches!(pending.stage, Stage::Sent(sent) if sent == op) {
            return None;
        }
        match wrote {
            Wrote::Ok { last_seq } => return self.stored(last_seq.saturating_sub(self.others())),
            Wrote::InFlight => pending.stage = Stage::SendAt(now + AGAIN_MS + dice.below(AGAIN_MS)),
            Wrote::Conflict => pending.stage = Stage::ReadAt { at: now, conflict: true },
            Wrote::Unknown => {
                pending.unsure = true;
                pending.stage = Stage::ReadAt { at: now, conflict: false };
            }
            Wrote::Nobody => {
                pending.stage = Stage::ReadAt { at: now + AGAIN_MS, conflict: false };
            }
            Wrote::Refused { .. } if pending.unsure => {
                pending.stage = Stage::SendAt(now + REFUSED_AGAIN_MS);
            }
            Wrote::Refused { .. } => {
                let purpose = self.pending.take()?.purpose;
                return Some(Settled::NotTaken { purpose });
            }
            Wrote::TooLarge => {
                let purpose = self.pending.take()?.purpose;
                return Some(Settled::TooLarge { purpose });
            }
        }
        None
    }

    /// The result of a look. `None` when it was not ours, or is not the end of it.
    pub(crate) fn read(
        &mut self,
        now: Millis,
        op: OpId,
        reading: &LeaseReading,
        dice: &mut Dice,
    ) -> Option<Settled> {
        let pending = self.pending.as_mut()?;
        let conflict = match pending.stage {
            Stage::Reading { op: asked, conflict } if asked == op => conflict,
            _ => return None,
        };
        let found = match reading {
            LeaseReading::Failed | LeaseReading::NoStream => {
                pending.stage = Stage::ReadAt { at: now + READ_AGAIN_MS, conflict };
                return None;
            }
            LeaseReading::Absent => None,
            LeaseReading::Found { seq, bytes } => Some((*seq, bytes)),
        };
        if let Some((seq, bytes)) = found
            && let Ok(lease) = stored::decode::<Stored>("the lease", bytes)
            && pending.is_ours(&lease)
        {
            return self.stored(seq);
        }
        let unchanged = match pending.expect {
            Expect::Absent => found.is_none(),
            Expect::Seq(expected) => found.is_some_and(|(seq, _)| seq == expected),
        };
        if unchanged && !conflict {
            pending.stage = Stage::SendAt(now + AGAIN_MS + dice.below(AGAIN_MS));
            return None;
        }
        let purpose = self.pending.take()?.purpose;
        Some(if unchanged { Settled::Refused { purpose } } else { Settled::Lost { purpose } })
    }

    /// Gives up what is under way: it may be stored, and is not sent again.
    pub(crate) fn abandon(&mut self) -> Option<Purpose> {
        Some(self.pending.take()?.purpose)
    }

    /// How many messages follow the lease.
    fn others(&self) -> u64 {
        let writes = self.pending.as_ref().map_or(1, |pending| pending.writes.len());
        u64::try_from(writes - 1).expect("a batch has at most a thousand messages")
    }

    fn stored(&mut self, lease_seq: u64) -> Option<Settled> {
        let Pending { purpose, lease, sent_at, writes, .. } = self.pending.take()?;
        let keys = writes.into_iter().skip(1).map(|write| write.key).collect();
        Some(Settled::Stored { purpose, lease, lease_seq, keys, sent_at })
    }
}

impl Pending {
    /// `beat` alone would do between two runs of one holder; `boot` tells those apart.
    fn is_ours(&self, found: &Stored) -> bool {
        let of = |lease: &Stored| (lease.holder.clone(), lease.boot, lease.epoch, lease.beat);
        of(found) == of(&self.lease)
    }
}

#[cfg(test)]
mod tests;
