//! Every way in which a file of code can be wrong, one row each.

use std::collections::BTreeSet;

use wattle_types::nkey::{PublicKey, Role};
use wattle_types::stored;

use super::*;
use crate::signed::Context;
use crate::tests::fixture::{NOW, issuer, key};
use crate::{KeyPair, TrustFile, signed};

const ENGINE: &str = "48.0.8/p2-server/2/x86_64-unknown-linux-gnu/x86-64-v2";
const CODE: &[u8] = b"\x7fELF and what follows";

fn source() -> Digest {
    Digest::of(b"a component")
}

fn compiler() -> KeyPair {
    key(Role::Account, 7)
}

fn trust() -> TrustFile {
    let issuer = issuer().public().try_into().unwrap();
    let compiler = compiler().public().try_into().unwrap();
    TrustFile::new().with_issuer(&issuer, "authors").with_compiler(&compiler, "build farm")
}

fn policy() -> TrustPolicy {
    TrustPolicy::try_from(&trust()).unwrap()
}

/// A trust file with these lines about the compiler, or about what is revoked.
fn policy_with(compiler_lines: &str, revoked: &[PublicKey]) -> TrustPolicy {
    let key = compiler().public();
    let revoked: Vec<String> = revoked.iter().map(|key| format!("\"{key}\"")).collect();
    let text = format!(
        "version = 1\n[[compilers]]\nkey = \"{key}\"\nname = \"x\"\n{compiler_lines}\n\
         [revoked]\nkeys = [{}]\n",
        revoked.join(", ")
    );
    text.parse().unwrap()
}

fn request() -> ArtifactRequest {
    ArtifactRequest {
        source: source(),
        engine: ENGINE.to_owned(),
        issued_s: NOW - 10,
        expires_s: Some(NOW + 1_000),
    }
}

fn file(request: &ArtifactRequest, compiler: &KeyPair) -> Vec<u8> {
    [&request.sign(CODE, compiler)[..], CODE].concat()
}

fn good() -> Vec<u8> {
    file(&request(), &compiler())
}

fn of(change: impl Fn(&mut ArtifactRequest)) -> Vec<u8> {
    let mut request = request();
    change(&mut request);
    file(&request, &compiler())
}

/// The code of the verdict.
fn verdict(bytes: &[u8], policy: &TrustPolicy) -> &'static str {
    let engines = [ENGINE.to_owned()].into();
    let wanted = Wanted { source: source(), engines: &engines };
    match verify_artifact(bytes, wanted, policy, NOW) {
        Ok(verified) => {
            assert_eq!(verified.statement().source, source());
            "accepted"
        }
        Err(refusal) => refusal.code(),
    }
}

/// A head around any body, signed as any kind of message.
fn sealed(context: Context, body: &[u8]) -> Vec<u8> {
    [&Head::write(&signed::seal(context, body, &compiler()))[..], CODE].concat()
}

