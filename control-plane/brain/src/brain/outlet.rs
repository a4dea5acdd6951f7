//! Whether the store is there and takes writes, and what is done and said when it does not.

use wattle_types::Millis;

use super::Brain;
use crate::alarm::Alarm;
use crate::apps::Answer;
use crate::effect::Effect;
use crate::event::{LeaseReading, Wrote};
use crate::journal::Purpose;

/// A stream that is missing for so long was deleted: while a server starts, it says nothing at
/// all, and a cluster that elects does not either.
const GONE_MS: u64 = 3_000;
/// Between two attempts while the server refuses.
const AGAIN_MS: u64 = 1_000;

/// How the store is.
#[derive(Debug, Default)]
pub(crate) struct Outlet {
    /// Since when every reading says that there is no stream.
    missing_since: Option<Millis>,
    /// When it was made last.
    made_at: Option<Millis>,
    /// Why the server refuses writes, since it does.
    refuses: Option<String>,
    /// Nothing new is sent before.
    not_before: Millis,
}

impl Outlet {
    /// Whether a batch may be begun now.
    pub(super) fn is_open(&self, now: Millis) -> bool {
        self.not_before <= now
    }

    pub(crate) fn refusal(&self) -> Option<&str> {
        self.refuses.as_deref()
    }

    /// The stream was deleted, and nobody has seen it since.
    pub(crate) fn is_missing(&self) -> bool {
        self.made_at.is_some()
    }
}

impl Brain {
    /// The lease was read, for whatever purpose.
    pub(super) fn found(&mut self, now: Millis, reading: &LeaseReading, out: &mut Vec<Effect>) {
        match reading {
            LeaseReading::NoStream => {}
            LeaseReading::Failed => return,
            LeaseReading::Found { .. } | LeaseReading::Absent => {
                (self.outlet.missing_since, self.outlet.made_at) = (None, None);
                return;
            }
        }
        let since = *self.outlet.missing_since.get_or_insert(now);
        let made = self.outlet.made_at;
        if now.since(since) < GONE_MS || made.is_some_and(|made| now.since(made) < GONE_MS) {
            return;
        }
        if made.is_none() {
            out.push(Effect::Raise(Alarm::StoreGone));
        }
        self.outlet.made_at = Some(now);
        // What was known is of a stream that is no more; the next one is followed from its start.
        self.mirror.reset();
        self.mirror.forget_barrier();
        out.push(Effect::MakeStore);
    }

    /// A batch was sent, and this came of it.
    pub(super) fn sent(&mut self, now: Millis, wrote: &Wrote, out: &mut Vec<Effect>) {
        match wrote {
            Wrote::Ok { .. } => self.outlet.refuses = None,
            Wrote::Conflict => self.batches_refused += 1,
            Wrote::Refused { reason } => {
                self.outlet.not_before = now + AGAIN_MS;
                if self.outlet.refuses.is_none() {
                    out.push(Effect::Raise(Alarm::StoreRefuses { reason: reason.clone() }));
                }
                self.outlet.refuses = Some(reason.clone());
            }
            _ => {}
        }
    }

    /// A batch was given up because the server takes none.
    pub(super) fn not_taken(&mut self, now: Millis, purpose: &Purpose, out: &mut Vec<Effect>) {
        match purpose {
            Purpose::Request(_) | Purpose::Yield => {
                if let Some((request, _)) = self.underway.take() {
                    self.reply(out, request.id, Answer::Unavailable(self.unreachable()), None);
                }
            }
            Purpose::Reconcile => self.reconcile.refused(now),
            Purpose::TakeOver => self.lease.lost(now),
            Purpose::Renew | Purpose::StepDown => {}
        }
    }

    /// Why nothing can be changed now.
    pub(super) fn unreachable(&self) -> String {
        match self.outlet.refusal() {
            Some(reason) => format!(
                "the lattice's store refuses writes: {reason}; nothing was changed, ask again \
                 when that is repaired"
            ),
            None => {
                "the controller cannot reach the lattice's store just now; ask again".to_owned()
            }
        }
    }
}
