//! Who signed, when, what they may, and what has been revoked.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use wattle_types::Digest;
use wattle_types::nkey::{PublicKey, Role};

use super::super::fixture::*;
use super::{Row, row};
use crate::{TrustFile, TrustPolicy};

pub(super) fn rows() -> Vec<Row> {
    [signatures(), issuers(), times(), rules(), revoked()].into_iter().flatten().collect()
}

/// [`component`] with its valid token, but for the signature.
fn with_signature(signature: &[u8]) -> Vec<u8> {
    let claims = claims_json(&component()).to_string();
    let token = token(HEADER.as_bytes(), claims.as_bytes(), &issuer());
    let end = token.iter().rposition(|byte| *byte == b'.').unwrap();
    let signature = BASE64URL_NOPAD.encode(signature);
    attach(&component(), &[&token[..=end], signature.as_bytes()].concat())
}

fn valid_signature() -> [u8; 64] {
    let claims = claims_json(&component()).to_string();
    let token = token(HEADER.as_bytes(), claims.as_bytes(), &issuer());
    let end = token.iter().rposition(|byte| *byte == b'.').unwrap();
    BASE64URL_NOPAD.decode(&token[end + 1..]).unwrap().try_into().unwrap()
}

/// The order of the group, little endian: adding it to S gives the same signature again.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

fn with_other_s(mut signature: [u8; 64]) -> [u8; 64] {
    let mut carry = 0;
    for (byte, add) in signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    signature
}

fn signatures() -> Vec<Row> {
    let invalid = "WT-TRUST-SIGNATURE-INVALID";
    let valid = valid_signature();
    let mut small_r = valid;
    small_r[..32].copy_from_slice(&[0; 32]);
    let mut one = [0; 32];
    one[0] = 1;
    let neutral = [one, [0; 32]].concat();
    let claims = claims_json(&component()).to_string();
    let by_another = token(HEADER.as_bytes(), claims.as_bytes(), &key(Role::Account, 9));
    let by_module = token(HEADER.as_bytes(), claims.as_bytes(), &key(Role::Module, 2));
    vec![
        row("another's signature", attach(&component(), &by_another), invalid),
        row("the component's own signature", attach(&component(), &by_module), invalid),
        row("a signature of zeros", with_signature(&[0; 64]), invalid),
        row("a signature of ones", with_signature(&[0xff; 64]), invalid),
        row("an S beyond the order", with_signature(&with_other_s(valid)), invalid),
        row("an R of small order", with_signature(&small_r), invalid),
        row("an R that is neutral", with_signature(&neutral), invalid),
        row(
            "the signature of the claims alone",
            with_signature(&issuer().sign(claims.as_bytes())),
            invalid,
        ),
        row(
            "the public key as HMAC secret",
            with_signature(&[issuer().public().bytes().as_slice(); 2].concat()),
            invalid,
        ),
        row("changed claims", reworded(), invalid),
    ]
}

