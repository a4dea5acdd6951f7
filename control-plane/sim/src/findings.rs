//! Defects of the shipped crates that the simulator has found and that are not repaired yet.
//!
//! A run that meets one of them notes it and goes on, so that it does not hide others. Whoever
//! repairs one takes its line out of [`UNREPAIRED`]: from then on meeting it breaks a promise.

/// What is known to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Finding {
    /// An assignment that its host had not followed when the leader changed is refused by that
    /// host for ever, since it has heard of the later epoch; the new leader sees no difference to
    /// its plan, and does not write it again. (`brain/src/reconcile/assign.rs`, `needs_write`)
    StuckBelowEpoch,
    /// A candidate that was overtaken says that the store lost something, and the epoch it
    /// remembered for nothing makes it say so again when it does lead.
    /// (`brain/src/brain.rs`, `stand`)
    FalseStateLost,
    /// A host that this leader never heard of is believed to have whatever labels the newest
    /// manifest requires, though what it has was placed under an older one.
    /// (`planner/src/input.rs`, `satisfies`)
    UnheardBelieved,
    /// Whether an assignment ends too much is judged by what is followed, while another one is
    /// being written to disk and followed in between. (`agent/src/agent/look.rs`)
    MassWhileStoring,
}

pub const UNREPAIRED: &[Finding] = &[Finding::FalseStateLost, Finding::UnheardBelieved];
