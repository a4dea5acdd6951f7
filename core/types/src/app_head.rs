//! The head of an application: its revisions, and which of them should run.

use serde::{Deserialize, Serialize};

use crate::stored::{Unknown, VERSION};
use crate::{AppName, Revision};

/// The value of `app.<name>`. The manifests themselves are immutable values beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AppHead {
    pub v: u8,
    pub name: AppName,
    /// Oldest first; numbers rise and are never used again.
    pub revisions: Vec<RevisionHead>,
    /// The highest revision ever stored, also after that revision was deleted.
    pub revision_max: Revision,
    /// What should run; nothing when undeployed.
    pub deployed: Option<Revision>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// One stored manifest, without its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionHead {
    pub revision: Revision,
    /// The manifest's own `version` annotation, unique within the application.
    pub version: String,
    #[serde(default)]
    pub description: String,
    pub stored_unix_s: u64,
}

impl AppHead {
    pub fn new(name: AppName) -> Self {
        Self {
            v: VERSION,
            name,
            revisions: Vec::new(),
            revision_max: Revision::ZERO,
            deployed: None,
            unknown: Unknown::new(),
        }
    }

    pub fn latest(&self) -> Option<&RevisionHead> {
        self.revisions.last()
    }

    pub fn by_version(&self, version: &str) -> Option<&RevisionHead> {
        self.revisions.iter().find(|head| head.version == version)
    }

    pub fn by_revision(&self, revision: Revision) -> Option<&RevisionHead> {
        self.revisions.iter().find(|head| head.revision == revision)
    }
}
