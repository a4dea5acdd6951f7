//! Who leads: the watch of a candidate, and the validity of a holder.
//!
//! *Expected flow.* A candidate reads the lease each second. When it has no holder, or its
//! revision stood still for three seconds of the candidate's own clock, the candidate writes
//! itself into it by compare-and-set, with a higher epoch. The holder renews it each second, and
//! with every batch; it decides only until 2.5 s after the last renewal that succeeded was sent.
//! Who gives it back, on request, is a candidate again after ten seconds.
//!
//! *Guarantees.* Of all who believe to lead, one at most can write: the compare-and-set decides,
//! not a clock. *Assumptions.* None about clocks of others; the own one is monotonic.
//! *Caveats.* Take-over lasts 3 to 4.5 s; after a step down it is at once, as soon as a follower
//! of the store sees it.
//!
//! What becomes of a write that was sent is in [`journal`](crate::journal).

use std::cmp::Ordering;

use wattle_types::stored;
use wattle_types::time::Millis;
use wattle_types::{Epoch, Lease as Stored, Token};

use crate::dice::Dice;
use crate::event::{LeaseReading, OpId};

pub const RENEW_MS: u64 = 1_000;
/// How long a lease must stand still before it may be taken.
const STANDS_STILL_MS: u64 = 3_000;
/// Less than [`STANDS_STILL_MS`], so that the old holder stops before the new one begins, even
/// with clocks that run 10 % apart.
pub const VALID_MS: u64 = STANDS_STILL_MS - 500;
/// A lease that was never written is waited for only as long as two beats take: they tell
/// whether hosts remember a higher epoch, which means that the stream is a new one.
const ABSENT_MS: u64 = 1_000;
const READ_MS: u64 = 1_000;
const READ_ABSENT_MS: u64 = 250;
/// Two candidates rarely write at once.
const COLLISION_MS: u64 = 500;
/// Who gave the lease back lets others be first for so long.
const STAND_BACK_MS: u64 = 10_000;
/// Longer between two reads, and the time between them is not counted: nothing was watched then.
const WATCHED_MS: u64 = 2_000;
/// An epoch rises by one per change of leadership; nobody sees a million in one lattice.
pub const EPOCH_JUMP_MAX: u64 = 1_000_000;
/// The oldest version that understands all that this one stores; whoever leads writes it into the
/// lease, where it only rises.
pub const MIN_VERSION: &str = "0.1.0";

/// Who this controller is, in the lease.
#[derive(Clone, Debug)]
pub struct Identity {
    pub holder: Token,
    /// Random per process.
    pub boot: u64,
    /// Semantic version.
    pub version: String,
    /// The oldest that may lead after this one: [`MIN_VERSION`].
    pub min_version: String,
}

#[derive(Debug)]
pub struct Lease {
    identity: Identity,
    /// The highest epoch known by other ways than the lease: own disk, beats, assignments.
    epoch_known: Epoch,
    role: Role,
    /// Not taken before.
    stand_back_until: Millis,
}

#[derive(Debug)]
enum Role {
    Candidate(Watch),
    Holder { seq: u64, lease: Stored, valid_until: Millis },
}

/// What a candidate saw.
#[derive(Debug, Default)]
struct Watch {
    reading: Option<OpId>,
    read_at: Millis,
    /// The last state that was read: the sequence, or none for an absent key.
    seen: Option<Option<u64>>,
    /// When it was read last, without a failure since.
    seen_at: Option<Millis>,
    still_ms: u64,
    taking: Option<Taking>,
    too_old: bool,
}

#[derive(Debug)]
struct Taking {
    at: Millis,
    seq: Option<u64>,
    lease: Option<Stored>,
}

/// What the watch of a candidate calls for.
#[derive(Debug, PartialEq)]
pub(crate) enum Move {
    Read,
    /// Write this, if the lease still has this sequence.
    Take {
        lease: Stored,
        seq: Option<u64>,
        lost: Option<Epoch>,
    },
}

