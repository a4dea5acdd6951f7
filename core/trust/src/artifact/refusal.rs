//! Why code that was made elsewhere is not used: one variant and one stable code per reason.

use std::io;

use wattle_types::nkey::{CompilerKey, Role};
use wattle_types::{Digest, stored};

use crate::signed;

/// Why code was refused. Codes do not change once released.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtifactRefusal {
    // The form.
    #[error("this is not a file of signed code; `wattle compile` makes them")]
    NotAnArtifact,
    #[error("the file ends within its head")]
    Truncated,
    #[error("the head says it has {bytes} bytes; at most {max} are read")]
    HeadTooLarge { bytes: usize, max: usize },
    #[error("the signed statement of the head is not believed")]
    Envelope(#[source] signed::Error),
    #[error("the statement of the head cannot be read")]
    Statement(#[source] stored::Error),
    #[error("the file could not be read")]
    Read(#[source] io::Error),

    // Who.
    #[error("the code is signed by a {found} key; compilers have account keys")]
    Role { found: Role },
    #[error("the trust file does not name {compiler} as a compiler")]
    CompilerUnknown { compiler: CompilerKey },
    #[error("the compiler {compiler} is revoked")]
    CompilerRevoked { compiler: CompilerKey },
    #[error("the compiler {compiler} is not believed yet")]
    CompilerNotYetTrusted { compiler: CompilerKey },
    #[error("the compiler {compiler} is no longer believed")]
    CompilerLapsed { compiler: CompilerKey },

    // What and when.
    #[error("the code is of the content {of}, and that of {wanted} is wanted")]
    Source { of: Digest, wanted: Digest },
    #[error("the code is for the engine {of:?}, which is none of those that run here")]
    Engine { of: String },
    #[error("the code is said to have {bytes} bytes; at most {max} are used")]
    TooLarge { bytes: u64, max: u64 },
    #[error("the code was signed at {issued} (seconds since 1970), and now is {now}")]
    IssuedInFuture { issued: u64, now: u64 },
    #[error("the code was to be used until {expires} (seconds since 1970), and now is {now}")]
    Expired { expires: u64, now: u64 },

    // The code itself.
    #[error(
        "the code {} {said} bytes that were signed",
        if *ends { "ends before the" } else { "goes on after the" }
    )]
    Length { said: u64, ends: bool },
    #[error("the code is not what was signed")]
    Hash,
}

impl ArtifactRefusal {
    /// The code under which this reason is documented, counted and reported.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAnArtifact => "WT-TRUST-ARTIFACT-FORM",
            Self::Truncated => "WT-TRUST-ARTIFACT-TRUNCATED",
            Self::HeadTooLarge { .. } => "WT-TRUST-ARTIFACT-HEAD-TOO-LARGE",
            Self::Envelope(error) => error.code(),
            Self::Statement(_) => "WT-TRUST-ARTIFACT-STATEMENT",
            Self::Read(_) => "WT-TRUST-ARTIFACT-READ",
            Self::Role { .. } => "WT-TRUST-ARTIFACT-ROLE",
            Self::CompilerUnknown { .. } => "WT-TRUST-COMPILER-UNKNOWN",
            Self::CompilerRevoked { .. } => "WT-TRUST-COMPILER-REVOKED",
            Self::CompilerNotYetTrusted { .. } => "WT-TRUST-COMPILER-NOT-YET-TRUSTED",
            Self::CompilerLapsed { .. } => "WT-TRUST-COMPILER-LAPSED",
            Self::Source { .. } => "WT-TRUST-ARTIFACT-SOURCE",
            Self::Engine { .. } => "WT-TRUST-ARTIFACT-ENGINE",
            Self::TooLarge { .. } => "WT-TRUST-ARTIFACT-TOO-LARGE",
            Self::IssuedInFuture { .. } => "WT-TRUST-ARTIFACT-IN-FUTURE",
            Self::Expired { .. } => "WT-TRUST-ARTIFACT-EXPIRED",
            Self::Length { .. } => "WT-TRUST-ARTIFACT-LENGTH",
            Self::Hash => "WT-TRUST-ARTIFACT-HASH",
        }
    }
}
