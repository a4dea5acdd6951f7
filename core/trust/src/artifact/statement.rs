//! What a compiler says of the code it made, and how it is signed.

use std::fmt;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use wattle_types::Digest;
use wattle_types::nkey::CompilerKey;
use wattle_types::stored::{self, VERSION};

use super::head::Head;
use crate::key::KeyPair;
use crate::signed::{self, Context};

/// BLAKE3 of code: the files are large, and are hashed at each start of an actor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CodeHash(pub [u8; 32]);

impl CodeHash {
    pub fn of(code: &[u8]) -> Self {
        Self(blake3::hash(code).into())
    }
}

/// What is said of code. Whoever holds one from [`Vouched`](super::Vouched) may believe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The content of the component it was made of: what the claims' hash of that says.
    pub source: Digest,
    /// The name of the engine it was made for.
    pub engine: String,
    pub hash: CodeHash,
    pub code_bytes: u64,
    /// Seconds since 1970.
    pub issued_s: u64,
    /// The last moment at which it may be used; for ever, if not given.
    pub expires_s: Option<u64>,
    /// Who says it.
    pub compiler: CompilerKey,
}

/// What to say of code; the rest follows from the code and the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactRequest {
    pub source: Digest,
    pub engine: String,
    pub issued_s: u64,
    pub expires_s: Option<u64>,
}

/// As it is signed. The signer is in the envelope.
#[derive(Serialize, Deserialize)]
pub(super) struct Body {
    v: u8,
    source: Digest,
    engine: String,
    hash: CodeHash,
    code_bytes: u64,
    issued_s: u64,
    expires_s: Option<u64>,
}

impl Body {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, stored::Error> {
        stored::decode("a statement about code", bytes)
    }

    pub(super) fn by(self, compiler: CompilerKey) -> Statement {
        let Self { v: _, source, engine, hash, code_bytes, issued_s, expires_s } = self;
        Statement { source, engine, hash, code_bytes, issued_s, expires_s, compiler }
    }
}

impl ArtifactRequest {
    /// The head of a file with this code; the code follows it.
    pub fn sign(&self, code: &[u8], compiler: &KeyPair) -> Vec<u8> {
        let body = Body {
            v: VERSION,
            source: self.source,
            engine: self.engine.clone(),
            hash: CodeHash::of(code),
            code_bytes: code.len() as u64,
            issued_s: self.issued_s,
            expires_s: self.expires_s,
        };
        Head::write(&signed::seal(Context::Artifact, &stored::encode(&body), compiler))
    }
}

impl fmt::Display for CodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for CodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for CodeHash {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        serde_bytes::Bytes::new(&self.0).serialize(to)
    }
}

impl<'de> Deserialize<'de> for CodeHash {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        serde_bytes::ByteArray::deserialize(from).map(|bytes| Self(bytes.into_array()))
    }
}
