//! Defects of the shipped crates that the simulator has found and that are not repaired yet.
//!
//! A run that meets one of them notes it and goes on, so that it does not hide others. Whoever
//! repairs one takes it out of here: from then on meeting it breaks a promise.

/// What is known to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Finding {}

pub const UNREPAIRED: &[Finding] = &[];
