//! Runs actors: wasmtime and everything that bounds what a guest may take.
//!
//! Knows neither the lattice nor where an actor runs: what a guest asks for goes out through the
//! traits of `wattle-capability`. Everything it runs passed `wattle-trust`, because only a
//! [`VerifiedComponent`](wattle_trust::VerifiedComponent) can be loaded.
//!
//! One fresh instance per call, from a pre-linked component; nothing of one call is left for the
//! next. Every call runs in a task of its own, owned by whoever reads the answer: dropping the
//! answer ends the call. Besides these the crate has one OS thread, the ticker of epochs.
//!
//! In reading order: what it is given (`config`, `limits`); the engine and how a component gets in
//! (`engine`, `profile`, `shape`, `offered`, `load`, `cache`); one actor and one call (`actor`, `call`, `reply`,
//! `permits`, `lane`, `meter`); what guests see (`state`, `keyvalue`, `messaging`, `secrets`, `settings`,
//! `bus`, `logging`, `voice`, `outgoing`, `bindings`).

pub mod actor;
pub mod bench;
mod bindings;
mod bus;
pub mod cache;
pub mod call;
pub mod config;
pub mod engine;
mod import;
mod invoke;
mod keyvalue;
mod lane;
pub mod limits;
mod link;
pub mod load;
mod logging;
mod messaging;
mod meter;
pub mod offered;
mod outgoing;
mod packed;
pub mod permits;
mod profile;
mod reply;
mod secrets;
mod settings;
mod shape;
mod signature;
mod state;
mod stream;
mod ticker;
mod voice;

pub use actor::{Actor, ActorConfig};
pub use cache::{CacheConfig, CacheKey};
pub use call::CallError;
pub use config::{ActorLimits, EngineConfig, LimitError};
pub use engine::{Engine, EngineError};
pub use load::{LoadError, Loaded, Origin};
