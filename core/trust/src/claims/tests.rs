use wattle_types::nkey::Role;

use super::*;
use crate::tests::fixture::{
    COMPONENT_HEADER, NOW, component, issuer, key, module, module_key, request, signed,
};

fn sign_with(request: &SignRequest) -> Result<Vec<u8>, SignError> {
    sign(&component(), request, &issuer(), NOW)
}

#[test]
fn signing_twice_gives_the_same_file() {
    assert_eq!(signed(&component()), signed(&component()));
}

#[test]
fn a_token_of_other_claims_has_another_id() {
    let id = |bytes: &[u8]| inspect(bytes).unwrap().unwrap().id;
    let one = id(&signed(&component()));
    let other = id(&sign_with(&SignRequest { rev: Some(4), ..request() }).unwrap());
    assert_ne!(one, other);
    assert!(one.len() == 22 && one.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{one}");
}

#[test]
fn the_signature_is_the_last_section_and_all_before_it_is_untouched() {
    let component = component();
    let signed = signed(&component);
    assert_eq!(signed[..component.len()], component);
    assert_eq!(signed[component.len()], 0);
    assert!(signed.ends_with(inspect_token(&signed)));
}

fn inspect_token(signed: &[u8]) -> &[u8] {
    let at = signed.windows(13).position(|window| window == b"wasmcloud_jwt").unwrap();
    &signed[at + 13..]
}

#[test]
fn a_request_that_no_verifier_would_accept_is_not_signed() {
    let plain = || SignRequest::new(module_key(), "web");
    let cases = [
        (SignRequest::new(module_key(), ""), "the name is empty"),
        (
            SignRequest { rev: Some(REV_MAX + 1), ..plain() },
            "rev = 2147483648: at most 2147483647 can be read by the 1.x tools",
        ),
        (
            SignRequest { call_alias: Some(" My-Äctor.v1".into()), ..plain() },
            "call alias \" My-Äctor.v1\": the 1.x tools would write \"my_ctor_v1\"",
        ),
        (
            SignRequest { expires: Some(NOW), ..plain() },
            "expires = 1795000000: that is not after 1795000000, when it becomes valid",
        ),
        (
            SignRequest { not_before: Some(NOW + 9), expires: Some(NOW + 8), ..plain() },
            "expires = 1795000008: that is not after 1795000009, when it becomes valid",
        ),
    ];
    for (request, message) in cases {
        assert_eq!(sign_with(&request).unwrap_err().to_string(), message);
    }
    let request = SignRequest { tags: vec!["x".repeat(20_000)], ..plain() };
    assert!(matches!(sign_with(&request), Err(SignError::TokenTooLarge { .. })));
}

#[test]
fn only_an_account_signs() {
    for role in [Role::Module, Role::User, Role::Operator, Role::Cluster, Role::Server] {
        let result = sign(&component(), &request(), &key(role, 1), NOW);
        assert!(matches!(result, Err(SignError::Issuer(_))), "{role}");
    }
}

#[test]
fn what_is_no_component_is_not_signed() {
    let core = module(&[]).finish();
    for (bytes, code) in [
        (&core[..], "WT-TRUST-CORE-MODULE"),
        (b"text", "WT-TRUST-NOT-WASM"),
        (b"", "WT-TRUST-EMPTY"),
        (&component()[..40], "WT-TRUST-TRUNCATED"),
    ] {
        match sign(bytes, &request(), &issuer(), NOW) {
            Err(SignError::Component(refusal)) => assert_eq!(refusal.code(), code),
            other => panic!("{code}: {other:?}"),
        }
    }
}

#[test]
fn inspection_tells_unsigned_from_unreadable() {
    assert_eq!(inspect(&component()).unwrap(), None);
    assert_eq!(inspect(&COMPONENT_HEADER).unwrap(), None);
    assert_eq!(inspect(&module(&[]).finish()).unwrap_err().code(), "WT-TRUST-CORE-MODULE");
    let claims = inspect(&signed(&component())).unwrap().unwrap();
    assert_eq!((claims.name.as_deref(), claims.rev), (Some("web"), Some(3)));
}
