//! Why something from outside was not obeyed. Each reason has a stable code and is counted.

use wattle_types::{ActorId, ConfigName, Digest, Epoch, Generation, HostId, LatticeId, SpecHash};

/// A refusal changes nothing: what runs goes on running.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{what} is not signed by a controller of the trust file: {reason}")]
    Signature { what: &'static str, reason: String },
    #[error("{what} is signed, but not readable: {reason}")]
    Unreadable { what: &'static str, reason: String },
    #[error("{what} is for lattice {found}, and this host is in {own}")]
    OtherLattice { what: &'static str, found: LatticeId, own: LatticeId },
    #[error("the assignment is for host {found}, and this host is {own}")]
    OtherHost { found: HostId, own: HostId },
    #[error("{what} is of epoch {offered}, and epoch {seen} was seen: its leader was deposed")]
    LowerEpoch { what: &'static str, offered: Epoch, seen: Epoch },
    #[error("assignment {offered} is older than {current}")]
    LowerGeneration { offered: Generation, current: Generation },
    /// Two leaders used one number, or a key was stolen: somebody must look.
    #[error(
        "two assignments have generation {generation}: {current} is followed, {offered} is not"
    )]
    SameGeneration { generation: Generation, offered: Digest, current: Digest },
    #[error("the assignment ends {ended} of {of} actors at once and is not marked `mass`")]
    Mass { ended: usize, of: usize },
    #[error("spec {expected} was stored with other content")]
    SpecContent { expected: SpecHash },
    #[error("the record of who owns {id} is not readable: {reason}")]
    OwnerRecord { id: ActorId, reason: String },
    #[error("a link of {source_id} is not readable: {reason}")]
    LinkRecord { source_id: ActorId, reason: String },
    #[error("config {name} is not readable: {reason}")]
    ConfigRecord { name: ConfigName, reason: String },
    #[error("what was started by hand is on disk and not readable; none of it runs: {reason}")]
    ManualSet { reason: String },
}

impl Refusal {
    pub(crate) fn signature(what: &'static str, error: &dyn std::error::Error) -> Self {
        Self::Signature { what, reason: chain(error) }
    }

    pub(crate) fn unreadable(what: &'static str, error: &dyn std::error::Error) -> Self {
        Self::Unreadable { what, reason: chain(error) }
    }

    /// For counters, logs and `docs/errors`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Signature { .. } => "WT-HOST-SIGNATURE",
            Self::Unreadable { .. } => "WT-HOST-UNREADABLE",
            Self::OtherLattice { .. } => "WT-HOST-OTHER-LATTICE",
            Self::OtherHost { .. } => "WT-HOST-OTHER-HOST",
            Self::LowerEpoch { .. } => "WT-HOST-LOWER-EPOCH",
            Self::LowerGeneration { .. } => "WT-HOST-LOWER-GENERATION",
            Self::SameGeneration { .. } => "WT-HOST-SAME-GENERATION",
            Self::Mass { .. } => "WT-HOST-MASS",
            Self::SpecContent { .. } => "WT-HOST-SPEC-CONTENT",
            Self::OwnerRecord { .. } => "WT-HOST-OWNER-RECORD",
            Self::LinkRecord { .. } => "WT-HOST-LINK-RECORD",
            Self::ConfigRecord { .. } => "WT-HOST-CONFIG-RECORD",
            Self::ManualSet { .. } => "WT-HOST-MANUAL-SET",
        }
    }

    /// Whether somebody should be woken: this does not happen by a late or repeated message.
    pub const fn is_alarm(&self) -> bool {
        !matches!(self, Self::LowerEpoch { .. } | Self::LowerGeneration { .. })
    }
}

/// An error and its causes on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
