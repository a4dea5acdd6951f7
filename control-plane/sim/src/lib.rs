//! The control plane in a storm: planner, brain and agent as they ship, on a simulated store and
//! network where everything goes wrong that can.
//!
//! One thread, one seed, virtual time: [`run`] does the same each time it is given the same seed,
//! and a seed that breaks a promise ([`Property`]) is a test case. First comes the storm, with
//! everything in [`faults`]; then the sky clears, and what runs must become what should run, and
//! stay so; then one host dies and, later, returns, a leader dies, and a NATS server.
//!
//! In reading order: what goes wrong ([`faults`]), the store as NATS keeps it ([`store`]), the
//! network, the processes (controllers, hosts) and people (operator, orders, removals, meddler), what the store loses
//! and how it is put back (losses), what must hold
//! ([`properties`]), what is known not to ([`findings`]), what came of it ([`report`]), many
//! seeds ([`seeds`]), and one that breaks a promise made smaller ([`minimise`]).
//!
//! No real time, no sockets, no files. What is simulated is the driver: what `controller` and
//! `daemon` make of effects is tested where they are.

mod agenda;
mod clock;
mod controllers;
pub mod faults;
pub mod findings;
mod hosts;
mod losses;
mod meddler;
pub mod minimise;
mod network;
mod nodes;
mod operator;
mod orders;
pub mod properties;
mod removals;
pub mod report;
pub mod seeds;
pub mod store;
mod trace;
mod weather;
mod world;

pub use faults::{Fault, Hazard, Options};
pub use findings::{Finding, UNREPAIRED};
pub use properties::{Counts, Property, Violation};
pub use report::{Report, run};
