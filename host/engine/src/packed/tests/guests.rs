//! Components for a given signature, as text.

use std::fmt::Write;

use wattle_value::{FuncType, Type};

use super::super::PARAMS_MAX;
use crate::signature::flat;

/// A memory, and a `realloc` that frees nothing.
const LIBC: &str = r#"
  (core module $libc
    (memory (export "memory") 64)
    (global $next (mut i32) (i32.const 0x10000))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $place i32)
      (local.set $place (i32.and
        (i32.add (global.get $next) (i32.sub (local.get 2) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get 2))))
      (global.set $next (i32.add (local.get $place) (local.get 3)))
      (if (i32.gt_u (global.get $next) (i32.const 0x400000)) (then unreachable))
      (memory.copy (local.get $place) (local.get 0)
        (select (local.get 1) (local.get 3) (i32.lt_u (local.get 1) (local.get 3))))
      (local.get $place)))
  (core instance $libc (instantiate $libc))"#;

const OPTIONS: &str =
    r#"(memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))"#;

/// Imports `f` and exports `g` of the same signature, which calls `f` and returns what that
/// returned. Results in memory are at 16.
pub(super) fn passing_on(func: &FuncType) -> String {
    let mut names = Names::default();
    let signature = names.signature(func);
    let core = core_params(func);
    let args: String = (0..core.len()).map(|n| format!("(local.get {n}) ")).collect();
    let result = core_result(func);
    let (pointer, returned) = match result {
        // A function that lowers is told where to put such a result; one that lifts says where.
        Some("pointer") => ("i32", "(call $f ARGS (i32.const 16)) (i32.const 16)"),
        _ => ("", "(call $f ARGS)"),
    };
    let lowered = result.filter(|result| *result != "pointer").unwrap_or_default();
    let lifted = result.map_or("", |result| if result == "pointer" { "i32" } else { result });
    let body = returned.replace("ARGS", &args);
    let core = core.join(" ");
    let (mut types, mut aliases) = (String::new(), String::new());
    for (n, spelt) in names.0.iter().enumerate() {
        writeln!(types, "(type $d{n} {spelt}) (export \"t{n}\" (type $t{n} (eq $d{n})))").unwrap();
        writeln!(aliases, "(alias export $i \"t{n}\" (type $t{n}))").unwrap();
    }
    format!(
        r#"(component
  (import "test:types/echo" (instance $i
    {types}
    (export "f" (func {signature}))))
  {LIBC}
  (core func $f (canon lower (func $i "f") {OPTIONS}))
  (core module $m
    (import "e" "f" (func $f (param {core} {pointer}) (result {lowered})))
    (func (export "g") (param {core}) (result {lifted}) {body}))
  (core instance $m (instantiate $m (with "e" (instance (export "f" (func $f))))))
  {aliases}
  (func (export "g") {signature} (canon lift (core func $m "g") {OPTIONS})))"#
    )
}

/// Exports `g`, which takes what `func` takes and returns nothing.
pub(super) fn taking(func: &FuncType) -> String {
    let mut names = Names::default();
    let signature = names.signature(&FuncType { result: None, ..func.clone() });
    let core = core_params(func).join(" ");
    let types = names.exported();
    format!(
        r#"(component
  {LIBC}
  (core module $m (func (export "g") (param {core})))
  (core instance $m (instantiate $m))
  {types}
  (func (export "g") {signature} (canon lift (core func $m "g") {OPTIONS})))"#
    )
}

/// Exports `g`, which returns a `ty` that is made by `body`: instructions that leave one `i32`.
pub(super) fn returning(ty: &str, body: &str) -> String {
    format!(
        r#"(component
  {LIBC}
  (core module $m
    (import "libc" "memory" (memory 64))
    (func (export "g") (result i32) {body}))
  (core instance $m (instantiate $m (with "libc" (instance $libc))))
  (func (export "g") (result {ty}) (canon lift (core func $m "g") {OPTIONS})))"#
    )
}

/// Types that the component model wants to have names, spelt in terms of earlier ones.
#[derive(Default)]
struct Names(Vec<String>);

impl Names {
    fn signature(&mut self, func: &FuncType) -> String {
        let mut text = String::new();
        for param in &func.params {
            let ty = self.spell(&param.ty);
            write!(text, "(param \"{}\" {ty}) ", param.name).unwrap();
        }
        if let Some(result) = &func.result {
            write!(text, "(result {})", self.spell(result)).unwrap();
        }
        text
    }