fn rows() -> Vec<(&'static str, Vec<u8>, TrustPolicy, &'static str)> {
    let good = good();
    let head = good.len() - CODE.len();
    let with = |at: usize, bytes: &[u8]| {
        let mut file = good.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    let signed_body = |body: &[u8]| sealed(Context::Artifact, body);
    let newer = {
        let envelope = signed::open(&good[12..head]).unwrap();
        let allowed: BTreeSet<PublicKey> = [compiler().public()].into();
        let body = envelope.verify(Context::Artifact, &allowed).unwrap();
        let mut body: rmpv::Value = rmpv::decode::read_value(&mut &body[..]).unwrap();
        let rmpv::Value::Map(fields) = &mut body else { panic!("a statement is a map") };
        fields[0].1 = 2.into();
        stored::encode(&body)
    };
    let small: fn(&[u8]) -> Vec<u8> = |code| {
        let head = request().sign(CODE, &compiler());
        [&head[..], code].concat()
    };
    vec![
        ("nothing", vec![], policy(), "WT-TRUST-ARTIFACT-FORM"),
        ("a component", b"\0asm\x0d\0\x01\0".to_vec(), policy(), "WT-TRUST-ARTIFACT-FORM"),
        ("code without a head", CODE.to_vec(), policy(), "WT-TRUST-ARTIFACT-FORM"),
        ("cut in the magic", good[..3].to_vec(), policy(), "WT-TRUST-ARTIFACT-TRUNCATED"),
        ("cut in the length", good[..10].to_vec(), policy(), "WT-TRUST-ARTIFACT-TRUNCATED"),
        ("cut in the head", good[..head - 1].to_vec(), policy(), "WT-TRUST-ARTIFACT-TRUNCATED"),
        ("a huge head", with(8, &[0xff; 4]), policy(), "WT-TRUST-ARTIFACT-HEAD-TOO-LARGE"),
        (
            "a head just too large",
            with(8, &4_085_u32.to_le_bytes()),
            policy(),
            "WT-TRUST-ARTIFACT-HEAD-TOO-LARGE",
        ),
        ("an empty head", with(8, &[0; 4]), policy(), "WT-TRUST-SIGNED-MALFORMED"),
        (
            "a flipped bit in the signature",
            {
                let signature = good.windows(3).position(|window| window == b"sig").unwrap();
                let mut file = good.clone();
                file[signature + 10] ^= 1;
                file
            },
            policy(),
            "WT-TRUST-SIGNED-SIGNATURE",
        ),
        (
            "a flipped bit in the statement",
            {
                let engine = good.windows(2).position(|window| window == b"v2").unwrap();
                let mut file = good.clone();
                file[engine] ^= 1;
                file
            },
            policy(),
            "WT-TRUST-SIGNED-SIGNATURE",
        ),
        (
            "a message of another kind",
            sealed(Context::Assignment, b"x"),
            policy(),
            "WT-TRUST-SIGNED-SIGNATURE",
        ),
        ("no statement", signed_body(b"\xc0"), policy(), "WT-TRUST-ARTIFACT-STATEMENT"),
        ("a newer statement", signed_body(&newer), policy(), "WT-TRUST-ARTIFACT-STATEMENT"),
        (
            "signed by a host",
            file(&request(), &key(Role::Server, 7)),
            policy(),
            "WT-TRUST-ARTIFACT-ROLE",
        ),
        (
            "signed by an issuer, who is no compiler",
            file(&request(), &issuer()),
            policy(),
            "WT-TRUST-COMPILER-UNKNOWN",
        ),
        (
            "a host that believes no compiler",
            good.clone(),
            TrustPolicy::default(),
            "WT-TRUST-COMPILER-UNKNOWN",
        ),
        (
            "a revoked compiler",
            good.clone(),
            policy_with("", &[compiler().public()]),
            "WT-TRUST-COMPILER-REVOKED",
        ),
        (
            "a compiler of later",
            good.clone(),
            policy_with("valid_from = 2031-01-01T00:00:00Z", &[]),
            "WT-TRUST-COMPILER-NOT-YET-TRUSTED",
        ),
        (
            "a compiler of before",
            good.clone(),
            policy_with("valid_until = 2021-01-01T00:00:00Z", &[]),
            "WT-TRUST-COMPILER-LAPSED",
        ),
        (
            "code of another component",
            of(|request| request.source = Digest::of(b"another component")),
            policy(),
            "WT-TRUST-ARTIFACT-SOURCE",
        ),
        (
            "code for another engine",
            of(|request| request.engine = ENGINE.replace("48.0.8", "48.0.7")),
            policy(),
            "WT-TRUST-ARTIFACT-ENGINE",
        ),
        (
            "code of tomorrow",
            of(|request| request.issued_s = NOW + 86_400),
            policy(),
            "WT-TRUST-ARTIFACT-IN-FUTURE",
        ),
        (
            "code of yesterday",
            of(|request| request.expires_s = Some(NOW - 86_400)),
            policy(),
            "WT-TRUST-ARTIFACT-EXPIRED",
        ),
        ("no code", good[..head].to_vec(), policy(), "WT-TRUST-ARTIFACT-LENGTH"),
        ("code cut short", good[..good.len() - 1].to_vec(), policy(), "WT-TRUST-ARTIFACT-LENGTH"),
        ("bytes after the code", [&good[..], b"!"].concat(), policy(), "WT-TRUST-ARTIFACT-LENGTH"),
        ("other code", small(b"\x7fELF and what FOLLOWS"), policy(), "WT-TRUST-ARTIFACT-HASH"),
    ]
}

#[test]
fn every_bad_file_is_refused_with_its_code() {
    for (what, file, policy, code) in rows() {
        assert_eq!(verdict(&file, &policy), code, "{what}");
    }
}

#[test]
fn every_code_is_shown_by_some_bad_file() {
    let source = include_str!("refusal.rs");
    let codes = source.split('"').filter(|text| text.starts_with("WT-TRUST-"));
    let all: BTreeSet<&str> = codes.collect();
    // These two need a file that cannot be made here: half a gigabyte, and one that cannot be read.
    let elsewhere = ["WT-TRUST-ARTIFACT-READ", "WT-TRUST-ARTIFACT-TOO-LARGE"];
    let shown: BTreeSet<&str> = rows().iter().map(|row| row.3).chain(elsewhere).collect();
    assert_eq!(all.difference(&shown).collect::<Vec<_>>(), Vec::<&&str>::new());
}

#[test]
fn what_a_believed_compiler_signed_is_accepted_within_its_time() {
    assert_eq!(verdict(&good(), &policy()), "accepted");
    assert_eq!(verdict(&of(|request| request.expires_s = None), &policy()), "accepted");
    // Clocks may differ by a minute.
    assert_eq!(verdict(&of(|request| request.issued_s = NOW + SKEW_S), &policy()), "accepted");
    let expired = |request: &mut ArtifactRequest| request.expires_s = Some(NOW - SKEW_S);
    assert_eq!(verdict(&of(expired), &policy()), "accepted");
    let term = "valid_from = 2021-01-01T00:00:00Z\nvalid_until = 2031-01-01T00:00:00Z";
    assert_eq!(verdict(&good(), &policy_with(term, &[])), "accepted");
}

#[test]
fn no_bit_can_be_flipped_anywhere() {
    let good = good();
    for bit in 0..good.len() * 8 {
        let mut file = good.clone();
        file[bit / 8] ^= 1 << (bit % 8);
        assert_ne!(verdict(&file, &policy()), "accepted", "bit {bit}");
    }
}

/// A source that never ends and counts what is read of it.
struct Endless(u64);

impl Read for Endless {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }
}

