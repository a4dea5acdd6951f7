//! Files that cost more than they look, made by hand.

use wasm_encoder::{Component, CustomSection, NestedComponentSection};

/// A file, and whether its author can sign it: where the signature would be looked for, the host has
/// given up already.
#[derive(Debug)]
pub(crate) struct Bomb {
    pub(crate) bytes: Vec<u8>,
    pub(crate) signed: bool,
}

fn unsigned(component: Component) -> Bomb {
    Bomb { bytes: component.finish(), signed: false }
}

fn signed(text: &str) -> Bomb {
    Bomb { bytes: wat::parse_str(text).expect("a bomb is valid text"), signed: true }
}

/// A component of one core module.
fn module(fields: &str) -> Bomb {
    signed(&format!("(component (core module $m {fields}) (core instance (instantiate $m)))"))
}

/// A component of one core module, many times.
fn instances(count: usize, fields: &str) -> Bomb {
    let made = "(core instance (instantiate $m))".repeat(count);
    signed(&format!("(component (core module $m {fields}) {made})"))
}

pub(crate) fn ten_thousand_sections() -> Bomb {
    let mut component = Component::new();
    for _ in 0..10_000 {
        component.section(&CustomSection { name: "x".into(), data: (&[]).into() });
    }
    unsigned(component)
}

pub(crate) fn a_thousand_deep() -> Bomb {
    let mut component = Component::new();
    for _ in 0..1_000 {
        let mut outer = Component::new();
        outer.section(&NestedComponentSection(&component));
        component = outer;
    }
    unsigned(component)
}

/// A custom section whose length is all there is of it.
pub(crate) fn a_section_of_1_gib() -> Bomb {
    let mut bytes = Component::new().finish();
    bytes.extend([0, 0x80, 0x80, 0x80, 0x80, 0x04, 1, b'x']);
    Bomb { bytes, signed: false }
}

pub(crate) fn seventy_mib() -> Bomb {
    let mut component = Component::new();
    let data = vec![0; 70 << 20];
    component.section(&CustomSection { name: "x".into(), data: (&data).into() });
    Bomb { bytes: component.finish(), signed: true }
}

/// Each type is a pair of the one before.
fn doubled(times: u32) -> String {
    let types = (1..=times).map(|n| format!("(type $t{n} (tuple $t{0} $t{0}))", n - 1));
    format!("(type $t0 (tuple u8 u8)){}", types.collect::<String>())
}

pub(crate) fn types_doubled() -> Bomb {
    signed(&format!("(component {})", doubled(40)))
}

pub(crate) fn an_import_of_many_parts() -> Bomb {
    let types = doubled(16);
    signed(&format!(
        r#"(component {types} (import "a:b/c" (instance
            (export "f" (func (param "x" $t16))))))"#
    ))
}

/// Each component is made of two of the one before.
pub(crate) fn instances_doubled() -> Bomb {
    let made = (1..=30).map(|n| {
        let one = "(instance (instantiate $before))";
        format!("(component $c{n} (alias outer 1 {} (component $before)) {one}{one})", n - 1)
    });
    let made = made.collect::<String>();
    signed(&format!("(component (component $c0) {made} (instance (instantiate $c30)))"))
}

pub(crate) fn many_functions() -> Bomb {
    module(&"(func)".repeat(900_000))
}

pub(crate) fn a_jump_to_many() -> Bomb {
    let targets = "0 ".repeat(100_000);
    module(&format!("(func (param i32) (br_table {targets} (local.get 0)))"))
}

pub(crate) fn many_locals() -> Bomb {
    module(&format!("(func (local {}))", "i64 ".repeat(50_001)))
}

pub(crate) fn memory_of_4_gib() -> Bomb {
    module("(memory 65536)")
}

pub(crate) fn table_of_20001() -> Bomb {
    module("(table 20001 funcref)")
}

pub(crate) fn memories_33() -> Bomb {
    instances(33, "(memory 1)")
}

pub(crate) fn instances_65() -> Bomb {
    instances(65, "")
}

pub(crate) fn gc() -> Bomb {
    module("(type (struct (field i32)))")
}

pub(crate) fn exceptions() -> Bomb {
    module("(tag (param i32))")
}

pub(crate) fn threads() -> Bomb {
    module("(memory 1 1 shared)")
}

pub(crate) fn memory64() -> Bomb {
    module("(memory i64 1)")
}