impl Lease {
    pub(crate) fn new(identity: Identity, epoch_known: Epoch) -> Self {
        let role = Role::Candidate(Watch::default());
        Self { identity, epoch_known, role, stand_back_until: Millis(0) }
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether what was read last asks for a newer controller.
    pub(crate) fn is_too_old(&self) -> bool {
        matches!(&self.role, Role::Candidate(watch) if watch.too_old)
    }

    /// Whether this controller may decide at `now`.
    pub(crate) fn is_valid(&self, now: Millis) -> bool {
        matches!(&self.role, Role::Holder { lease, valid_until, .. }
            if lease.holder.is_some() && now < *valid_until)
    }

    /// Whether the lease was ours when last seen, valid or not.
    pub(crate) fn is_held(&self) -> bool {
        matches!(&self.role, Role::Holder { lease, .. } if lease.holder.is_some())
    }

    pub(crate) fn epoch(&self) -> Epoch {
        match &self.role {
            Role::Holder { lease, .. } => lease.epoch,
            Role::Candidate(_) => Epoch::ZERO,
        }
    }

    pub(crate) fn epoch_known(&self) -> Epoch {
        self.epoch_known.max(self.epoch())
    }

    /// An epoch was seen somewhere. `false` if it is too far ahead to be believed: taking it
    /// over would let one broken host use up all epochs.
    pub(crate) fn hear_epoch(&mut self, epoch: Epoch) -> bool {
        if self.epoch_known().0.saturating_add(EPOCH_JUMP_MAX) < epoch.0 {
            return false;
        }
        self.epoch_known = self.epoch_known.max(epoch);
        true
    }

    /// What to do now as a candidate.
    pub(crate) fn tick(&mut self, now: Millis, op: OpId) -> Option<Move> {
        let Role::Candidate(watch) = &mut self.role else { return None };
        if let Some(taking) = watch.taking.take_if(|taking| taking.at <= now) {
            // Whatever comes of it, the watch begins anew.
            *watch = Watch { read_at: now + READ_MS, ..Watch::default() };
            return Some(self.take(taking));
        }
        if watch.reading.is_none() && watch.taking.is_none() && watch.read_at <= now {
            watch.reading = Some(op);
            return Some(Move::Read);
        }
        None
    }

    fn take(&mut self, taking: Taking) -> Move {
        let old = taking.lease.unwrap_or_else(Stored::vacant);
        let highest = old.epoch.max(self.epoch_known);
        let lost = (old.epoch < self.epoch_known).then_some(old.epoch);
        let lease = Stored {
            v: stored::VERSION,
            holder: Some(self.identity.holder.to_string()),
            boot: self.identity.boot,
            epoch: highest.next(),
            beat: old.beat + 1,
            version: self.identity.version.clone(),
            min_version: self.min_version(&old),
            ..old
        };
        Move::Take { lease, seq: taking.seq, lost }
    }

    /// The higher of what the lease asks for and what this controller does.
    fn min_version(&self, lease: &Stored) -> String {
        let own = &self.identity.min_version;
        match compare_versions(&lease.min_version, own) {
            Ordering::Less => own.clone(),
            Ordering::Equal | Ordering::Greater => lease.min_version.clone(),
        }
    }

    /// The lease was read. Returns what it asks for when our version is too old.
    pub(crate) fn read(
        &mut self,
        now: Millis,
        op: OpId,
        reading: &LeaseReading,
        dice: &mut Dice,
    ) -> Option<String> {
        let version = self.identity.version.clone();
        let Role::Candidate(watch) = &mut self.role else { return None };
        if watch.reading != Some(op) {
            return None;
        }
        watch.reading = None;
        watch.read_at = now + (READ_MS - 100 + dice.below(200));
        let (seq, lease) = match reading {
            LeaseReading::Failed => {
                // Nothing was seen, so the time since the last look does not count.
                watch.seen_at = None;
                return None;
            }
            // Whoever makes the stream again is told by its next reading that it is there.
            LeaseReading::NoStream => {
                watch.read_at = now + READ_ABSENT_MS;
                watch.seen_at = None;
                return None;
            }
            LeaseReading::Absent => {
                watch.read_at = now + READ_ABSENT_MS;
                (None, None)
            }
            LeaseReading::Found { seq, bytes } => {
                match stored::decode::<Stored>("the lease", bytes) {
                    Ok(lease) => (Some(*seq), Some(lease)),
                    // Whoever wrote it knows more than we do, also of all else that is stored.
                    Err(stored::Error::Version { found, .. }) => {
                        return watch.leave(format!("one that reads format {found}"));
                    }
                    // What nobody can read has no holder: it is waited for like any other, and then
                    // taken with what can be known.
                    Err(_) => (Some(*seq), None),
                }
            }
        };
        let wanted = lease.as_ref().map(|lease| lease.min_version.clone()).unwrap_or_default();
        if compare_versions(&version, &wanted) == Ordering::Less {
            return watch.leave(wanted);
        }
        watch.look(now, seq);
        if now < self.stand_back_until {
            return None;
        }
        let vacant = lease.as_ref().is_some_and(|lease| lease.holder.is_none());
        let needed = if seq.is_none() { ABSENT_MS } else { STANDS_STILL_MS };
        if vacant || needed <= watch.still_ms {
            let wait = if vacant { COLLISION_MS / 5 } else { COLLISION_MS };
            watch.taking = Some(Taking { at: now + dice.below(wait), seq, lease });
        }
        None
    }

    /// The lease as the next write of this holder has it, and what it must replace.
    pub(crate) fn renewed(&self) -> Option<(Stored, u64)> {
        let Role::Holder { seq, lease, .. } = &self.role else { return None };
        let mut next = lease.clone();
        next.beat += 1;
        next.min_version = self.min_version(lease);
        // Hosts remember an epoch that the store forgot: rise above it, or they obey nobody.
        if lease.epoch < self.epoch_known {
            next.epoch = self.epoch_known.next();
        }
        Some((next, *seq))
    }

    /// Our write of `lease`, first sent at `sent_at`, is stored under `seq`.
    pub(crate) fn held(&mut self, lease: Stored, seq: u64, sent_at: Millis) {
        self.epoch_known = self.epoch_known.max(lease.epoch);
        self.role = Role::Holder { seq, lease, valid_until: sent_at + VALID_MS };
    }

    /// We gave it back, for another to lead.
    pub(crate) fn yielded(&mut self, now: Millis) {
        self.lost(now);
        self.stand_back_until = now + STAND_BACK_MS;
    }

    /// Somebody gave it back, as the follower of the store tells: it is read at once.
    pub(crate) fn vacated(&mut self, now: Millis) {
        if let Role::Candidate(watch) = &mut self.role {
            watch.read_at = now;
        }
    }

    /// It is somebody else's, or gone.
    pub(crate) fn lost(&mut self, now: Millis) {
        self.role = Role::Candidate(Watch { read_at: now, ..Watch::default() });
    }
}

impl Watch {
    /// This controller is not to lead. Says what would be needed, the first time.
    fn leave(&mut self, wanted: String) -> Option<String> {
        let first = !self.too_old;
        *self = Self { read_at: self.read_at, too_old: true, ..Self::default() };
        first.then_some(wanted)
    }

    fn look(&mut self, now: Millis, seq: Option<u64>) {
        let same = self.seen == Some(seq);
        let watched =
            self.seen_at.map(|seen_at| now.since(seen_at)).filter(|gap| *gap <= WATCHED_MS);
        self.still_ms = if same { self.still_ms + watched.unwrap_or(0) } else { 0 };
        self.seen = Some(seq);
        self.seen_at = Some(now);
    }
}

/// By the numbers before any `-`; a text that is no version is older than all.
fn compare_versions(a: &str, b: &str) -> Ordering {
    let numbers = |version: &str| -> Vec<u64> {
        let plain = version.split(['-', '+']).next().unwrap_or_default();
        plain.split('.').map_while(|part| part.parse().ok()).collect()
    };
    numbers(a).cmp(&numbers(b))
}

#[cfg(test)]
mod tests;