    fn exported(&self) -> String {
        let each = self.0.iter().enumerate().map(|(n, spelt)| {
            format!("(type $d{n} {spelt}) (export $t{n} \"t{n}\" (type $d{n}))\n")
        });
        each.collect()
    }

    fn spell(&mut self, ty: &Type) -> String {
        let quoted =
            |names: &[String]| names.iter().map(|name| format!("\"{name}\" ")).collect::<String>();
        match ty {
            Type::List(element) => format!("(list {})", self.spell(element)),
            Type::Option(some) => format!("(option {})", self.spell(some)),
            Type::Tuple(types) => {
                let types: Vec<_> = types.iter().map(|ty| self.spell(ty)).collect();
                format!("(tuple {})", types.join(" "))
            }
            Type::Result { ok, err } => {
                let ok = ok.as_deref().map(|ty| self.spell(ty)).unwrap_or_default();
                let err = err.as_deref().map(|ty| format!("(error {})", self.spell(ty)));
                format!("(result {ok} {})", err.unwrap_or_default())
            }
            Type::Record(fields) => {
                let fields: Vec<_> = fields
                    .iter()
                    .map(|field| format!("(field \"{}\" {})", field.name, self.spell(&field.ty)))
                    .collect();
                self.named(format!("(record {})", fields.join(" ")))
            }
            Type::Variant(cases) => {
                let cases: Vec<_> = cases
                    .iter()
                    .map(|case| {
                        let ty = case.ty.as_ref().map(|ty| self.spell(ty)).unwrap_or_default();
                        format!("(case \"{}\" {ty})", case.name)
                    })
                    .collect();
                self.named(format!("(variant {})", cases.join(" ")))
            }
            Type::Enum(names) => self.named(format!("(enum {})", quoted(names))),
            Type::Flags(names) => self.named(format!("(flags {})", quoted(names))),
            simple => format!("{simple:?}").to_lowercase(),
        }
    }

    fn named(&mut self, spelt: String) -> String {
        self.0.push(spelt);
        format!("$t{}", self.0.len() - 1)
    }
}

fn core_params(func: &FuncType) -> Vec<&'static str> {
    let params: Vec<_> = func.params.iter().flat_map(|param| core(&param.ty)).collect();
    if params.len() <= PARAMS_MAX { params } else { vec!["i32"] }
}

fn core_result(func: &FuncType) -> Option<&'static str> {
    let ty = func.result.as_ref()?;
    match core(ty)[..] {
        [] => None,
        [one] => Some(one),
        _ => Some("pointer"),
    }
}

/// The core types of a value outside memory, by the rules of the component model.
fn core(ty: &Type) -> Vec<&'static str> {
    let types = match ty {
        Type::S64 | Type::U64 => vec!["i64"],
        Type::F32 => vec!["f32"],
        Type::F64 => vec!["f64"],
        Type::String | Type::List(_) => vec!["i32", "i32"],
        Type::Record(fields) => fields.iter().flat_map(|field| core(&field.ty)).collect(),
        Type::Tuple(types) => types.iter().flat_map(core).collect(),
        Type::Variant(cases) => joined(cases.iter().filter_map(|case| case.ty.as_ref())),
        Type::Option(some) => joined([&**some].into_iter()),
        Type::Result { ok, err } => joined([ok, err].into_iter().filter_map(|ty| ty.as_deref())),
        _ => vec!["i32"],
    };
    assert_eq!(types.len(), flat(ty), "{ty}");
    types
}

/// A discriminant, and places that are wide enough for each case.
fn joined<'t>(payloads: impl Iterator<Item = &'t Type>) -> Vec<&'static str> {
    let mut all = vec!["i32"];
    for payload in payloads {
        for (n, mine) in core(payload).into_iter().enumerate() {
            match all.get_mut(1 + n) {
                None => all.push(mine),
                Some(theirs) => {
                    *theirs = match (mine, *theirs) {
                        (a, b) if a == b => a,
                        ("i32", "f32") | ("f32", "i32") => "i32",
                        _ => "i64",
                    }
                }
            }
        }
    }
    all
}
