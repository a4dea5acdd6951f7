//! The bytes of the file, and where its signature stands.

use super::super::fixture::*;
use super::{Row, row};
use crate::Limits;

pub(super) fn rows() -> Vec<Row> {
    [bytes(), sections(), bounds(), signatures(), tampered()].into_iter().flatten().collect()
}

/// The signed component with a section in front of the others.
fn front(section: &[u8]) -> Vec<u8> {
    let signed = signed(&component());
    [&signed[..8], section, &signed[8..]].concat()
}

fn then(bytes: &[u8], more: &[u8]) -> Vec<u8> {
    [bytes, more].concat()
}

fn bytes() -> Vec<Row> {
    let signed = signed(&component());
    let len = signed.len();
    vec![
        row("an empty file", vec![], "WT-TRUST-EMPTY"),
        row("text", b"hello, this is no component".to_vec(), "WT-TRUST-NOT-WASM"),
        row("one wrong byte", b"\x7f".to_vec(), "WT-TRUST-NOT-WASM"),
        row("text format", b"(component)".to_vec(), "WT-TRUST-NOT-WASM"),
        row("an ELF file", b"\x7fELF\x02\x01\x01\0".to_vec(), "WT-TRUST-NOT-WASM"),
        row("zeros", vec![0; 64], "WT-TRUST-NOT-WASM"),
        row("half the magic", b"\0a".to_vec(), "WT-TRUST-TRUNCATED"),
        row("magic alone", b"\0asm".to_vec(), "WT-TRUST-TRUNCATED"),
        row("half the version", b"\0asm\x0d\0\x01".to_vec(), "WT-TRUST-TRUNCATED"),
        row("a core module", module(&[]).finish(), "WT-TRUST-CORE-MODULE"),
        row("a core module that is empty", b"\0asm\x01\0\0\0".to_vec(), "WT-TRUST-CORE-MODULE"),
        row("module version 2", b"\0asm\x02\0\0\0".to_vec(), "WT-TRUST-FORMAT-VERSION"),
        row("an old component", b"\0asm\x0c\0\x01\0".to_vec(), "WT-TRUST-FORMAT-VERSION"),
        row("a third layer", b"\0asm\x0d\0\x02\0".to_vec(), "WT-TRUST-FORMAT-VERSION"),
        row("without the last byte", signed[..len - 1].to_vec(), "WT-TRUST-TRUNCATED"),
        row("half the token", signed[..len - 200].to_vec(), "WT-TRUST-TRUNCATED"),
        row("half a module", signed[..20].to_vec(), "WT-TRUST-TRUNCATED"),
        row("a section without length", then(&COMPONENT_HEADER, &[0]), "WT-TRUST-TRUNCATED"),
        row("half a length", then(&COMPONENT_HEADER, &[0, 0x80, 0x80]), "WT-TRUST-TRUNCATED"),
        row("a component without signature", component(), "WT-TRUST-UNSIGNED"),
        row("an empty component", COMPONENT_HEADER.to_vec(), "WT-TRUST-UNSIGNED"),
        row("text behind", then(&signed, b"garbage"), "WT-TRUST-TRAILING-BYTES"),
        row("a zero behind", then(&signed, &[0]), "WT-TRUST-TRAILING-BYTES"),
        row("zeros behind", then(&signed, &[0; 16]), "WT-TRUST-TRAILING-BYTES"),
        row("an unknown section behind", then(&signed, &[99, 0]), "WT-TRUST-TRAILING-BYTES"),
        row("itself behind", then(&signed, &signed), "WT-TRUST-TRAILING-BYTES"),
    ]
}

