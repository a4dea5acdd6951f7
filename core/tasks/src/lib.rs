//! What every process of ours needs and none of them should write again: ownership of tasks,
//! pauses between attempts, errors as one line, tracing.
//!
//! Knows nothing of lattices. This crate spawns no task of its own; [`Tasks`] spawns those of
//! its callers.

pub mod backoff;
pub mod chain;
pub mod ownership;
pub mod telemetry;
pub mod trace;

pub use backoff::Backoff;
pub use chain::Chain;
pub use ownership::{Stuck, Tasks};
pub use tokio_util::sync::CancellationToken;
pub use trace::TraceContext;
