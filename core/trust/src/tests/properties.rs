//! What holds for all requests and all damage.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use wattle_types::Digest;

use super::fixture::*;
use crate::claims::{self, REV_MAX, SignRequest};
use crate::limits::Limits;
use crate::outline::{Hashes, Outline};

prop_compose! {
    fn a_request()(
        name in ".{1,40}",
        tags in vec(".{0,20}", 0..6),
        rev in option::of(0..=REV_MAX),
        ver in option::of(".{0,20}"),
        call_alias in option::of("[a-z0-9_]{0,20}"),
        not_before in option::of(0..=NOW),
        expires in option::of(NOW + 1..),
    ) -> SignRequest {
        SignRequest {
            subject: module_key(), name, tags, rev, ver, call_alias, expires, not_before,
        }
    }
}

/// A component of random custom sections, modules and components, with random lengths of lengths.
fn a_component() -> impl Strategy<Value = Vec<u8>> {
    let section = (prop_oneof!["[a-z]{0,9}", Just("jwt".into()), Just("wasmcloud_jwt".into())])
        .prop_flat_map(|name: String| {
            (vec(any::<u8>(), 0..200), 2..6_usize).prop_map(move |(data, width)| {
                padded(0, &custom_body(name.as_bytes(), &data), width)
            })
        });
    let module = vec(section.clone(), 0..4)
        .prop_map(|sections| [b"\0asm\x01\0\0\0".to_vec(), sections.concat()].concat());
    let leaf = prop_oneof![section, (module, 3..6_usize).prop_map(|(m, w)| padded(1, &m, w))];
    let part = leaf.prop_recursive(4, 24, 5, |part| {
        (vec(part, 0..5), 4..6_usize)
            .prop_map(|(parts, width)| padded(4, &of_sections(&parts), width))
    });
    vec(part, 0..6).prop_map(|parts| of_sections(&parts))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn what_is_signed_reads_back_and_verifies(request in a_request()) {
        let bytes = claims::sign(&component(), &request, &issuer(), NOW).unwrap();
        let read = claims::inspect(&bytes).unwrap().unwrap();
        prop_assert_eq!(Some(&request.name), read.name.as_ref());
        prop_assert_eq!(&request.tags, &read.tags);
        prop_assert_eq!((request.rev, &request.ver), (read.rev, &read.ver));
        prop_assert_eq!(&request.call_alias, &read.call_alias);
        prop_assert_eq!((request.expires, request.not_before), (read.expires, read.not_before));
        prop_assert_eq!((issuer_key(), module_key()), (read.issuer, read.subject));
        let verified = verify(bytes, &policy()).unwrap();
        prop_assert_eq!(&read, verified.claims());
    }

    #[test]
    fn the_1x_tools_find_the_same_content_in_any_component(component in a_component()) {
        let bytes = signed(&component);
        let token = wascap::wasm::extract_claims(&bytes).unwrap().unwrap();
        prop_assert_eq!(token.claims.issuer, issuer_key().to_string());
        prop_assert_eq!(verdict(&verify(bytes, &policy())), "accepted");
    }

    #[test]
    fn hashes_are_of_the_content_and_of_the_file(component in a_component()) {
        for bytes in [signed(&component), component] {
            let outline = Outline::of(&bytes, &Limits::default()).unwrap();
            let (content, file) = (Digest::of(&outline.content()), Digest::of(&bytes));
            prop_assert_eq!(outline.hashes(), Hashes { content, file });
        }
    }

    #[test]
    fn signing_again_changes_only_the_signature(component in a_component()) {
        let once = signed(&component);
        prop_assert_eq!(&signed(&once), &once);
    }

    /// Lengths may be written in several ways, and nothing else of a signed file may change.
    #[test]
    fn what_is_accepted_after_damage_has_the_same_content_and_token(
        damage in vec((any::<prop::sample::Index>(), 0..4_u8, any::<u8>()), 1..4),
    ) {
        let original = signed(&padded_component());
        let mut bytes = original.clone();
        for (at, kind, byte) in damage {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.remove(at)),
                _ => {
                    let part = bytes[at..(at + usize::from(byte)).min(bytes.len())].to_vec();
                    bytes.extend_from_slice(&part);
                }
            }
        }
        if verify(bytes.clone(), &policy()).is_ok() {
            let limits = Limits::default();
            let before = Outline::of(&original, &limits).unwrap();
            let after = Outline::of(&bytes, &limits).unwrap();
            prop_assert_eq!(before.content(), after.content());
            prop_assert_eq!(before.token().unwrap(), after.token().unwrap());
        }
    }

    #[test]
    fn any_bytes_get_an_answer(tail in vec(any::<u8>(), 0..300), is_component in any::<bool>()) {
        let head: &[u8] = if is_component { &COMPONENT_HEADER } else { b"" };
        prop_assert!(verify([head, &tail].concat(), &policy()).is_err());
    }

    #[test]
    fn any_token_gets_an_answer(segments in vec(vec(any::<u8>(), 0..40), 0..5)) {
        let base64 = |segment: &Vec<u8>| data_encoding::BASE64URL_NOPAD.encode(segment);
        let token = segments.iter().map(base64).collect::<Vec<_>>().join(".");
        prop_assert!(verify(attach(&component(), token.as_bytes()), &policy()).is_err());
    }
}
