//! The token of a component: a JWT as the 1.x tools write it, read strictly.
//!
//! Reading checks form only: three segments, one algorithm, claims of the right types, keys of
//! the right roles. Whether anyone believes it is [`verify`](crate::verify())'s business.

use std::collections::BTreeMap;

use data_encoding::{BASE64URL_NOPAD, HEXUPPER};
use serde::Serialize;
use wattle_types::Digest;
use wattle_types::nkey::{IssuerKey, ModuleKey, NkeyError, PublicKey};

use crate::claims::Claims;
use crate::json::{self, Fault, Json};
use crate::key::{KeyPair, SIGNATURE_LEN};
use crate::limits::Limits;
use crate::refusal::{Refusal, excerpt};

const TYPE: &str = "jwt";
const ALGORITHM: &str = "Ed25519";
/// Since this revision of the claims their hash says what they are about.
const CLAIMS_REVISION: u64 = 3;

const HEADER: &str = "header";
const CLAIMS: &str = "claims";
const SIGNATURE: &str = "signature";

/// A token of the right form, believed by nobody yet.
#[derive(Debug)]
pub(crate) struct Token<'a> {
    pub(crate) claims: Claims,
    /// What the signature covers: header and claims as they stand in the file.
    pub(crate) signed: &'a [u8],
    pub(crate) signature: [u8; SIGNATURE_LEN],
}

impl<'a> Token<'a> {
    pub(crate) fn read(raw: &'a [u8], limits: &Limits) -> Result<Self, Refusal> {
        if limits.token_bytes_max < raw.len() {
            return Err(Refusal::TokenTooLarge { bytes: raw.len(), max: limits.token_bytes_max });
        }
        let segments: Vec<&[u8]> = raw.split(|byte| *byte == b'.').collect();
        let [header, claims, signature] = segments[..] else {
            return Err(Refusal::TokenSegments { found: segments.len() });
        };
        check_header(object(header, HEADER)?)?;
        let claims = Fields(object(claims, CLAIMS)?).claims()?;
        let signature = base64(signature, SIGNATURE)?;
        let found = signature.len();
        Ok(Self {
            claims,
            signed: &raw[..header.len() + 1 + segments[1].len()],
            signature: signature.try_into().map_err(|_| Refusal::SignatureLength { found })?,
        })
    }
}

fn base64(raw: &[u8], segment: &'static str) -> Result<Vec<u8>, Refusal> {
    BASE64URL_NOPAD.decode(raw).map_err(|_| Refusal::TokenBase64 { segment })
}

fn object(raw: &[u8], segment: &'static str) -> Result<BTreeMap<String, Json>, Refusal> {
    match json::parse(&base64(raw, segment)?) {
        Ok(Json::Object(object)) => Ok(object),
        Ok(_) | Err(Fault::Syntax) => Err(Refusal::TokenJson { segment }),
        Err(Fault::Utf8) => Err(Refusal::TokenUtf8 { segment }),
        Err(Fault::TooDeep) => Err(Refusal::TokenNesting { segment }),
        Err(Fault::KeyTwice(key)) => Err(Refusal::TokenKeyTwice { segment, key: excerpt(&key) }),
    }
}

/// The header has exactly two fields: whatever else a JWT's header can say (`kid`, `jwk`, `jku`,
/// `x5u` …) proposes a key, and the key is not the token's to propose.
fn check_header(mut header: BTreeMap<String, Json>) -> Result<(), Refusal> {
    let mut text = |field| match header.remove(field) {
        Some(Json::Text(text)) => Ok(text),
        _ => Err(Refusal::HeaderMissing { field }),
    };
    let algorithm = text("alg")?;
    if algorithm.eq_ignore_ascii_case("none") {
        return Err(Refusal::AlgorithmNone);
    }
    if algorithm != ALGORITHM {
        return Err(Refusal::Algorithm { found: excerpt(&algorithm) });
    }
    let kind = text("typ")?;
    if kind != TYPE {
        return Err(Refusal::TokenType { found: excerpt(&kind) });
    }
    if header.contains_key("crit") {
        return Err(Refusal::HeaderCritical);
    }
    match header.pop_first() {
        Some((field, _)) => Err(Refusal::HeaderUnknown { field: excerpt(&field) }),
        None => Ok(()),
    }
}

/// One JSON object of claims. Fields that nobody asks for are left alone: later tools may add
/// some.
struct Fields(BTreeMap<String, Json>);

impl Fields {
    fn claims(mut self) -> Result<Claims, Refusal> {
        if self.0.contains_key("aud") {
            return Err(Refusal::Audience);
        }
        let issuer = self.required("iss", Self::text)?;
        let subject = self.required("sub", Self::text)?;
        let id = self.required("jti", Self::text)?;
        let issued_at = self.required("iat", Self::seconds)?;
        let expires = self.seconds("exp")?;
        let not_before = self.seconds("nbf")?;
        let revision = self.seconds("wascap_revision")?;
        let mut inner = match self.0.remove("wascap") {
            Some(Json::Object(inner)) => Self(inner),
            Some(_) => {
                return Err(Refusal::ClaimType { claim: "wascap", expected: "an object" });
            }
            None => return Err(Refusal::ClaimMissing { claim: "wascap" }),
        };
        if revision.is_none_or(|revision| revision < CLAIMS_REVISION) {
            return Err(Refusal::ClaimsRevision { found: revision });
        }
        Ok(Claims {
            id,
            issuer: issuer_key(&issuer)?,
            subject: subject_key(&subject)?,
            issued_at,
            expires,
            not_before,
            hash: inner.hash()?,
            name: inner.text("name")?,
            tags: inner.texts("tags")?,
            rev: inner.rev()?,
            ver: inner.text("ver")?,
            call_alias: inner.text("call_alias")?,
            provider: inner.flag("prov")?,
        })
    }

