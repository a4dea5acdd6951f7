//! Small components, forged tokens, and keys that are the same in every run.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::{Value, json};
use wasm_encoder::{
    CodeSection, Component, CustomSection, ExportKind, ExportSection, Function, FunctionSection,
    Module, ModuleSection, NestedComponentSection, TypeSection,
};
use wattle_types::nkey::{self, IssuerKey, ModuleKey, Role};

use crate::limits::Limits;
use crate::outline::{Outline, append_custom};
use crate::{KeyPair, Refusal, SignRequest, TrustFile, TrustPolicy, VerifiedComponent, claims};

/// A moment in 2026, in seconds since 1970.
pub(crate) const NOW: u64 = 1_795_000_000;
pub(crate) const COMPONENT_HEADER: [u8; 8] = *b"\0asm\x0d\0\x01\0";

/// The `n`th key of a role.
pub(crate) fn key(role: Role, n: u8) -> KeyPair {
    KeyPair::from_seed(&nkey::encode_seed(role, &[n; 32])).unwrap()
}

pub(crate) fn issuer() -> KeyPair {
    key(Role::Account, 1)
}

pub(crate) fn issuer_key() -> IssuerKey {
    issuer().public().try_into().unwrap()
}

pub(crate) fn module_key() -> ModuleKey {
    key(Role::Module, 2).public().try_into().unwrap()
}

/// Trusts [`issuer`] and nobody else.
pub(crate) fn trust() -> TrustFile {
    TrustFile::new().with_issuer(&issuer_key(), "test")
}

pub(crate) fn policy() -> TrustPolicy {
    TrustPolicy::try_from(&trust()).unwrap()
}

pub(crate) fn custom<'a>(name: &'a str, data: &'a [u8]) -> CustomSection<'a> {
    CustomSection { name: Cow::Borrowed(name), data: Cow::Borrowed(data) }
}

/// A core module with one function; `sections` are custom ones.
pub(crate) fn module(sections: &[(&str, &[u8])]) -> Module {
    let mut module = Module::new();
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut exports = ExportSection::new();
    exports.export("run", ExportKind::Func, 0);
    let mut code = CodeSection::new();
    let mut body = Function::new([]);
    body.instructions().nop().end();
    code.function(&body);
    module.section(&types).section(&functions).section(&exports).section(&code);
    for (name, data) in sections {
        module.section(&custom(name, data));
    }
    module
}

/// A component with a module, and a component that has a module.
pub(crate) fn component() -> Vec<u8> {
    let mut inner = Component::new();
    inner.section(&custom("inner", b"part")).section(&ModuleSection(&module(&[])));
    let mut outer = Component::new();
    outer
        .section(&ModuleSection(&module(&[("producers", b"language"), ("name", b"")])))
        .section(&NestedComponentSection(&inner))
        .section(&custom("notes", b"some notes of the compiler"));
    outer.finish()
}

/// A component with `depth` components inside one another.
pub(crate) fn nest(depth: usize) -> Vec<u8> {
    (0..depth)
        .fold(Component::new(), |inner, _| {
            let mut outer = Component::new();
            outer.section(&NestedComponentSection(&inner));
            outer
        })
        .finish()
}

/// A section whose length takes `width` bytes, needed or not.
pub(crate) fn padded(id: u8, body: &[u8], width: usize) -> Vec<u8> {
    let mut section = vec![id];
    for index in 0..width {
        let low = (body.len() >> (7 * index)) as u8 & 0x7f;
        section.push(if index + 1 == width { low } else { low | 0x80 });
    }
    section.extend_from_slice(body);
    section
}

pub(crate) fn custom_body(name: &[u8], data: &[u8]) -> Vec<u8> {
    [&[name.len() as u8], name, data].concat()
}

pub(crate) fn of_sections(sections: &[Vec<u8>]) -> Vec<u8> {
    [COMPONENT_HEADER.to_vec(), sections.concat()].concat()
}

/// [`component`]'s like, as a linker writes it that leaves room for every length.
pub(crate) fn padded_component() -> Vec<u8> {
    let module = [
        b"\0asm\x01\0\0\0".to_vec(),
        padded(1, &[1, 0x60, 0, 0], 5),
        padded(0, &custom_body(b"linking", b"2"), 5),
        padded(3, &[1, 0], 2),
        padded(10, &[1, 2, 0, 0x0b], 5),
    ]
    .concat();
    let inner = of_sections(&[padded(1, &module, 3), padded(0, &custom_body(b"x", b"y"), 4)]);
    of_sections(&[padded(1, &module, 5), padded(4, &inner, 5), padded(0, b"\x01n", 5)])
}

pub(crate) fn request() -> SignRequest {
    SignRequest { rev: Some(3), ver: Some("1.2.3".into()), ..SignRequest::new(module_key(), "web") }
}

pub(crate) fn signed(component: &[u8]) -> Vec<u8> {
    claims::sign(component, &request(), &issuer(), NOW).unwrap()
}

pub(crate) fn verify(
    file: impl Into<Bytes>,
    policy: &TrustPolicy,
) -> Result<VerifiedComponent, Refusal> {
    crate::verify(file.into(), policy, NOW)
}

/// The code of the refusal, or `accepted`.
pub(crate) fn verdict(result: &Result<VerifiedComponent, Refusal>) -> &'static str {
    match result {
        Ok(_) => "accepted",
        Err(refusal) => refusal.code(),
    }
}

/// The claims that [`signed`] would write, to be falsified.
pub(crate) fn claims_json(component: &[u8]) -> Value {
    let hash = Outline::of(component, &Limits::default()).unwrap().content_hash();
    json!({
        "jti": "0123456789012345678901",
        "iat": NOW,
        "iss": issuer_key(),
        "sub": module_key(),
        "wascap_revision": 3,
        "wascap": {
            "name": "web",
            "hash": hash.to_string().to_uppercase(),
            "tags": [],
            "rev": 3,
            "prov": false,
        },
    })
}

pub(crate) const HEADER: &str = r#"{"typ":"jwt","alg":"Ed25519"}"#;

/// A token with any header and claims, truly signed.
pub(crate) fn token(header: &[u8], claims: &[u8], key: &KeyPair) -> Vec<u8> {
    let base64 = |bytes: &[u8]| data_encoding::BASE64URL_NOPAD.encode(bytes);
    let signed = format!("{}.{}", base64(header), base64(claims));
    let signature = base64(&key.sign(signed.as_bytes()));
    format!("{signed}.{signature}").into_bytes()
}

/// A component with a token as its last section.
pub(crate) fn attach(component: &[u8], token: &[u8]) -> Vec<u8> {
    let mut bytes = component.to_vec();
    append_custom(&mut bytes, "wasmcloud_jwt", token);
    bytes
}

/// [`component`] with the claims of [`claims_json`] after `change`, signed by [`issuer`].
pub(crate) fn with_claims(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let component = component();
    let mut claims = claims_json(&component);
    change(&mut claims);
    attach(&component, &token(HEADER.as_bytes(), claims.to_string().as_bytes(), &issuer()))
}

/// [`component`] with a header of its own, signed by [`issuer`].
pub(crate) fn with_header(header: &str) -> Vec<u8> {
    let component = component();
    let claims = claims_json(&component).to_string();
    attach(&component, &token(header.as_bytes(), claims.as_bytes(), &issuer()))
}

/// [`component`] with claims as text, signed by [`issuer`].
pub(crate) fn with_claims_text(claims: &[u8]) -> Vec<u8> {
    attach(&component(), &token(HEADER.as_bytes(), claims, &issuer()))
}