fn sections() -> Vec<Row> {
    let child = |body: &[u8]| front(&padded(4, body, 1));
    let in_module = |body: &[u8]| front(&padded(1, &then(b"\0asm\x01\0\0\0", body), 1));
    vec![
        row(
            "a length of six bytes",
            front(b"\0\x81\x80\x80\x80\x80\0x"),
            "WT-TRUST-SECTION-LENGTH",
        ),
        row("a length of 33 bits", front(b"\0\x81\x80\x80\x80\x10x"), "WT-TRUST-SECTION-LENGTH"),
        row("a length of 35 bits", front(b"\0\xff\xff\xff\xff\x7fx"), "WT-TRUST-SECTION-LENGTH"),
        row("a section of 1 GiB", front(b"\0\x80\x80\x80\x80\x04"), "WT-TRUST-SECTION-TOO-LARGE"),
        row("a section of 4 GiB", front(b"\x02\xff\xff\xff\xff\x0f"), "WT-TRUST-SECTION-TOO-LARGE"),
        row("a module of 1 GiB", front(b"\x01\x80\x80\x80\x80\x04"), "WT-TRUST-SECTION-TOO-LARGE"),
        row("a section longer than the file", front(b"\x02\xff\xff\x03"), "WT-TRUST-TRUNCATED"),
        row("a module longer than the file", front(b"\x01\xff\xff\x03"), "WT-TRUST-TRUNCATED"),
        row(
            "a section longer than its component",
            child(&then(&COMPONENT_HEADER, &[0, 9, 1, b'n'])),
            "WT-TRUST-SECTION-OVERRUN",
        ),
        row(
            "a component longer than its component",
            child(&then(&COMPONENT_HEADER, &[4, 20])),
            "WT-TRUST-SECTION-OVERRUN",
        ),
        row("code longer than its module", in_module(&[10, 9, 0]), "WT-TRUST-SECTION-OVERRUN"),
        row("a section cut by its module", in_module(&[0]), "WT-TRUST-SECTION-OVERRUN"),
        row("a name that is not UTF-8", front(b"\0\x03\x02\xff\xfe"), "WT-TRUST-SECTION-NAME"),
        row("a name longer than its section", front(b"\0\x02\x09n"), "WT-TRUST-SECTION-NAME"),
        row("a custom section without name", front(b"\0\0"), "WT-TRUST-SECTION-NAME"),
        row(
            "a name that is not UTF-8, inside",
            in_module(b"\0\x02\x01\xff"),
            "WT-TRUST-SECTION-NAME",
        ),
        row("a section of no kind", front(b"\x63\x01x"), "WT-TRUST-SECTION-UNKNOWN"),
        row("a section of no kind, inside", in_module(b"\x63\x01x"), "WT-TRUST-SECTION-UNKNOWN"),
        row("a module without header", child(b""), "WT-TRUST-MALFORMED"),
        row("a module with another's header", child(b"\0asm\x02\0\0\0"), "WT-TRUST-MALFORMED"),
        row(
            "sections of a module out of order",
            in_module(&[3, 2, 1, 0, 1, 4, 1, 0x60, 0, 0]),
            "WT-TRUST-MALFORMED",
        ),
        row("a section id of two bytes", front(b"\x80\x01x"), "WT-TRUST-MALFORMED"),
        row("a component without section", front(&signed(&component())), "WT-TRUST-MALFORMED"),
    ]
}

fn bounds() -> Vec<Row> {
    let small = |limits| policy().with_limits(limits);
    let all = Limits::default();
    let signed_len = signed(&component()).len();
    let one_less = Limits { artifact_bytes_max: signed_len - 1, ..all };
    vec![
        row("a file of 128 MiB", vec![0; (128 << 20) + 1], "WT-TRUST-TOO-LARGE"),
        Row {
            policy: small(one_less),
            ..row("a byte too many", signed(&component()), "WT-TRUST-TOO-LARGE")
        },
        row(
            "10,000 custom sections",
            of_sections(&vec![padded(0, b"\x01n", 1); 10_000]),
            "WT-TRUST-TOO-MANY-SECTIONS",
        ),
        row(
            "10,000 tokens",
            of_sections(&vec![padded(0, b"\x0dwasmcloud_jwt", 1); 10_000]),
            "WT-TRUST-TOO-MANY-SECTIONS",
        ),
        row(
            "10,000 modules",
            of_sections(&vec![padded(1, b"\0asm\x01\0\0\0", 1); 10_000]),
            "WT-TRUST-TOO-MANY-SECTIONS",
        ),
        row("components 17 deep", nest(all.depth_max + 1), "WT-TRUST-TOO-DEEP"),
        row("components 2,000 deep", nest(2_000), "WT-TRUST-TOO-DEEP"),
        row(
            "a token of 1 MiB",
            attach(&component(), &vec![b'A'; 1 << 20]),
            "WT-TRUST-TOKEN-TOO-LARGE",
        ),
        row(
            "a token of a byte too many",
            attach(&component(), &vec![b'A'; all.token_bytes_max + 1]),
            "WT-TRUST-TOKEN-TOO-LARGE",
        ),
    ]
}

