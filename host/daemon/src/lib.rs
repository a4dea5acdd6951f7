//! A host: joins a lattice, runs what it is assigned, answers requests. Or, with [`standalone`],
//! runs one component alone.
//!
//! The driver of `wattle-agent`: it turns the agent's effects into I/O and results into events.
//! What is decided here is decided in small pure modules: which host a call goes to ([`table`]),
//! whether one that arrived may begin ([`admission`]), what a refusal means to a caller
//! ([`forward`], [`answer`], [`outcome`]) and how often it may be tried again ([`budget`]), what an
//! actor may reach ([`egress`]).
//!
//! In reading order: what it is given ([`config`]); a host's life ([`run`], [`standalone`]); what
//! it keeps ([`identity`], [`disk`], [`artifact`]); where machine code comes from ([`code`],
//! [`precompiled`], [`precompile`]); the driver ([`driver`], [`start`],
//! [`actors`], [`bindings`]); the lattice around it ([`join`], [`serve`], [`control`], [`commands`],
//! [`happenings`], [`judging`], [`limits`], [`spy`]); the way of a request ([`listener`], [`router`], [`calls`],
//! [`messages`]), with what it carries ([`rewind`], [`streams`], [`probe`]); and the way out
//! ([`exit`], [`outbound`]).
//!
//! Tasks, all owned by [`run`]: the driver, the disk, the membership in the lattice with one task
//! per subscription, the listener with one per connection, one per call of another host, one per
//! start under way, one per run that listens to messages. Each HTTP request of an actor has one of
//! the engine's; a call of a function is polled by its caller.

mod actors;
mod admission;
mod answer;
mod artifact;
pub mod bench;
mod bindings;
mod budget;
mod by_hand;
mod calls;
pub mod code;
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
pub mod keyvalue;
mod limits;
pub mod listener;
mod mailbox;
#[cfg(feature = "messaging-nats")]
mod messages;
#[cfg(not(feature = "messaging-nats"))]
#[path = "messages/without.rs"]
mod messages;
mod outbound;
mod outcome;
pub mod precompile;
pub mod precompiled;
mod probe;
mod rewind;
mod router;
pub mod run;
pub mod sandbox;
pub mod secrets;
mod serve;
mod spy;
pub mod standalone;
mod start;
mod streams;
mod table;

pub use config::HostConfig;
pub use run::{Host, RunError, run};
