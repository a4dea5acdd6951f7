//! What must pass: the other side of every bound.

use serde_json::json;
use wattle_types::Digest;
use wattle_types::nkey::Role;

use super::fixture::*;
use crate::outline::Outline;
use crate::{Limits, TrustFile, TrustPolicy};

fn accepted(what: &str, bytes: Vec<u8>, policy: &TrustPolicy) {
    assert_eq!(verdict(&verify(bytes, policy)), "accepted", "{what}");
}

#[test]
fn the_fixtures_are_components_that_an_engine_would_take() {
    for bytes in [component(), padded_component(), signed(&component())] {
        wasmparser::validate(&bytes).unwrap();
    }
}

#[test]
fn the_proof_holds_the_file_its_digest_and_its_claims() {
    let bytes = signed(&component());
    let verified = verify(bytes.clone(), &policy()).unwrap();
    assert_eq!(verified.bytes(), &bytes);
    assert_eq!(verified.digest(), Digest::of(&bytes));
    assert_eq!(verified.claims().subject, module_key());
    assert_eq!(verified.claims().issuer, issuer_key());
}

#[test]
fn clocks_may_differ_by_a_minute() {
    for (claim, value) in
        [("exp", NOW - 60), ("nbf", NOW + 60), ("iat", NOW + 60), ("exp", NOW), ("exp", u64::MAX)]
    {
        let bytes = with_claims(|claims| claims[claim] = value.into());
        accepted(&format!("{claim} = {value}"), bytes, &policy());
    }
}

#[test]
fn a_clock_at_either_end_of_time_does_not_overflow() {
    let bytes = signed(&component());
    for (now, code) in [(0, "WT-TRUST-ISSUED-IN-FUTURE"), (u64::MAX, "accepted")] {
        assert_eq!(verdict(&crate::verify(bytes.clone().into(), &policy(), now)), code);
    }
}

#[test]
fn claims_that_nobody_here_knows_are_passed_over() {
    let bytes = with_claims(|claims| {
        claims["caps"] = json!(["wasmcloud:httpserver"]);
        claims["wascap"]["later"] = json!({"a": [1, -2.5, null]});
    });
    accepted("unknown claims", bytes, &policy());
}

#[test]
fn optional_claims_may_be_absent() {
    let bytes = with_claims(|claims| {
        let hash = claims["wascap"]["hash"].clone();
        claims["wascap"] = json!({ "hash": hash });
        claims["wascap_revision"] = json!(4);
    });
    let verified = verify(bytes, &policy()).unwrap();
    assert_eq!(verified.claims().name, None);
    assert_eq!(verified.claims().rev, None);
}

#[test]
fn a_key_that_replaces_another_is_believed_beside_it() {
    let new = key(Role::Account, 9);
    let file = trust().with_issuer(&new.public().try_into().unwrap(), "next year's");
    let policy = TrustPolicy::try_from(&file).unwrap();
    let component = component();
    for key in [&issuer(), &new] {
        let bytes = crate::claims::sign(&component, &request(), key, NOW).unwrap();
        accepted("either key", bytes, &policy);
    }
}

#[test]
fn rules_that_are_met_do_not_refuse() {
    let file = TrustFile::parse(&format!(
        "version = 1
         [tokens]
         expiry_required = true
         lifetime_days_max = 30
         [[issuers]]
         key = \"{}\"
         name = \"test\"
         valid_from = 2026-11-18T11:06:39Z
         valid_until = 2026-11-18T13:36:40+02:30
         modules = [\"{module}\"]
         [minimum_revisions]
         {module} = 3",
        issuer_key(),
        module = module_key(),
    ));
    let policy = TrustPolicy::try_from(&file.unwrap()).unwrap();
    let bytes = with_claims(|claims| claims["exp"] = (NOW + 30 * 86_400).into());
    accepted("every rule met", bytes, &policy);
}

#[test]
fn artifacts_at_each_bound_pass() {
    let bytes = signed(&component());
    let outline = Outline::of(&bytes, &Limits::default()).unwrap();
    let limits = Limits {
        artifact_bytes_max: bytes.len(),
        token_bytes_max: outline.token().unwrap().len(),
        ..Limits::default()
    };
    accepted("size", bytes, &policy().with_limits(limits));
    accepted("depth", signed(&nest(Limits::default().depth_max)), &policy());
    let sections = vec![padded(0, b"\x01n", 1); Limits::default().sections_max - 1];
    accepted("sections", signed(&of_sections(&sections)), &policy());
}
