//! The head of a file of code: read with bounds before anybody is believed.
//!
//! Eight bytes that say what this is, the length of the envelope as 32 bits with the low byte first,
//! and the signed envelope. The code follows at once.

use std::io::Read;

use super::read_up_to;
use super::refusal::ArtifactRefusal;
use super::statement::{Body, Statement};
use crate::policy::TrustPolicy;
use crate::signed::{self, Context, SignedBytes};

/// No text begins so, nor a component, nor what wasmtime itself writes.
const MAGIC: [u8; 8] = *b"\0wattleC";
const LEN_BYTES: usize = 4;

/// All of a head. An envelope has some 350 bytes; what is longer was not written by us.
pub const HEAD_BYTES_MAX: usize = 4 << 10;

/// A head of the right form, believed by nobody yet.
#[derive(Clone, Debug)]
pub struct Head {
    bytes: Vec<u8>,
    signed: SignedBytes,
}

impl Head {
    /// Reads a head and no more, so that the code is what is read next.
    ///
    /// # Errors
    /// [`ArtifactRefusal`], for everything that can be wrong without looking at the signature.
    pub fn read_from(source: &mut impl Read) -> Result<Self, ArtifactRefusal> {
        let mut bytes = vec![0; MAGIC.len() + LEN_BYTES];
        let found = read_up_to(source, &mut bytes).map_err(ArtifactRefusal::Read)?;
        let magic = &bytes[..found.min(MAGIC.len())];
        if magic.is_empty() || !MAGIC.starts_with(magic) {
            return Err(ArtifactRefusal::NotAnArtifact);
        }
        if found < bytes.len() {
            return Err(ArtifactRefusal::Truncated);
        }
        let (_, len) = bytes.split_last_chunk::<LEN_BYTES>().expect("it is longer");
        let len = u32::from_le_bytes(*len) as usize;
        let max = HEAD_BYTES_MAX - bytes.len();
        if max < len {
            return Err(ArtifactRefusal::HeadTooLarge { bytes: len, max });
        }
        let start = bytes.len();
        bytes.resize(start + len, 0);
        let found = read_up_to(source, &mut bytes[start..]).map_err(ArtifactRefusal::Read)?;
        if found < len {
            return Err(ArtifactRefusal::Truncated);
        }
        let signed = signed::open(&bytes[start..]).map_err(ArtifactRefusal::Envelope)?;
        Ok(Self { bytes, signed })
    }

    /// As it stands in the file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The statement, if whom we believe has signed it.
    pub(super) fn statement(
        &self,
        policy: &TrustPolicy,
        now: u64,
    ) -> Result<Statement, ArtifactRefusal> {
        let key = *self.signed.claimed_key();
        let compiler = key.try_into().map_err(|_| ArtifactRefusal::Role { found: key.role() })?;
        policy.admits_compiler(&compiler, now)?;
        let body = self.signed.verify(Context::Artifact, &[key].into());
        let body = body.map_err(ArtifactRefusal::Envelope)?;
        Ok(Body::read(body).map_err(ArtifactRefusal::Statement)?.by(compiler))
    }

    pub(super) fn write(envelope: &[u8]) -> Vec<u8> {
        let len = u32::try_from(envelope.len()).expect("an envelope has some hundred bytes");
        [&MAGIC[..], &len.to_le_bytes(), envelope].concat()
    }
}
