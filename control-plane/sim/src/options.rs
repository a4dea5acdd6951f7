//! What kind of run it is.

/// One run. Everything not said here follows from the seed.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub seed: u64,
    /// How long faults go on, in simulated seconds.
    pub storm_s: u64,
    pub hosts: usize,
    pub controllers: usize,
    /// Whether the store may lose writes that it had acknowledged. What was asked for may then
    /// be lost; that hosts are not emptied by it, and go on under a new leader, must not.
    pub lost_tail: bool,
    pub plant: Option<Plant>,
}

impl Options {
    pub fn seed(seed: u64) -> Self {
        Self { seed, storm_s: 60, hosts: 5, controllers: 2, lost_tail: false, plant: None }
    }

    #[must_use]
    pub fn with(self, plant: Plant) -> Self {
        Self { plant: Some(plant), ..self }
    }
}

/// A bug, put in between the machines and the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// The store does not look at conditions.
    SkipCas,
    /// A leader's assignments go out without the lease before them.
    SkipLease,
    /// A write that was not answered counts as stored.
    UnknownIsStored,
    /// The follower of the store loses a message now and then.
    DropFollowed,
    /// A new leader does not see the epoch in the lease.
    ReuseEpoch,
    /// A host acknowledges what is not on its disk yet.
    AcknowledgeEarly,
    /// A host's disk forgets which epoch and generation it has seen.
    ForgetMarks,
    /// Neither wakes nor regular looks reach hosts.
    NeverLook,
    /// A key that is gone is passed on as an application that should not run.
    GoneIsEmpty,
    /// Beats say nothing of epochs, and a controller keeps none on disk.
    HideEpochs,
    /// Probes of hosts that are there are answered as if they were not.
    ProbesLie,
    /// Assignments are signed with a key that nobody trusts.
    WrongKey,
}

impl Plant {
    pub const ALL: [Self; 12] = [
        Self::SkipCas,
        Self::SkipLease,
        Self::UnknownIsStored,
        Self::DropFollowed,
        Self::ReuseEpoch,
        Self::AcknowledgeEarly,
        Self::ForgetMarks,
        Self::NeverLook,
        Self::GoneIsEmpty,
        Self::HideEpochs,
        Self::ProbesLie,
        Self::WrongKey,
    ];
}
