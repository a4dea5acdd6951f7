//! Everything the controller decides, as one state machine: [`Brain::step`].
//!
//! Who leads ([`lease`]), what the store holds ([`mirror`]), held to what it held before
//! ([`marks`]), and how it is changed ([`journal`]), which hosts can be counted on ([`fleet`]), what
//! people ask for ([`apps`]), and what follows for links ([`links`]) and for every host
//! ([`reconcile`]); whether writes succeed ([`canary`]), and how all that is, for people
//! ([`report`]). The controller is its driver: it turns [`Effect`]s into I/O and results into
//! [`Event`]s, and so does the simulator.
//!
//! No async, no clock, no I/O, and only ordered maps. Time and randomness come with events, so
//! that the same events give the same effects: the trace of a run is the list of both.
//!
//! Every change goes to the store as one atomic batch whose first message renews the lease by
//! compare-and-set. A deposed leader therefore changes nothing, however late it learns of it.

mod alarm;
pub mod apps;
mod brain;
mod canary;
mod dice;
mod effect;
mod event;
pub mod fleet;
pub mod journal;
pub mod lease;
mod links;
pub mod marks;
pub mod mirror;
mod reconcile;
mod report;
#[cfg(test)]
mod testing;

pub use alarm::Alarm;
pub use brain::{Brain, Config};
pub use effect::{Effect, Expect, Kept, Payload, Seen, Write};
pub use event::{
    Content, Event, Forwarded, LeaseReading, OpId, ProbeReply, RequestId, Server, Stamp, Terms,
    Wrote,
};
