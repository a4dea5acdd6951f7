//! Runs actors: wasmtime and everything that bounds what a guest may take.
//!
//! Knows neither the lattice nor where an actor runs: what a guest asks for goes out through the
//! traits of `wattle-capability`. Everything it runs passed `wattle-trust`, because only a
//! [`VerifiedComponent`](wattle_trust::VerifiedComponent) can be loaded.
//!
//! By default one fresh instance per call, from a pre-linked component; nothing of one call is left
//! for the next. An actor may ask for its instances to be used again. For components of WASI 0.2 a
//! call over HTTP runs in a task of its own, owned by whoever reads the answer, and a call of a
//! function on its caller's task, so that a chain of calls within one process is one future; for
//! those of 0.3 every instance has a task, and calls are messages to it. Either way, dropping what
//! was asked for ends the call. Besides tasks the crate has one OS thread, the ticker of epochs.
//!
//! In reading order: what it is given (`config`, `grant`, `limits`); the engine and how a component
//! gets in (`engine`, `runtime`, `profile`, `engine_id`, `shape`, `offered`, `load`, `cache`,
//! `compile`, `precompile`, `artifact`, `signature`, `link`); one actor and one call (`actor`,
//! `call`, `seat`, `stock`, `reply`, `permits`, `lane`, `meter`, `usage`), in WASI 0.3
//! (`concurrent`); calls of functions (`invoke`, `import`, `packed`, `stream`, `flow`); what guests
//! see (`state`, `keyvalue`, `messaging`, `secrets`, `settings`, `bus`, `logging`, `voice`,
//! `outgoing`, `bindings`).

pub mod actor;
mod artifact;
pub mod bench;
mod bindings;
mod bus;
pub mod cache;
pub mod call;
pub mod compile;
mod concurrent;
pub mod config;
pub mod engine;
pub mod engine_id;
mod flow;
pub mod grant;
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
pub mod precompile;
pub mod profile;
mod reply;
mod runtime;
mod seat;
mod secrets;
mod settings;
mod shape;
mod signature;
mod state;
mod stock;
mod stream;
mod ticker;
mod usage;
mod voice;

pub use actor::{Actor, ActorConfig};
pub use artifact::Artifact;
pub use cache::{CacheConfig, CacheKey};
pub use call::CallError;
pub use compile::{CompileConfig, CompileError, Compiler, Compilers};
pub use config::EngineConfig;
pub use engine::{Engine, EngineError};
pub use engine_id::{EngineId, EngineIdError, Level, Target};
pub use grant::{ActorLimits, Caps, LimitError};
pub use load::{Early, Found, LoadError, Loaded, Origin, Precompiled};
pub use profile::{AddressSpace, Profile};
