//! One table row per bad input; every code has at least one.
//!
//! The rows follow SAFETY 2.4 (artifact bytes, token and signature), by hand-made files.

mod frame;
mod signer;
mod token;

use std::collections::BTreeSet;

use super::fixture::*;
use crate::TrustPolicy;

/// What, the file, whom the host believes, and the code that is expected.
pub(super) struct Row {
    what: &'static str,
    bytes: Vec<u8>,
    policy: TrustPolicy,
    code: &'static str,
}

/// A row for a host that believes [`issuer`] and has no other rules.
pub(super) fn row(what: &'static str, bytes: Vec<u8>, code: &'static str) -> Row {
    Row { what, bytes, policy: policy(), code }
}

fn rows() -> Vec<Row> {
    [frame::rows(), token::rows(), signer::rows()].into_iter().flatten().collect()
}

#[test]
fn every_bad_input_is_refused_with_its_code() {
    for Row { what, bytes, policy, code } in rows() {
        assert_eq!(verdict(&verify(bytes, &policy)), code, "{what}");
    }
}

#[test]
fn every_code_is_shown_by_some_bad_input() {
    let source = include_str!("../refusal.rs");
    let codes: Vec<&str> = source.split('"').filter(|text| text.starts_with("WT-TRUST-")).collect();
    let all: BTreeSet<&str> = codes.iter().copied().collect();
    assert_eq!(all.len(), codes.len(), "a code stands for two reasons");
    let shown: BTreeSet<&str> = rows().into_iter().map(|row| row.code).collect();
    assert_eq!(all.difference(&shown).collect::<Vec<_>>(), Vec::<&&str>::new());
}

#[test]
fn no_refusal_repeats_a_seed() {
    let seed = issuer().seed();
    for claim in ["iss", "sub"] {
        let refusal = verify(with_claims(|claims| claims[claim] = seed.expose().into()), &policy());
        let text = format!("{:?}", refusal.unwrap_err());
        assert!(!text.contains(&seed.expose()[2..]), "{text}");
    }
}

#[test]
fn a_refusal_quotes_little_of_a_long_text() {
    let algorithm = "x".repeat(5_000);
    let header = format!(r#"{{"typ":"jwt","alg":"{algorithm}"}}"#);
    let refusal = verify(with_header(&header), &policy()).unwrap_err();
    assert!(refusal.to_string().len() < 200, "{refusal}");
}
