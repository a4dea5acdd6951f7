//! The form of the token and of its claims.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use wattle_types::nkey::{self, Role};

use super::super::fixture::*;
use super::{Row, row};

pub(super) fn rows() -> Vec<Row> {
    [segments(), headers(), json(), claims(), keys()].into_iter().flatten().collect()
}

/// The valid token of [`component`], as three texts.
fn parts() -> [String; 3] {
    let claims = claims_json(&component()).to_string();
    let token = String::from_utf8(token(HEADER.as_bytes(), claims.as_bytes(), &issuer())).unwrap();
    let parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    parts.try_into().unwrap()
}

fn with_token(token: impl AsRef<[u8]>) -> Vec<u8> {
    attach(&component(), token.as_ref())
}

fn segments() -> Vec<Row> {
    let [header, claims, signature] = parts();
    let count = "WT-TRUST-TOKEN-SEGMENTS";
    let base64 = "WT-TRUST-TOKEN-BASE64";
    let cases = [
        ("an empty token", String::new(), count),
        ("one segment", header.clone(), count),
        ("two segments", format!("{header}.{claims}"), count),
        ("four segments", format!("{header}.{claims}.{signature}.{signature}"), count),
        ("five segments, as encrypted ones have", format!("{header}....{signature}"), count),
        ("a dot behind", format!("{header}.{claims}.{signature}."), count),
        ("an empty header", format!(".{claims}.{signature}"), "WT-TRUST-TOKEN-JSON"),
        ("no signature", format!("{header}.{claims}."), "WT-TRUST-SIGNATURE-LENGTH"),
        ("half a signature", format!("{header}.{claims}.{}", &signature[..42]), base64),
        (
            "a signature of 63 bytes",
            format!("{header}.{claims}.{}", BASE64URL_NOPAD.encode(&[1; 63])),
            "WT-TRUST-SIGNATURE-LENGTH",
        ),
        (
            "a signature of 65 bytes",
            format!("{header}.{claims}.{}", BASE64URL_NOPAD.encode(&[1; 65])),
            "WT-TRUST-SIGNATURE-LENGTH",
        ),
        ("padding", format!("{header}.{claims}.{signature}=="), base64),
        ("a blank", format!("{header}.{claims} .{signature}"), base64),
        ("a line feed", format!("{header}.{claims}.{signature}\n"), base64),
        ("the other base64", format!("{header}.{claims}.{}+/", &signature[..84]), base64),
        (
            "bits that count for nothing",
            format!("{header}.{claims}.{}", spoiled(&signature)),
            base64,
        ),
        ("not ASCII", format!("{header}.ü.{signature}"), base64),
        ("a zero byte", format!("{header}.{claims}\0.{signature}"), base64),
    ];
    cases.map(|(what, token, code)| row(what, with_token(token), code)).into()
}

/// The same 64 bytes, with one of the bits set that a strict reader wants to be zero.
fn spoiled(signature: &str) -> String {
    let (rest, last) = signature.split_at(signature.len() - 1);
    let next = char::from(last.as_bytes()[0] + 1);
    format!("{rest}{next}")
}

