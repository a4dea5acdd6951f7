//! Keys, claims, signatures, and who is believed.
//!
//! Decides one question: may these bytes run here? [`verify()`] answers with a
//! [`VerifiedComponent`], which nothing else can make and which the engine asks for before it
//! compiles, or with a [`Refusal`] that has one stable code per reason.
//!
//! A second question of the same kind: is this machine code what a component compiles to?
//! [`VerifiedArtifact`] is the answer ([`artifact`]).
//!
//! Pure: no files, no network, no clock (time is an argument). Randomness is in
//! [`KeyPair::generate`] only.
//!
//! In reading order: keys and signatures ([`key`]); what a component's token says, and how it is
//! written ([`claims`]); whom we trust, as a person writes it ([`trust_file`]) and as it is used
//! ([`policy`]); the verdict ([`verify`](mod@verify), [`refusal`], [`limits`]); code that was made
//! elsewhere ([`artifact`]); signed messages between our own ([`signed`]).

pub mod artifact;
pub mod claims;
mod json;
pub mod key;
pub mod limits;
mod outline;
pub mod policy;
pub mod refusal;
pub mod signed;
mod token;
pub mod trust_file;
pub mod verify;

#[cfg(test)]
mod tests;

pub use artifact::{ArtifactRefusal, ArtifactRequest, VerifiedArtifact, Wanted};
pub use claims::{Claims, SignRequest};
pub use key::{KeyPair, Secret, verify_strict};
pub use limits::Limits;
pub use policy::TrustPolicy;
pub use refusal::Refusal;
pub use signed::{Context, SignedBytes};
pub use trust_file::TrustFile;
pub use verify::{VerifiedComponent, verify};