#[test]
fn no_more_is_read_than_was_signed_for() {
    let head = Head::read_from(&mut &good()[..]).unwrap();
    let engines = [ENGINE.to_owned()].into();
    let wanted = Wanted { source: source(), engines: &engines };
    let vouched = head.verify(wanted, &policy(), NOW).unwrap();
    let mut endless = Endless(0);
    let refusal = vouched.confirm(&mut endless).unwrap_err();
    assert_eq!(refusal.code(), "WT-TRUST-ARTIFACT-LENGTH");
    assert_eq!(endless.0, CODE.len() as u64 + 1);
}

#[test]
fn more_code_than_any_component_has_is_refused_before_it_is_read() {
    let body = |code_bytes: u64| {
        let hash = rmpv::Value::Binary(vec![0; 32]);
        let field = |name: &str, value: rmpv::Value| (rmpv::Value::from(name), value);
        stored::encode(&rmpv::Value::Map(vec![
            field("v", 1.into()),
            field("source", rmpv::Value::Binary(source().bytes().to_vec())),
            field("engine", ENGINE.into()),
            field("hash", hash),
            field("code_bytes", code_bytes.into()),
            field("issued_s", NOW.into()),
            field("expires_s", rmpv::Value::Nil),
        ]))
    };
    for (bytes, code) in [
        (CODE_BYTES_MAX, "WT-TRUST-ARTIFACT-LENGTH"),
        (CODE_BYTES_MAX + 1, "WT-TRUST-ARTIFACT-TOO-LARGE"),
        (u64::MAX, "WT-TRUST-ARTIFACT-TOO-LARGE"),
    ] {
        assert_eq!(verdict(&sealed(Context::Artifact, &body(bytes)), &policy()), code, "{bytes}");
    }
}
