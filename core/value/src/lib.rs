//! Values of WIT between actors: their types, and the packed form in which they travel.
//!
//! Knows no wasmtime and no NATS: the engine fills the packed form straight from a guest's memory,
//! the wire carries the same bytes, and nothing in between looks inside.
//!
//! In reading order: what can be carried ([`ty`]).

pub mod ty;

pub use ty::{Case, Field, FuncType, Type};
pub use wattle_types::Fingerprint;
