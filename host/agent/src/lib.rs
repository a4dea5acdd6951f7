//! Everything a host decides, as one state machine: [`Agent::step`].
//!
//! Which assignments it obeys ([`Refusal`]), when one is durable enough to be acknowledged, what
//! may be started by hand beside them ([`Command`]), what is started, swapped, tried again and
//! stopped, what it says of itself in beats, in the serve table and in its inventory, and how it
//! leaves. The daemon is its driver: it turns
//! [`Effect`]s into I/O and results into [`Event`]s, and so does the simulator. Beside the machine,
//! as plain functions: how a person may change [`links`] and [`configs`], and what a link comes
//! to ([`judge`]).
//!
//! No async, no clock, no randomness, no I/O, and only ordered maps: the same events give the
//! same effects. Where components run, and what a wire is, is not known here.

mod acceptance;
mod agent;
mod announce;
mod backoff;
mod closure;
mod command;
mod config;
pub mod configs;
mod effect;
mod event;
mod judge;
pub mod links;
mod manual;
mod ownership;
mod refusal;
mod report;
mod runs;
#[cfg(test)]
mod testing;

pub use agent::Agent;
pub use command::{Answer, Command, Denial, RequestId, Start};
pub use config::Config;
pub use effect::{Closure, Effect, Happening, Scaled};
pub use event::{Component, Event, Failure, OwnerReading, Reading, Restored, RunId};
pub use judge::judge;
pub use refusal::Refusal;
