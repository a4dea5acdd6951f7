//! Defects of the shipped crates that the simulator has found and that are not repaired yet.
//!
//! A run that meets one of them notes it and goes on, so that it does not hide others. Whoever
//! repairs one takes it out of here: from then on meeting it breaks a promise.

/// What is known to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Finding {
    /// A host that this leader never heard of is believed to have whatever labels the newest
    /// manifest requires, though what it has was placed under an older one.
    /// Seed 431. (`planner/src/input.rs`, `satisfies`)
    UnheardBelieved,
}

pub const UNREPAIRED: &[Finding] = &[Finding::UnheardBelieved];
