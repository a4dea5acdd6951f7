//! Messages signed by one of us for another: assignments, the leader's word, heads of applications,
//! changes that people ask for.
//!
//! **Form.** MessagePack map `{v: 1, key, alg: "ed25519", sig, body}`: `key` the signer's public
//! key as text, `sig` 64 bytes, `body` any bytes. **Covered**: the context's name, a zero byte,
//! and the body as it stands; so a message of one kind cannot pass as another, and nobody has to
//! agree on how to encode a body twice. **Not covered**: freshness and addressee, which are the
//! body's business (epoch, generation, host, lattice). Unknown fields are passed over.
//!
//! [`open`] reads the form and believes nothing; [`SignedBytes::verify`] hands out the body.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Cursor;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use wattle_types::nkey::PublicKey;

use crate::key::{self, KeyPair, SIGNATURE_LEN};
use crate::refusal::excerpt;

const VERSION: u8 = 1;
const ALGORITHM: &str = "ed25519";
/// What NATS carries in one message with the largest `max_payload` we ship.
pub const SIGNED_BYTES_MAX: usize = 8 << 20;

/// What a signed message is. New kinds get new names; a changed body gets the next number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Context {
    /// Controller to one host: everything that host should run.
    Assignment,
    /// Leader to everyone: who leads, with which epoch.
    Leader,
    /// Compiler to every host: what machine code was made of, and for which engine.
    Artifact,
    /// Controller to controllers: the revisions of an application, and which of them should run.
    Head,
    /// A person to controllers: a change of an application that they ask for.
    Edit,
}

impl Context {
    pub const ALL: [Self; 5] =
        [Self::Assignment, Self::Leader, Self::Artifact, Self::Head, Self::Edit];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Assignment => "wattle-assignment-v1",
            Self::Leader => "wattle-leader-v1",
            Self::Artifact => "wattle-artifact-v1",
            Self::Head => "wattle-head-v1",
            Self::Edit => "wattle-edit-v1",
        }
    }

    /// What is signed. No name has a zero byte, so none is the start of another.
    fn covered(self, body: &[u8]) -> Vec<u8> {
        [self.name().as_bytes(), b"\0", body].concat()
    }
}

/// Why a signed message was not believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("a signed message of {bytes} bytes is longer than {SIGNED_BYTES_MAX} bytes")]
    TooLarge { bytes: usize },
    #[error("could not read a signed message")]
    Malformed(#[source] rmp_serde::decode::Error),
    #[error("bytes follow a signed message")]
    TrailingBytes,
    #[error("version {0} of signed messages is not known")]
    Version(u8),
    #[error("a message is signed by {0:?}; only `ed25519` is accepted")]
    Algorithm(String),
    #[error("a message is signed by {key}, which may not sign this")]
    KeyNotAllowed { key: PublicKey },
    #[error("a message for {} is not signed by the key it names", context.name())]
    Signature { context: Context, source: key::Error },
}

impl Error {
    /// The code under which this reason is documented, counted and reported.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "WT-TRUST-SIGNED-TOO-LARGE",
            Self::Malformed(_) => "WT-TRUST-SIGNED-MALFORMED",
            Self::TrailingBytes => "WT-TRUST-SIGNED-TRAILING-BYTES",
            Self::Version(_) => "WT-TRUST-SIGNED-VERSION",
            Self::Algorithm(_) => "WT-TRUST-SIGNED-ALGORITHM",
            Self::KeyNotAllowed { .. } => "WT-TRUST-SIGNED-KEY",
            Self::Signature { .. } => "WT-TRUST-SIGNED-SIGNATURE",
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Envelope {
    v: u8,
    #[serde(with = "key_text")]
    key: PublicKey,
    alg: String,
    #[serde(with = "serde_bytes")]
    sig: Vec<u8>,
    #[serde(with = "serde_bytes")]
    body: Vec<u8>,
}

/// Signs `body` as `context`.
pub fn seal(context: Context, body: &[u8], key: &KeyPair) -> Vec<u8> {
    let envelope = Envelope {
        v: VERSION,
        key: key.public(),
        alg: ALGORITHM.to_owned(),
        sig: key.sign(&context.covered(body)).to_vec(),
        body: body.to_vec(),
    };
    rmp_serde::to_vec_named(&envelope).expect("texts and bytes are MessagePack")
}

/// Reads the form of a signed message.
///
/// # Errors
/// [`Error`], for everything that can be wrong without looking at the signature.
pub fn open(bytes: &[u8]) -> Result<SignedBytes, Error> {
    if SIGNED_BYTES_MAX < bytes.len() {
        return Err(Error::TooLarge { bytes: bytes.len() });
    }
    let mut reader = rmp_serde::Deserializer::new(Cursor::new(bytes));
    let envelope = Envelope::deserialize(&mut reader).map_err(Error::Malformed)?;
    if reader.position() < bytes.len() as u64 {
        return Err(Error::TrailingBytes);
    }
    if envelope.v != VERSION {
        return Err(Error::Version(envelope.v));
    }
    if envelope.alg != ALGORITHM {
        return Err(Error::Algorithm(excerpt(&envelope.alg)));
    }
    let signature = envelope.sig.try_into().map_err(|sig: Vec<u8>| {
        Error::Malformed(de::Error::invalid_length(sig.len(), &"64 bytes"))
    })?;
    Ok(SignedBytes { key: envelope.key, signature, body: envelope.body })
}

/// A signed message that nobody has checked yet; its body stays inside until somebody does.
#[derive(Clone)]
pub struct SignedBytes {
    key: PublicKey,
    signature: [u8; SIGNATURE_LEN],
    body: Vec<u8>,
}

impl SignedBytes {
    /// Who it says has signed; for messages to people.
    pub fn claimed_key(&self) -> &PublicKey {
        &self.key
    }

    /// The body, if one of the `allowed` keys signed it as `context`.
    ///
    /// # Errors
    /// [`Error::KeyNotAllowed`] or [`Error::Signature`].
    pub fn verify(&self, context: Context, allowed: &BTreeSet<PublicKey>) -> Result<&[u8], Error> {
        if !allowed.contains(&self.key) {
            return Err(Error::KeyNotAllowed { key: self.key });
        }
        key::verify_strict(&self.key, &context.covered(&self.body), &self.signature)
            .map_err(|source| Error::Signature { context, source })?;
        Ok(&self.body)
    }
}

impl fmt::Debug for SignedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedBytes")
            .field("key", &self.key)
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}

mod key_text {
    use super::{Deserialize, Deserializer, PublicKey, Serializer, de};

    pub(super) fn serialize<S: Serializer>(key: &PublicKey, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(key)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PublicKey, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
