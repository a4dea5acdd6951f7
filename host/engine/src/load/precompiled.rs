//! Code that somebody else has made, as a host finds it.

use std::fs::File;

use wattle_trust::VerifiedArtifact;
use wattle_types::Digest;

use crate::engine_id::EngineId;

/// Where code for one component may be that was made elsewhere.
pub trait Precompiled: Send + Sync + 'static {
    /// What people would hand to `wattle compile`: the file or image of the component.
    fn name(&self) -> &str;

    /// Code of this content for one of these engines, of which the first is the best. Blocks.
    ///
    /// The file behind the proof must not change while an engine may have it mapped: it belongs to
    /// the host alone, and is only ever made new, renamed and removed.
    fn find(&self, source: Digest, engines: &[EngineId]) -> Found;
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    pub artifact: Option<VerifiedArtifact<File>>,
    /// What was there too and may not be used, each with the reason.
    pub refused: Vec<String>,
}
