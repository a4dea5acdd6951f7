//! A host: joins a lattice, runs what it is assigned, answers requests. Or, with [`standalone`],
//! runs one component alone.
//!
//! The driver of `wattle-agent`: it turns the agent's effects into I/O and results into events.
//! What is decided here is decided in small pure modules: which host a call goes to ([`table`]),
//! what a refusal means to a caller ([`forward`]), what an actor may reach ([`egress`]).
//!
//! In reading order: what it is given ([`config`]); a host's life ([`run`], [`standalone`]); what
//! it keeps ([`identity`], [`disk`], [`artifact`]); the driver ([`driver`], [`start`],
//! [`actors`]); the lattice around it ([`join`], [`serve`], [`control`], [`happenings`]); the way
//! of a request ([`listener`], [`router`], [`calls`], [`answer`]) and the way out ([`outbound`]).
//!
//! Tasks, all owned by [`run`]: the driver, the disk, the membership in the lattice with one task
//! per subscription, the listener with one per connection, one per start under way. Each call of
//! an actor has one of the engine's.

mod actors;
mod admission;
mod answer;
mod artifact;
mod bindings;
mod budget;
mod calls;
mod commands;
pub mod config;
mod control;
pub mod disk;
mod driver;
mod egress;
mod exit;
mod forward;
mod happenings;
pub mod identity;
pub mod join;
mod judging;
mod keyvalue;
pub mod listener;
mod mailbox;
mod messages;
mod outbound;
mod outcome;
mod probe;
mod rewind;
mod router;
pub mod run;
mod serve;
mod spy;
pub mod standalone;
mod start;
mod streams;
mod table;

pub use config::HostConfig;
pub use run::{Host, RunError, run};
