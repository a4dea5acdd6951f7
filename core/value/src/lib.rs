//! Values of WIT between actors: their types, and the packed form in which they travel.
//!
//! Knows no wasmtime and no NATS: the engine fills the packed form straight from a guest's memory,
//! the wire carries the same bytes, and nothing in between looks inside.
//!
//! In reading order: what can be carried ([`ty`]), its text and fingerprint (`text`), the bytes
//! ([`packed`]), what is refused ([`limits`], [`check`]), the mesh's own errors ([`mesh`]),
//! functions by interface ([`signatures`], `sound`); and for people and tests only, a tree
//! ([`value`]) and its text ([`wave`]).

pub mod check;
pub mod limits;
pub mod mesh;
pub mod packed;
pub mod signatures;
mod sound;
mod text;
pub mod ty;
pub mod value;
pub mod wave;

pub use check::{CheckError, check_args, check_result};
pub use limits::Limits;
pub use mesh::MeshError;
pub use signatures::Signatures;
pub use ty::{Case, Field, FuncType, Type};
pub use value::Value;
pub use wattle_types::Fingerprint;
