//! The verdict on an artifact, before anyone parses deeper or compiles.
//!
//! In this order, so that nothing unbounded is read on the word of a stranger: the frame of the
//! file; where its one signature stands; the form of the token; whether we trust who signed;
//! the signature; when it is valid; that it is about these bytes; what we have revoked.

use std::fmt;

use bytes::Bytes;
use wattle_types::Digest;

use crate::claims::Claims;
use crate::key;
use crate::outline::{Hashes, Outline};
use crate::policy::TrustPolicy;
use crate::refusal::Refusal;
use crate::token::Token;

/// Clocks of signers and hosts may differ by this much, in seconds.
pub const SKEW_S: u64 = 60;

/// Bytes that passed [`verify`], and the claims that did.
///
/// There is no other way to make one: whoever holds it need not check again.
#[derive(Clone)]
pub struct VerifiedComponent {
    bytes: Bytes,
    digest: Digest,
    claims: Claims,
}

impl VerifiedComponent {
    /// The file, as it came.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// SHA-256 of the file.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    pub fn claims(&self) -> &Claims {
        &self.claims
    }
}

impl fmt::Debug for VerifiedComponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedComponent")
            .field("digest", &self.digest)
            .field("claims", &self.claims)
            .finish_non_exhaustive()
    }
}

/// Decides whether `file` is a component that `policy` lets run at `now_unix_s`.
///
/// Takes time and memory in proportion to the bytes, within the policy's limits: one signature
/// check, and one hash for the file and what was signed of it, or two if tools wrote them apart.
/// Call it off the serving path.
///
/// # Errors
/// [`Refusal`], one variant per reason.
pub fn verify(
    file: Bytes,
    policy: &TrustPolicy,
    now_unix_s: u64,
) -> Result<VerifiedComponent, Refusal> {
    let limits = policy.limits();
    let outline = Outline::of(&file, limits)?;
    let token = Token::read(outline.token()?, limits)?;
    let claims = &token.claims;

    check_signer(&token, policy, now_unix_s)?;
    check_times(claims, policy, now_unix_s)?;
    let Hashes { content, file: digest } = outline.hashes();
    if content != claims.hash {
        return Err(Refusal::HashMismatch { signed: claims.hash, found: content });
    }
    policy.admits_module(&claims.subject, claims.rev)?;
    // By the file or by what was signed: the frame of a file can be written in several ways
    // without touching its content, and a revocation must cover all of them.
    policy.admits_digest(digest)?;
    policy.admits_digest(content)?;

    let claims = token.claims;
    Ok(VerifiedComponent { bytes: file, digest, claims })
}

fn check_signer(token: &Token<'_>, policy: &TrustPolicy, now: u64) -> Result<(), Refusal> {
    let issuer = token.claims.issuer;
    let key = *issuer.public();
    key::checked(&key).map_err(|_| Refusal::IssuerWeak { key })?;
    policy.admits_issuer(&issuer, &token.claims.subject, now)?;
    key::verify_strict(&key, token.signed, &token.signature)
        .map_err(|_| Refusal::SignatureInvalid { issuer })
}

fn check_times(claims: &Claims, policy: &TrustPolicy, now: u64) -> Result<(), Refusal> {
    let latest = now.saturating_add(SKEW_S);
    if latest < claims.issued_at {
        return Err(Refusal::IssuedInFuture { issued_at: claims.issued_at, now });
    }
    if let Some(not_before) = claims.not_before.filter(|not_before| latest < *not_before) {
        return Err(Refusal::NotYetValid { not_before, now });
    }
    let earliest = now.saturating_sub(SKEW_S);
    if let Some(expires) = claims.expires.filter(|expires| *expires < earliest) {
        return Err(Refusal::Expired { expires, now });
    }
    policy.admits_lifetime(claims)
}
