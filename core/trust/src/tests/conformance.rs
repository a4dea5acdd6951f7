//! The crate of the 1.x tools as the judge, both ways.

use std::time::{SystemTime, UNIX_EPOCH};

use wascap::jwt::{self, Component};
use wattle_types::Role;

use super::fixture::*;
use crate::{Claims, KeyPair, SignRequest, claims};

fn today() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn theirs(key: &KeyPair) -> nkeys::KeyPair {
    nkeys::KeyPair::from_seed(key.seed().expose()).unwrap()
}

/// Plain, nested, with long lengths, with every section that is left out of the hash.
fn components() -> Vec<Vec<u8>> {
    let signed_parts = {
        let inner = module(&[("jwt", b"old"), ("wasmcloud_jwt", b"new"), ("kept", b"")]).finish();
        let nested = of_sections(&[padded(1, &inner, 5), padded(0, b"\x03jwtx", 1)]);
        of_sections(&[padded(4, &nested, 5), padded(0, b"\x0dwasmcloud_jwt", 3)])
    };
    vec![
        COMPONENT_HEADER.to_vec(),
        component(),
        nest(5),
        padded_component(),
        signed_parts,
        signed(&component()),
    ]
}

#[test]
fn what_we_sign_is_valid_for_the_1x_tools() {
    let now = today();
    let request = SignRequest {
        tags: vec!["a".into(), "ü \"quoted\"".into()],
        call_alias: Some("web_1".into()),
        expires: Some(now + 3_600),
        not_before: Some(now - 10),
        ..request()
    };
    for component in components() {
        let bytes = claims::sign(&component, &request, &issuer(), now).unwrap();
        let token = wascap::wasm::extract_claims(&bytes).unwrap().unwrap();
        let validation = jwt::validate_token::<Component>(&token.jwt).unwrap();
        assert!(validation.signature_valid && !validation.expired && !validation.cannot_use_yet);

        let read = token.claims;
        assert_eq!(read.issuer, issuer_key().to_string());
        assert_eq!(read.subject, module_key().to_string());
        assert_eq!((read.issued_at, read.expires), (now, request.expires));
        assert_eq!(read.not_before, request.not_before);
        let inner = read.metadata.unwrap();
        assert_eq!(inner.name.as_deref(), Some("web"));
        assert_eq!(inner.tags, Some(request.tags.clone()));
        assert_eq!(inner.rev, Some(3));
        assert_eq!(inner.ver, request.ver);
        assert_eq!(inner.call_alias, request.call_alias);
        assert!(!inner.provider);
    }
}

#[test]
fn what_the_1x_tools_sign_is_verified_by_us() {
    for component in components() {
        let bytes = wascap::wasm::sign_buffer_with_claims(
            "Echo".into(),
            &component,
            &theirs(&key(Role::Module, 2)),
            &theirs(&issuer()),
            Some(1),
            Some(0),
            vec!["wasmcloud.com/experimental".into()],
            false,
            Some(7),
            Some("0.1.0".into()),
            Some("My Echo-1.x".into()),
        )
        .unwrap();
        let verified = crate::verify(bytes.into(), &policy(), today()).unwrap();
        let Claims { name, rev, ver, tags, call_alias, subject, .. } = verified.claims();
        assert_eq!(name.as_deref(), Some("Echo"));
        assert_eq!((*rev, ver.as_deref()), (Some(7), Some("0.1.0")));
        assert_eq!(*tags, ["wasmcloud.com/experimental"]);
        assert_eq!(call_alias.as_deref(), Some("my_echo_1_x"));
        assert_eq!(*subject, module_key());
    }
}

#[test]
fn the_same_claims_give_the_same_file_byte_for_byte() {
    let requests = [
        SignRequest::new(module_key(), "plain"),
        SignRequest {
            tags: vec!["t".into()],
            call_alias: Some("alias".into()),
            expires: Some(NOW + 5),
            not_before: Some(NOW + 1),
            ..request()
        },
    ];
    for component in components() {
        for request in &requests {
            let ours = claims::sign(&component, request, &issuer(), NOW).unwrap();
            let mut claims = jwt::Claims::<Component>::with_dates(
                request.name.clone(),
                issuer_key().to_string(),
                module_key().to_string(),
                Some(request.tags.clone()),
                request.not_before,
                request.expires,
                false,
                request.rev.map(|rev| i32::try_from(rev).unwrap()),
                request.ver.clone(),
                request.call_alias.clone(),
            );
            claims.id = claims::inspect(&ours).unwrap().unwrap().id;
            claims.issued_at = NOW;
            let theirs = wascap::wasm::embed_claims(&component, &claims, &theirs(&issuer()));
            assert_eq!(ours, theirs.unwrap());
        }
    }
}

#[test]
fn keys_have_the_same_text_for_the_1x_tools() {
    for role in [Role::Module, Role::Account, Role::Server, Role::Cluster] {
        let ours = KeyPair::generate(role).unwrap();
        let theirs = theirs(&ours);
        assert_eq!(theirs.public_key(), ours.public().to_string());
        assert_eq!(theirs.seed().unwrap(), ours.seed().expose());
        theirs.verify(b"message", &ours.sign(b"message")).unwrap();
    }
}