    fn required<T>(
        &mut self,
        claim: &'static str,
        read: impl Fn(&mut Self, &'static str) -> Result<Option<T>, Refusal>,
    ) -> Result<T, Refusal> {
        read(self, claim)?.ok_or(Refusal::ClaimMissing { claim })
    }

    fn text(&mut self, claim: &'static str) -> Result<Option<String>, Refusal> {
        match self.0.remove(claim) {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text)),
            Some(_) => Err(Refusal::ClaimType { claim, expected: "a text" }),
        }
    }

    fn texts(&mut self, claim: &'static str) -> Result<Vec<String>, Refusal> {
        let wrong = Refusal::ClaimType { claim, expected: "a list of texts" };
        let list = match self.0.remove(claim) {
            None => return Ok(Vec::new()),
            Some(Json::List(list)) => list,
            Some(_) => return Err(wrong),
        };
        let texts = list.into_iter().map(|item| match item {
            Json::Text(text) => Some(text),
            _ => None,
        });
        texts.collect::<Option<_>>().ok_or(wrong)
    }

    fn flag(&mut self, claim: &'static str) -> Result<bool, Refusal> {
        match self.0.remove(claim) {
            None => Ok(false),
            Some(Json::Bool(flag)) => Ok(flag),
            Some(_) => Err(Refusal::ClaimType { claim, expected: "true or false" }),
        }
    }

    fn seconds(&mut self, claim: &'static str) -> Result<Option<u64>, Refusal> {
        match self.0.remove(claim) {
            None => Ok(None),
            Some(Json::Number(Some(number))) => Ok(Some(number)),
            Some(_) => Err(Refusal::ClaimType { claim, expected: "a whole number of 64 bits" }),
        }
    }

    /// The other tools read it as a signed number of 32 bits.
    fn rev(&mut self) -> Result<Option<u32>, Refusal> {
        const EXPECTED: &str = "a whole number from 0 to 2147483647";
        let wrong = || Refusal::ClaimType { claim: "rev", expected: EXPECTED };
        let Some(rev) = self.seconds("rev").map_err(|_| wrong())? else {
            return Ok(None);
        };
        let rev = i32::try_from(rev).map_err(|_| wrong())?;
        Ok(Some(rev.unsigned_abs()))
    }

    fn hash(&mut self) -> Result<Digest, Refusal> {
        let text = self.text("hash")?.filter(|text| !text.is_empty());
        let text = text.ok_or(Refusal::HashMissing)?;
        let bytes = HEXUPPER.decode(text.as_bytes()).map_err(|_| Refusal::HashMalformed)?;
        bytes.try_into().map(Digest::from_bytes).map_err(|_| Refusal::HashMalformed)
    }
}

fn issuer_key(text: &str) -> Result<IssuerKey, Refusal> {
    public_key(text, "iss")?.try_into().map_err(|error| match error {
        NkeyError::Role { found, .. } => Refusal::IssuerRole { found },
        source => Refusal::KeyMalformed { claim: "iss", source },
    })
}

fn subject_key(text: &str) -> Result<ModuleKey, Refusal> {
    public_key(text, "sub")?.try_into().map_err(|error| match error {
        NkeyError::Role { found, .. } => Refusal::SubjectRole { found },
        source => Refusal::KeyMalformed { claim: "sub", source },
    })
}

fn public_key(text: &str, claim: &'static str) -> Result<PublicKey, Refusal> {
    text.parse().map_err(|error| match error {
        NkeyError::SeedForPublic => Refusal::KeyIsSeed { claim },
        NkeyError::Checksum => Refusal::KeyChecksum { claim },
        source => Refusal::KeyMalformed { claim, source },
    })
}

/// Signs claims. The order of the fields is the one the 1.x tools write, so that the same claims
/// give the same token.
pub(crate) fn write(claims: &Claims, issuer: &KeyPair) -> String {
    #[derive(Serialize)]
    struct Header {
        typ: &'static str,
        alg: &'static str,
    }

    #[derive(Serialize)]
    struct Outer<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        exp: Option<u64>,
        jti: &'a str,
        iat: u64,
        iss: IssuerKey,
        sub: ModuleKey,
        #[serde(skip_serializing_if = "Option::is_none")]
        nbf: Option<u64>,
        wascap: Inner<'a>,
        wascap_revision: u64,
    }

    #[derive(Serialize)]
    struct Inner<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<&'a str>,
        hash: String,
        tags: &'a [String],
        #[serde(skip_serializing_if = "Option::is_none")]
        rev: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        ver: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        call_alias: Option<&'a str>,
        prov: bool,
    }

    let outer = Outer {
        exp: claims.expires,
        jti: &claims.id,
        iat: claims.issued_at,
        iss: claims.issuer,
        sub: claims.subject,
        nbf: claims.not_before,
        wascap: Inner {
            name: claims.name.as_deref(),
            hash: HEXUPPER.encode(claims.hash.bytes()),
            tags: &claims.tags,
            rev: claims.rev,
            ver: claims.ver.as_deref(),
            call_alias: claims.call_alias.as_deref(),
            prov: claims.provider,
        },
        wascap_revision: CLAIMS_REVISION,
    };
    let header = segment(&Header { typ: TYPE, alg: ALGORITHM });
    let signed = format!("{header}.{}", segment(&outer));
    let signature = BASE64URL_NOPAD.encode(&issuer.sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn segment(value: &impl Serialize) -> String {
    let json = serde_json::to_vec(value).expect("texts, numbers and lists of them are JSON");
    BASE64URL_NOPAD.encode(&json)
}
