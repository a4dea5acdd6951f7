//! Why an artifact may not run: one variant and one stable code per reason.
//!
//! Messages are for operators. Text that came from the artifact is quoted and cut short, and
//! text that could be a secret is never repeated.

use wattle_types::Digest;
use wattle_types::nkey::{IssuerKey, ModuleKey, NkeyError, PublicKey, Role};

/// Why [`verify`](crate::verify()) refused. Codes do not change once released.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    // The bytes.
    #[error("the file is empty")]
    Empty,
    #[error("the file has {bytes} bytes; at most {max} are read")]
    TooLarge { bytes: usize, max: usize },
    #[error("this is not a WebAssembly file")]
    NotWasm,
    #[error("version {found:#010x} of the binary format is not known")]
    FormatVersion { found: u32 },
    #[error("this is a core module; a component is expected")]
    CoreModule,
    #[error("the file ends in the middle of the section at byte {at}")]
    Truncated { at: usize },
    #[error("the section at byte {at} says it has {bytes} bytes; a file has at most {max}")]
    SectionTooLarge { at: usize, bytes: u32, max: usize },
    #[error("the section at byte {at} reaches beyond the one it is in")]
    SectionOverrun { at: usize },
    #[error("the section at byte {at} has a malformed length")]
    SectionLength { at: usize },
    #[error("the custom section at byte {at} has a name that is not UTF-8 or not in the section")]
    SectionName { at: usize },
    #[error("section {id} at byte {at} is of no known kind")]
    SectionUnknown { id: u8, at: usize },
    #[error("there are more than {max} sections")]
    TooManySections { max: usize },
    #[error("components are nested more than {max} deep")]
    TooDeep { max: usize },
    #[error("the section at byte {at} is malformed: {reason}")]
    Malformed { at: usize, reason: String },
    #[error("bytes follow the signature, from byte {at}, that are no section")]
    TrailingBytes { at: usize },

    // Where the signature is.
    #[error("the component is not signed")]
    Unsigned,
    #[error("the component is signed in the legacy section `jwt`; sign it again")]
    SignatureLegacy,
    #[error("there are {count} signature sections; one is allowed")]
    SignatureTwice { count: usize },
    #[error("a part inside the component carries a signature section, at byte {at}")]
    SignatureNested { at: usize },
    #[error("sections follow the signature section, which must be the last")]
    SignatureNotLast,

    // The token's form.
    #[error("the token has {bytes} bytes; at most {max} are read")]
    TokenTooLarge { bytes: usize, max: usize },
    #[error("a token has three segments, this one has {found}")]
    TokenSegments { found: usize },
    #[error("the {segment} of the token is not base64url without padding")]
    TokenBase64 { segment: &'static str },
    #[error("the {segment} of the token is not UTF-8")]
    TokenUtf8 { segment: &'static str },
    #[error("the {segment} of the token is not a JSON object")]
    TokenJson { segment: &'static str },
    #[error("the {segment} of the token is nested too deeply")]
    TokenNesting { segment: &'static str },
    #[error("the {segment} of the token has the key {key:?} twice")]
    TokenKeyTwice { segment: &'static str, key: String },
    #[error("the header of the token has no text {field:?}")]
    HeaderMissing { field: &'static str },
    #[error("the token says it is not signed (`alg` is `none`)")]
    AlgorithmNone,
    #[error("the token is signed by {found:?}; only `Ed25519` is accepted")]
    Algorithm { found: String },
    #[error("the token is of type {found:?}; `jwt` is expected")]
    TokenType { found: String },
    #[error("the token has critical headers, of which none is known")]
    HeaderCritical,
    #[error("the header of the token has the field {field:?}, which could name another key")]
    HeaderUnknown { field: String },

    // The claims' form.
    #[error("the token has no claim `{claim}`")]
    ClaimMissing { claim: &'static str },
    #[error("the claim `{claim}` is not {expected}")]
    ClaimType { claim: &'static str, expected: &'static str },
    #[error("the token names an audience; tokens of components have none")]
    Audience,
    #[error("the token has revision {found:?} of the claims; the hash counts only from 3 on")]
    ClaimsRevision { found: Option<u64> },
    #[error("the token does not say of which bytes it speaks")]
    HashMissing,
    #[error("the claim `hash` is not a SHA-256 in upper-case hexadecimal")]
    HashMalformed,
    #[error("the claim `{claim}` is not a key")]
    KeyMalformed { claim: &'static str, source: NkeyError },
    #[error("the key in the claim `{claim}` has a wrong checksum")]
    KeyChecksum { claim: &'static str },
    #[error("the claim `{claim}` has a seed instead of a public key; consider that key stolen")]
    KeyIsSeed { claim: &'static str },
    #[error("the issuer has a {found} key; only an account key (A…) signs components")]
    IssuerRole { found: Role },
    #[error("the subject has a {found} key; a component has a module key (M…)")]
    SubjectRole { found: Role },
    #[error("the issuer's key {key} is one for which anyone can sign")]
    IssuerWeak { key: PublicKey },

    // Who signed.
    #[error("the issuer {issuer} is not trusted here")]
    IssuerUnknown { issuer: IssuerKey },
    #[error("the issuer {issuer} is revoked")]
    IssuerRevoked { issuer: IssuerKey },
    #[error("the issuer {issuer} is trusted only later")]
    IssuerNotYetTrusted { issuer: IssuerKey },
    #[error("the issuer {issuer} is no longer trusted")]
    IssuerLapsed { issuer: IssuerKey },
    #[error("the issuer {issuer} may not sign for {module}")]
    IssuerOutOfScope { issuer: IssuerKey, module: ModuleKey },
    #[error("the signature in the token has {found} bytes instead of 64")]
    SignatureLength { found: usize },
    #[error("the signature is not by {issuer} over this token")]
    SignatureInvalid { issuer: IssuerKey },

    // What was signed, and when.
    #[error("the component was changed after it was signed: signed {signed}, found {found}")]
    HashMismatch { signed: Digest, found: Digest },
    #[error("the token expired at {expires}, now is {now} (seconds since 1970)")]
    Expired { expires: u64, now: u64 },
    #[error("the token is valid from {not_before}, now is {now} (seconds since 1970)")]
    NotYetValid { not_before: u64, now: u64 },
    #[error("the token was issued at {issued_at}, now is {now} (seconds since 1970)")]
    IssuedInFuture { issued_at: u64, now: u64 },
    #[error("the token never expires, and the trust file demands that it does")]
    ExpiryMissing,
    #[error("the token is valid for {lifetime_s} s; the trust file allows {max_s} s")]
    LifetimeTooLong { lifetime_s: u64, max_s: u64 },
    #[error("the component's key {module} is revoked")]
    ModuleRevoked { module: ModuleKey },
    #[error("the bytes {digest} are revoked")]
    DigestRevoked { digest: Digest },
    #[error("the token has no revision, and the trust file demands {minimum} for {module}")]
    RevisionMissing { module: ModuleKey, minimum: u32 },
    #[error("revision {found} of {module} is below {minimum}, which the trust file demands")]
    RevisionTooLow { module: ModuleKey, found: u32, minimum: u32 },
}

impl Refusal {
    /// The code under which this reason is documented, counted and reported.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "WT-TRUST-EMPTY",
            Self::TooLarge { .. } => "WT-TRUST-TOO-LARGE",
            Self::NotWasm => "WT-TRUST-NOT-WASM",
            Self::FormatVersion { .. } => "WT-TRUST-FORMAT-VERSION",
            Self::CoreModule => "WT-TRUST-CORE-MODULE",
            Self::Truncated { .. } => "WT-TRUST-TRUNCATED",
            Self::SectionTooLarge { .. } => "WT-TRUST-SECTION-TOO-LARGE",
            Self::SectionOverrun { .. } => "WT-TRUST-SECTION-OVERRUN",
            Self::SectionLength { .. } => "WT-TRUST-SECTION-LENGTH",
            Self::SectionName { .. } => "WT-TRUST-SECTION-NAME",
            Self::SectionUnknown { .. } => "WT-TRUST-SECTION-UNKNOWN",
            Self::TooManySections { .. } => "WT-TRUST-TOO-MANY-SECTIONS",
            Self::TooDeep { .. } => "WT-TRUST-TOO-DEEP",
            Self::Malformed { .. } => "WT-TRUST-MALFORMED",
            Self::TrailingBytes { .. } => "WT-TRUST-TRAILING-BYTES",
            Self::Unsigned => "WT-TRUST-UNSIGNED",
            Self::SignatureLegacy => "WT-TRUST-SIGNATURE-LEGACY",
            Self::SignatureTwice { .. } => "WT-TRUST-SIGNATURE-TWICE",
            Self::SignatureNested { .. } => "WT-TRUST-SIGNATURE-NESTED",
            Self::SignatureNotLast => "WT-TRUST-SIGNATURE-NOT-LAST",
            Self::TokenTooLarge { .. } => "WT-TRUST-TOKEN-TOO-LARGE",
            Self::TokenSegments { .. } => "WT-TRUST-TOKEN-SEGMENTS",
            Self::TokenBase64 { .. } => "WT-TRUST-TOKEN-BASE64",
            Self::TokenUtf8 { .. } => "WT-TRUST-TOKEN-UTF8",
            Self::TokenJson { .. } => "WT-TRUST-TOKEN-JSON",
            Self::TokenNesting { .. } => "WT-TRUST-TOKEN-NESTING",
            Self::TokenKeyTwice { .. } => "WT-TRUST-TOKEN-KEY-TWICE",
            Self::HeaderMissing { .. } => "WT-TRUST-HEADER-MISSING",
            Self::AlgorithmNone => "WT-TRUST-ALGORITHM-NONE",
            Self::Algorithm { .. } => "WT-TRUST-ALGORITHM",
            Self::TokenType { .. } => "WT-TRUST-TOKEN-TYPE",
            Self::HeaderCritical => "WT-TRUST-HEADER-CRITICAL",
            Self::HeaderUnknown { .. } => "WT-TRUST-HEADER-UNKNOWN",
            Self::ClaimMissing { .. } => "WT-TRUST-CLAIM-MISSING",
            Self::ClaimType { .. } => "WT-TRUST-CLAIM-TYPE",
            Self::Audience => "WT-TRUST-AUDIENCE",
            Self::ClaimsRevision { .. } => "WT-TRUST-CLAIMS-REVISION",
            Self::HashMissing => "WT-TRUST-HASH-MISSING",
            Self::HashMalformed => "WT-TRUST-HASH-MALFORMED",
            Self::KeyMalformed { .. } => "WT-TRUST-KEY-MALFORMED",
            Self::KeyChecksum { .. } => "WT-TRUST-KEY-CHECKSUM",
            Self::KeyIsSeed { .. } => "WT-TRUST-KEY-IS-SEED",
            Self::IssuerRole { .. } => "WT-TRUST-ISSUER-ROLE",
            Self::SubjectRole { .. } => "WT-TRUST-SUBJECT-ROLE",
            Self::IssuerWeak { .. } => "WT-TRUST-ISSUER-WEAK",
            Self::IssuerUnknown { .. } => "WT-TRUST-ISSUER-UNKNOWN",
            Self::IssuerRevoked { .. } => "WT-TRUST-ISSUER-REVOKED",
            Self::IssuerNotYetTrusted { .. } => "WT-TRUST-ISSUER-NOT-YET-TRUSTED",
            Self::IssuerLapsed { .. } => "WT-TRUST-ISSUER-LAPSED",
            Self::IssuerOutOfScope { .. } => "WT-TRUST-ISSUER-OUT-OF-SCOPE",
            Self::SignatureLength { .. } => "WT-TRUST-SIGNATURE-LENGTH",
            Self::SignatureInvalid { .. } => "WT-TRUST-SIGNATURE-INVALID",
            Self::HashMismatch { .. } => "WT-TRUST-HASH-MISMATCH",
            Self::Expired { .. } => "WT-TRUST-EXPIRED",
            Self::NotYetValid { .. } => "WT-TRUST-NOT-YET-VALID",
            Self::IssuedInFuture { .. } => "WT-TRUST-ISSUED-IN-FUTURE",
            Self::ExpiryMissing => "WT-TRUST-EXPIRY-MISSING",
            Self::LifetimeTooLong { .. } => "WT-TRUST-LIFETIME-TOO-LONG",
            Self::ModuleRevoked { .. } => "WT-TRUST-MODULE-REVOKED",
            Self::DigestRevoked { .. } => "WT-TRUST-DIGEST-REVOKED",
            Self::RevisionMissing { .. } => "WT-TRUST-REVISION-MISSING",
            Self::RevisionTooLow { .. } => "WT-TRUST-REVISION-TOO-LOW",
        }
    }

    /// Whether the same bytes under the same trust file may pass once some time has gone by.
    pub const fn may_pass_later(&self) -> bool {
        matches!(
            self,
            Self::NotYetValid { .. }
                | Self::IssuedInFuture { .. }
                | Self::IssuerNotYetTrusted { .. }
        )
    }
}

/// At most 64 characters of a text that an artifact brought along.
pub(crate) fn excerpt(text: &str) -> String {
    const CHARS_MAX: usize = 64;
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