fn signatures() -> Vec<Row> {
    let valid = signed(&component());
    let token = &valid[component().len()..];
    let named = |name: &[u8]| padded(0, &custom_body(name, b"a.b.c"), 2);
    let in_module = padded(1, &module(&[("wasmcloud_jwt", b"a.b.c")]).finish(), 2);
    let legacy_in_module = padded(1, &module(&[("jwt", b"a.b.c")]).finish(), 2);
    let in_component = padded(4, &of_sections(&[named(b"wasmcloud_jwt")]), 2);
    vec![
        row("two tokens, the same", then(&valid, token), "WT-TRUST-SIGNATURE-TWICE"),
        row(
            "two tokens, another first",
            front(&named(b"wasmcloud_jwt")),
            "WT-TRUST-SIGNATURE-TWICE",
        ),
        row("a token and a legacy one", then(&valid, &named(b"jwt")), "WT-TRUST-SIGNATURE-TWICE"),
        row("a legacy token first", front(&named(b"jwt")), "WT-TRUST-SIGNATURE-TWICE"),
        row("three tokens", [&valid[..], token, token].concat(), "WT-TRUST-SIGNATURE-TWICE"),
        row("a token in a module", front(&in_module), "WT-TRUST-SIGNATURE-NESTED"),
        row("a legacy token in a module", front(&legacy_in_module), "WT-TRUST-SIGNATURE-NESTED"),
        row("a token in a component", front(&in_component), "WT-TRUST-SIGNATURE-NESTED"),
        row(
            "a token behind, in a component",
            then(&valid, &in_component),
            "WT-TRUST-SIGNATURE-NESTED",
        ),
        row("only a nested token", then(&component(), &in_component), "WT-TRUST-SIGNATURE-NESTED"),
        row("only a legacy token", then(&component(), &named(b"jwt")), "WT-TRUST-SIGNATURE-LEGACY"),
        row(
            "a section behind",
            then(&valid, &padded(0, b"\x01n", 1)),
            "WT-TRUST-SIGNATURE-NOT-LAST",
        ),
        row("the token in front", moved_to_front(&valid, token), "WT-TRUST-SIGNATURE-NOT-LAST"),
        row("a token by another name", renamed(&valid), "WT-TRUST-UNSIGNED"),
    ]
}

fn moved_to_front(valid: &[u8], token: &[u8]) -> Vec<u8> {
    [&valid[..8], token, &valid[8..valid.len() - token.len()]].concat()
}

fn renamed(valid: &[u8]) -> Vec<u8> {
    let at = valid.windows(13).position(|window| window == b"wasmcloud_jwt").unwrap();
    let mut renamed = valid.to_vec();
    renamed[at] = b'W';
    renamed
}

fn tampered() -> Vec<Row> {
    let changed = |from: &[u8], to: &[u8]| {
        let mut bytes = signed(&component());
        let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
        bytes[at..at + from.len()].copy_from_slice(to);
        bytes
    };
    let original = signed(&component());
    let token = &original[component().len()..];
    let hash = "WT-TRUST-HASH-MISMATCH";
    vec![
        row("changed code", changed(&[3, 0, 1, 11], &[3, 0, 0, 11]), hash),
        row("a changed custom section", changed(b"compiler", b"Compiler"), hash),
        row("a changed section in a component", changed(b"part", b"Part"), hash),
        row("a changed export", changed(b"run", b"ran"), hash),
        row("a section put in", front(&padded(0, b"\x01n", 1)), hash),
        row("the token of another", then(&nest(1), token), hash),
        row("the token alone", then(&COMPONENT_HEADER, token), hash),
    ]
}