/// A validly signed token whose claims were changed afterwards.
fn reworded() -> Vec<u8> {
    let component = component();
    let claims = claims_json(&component).to_string();
    let old = BASE64URL_NOPAD.encode(claims.as_bytes());
    let new = BASE64URL_NOPAD.encode(claims.replace(r#""rev":3"#, r#""rev":9"#).as_bytes());
    assert_ne!(old, new);
    let token = token(HEADER.as_bytes(), claims.as_bytes(), &issuer());
    let token = String::from_utf8(token).unwrap().replace(&old, &new);
    attach(&component, token.as_bytes())
}

fn trusting(change: impl FnOnce(&mut TrustFile)) -> TrustPolicy {
    let mut file = trust();
    change(&mut file);
    TrustPolicy::try_from(&file).unwrap()
}

fn under(what: &'static str, change: impl FnOnce(&mut TrustFile), code: &'static str) -> Row {
    Row { policy: trusting(change), ..row(what, signed(&component()), code) }
}

/// Text of a time so many seconds from [`NOW`].
fn date(seconds: i64) -> Option<toml::value::Datetime> {
    let now = i64::try_from(NOW).unwrap();
    let time = time::OffsetDateTime::from_unix_timestamp(now + seconds).unwrap();
    let text = time.format(&time::format_description::well_known::Rfc3339).unwrap();
    Some(text.parse().unwrap())
}

fn issuers() -> Vec<Row> {
    let mut one = [0; 32];
    one[0] = 1;
    let weak = PublicKey::new(Role::Account, one).to_string();
    let off_curve = PublicKey::new(Role::Account, [2; 32]).to_string();
    let other = key(Role::Module, 8).public().to_string();
    let by_another = {
        let claims = claims_json(&component());
        let other = key(Role::Account, 9);
        let mut claims = claims;
        claims["iss"] = other.public().to_string().into();
        attach(&component(), &token(HEADER.as_bytes(), claims.to_string().as_bytes(), &other))
    };
    vec![
        row("an issuer nobody knows", by_another, "WT-TRUST-ISSUER-UNKNOWN"),
        Row {
            policy: TrustPolicy::default(),
            ..row("no trust file", signed(&component()), "WT-TRUST-ISSUER-UNKNOWN")
        },
        under(
            "an issuer who is a controller here",
            |file| {
                *file = TrustFile::new();
                let key = key(Role::Cluster, 1).public().try_into().unwrap();
                *file = file.clone().with_controller(&key, "same bytes, another role");
            },
            "WT-TRUST-ISSUER-UNKNOWN",
        ),
        row(
            "an issuer of small order",
            with_claims(|claims| claims["iss"] = weak.into()),
            "WT-TRUST-ISSUER-WEAK",
        ),
        row(
            "an issuer that is no point",
            with_claims(|claims| claims["iss"] = off_curve.into()),
            "WT-TRUST-ISSUER-WEAK",
        ),
        under(
            "a revoked issuer",
            |file| file.revoked.keys = vec![issuer_key().to_string()],
            "WT-TRUST-ISSUER-REVOKED",
        ),
        under(
            "an issuer of the future",
            |file| file.issuers[0].valid_from = date(61),
            "WT-TRUST-ISSUER-NOT-YET-TRUSTED",
        ),
        under(
            "an issuer of the past",
            |file| file.issuers[0].valid_until = date(-61),
            "WT-TRUST-ISSUER-LAPSED",
        ),
        under(
            "an issuer for other modules",
            |file| file.issuers[0].modules = Some(vec![other]),
            "WT-TRUST-ISSUER-OUT-OF-SCOPE",
        ),
        under(
            "an issuer for no modules",
            |file| file.issuers[0].modules = Some(vec![]),
            "WT-TRUST-ISSUER-OUT-OF-SCOPE",
        ),
    ]
}

fn times() -> Vec<Row> {
    let set = |what, claim: &str, value: u64, code| {
        row(what, with_claims(|claims| claims[claim] = value.into()), code)
    };
    let expired = "WT-TRUST-EXPIRED";
    vec![
        set("expired for a day", "exp", NOW - 86_400, expired),
        set("expired beyond the skew", "exp", NOW - 61, expired),
        set("expired since 1970", "exp", 0, expired),
        set("valid tomorrow", "nbf", NOW + 86_400, "WT-TRUST-NOT-YET-VALID"),
        set("valid beyond the skew", "nbf", NOW + 61, "WT-TRUST-NOT-YET-VALID"),
        set("valid at the end of time", "nbf", u64::MAX, "WT-TRUST-NOT-YET-VALID"),
        set("issued tomorrow", "iat", NOW + 86_400, "WT-TRUST-ISSUED-IN-FUTURE"),
        set("issued beyond the skew", "iat", NOW + 61, "WT-TRUST-ISSUED-IN-FUTURE"),
    ]
}

fn rules() -> Vec<Row> {
    let limited = |what, expires: u64| Row {
        policy: trusting(|file| file.tokens.lifetime_days_max = Some(30)),
        ..row(
            what,
            with_claims(|claims| claims["exp"] = expires.into()),
            "WT-TRUST-LIFETIME-TOO-LONG",
        )
    };
    let minimum = |file: &mut TrustFile, revision| {
        file.minimum_revisions.insert(module_key().to_string(), revision);
    };
    vec![
        under(
            "a token that never expires",
            |file| file.tokens.expiry_required = true,
            "WT-TRUST-EXPIRY-MISSING",
        ),
        limited("a second too long", NOW + 30 * 86_400 + 1),
        limited("as good as for ever", u64::MAX),
        under("an old revision", |file| minimum(file, 4), "WT-TRUST-REVISION-TOO-LOW"),
        Row {
            policy: trusting(|file| minimum(file, 1)),
            ..row(
                "revision 0",
                with_claims(|claims| claims["wascap"]["rev"] = json!(0)),
                "WT-TRUST-REVISION-TOO-LOW",
            )
        },
        Row {
            policy: trusting(|file| minimum(file, 0)),
            ..row("no revision", with_claims(no_revision), "WT-TRUST-REVISION-MISSING")
        },
    ]
}

fn no_revision(claims: &mut Value) {
    claims["wascap"].as_object_mut().unwrap().remove("rev").unwrap();
}

fn revoked() -> Vec<Row> {
    let code = "WT-TRUST-DIGEST-REVOKED";
    let file_digest = Digest::of(&signed(&component())).to_string();
    let hash = claims_json(&component())["wascap"]["hash"].as_str().unwrap().to_owned();
    let by = |digest: String| trusting(|file| file.revoked.digests = vec![digest]);
    let framed_anew = {
        // The same content in another file: the first section's length takes two bytes more.
        let signed = signed(&component());
        let (len, rest) = (signed[9], &signed[10..]);
        assert!(len < 0x80);
        [&signed[..9], &[len | 0x80, 0x80, 0], rest].concat()
    };
    vec![
        under(
            "a revoked component",
            |file| file.revoked.keys = vec![module_key().to_string()],
            "WT-TRUST-MODULE-REVOKED",
        ),
        Row {
            policy: by(file_digest.clone()),
            ..row("a revoked file", signed(&component()), code)
        },
        Row {
            policy: by(format!("sha256:{file_digest}")),
            ..row("a revoked file, with the kind", signed(&component()), code)
        },
        Row { policy: by(hash.clone()), ..row("revoked content", signed(&component()), code) },
        Row { policy: by(hash), ..row("revoked content in another file", framed_anew, code) },
    ]
}