fn headers() -> Vec<Row> {
    let algorithm = "WT-TRUST-ALGORITHM";
    let unknown = "WT-TRUST-HEADER-UNKNOWN";
    let cases = [
        ("alg none", r#"{"typ":"jwt","alg":"none"}"#, "WT-TRUST-ALGORITHM-NONE"),
        ("alg None", r#"{"typ":"jwt","alg":"None"}"#, "WT-TRUST-ALGORITHM-NONE"),
        ("alg nOnE", r#"{"typ":"jwt","alg":"nOnE"}"#, "WT-TRUST-ALGORITHM-NONE"),
        ("alg HS256", r#"{"typ":"jwt","alg":"HS256"}"#, algorithm),
        ("alg RS256", r#"{"typ":"jwt","alg":"RS256"}"#, algorithm),
        ("alg ES256", r#"{"typ":"jwt","alg":"ES256"}"#, algorithm),
        ("alg EdDSA", r#"{"typ":"jwt","alg":"EdDSA"}"#, algorithm),
        ("alg in lower case", r#"{"typ":"jwt","alg":"ed25519"}"#, algorithm),
        ("alg with a blank", r#"{"typ":"jwt","alg":"Ed25519 "}"#, algorithm),
        ("alg of the operator's tokens", r#"{"typ":"jwt","alg":"ed25519-nkey"}"#, algorithm),
        ("alg empty", r#"{"typ":"jwt","alg":""}"#, algorithm),
        ("no alg", r#"{"typ":"jwt"}"#, "WT-TRUST-HEADER-MISSING"),
        ("alg null", r#"{"typ":"jwt","alg":null}"#, "WT-TRUST-HEADER-MISSING"),
        ("alg a list", r#"{"typ":"jwt","alg":["Ed25519"]}"#, "WT-TRUST-HEADER-MISSING"),
        ("no typ", r#"{"alg":"Ed25519"}"#, "WT-TRUST-HEADER-MISSING"),
        ("an empty header object", "{}", "WT-TRUST-HEADER-MISSING"),
        ("typ in upper case", r#"{"typ":"JWT","alg":"Ed25519"}"#, "WT-TRUST-TOKEN-TYPE"),
        ("typ of an access token", r#"{"typ":"at+jwt","alg":"Ed25519"}"#, "WT-TRUST-TOKEN-TYPE"),
        ("crit", r#"{"typ":"jwt","alg":"Ed25519","crit":["b64"]}"#, "WT-TRUST-HEADER-CRITICAL"),
        ("crit empty", r#"{"typ":"jwt","alg":"Ed25519","crit":[]}"#, "WT-TRUST-HEADER-CRITICAL"),
        ("kid of a trusted key", r#"{"typ":"jwt","alg":"Ed25519","kid":"AAAA"}"#, unknown),
        ("kid a path", r#"{"typ":"jwt","alg":"Ed25519","kid":"../../dev/null"}"#, unknown),
        ("jku", r#"{"typ":"jwt","alg":"Ed25519","jku":"https://keys.example"}"#, unknown),
        ("jwk", r#"{"typ":"jwt","alg":"Ed25519","jwk":{}}"#, unknown),
        ("b64 false", r#"{"typ":"jwt","alg":"Ed25519","b64":false}"#, unknown),
        ("alg twice", r#"{"typ":"jwt","alg":"none","alg":"Ed25519"}"#, "WT-TRUST-TOKEN-KEY-TWICE"),
        ("a header that is no object", "[]", "WT-TRUST-TOKEN-JSON"),
        ("a header that is a text", r#""jwt""#, "WT-TRUST-TOKEN-JSON"),
        ("a header that is no JSON", "jwt", "WT-TRUST-TOKEN-JSON"),
        ("two headers", r#"{"typ":"jwt","alg":"Ed25519"}{}"#, "WT-TRUST-TOKEN-JSON"),
    ];
    cases.map(|(what, header, code)| row(what, with_header(header), code)).into()
}

fn json() -> Vec<Row> {
    let good = claims_json(&component()).to_string();
    let inside = |text: &str| format!("{{{text},{}", &good[1..]).into_bytes();
    let deep = |depth| inside(&format!(r#""x":{}{}"#, "[".repeat(depth), "]".repeat(depth)));
    let twice = "WT-TRUST-TOKEN-KEY-TWICE";
    let cases = [
        ("iss twice", inside(r#""iss":"A""#), twice),
        ("exp twice", inside(r#""exp":1,"exp":2"#), twice),
        ("an unknown claim twice", inside(r#""x":1,"x":1"#), twice),
        ("iss again, escaped", inside(r#""\u0069ss":"A""#), twice),
        ("hash twice", good.replace(r#""hash""#, r#""hash":"","hash""#).into_bytes(), twice),
        ("a key twice where nobody looks", inside(r#""x":[{"a":1,"a":2}]"#), twice),
        (
            "an invalid UTF-8 text",
            [b"{\"x\":\"\xff\xfe\",", &good.as_bytes()[1..]].concat(),
            "WT-TRUST-TOKEN-UTF8",
        ),
        (
            "an overlong UTF-8 text",
            [b"{\"x\":\"\xc0\x80\",", &good.as_bytes()[1..]].concat(),
            "WT-TRUST-TOKEN-UTF8",
        ),
        ("nested 20 deep", deep(20), "WT-TRUST-TOKEN-NESTING"),
        ("nested 5,000 deep", deep(5_000), "WT-TRUST-TOKEN-NESTING"),
        ("no JSON", b"not json".to_vec(), "WT-TRUST-TOKEN-JSON"),
        ("half an object", good.as_bytes()[..40].to_vec(), "WT-TRUST-TOKEN-JSON"),
        ("a comma too many", good.replace('}', ",}").into_bytes(), "WT-TRUST-TOKEN-JSON"),
        ("a list", b"[]".to_vec(), "WT-TRUST-TOKEN-JSON"),
        ("a byte order mark", [b"\xef\xbb\xbf", good.as_bytes()].concat(), "WT-TRUST-TOKEN-JSON"),
        ("a lone surrogate", inside(r#""x":"\ud800""#), "WT-TRUST-TOKEN-JSON"),
        ("NaN", inside(r#""x":NaN"#), "WT-TRUST-TOKEN-JSON"),
    ];
    cases.map(|(what, claims, code)| row(what, with_claims_text(&claims), code)).into()
}

fn claims() -> Vec<Row> {
    fn set(what: &'static str, path: &str, value: Value, code: &'static str) -> Row {
        let bytes = with_claims(|claims| match path.strip_prefix("wascap.") {
            Some(inner) => claims["wascap"][inner] = value,
            None => claims[path] = value,
        });
        row(what, bytes, code)
    }
    fn without(what: &'static str, path: &str, code: &'static str) -> Row {
        let bytes = with_claims(|claims| {
            let (object, key) = match path.strip_prefix("wascap.") {
                Some(inner) => (&mut claims["wascap"], inner),
                None => (claims, path),
            };
            object.as_object_mut().unwrap().remove(key).unwrap();
        });
        row(what, bytes, code)
    }
    let kind = "WT-TRUST-CLAIM-TYPE";
    let missing = "WT-TRUST-CLAIM-MISSING";
    let revision = "WT-TRUST-CLAIMS-REVISION";
    let malformed = "WT-TRUST-HASH-MALFORMED";
    let hash = claims_json(&component())["wascap"]["hash"].as_str().unwrap().to_owned();
    vec![
        without("no issuer", "iss", missing),
        without("no subject", "sub", missing),
        without("no id", "jti", missing),
        without("no time of issue", "iat", missing),
        without("no claims of ours", "wascap", missing),
        set("exp as text", "exp", json!("1900000000"), kind),
        set("exp as fraction", "exp", json!(1.9e9), kind),
        set("exp negative", "exp", json!(-1), kind),
        set("exp beyond 64 bits", "exp", json!(1e30), kind),
        set("exp null", "exp", json!(null), kind),
        set("nbf as text", "nbf", json!("0"), kind),
        set("nbf negative", "nbf", json!(-5), kind),
        set("iat as text", "iat", json!("0"), kind),
        set("iat null", "iat", json!(null), kind),
        set("iss a number", "iss", json!(1), kind),
        set("iss a list", "iss", json!([issuer_key()]), kind),
        set("sub an object", "sub", json!({}), kind),
        set("jti a number", "jti", json!(7), kind),
        set("wascap a list", "wascap", json!([]), kind),
        set("rev negative", "wascap.rev", json!(-1), kind),
        set("rev of 32 bits", "wascap.rev", json!(2_147_483_648_u32), kind),
        set("rev as text", "wascap.rev", json!("3"), kind),
        set("tags a text", "wascap.tags", json!("a,b"), kind),
        set("tags of numbers", "wascap.tags", json!([1]), kind),
        set("prov as text", "wascap.prov", json!("false"), kind),
        set("name a number", "wascap.name", json!(1), kind),
        set("an audience", "aud", json!("another-lattice"), "WT-TRUST-AUDIENCE"),
        set("several audiences", "aud", json!(["a", "b"]), "WT-TRUST-AUDIENCE"),
        without("no revision of the claims", "wascap_revision", revision),
        set("revision 0 of the claims", "wascap_revision", json!(0), revision),
        set("revision 2 of the claims", "wascap_revision", json!(2), revision),
        set("the revision as text", "wascap_revision", json!("3"), kind),
        without("no hash", "wascap.hash", "WT-TRUST-HASH-MISSING"),
        set("an empty hash", "wascap.hash", json!(""), "WT-TRUST-HASH-MISSING"),
        set("a hash in lower case", "wascap.hash", json!(hash.to_lowercase()), malformed),
        set("half a hash", "wascap.hash", json!(&hash[..32]), malformed),
        set("a hash with its kind", "wascap.hash", json!(format!("sha256:{hash}")), malformed),
        set("a hash that is none", "wascap.hash", json!("Z".repeat(64)), malformed),
        set("another hash", "wascap.hash", json!("0".repeat(64)), "WT-TRUST-HASH-MISMATCH"),
    ]
}

fn keys() -> Vec<Row> {
    let set = |what, claim: &str, text: &str, code| {
        row(what, with_claims(|claims| claims[claim] = text.into()), code)
    };
    let of = |role| key(role, 1).public().to_string();
    let account = issuer_key().to_string();
    let mistyped = format!("{}AAAA", &account[..52]);
    let role = "WT-TRUST-ISSUER-ROLE";
    let malformed = "WT-TRUST-KEY-MALFORMED";
    let seed = nkey::encode_seed(Role::Account, &[1; 32]);
    vec![
        set("a user as issuer", "iss", &of(Role::User), role),
        set("a module as issuer", "iss", &of(Role::Module), role),
        set("a host as issuer", "iss", &of(Role::Server), role),
        set("an operator as issuer", "iss", &of(Role::Operator), role),
        set("a controller as issuer", "iss", &of(Role::Cluster), role),
        set("an account as subject", "sub", &account, "WT-TRUST-SUBJECT-ROLE"),
        set("a provider as subject", "sub", &of(Role::Service), "WT-TRUST-SUBJECT-ROLE"),
        set("a mistyped issuer", "iss", &mistyped, "WT-TRUST-KEY-CHECKSUM"),
        set("a seed as issuer", "iss", &seed, "WT-TRUST-KEY-IS-SEED"),
        set("a seed as subject", "sub", &seed, "WT-TRUST-KEY-IS-SEED"),
        set("an empty issuer", "iss", "", malformed),
        set("a short issuer", "iss", &account[..55], malformed),
        set("an issuer in lower case", "iss", &account.to_lowercase(), malformed),
        set("a name as subject", "sub", "test.wasm", malformed),
        set("a blank after the issuer", "iss", &format!("{account} "), malformed),
    ]
}
