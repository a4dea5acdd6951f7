//! Decides what every host should run. Pure: no clock, no I/O, no async, no randomness.
//!
//! [`plan`] is a function of what is [`Desired`] and what was [`Observed`]. Its result is the
//! whole target of every host and the reasons for what could not be placed, not a list of
//! commands: applying it twice changes nothing, and planning again after applying it gives the
//! same plan. [`check`] looks at a finished plan from the other side, and nothing is written
//! that did not pass it.
//!
//! In reading order: [`input`], [`groups`] (a scaler becomes counts and the hosts they may go
//! to), [`matching`] (counts go to hosts), [`leaving`] (what stays until its new places are ready),
//! [`starting`] (what is placed beside that), [`plan`], [`reason`], [`check`].

pub mod check;
mod groups;
pub mod input;
mod leaving;
mod matching;
pub mod plan;
pub mod reason;
mod starting;

pub use check::{Broken, check};
pub use input::{About, Desired, HostStatus, HostView, Observed, Placed, Wanted, What};
pub use plan::{Plan, plan};
pub use reason::{Reason, Unplaced, Why};
