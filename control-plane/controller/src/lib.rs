//! The controller: the driver of `wattle-brain`.
//!
//! [`run`] joins a lattice, follows the control stream, listens to beats, tells the brain what
//! happened, and does what the brain says: batches to the store, probes, wakes, the leader's
//! word, answers on the application API. Nothing is decided here.
//!
//! Tasks: `mind` owns the brain and is run until the end; `ears` follow the store, the beats and
//! the link; `archive` writes what people wrote to the disk; `api` listens while the brain
//! lets it; and one short task per thing that is asked of NATS. All report to one mailbox, so that the brain sees one order of events.
//!
//! What if the mailbox is full: followers and results wait, beats are dropped (the next one says
//! the same, only newer), requests are refused.

mod api;
mod archive;
mod config;
mod desk;
mod ears;
mod hands;
mod memory;
mod mind;
mod run;

pub use archive::{ArchiveError, read_export, write_export};
pub use config::ControllerConfig;
pub use desk::{entry, kept};
pub use run::{RunError, run};
