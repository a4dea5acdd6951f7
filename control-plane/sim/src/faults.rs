//! What goes wrong: hazards, which the control plane must bear, and planted bugs, which the
//! properties must find.

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
#[derive(Clone, Debug)]
pub struct Options {
    /// None: two to six, by the seed.
    pub hosts: Option<usize>,
    /// None: one or two, by the seed.
    pub controllers: Option<usize>,
    /// How long things go wrong, in virtual milliseconds.
    pub storm_ms: u64,
    pub hazards: bool,
    pub fault: Option<Fault>,
}

impl Default for Options {
    fn default() -> Self {
        Self { hosts: None, controllers: None, storm_ms: 60_000, hazards: true, fault: None }
    }
}

/// How often what goes wrong: chances in a thousand, for each time it could. Some are zero in
/// each run, so that one kind of trouble does not hide another.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hazards {
    pub(crate) drop: u32,
    pub(crate) duplicate: u32,
    /// A message takes up to [`Hazards::slow_ms`].
    pub(crate) slow: u32,
    pub(crate) slow_ms: u64,
    /// An answer of the store is lost.
    pub(crate) mute: u32,
    pub(crate) busy: u32,
    /// A write waits somewhere, and arrives seconds later.
    pub(crate) stuck: u32,
    pub(crate) stale: u32,
    pub(crate) start_fails: u32,
    pub(crate) disk_fails: u32,
    pub(crate) crash_at_effect: u32,
    /// A controller falls asleep after it decided and before it writes.
    pub(crate) sleeps_at_write: u32,
    /// The rest: chances each half second.
    pub(crate) host_dies: u32,
    pub(crate) host_cut: u32,
    pub(crate) host_pauses: u32,
    pub(crate) host_drains: u32,
    pub(crate) controller_dies: u32,
    pub(crate) controller_cut: u32,
    pub(crate) controller_pauses: u32,
    pub(crate) controller_leaves: u32,
    pub(crate) election: u32,
    pub(crate) follower_resets: u32,
}

impl Hazards {
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let mut some = |max: u32| if rng.u8(..10) < 7 { rng.u32(1..=max) } else { 0 };
        Self {
            drop: some(150),
            duplicate: some(100),
            slow: some(100),
            slow_ms: 3_000,
            mute: some(100),
            busy: some(150),
            stuck: some(60),
            stale: some(400),
            start_fails: some(300),
            disk_fails: some(200),
            crash_at_effect: some(10),
            sleeps_at_write: some(60),
            host_dies: some(40),
            host_cut: some(30),
            host_pauses: some(20),
            host_drains: some(15),
            controller_dies: some(30),
            controller_cut: some(30),
            controller_pauses: some(30),
            controller_leaves: some(10),
            election: some(20),
            follower_resets: some(20),
        }
    }
}

/// Whether something with this chance in a thousand happens now.
pub(crate) fn happens(rng: &mut Rng, per_mille: u32) -> bool {
    // Also drawn when it cannot happen: less differs between runs with and without a hazard.
    rng.u32(..1_000) < per_mille
}
