//! What goes wrong: hazards, which the control plane must bear, and planted bugs, which the
//! properties must find.

use std::collections::BTreeSet;

use fastrand::Rng;

/// A bug of the world, not of what is tested. Each breaks one promise that the shipped crates
/// keep or rely on; a simulator that does not notice is no good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The store ignores all conditions.
    NoConditions,
    /// The store ignores the condition on the lease: a deposed leader's batch is taken.
    NoFence,
    /// Of a batch whose conditions do not all hold, the messages whose do are stored.
    TornBatches,
    /// The store acknowledges changes of applications and does not keep them.
    AcknowledgedAndLost,
    /// The store acknowledges links and does not keep them.
    LinksLost,
    /// A restarted host finds its disk as it was before its last assignment.
    DiskGoesBack,
    /// A host starts what nobody assigned to it.
    StartsUnassigned,
    /// A host says that a run is stopped, and goes on running it.
    NeverStops,
    /// Somebody beats and answers for hosts that are dead.
    ForgedBeats,
    /// Reads of a host's assignment return another host's.
    OthersAssignment,
    /// The store returns other bytes for a spec.
    SwappedSpecs,
}

impl Fault {
    pub const ALL: [Self; 11] = [
        Self::NoConditions,
        Self::NoFence,
        Self::TornBatches,
        Self::AcknowledgedAndLost,
        Self::LinksLost,
        Self::DiskGoesBack,
        Self::StartsUnassigned,
        Self::NeverStops,
        Self::ForgedBeats,
        Self::OthersAssignment,
        Self::SwappedSpecs,
    ];
}

/// What a run is made of. The defaults are those of the test suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// None: two to six, by the seed.
    pub hosts: Option<usize>,
    /// None: one to three, by the seed.
    pub controllers: Option<usize>,
    /// How long things go wrong, in virtual milliseconds.
    pub storm_ms: u64,
    /// What may go wrong; how often is drawn from the seed, and is the same whatever else may.
    pub hazards: BTreeSet<Hazard>,
    /// People ask for so many things at most. None: as many as there is time for.
    pub wishes: Option<u64>,
    pub fault: Option<Fault>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            hosts: None,
            controllers: None,
            storm_ms: 60_000,
            hazards: Hazard::ALL.into(),
            wishes: None,
            fault: None,
        }
    }
}

/// Declares the hazards once: the kinds, and how often each is at most.
macro_rules! hazards {
    ($($(#[$doc:meta])* $kind:ident $field:ident $max:literal)*) => {
        /// A kind of trouble.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Hazard {
            $($(#[$doc])* $kind,)*
        }

        impl Hazard {
            pub const ALL: [Self; [$($max),*].len()] = [$(Self::$kind),*];
        }

        /// How often what goes wrong: chances in a thousand, for each time it could. Some are
        /// zero in each run, so that one kind of trouble does not hide another; in some runs
        /// all are, or all but that servers hang, so that what must not happen then can be told.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub(crate) struct Hazards {
            $(pub(crate) $field: u32,)*
        }

        impl Hazards {
            pub(crate) fn draw(rng: &mut Rng, allowed: &BTreeSet<Hazard>) -> Self {
                let weather = rng.u8(..8);
                // Losses are drawn apart, and seldom beside all else: nothing is a false alarm
                // after one. What people do is drawn after them.
                let seldom = if allowed.len() == Hazard::ALL.len() { 1 } else { 7 };
                let mut apart = Rng::with_seed(rng.clone().u64(..));
                let mut some = |kind: Hazard, max: u32| {
                    let (rng, tenths) = match kind {
                        _ if kind < Hazard::LostTail => (&mut *rng, 7),
                        _ if kind < Hazard::ByHand => (&mut apart, seldom),
                        _ => (&mut apart, 7),
                    };
                    let chance = if rng.u8(..10) < tenths { rng.u32(1..=max) } else { 0 };
                    let comes = match weather {
                        0 => false,
                        1 => kind == Hazard::NodeHangs,
                        _ => true,
                    };
                    if allowed.contains(&kind) && comes { chance } else { 0 }
                };
                Self { $($field: some(Hazard::$kind, $max),)* }
            }
        }
    };
}

hazards! {
    Drop drop 150
    Duplicate duplicate 100
    /// A message takes up to [`SLOW_MS`].
    Slow slow 100
    /// An answer of the store is lost.
    Mute mute 100
    /// A write meets another that is being decided.
    Busy busy 150
    /// A write waits somewhere, and arrives seconds later.
    Stuck stuck 60
    /// A replica lags behind.
    Stale stale 400
    StartFails start_fails 300
    DiskFails disk_fails 200
    /// A process dies between two of the things it does.
    CrashAtEffect crash_at_effect 10
    /// A controller falls asleep after it decided and before it writes.
    SleepsAtWrite sleeps_at_write 60
    /// The rest: chances each half second.
    HostDies host_dies 40
    HostCut host_cut 30
    HostPauses host_pauses 20
    HostDrains host_drains 15
    ControllerDies controller_dies 30
    ControllerCut controller_cut 30
    ControllerPauses controller_pauses 30
    ControllerLeaves controller_leaves 10
    Election election 20
    FollowerResets follower_resets 20
    /// A controller is sent nothing of what is stored, for half a minute at most, and does not know.
    FollowerStalls follower_stalls 15
    /// A NATS server passes nothing on for a while.
    NodeHangs node_hangs 20
    NodeDies node_dies 20
    /// A NATS server is cut off from the others, and from nobody who is connected to it.
    NodeSplit node_split 15
    /// A clock goes up to 500 millionths too fast or too slow; chance at a start of its process.
    ClockDrifts clock_drifts 700
    /// A clock jumps ahead.
    ClockJumps clock_jumps 20
    /// From here on: what was acknowledged is not there any more. The store loses its newest
    /// writes,
    LostTail lost_tail 20
    /// is restored from an old backup,
    OldBackup old_backup 10
    /// or is deleted.
    StreamDeleted stream_deleted 10
    /// The head of an application cannot be read for a while: it is signed by a controller that
    /// is not believed any more, or a later version wrote it.
    HeadUnreadable head_unreadable 40
    /// From here on: what people do. Somebody starts, scales, updates or stops an actor by hand,
    ByHand by_hand 600
    /// or wants a host forgotten.
    HostForgotten host_forgotten 20
    /// A controller is of an earlier version; chance at a start of its process.
    OldVersion old_version 400
}

/// The longest that a message takes which is only slow.
pub(crate) const SLOW_MS: u64 = 3_000;

/// Whether something with this chance in so many thousand happens now.
pub(crate) fn happens_of(rng: &mut Rng, per_mille: u32, thousands: u32) -> bool {
    rng.u32(..1_000 * thousands) < per_mille
}

/// Whether something with this chance in a thousand happens now.
pub(crate) fn happens(rng: &mut Rng, per_mille: u32) -> bool {
    // Also drawn when it cannot happen: less differs between runs with and without a hazard.
    rng.u32(..1_000) < per_mille
}
