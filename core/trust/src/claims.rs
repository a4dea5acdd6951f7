//! What a component says of itself, and signing it.
//!
//! Writes and reads what the 1.x tools do: a JWT in the custom section `wasmcloud_jwt`, the last
//! of the outermost component. Claims prove nothing by themselves; what has been verified is a
//! [`VerifiedComponent`](crate::VerifiedComponent).

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest as _, Sha256};
use wattle_types::Digest;
use wattle_types::nkey::{IssuerKey, ModuleKey, NkeyError};

use crate::key::KeyPair;
use crate::limits::Limits;
use crate::outline::{self, Outline};
use crate::refusal::Refusal;
use crate::token::{self, Token};

/// The claims of a component. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Names this token (`jti`); of no consequence.
    pub id: String,
    /// Who signed (`iss`).
    pub issuer: IssuerKey,
    /// The component, across its revisions (`sub`).
    pub subject: ModuleKey,
    /// For people.
    pub name: Option<String>,
    /// SHA-256 of the component without signature sections: not of the file.
    pub hash: Digest,
    pub tags: Vec<String>,
    /// Counts up with each release; trust files set a minimum for it.
    pub rev: Option<u32>,
    /// The version for people.
    pub ver: Option<String>,
    /// A name for calls, of 1.x; kept and not used.
    pub call_alias: Option<String>,
    /// Whether the signer called it a provider (`prov`).
    pub provider: bool,
    pub issued_at: u64,
    pub expires: Option<u64>,
    pub not_before: Option<u64>,
}

/// What to say about a component when signing it. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignRequest {
    pub subject: ModuleKey,
    pub name: String,
    pub tags: Vec<String>,
    /// At most [`REV_MAX`].
    pub rev: Option<u32>,
    pub ver: Option<String>,
    /// ASCII in lower case without blanks, `-` and `.`, as the 1.x tools normalise it.
    pub call_alias: Option<String>,
    pub expires: Option<u64>,
    pub not_before: Option<u64>,
}

impl SignRequest {
    /// A name and a key, and nothing else said.
    pub fn new(subject: ModuleKey, name: impl Into<String>) -> Self {
        Self {
            subject,
            name: name.into(),
            tags: Vec::new(),
            rev: None,
            ver: None,
            call_alias: None,
            expires: None,
            not_before: None,
        }
    }
}

/// The 1.x tools read a revision as a signed number of 32 bits.
pub const REV_MAX: u32 = i32::MAX.unsigned_abs();

#[derive(Debug, thiserror::Error)]
pub enum SignError {
    #[error("could not read the component")]
    Component(#[source] Refusal),
    #[error("components are signed by an account")]
    Issuer(#[source] NkeyError),
    #[error("the name is empty")]
    NameEmpty,
    #[error("rev = {given}: at most {REV_MAX} can be read by the 1.x tools")]
    Rev { given: u32 },
    #[error("call alias {given:?}: the 1.x tools would write {right:?}")]
    CallAlias { given: String, right: String },
    #[error("expires = {expires}: that is not after {from}, when it becomes valid")]
    NeverValid { from: u64, expires: u64 },
    #[error("the token would have {bytes} bytes; verifiers read at most {max}")]
    TokenTooLarge { bytes: usize, max: usize },
}

/// Signs a component; signatures it has, at any depth, are taken out first.
///
/// The same arguments give the same bytes.
///
/// # Errors
/// [`SignError`]: the component cannot be read, or the request says something that no verifier
/// would accept.
pub fn sign(
    component: &[u8],
    request: &SignRequest,
    issuer: &KeyPair,
    now_unix_s: u64,
) -> Result<Vec<u8>, SignError> {
    let limits = Limits::default();
    let issuer_key = issuer.public().try_into().map_err(SignError::Issuer)?;
    check(request, now_unix_s)?;
    let outline = Outline::of(component, &limits).map_err(SignError::Component)?;
    let mut claims = Claims {
        id: String::new(),
        issuer: issuer_key,
        subject: request.subject,
        name: Some(request.name.clone()),
        hash: outline.content_hash(),
        tags: request.tags.clone(),
        rev: request.rev,
        ver: request.ver.clone(),
        call_alias: request.call_alias.clone(),
        provider: false,
        issued_at: now_unix_s,
        expires: request.expires,
        not_before: request.not_before,
    };
    claims.id = token_id(&claims);
    let token = token::write(&claims, issuer);
    if limits.token_bytes_max < token.len() {
        return Err(SignError::TokenTooLarge { bytes: token.len(), max: limits.token_bytes_max });
    }
    let mut signed = outline.content();
    outline::append_custom(&mut signed, outline::SIGNATURE_SECTION, token.as_bytes());
    if limits.artifact_bytes_max < signed.len() {
        return Err(SignError::Component(Refusal::TooLarge {
            bytes: signed.len(),
            max: limits.artifact_bytes_max,
        }));
    }
    Ok(signed)
}

/// What the token of a component says, for people: nothing about it is verified.
///
/// # Errors
/// [`Refusal`] if the bytes are no component or the token has no one reading. Without a signature
/// it is `None`.
pub fn inspect(component: &[u8]) -> Result<Option<Claims>, Refusal> {
    let limits = Limits::default();
    match Outline::of(component, &limits)?.token() {
        Ok(token) => Ok(Some(Token::read(token, &limits)?.claims)),
        Err(Refusal::Unsigned) => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

fn check(request: &SignRequest, now_unix_s: u64) -> Result<(), SignError> {
    if request.name.is_empty() {
        return Err(SignError::NameEmpty);
    }
    if let Some(given) = request.rev.filter(|rev| REV_MAX < *rev) {
        return Err(SignError::Rev { given });
    }
    if let Some(given) = &request.call_alias {
        let right = normal_alias(given);
        if *given != right {
            return Err(SignError::CallAlias { given: given.clone(), right });
        }
    }
    let from = request.not_before.unwrap_or(now_unix_s);
    match request.expires {
        Some(expires) if expires <= from => Err(SignError::NeverValid { from, expires }),
        _ => Ok(()),
    }
}

fn normal_alias(alias: &str) -> String {
    let alias = alias.to_lowercase();
    let ascii = alias.trim().chars().filter(char::is_ascii);
    ascii.map(|c| if matches!(c, ' ' | '-' | '.') { '_' } else { c }).collect()
}

/// 22 characters, as many as the 1.x tools draw at random. Made from the claims instead: there is
/// no randomness here, and signing twice gives the same file.
fn token_id(claims: &Claims) -> String {
    const LEN: usize = 22;
    let hash = Sha256::digest(format!("{claims:?}"));
    let mut id = BASE64URL_NOPAD.encode(&hash).replace(['-', '_'], "0");
    id.truncate(LEN);
    id
}

#[cfg(test)]
mod tests;
