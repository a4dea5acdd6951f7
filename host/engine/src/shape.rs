//! What a file is and what it imports, read before anything is compiled.
//!
//! Decides by names alone. A component that imports what nobody provides is refused here, with
//! every such name and what would help, instead of by the first failure of the linker.

use std::fmt;

use wasmparser::{ComponentExternalKind, ComponentTypeRef, Encoding, Parser, Payload};

/// The outside of a component.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
}

/// Why bytes have no such outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    NotWasm,
    CoreModule,
    Malformed(String),
}

/// One import that this host does not provide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    pub name: String,
    /// What the author of the component, or of the manifest, can do about it.
    pub help: &'static str,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.help)
    }
}

impl Shape {
    pub(crate) fn of(bytes: &[u8]) -> Result<Self, Unfit> {
        if Parser::is_core_wasm(bytes) {
            return Err(Unfit::CoreModule);
        }
        if !Parser::is_component(bytes) {
            return Err(Unfit::NotWasm);
        }
        let mut shape = Self::default();
        let mut depth = 0_u32;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(|error| malformed(&error))? {
                Payload::Version { encoding, .. } => {
                    debug_assert!(depth != 0 || encoding == Encoding::Component);
                    depth += 1;
                }
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 1 => {
                    for import in section {
                        let import = import.map_err(|error| malformed(&error))?;
                        // A type is not called; what uses it is listed by itself.
                        if !matches!(import.ty, ComponentTypeRef::Type(_)) {
                            shape.imports.push(import.name.name.to_owned());
                        }
                    }
                }
                Payload::ComponentExportSection(section) if depth == 1 => {
                    for export in section {
                        let export = export.map_err(|error| malformed(&error))?;
                        if export.kind != ComponentExternalKind::Type {
                            shape.exports.push(export.name.name.to_owned());
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(shape)
    }

    /// Every import that this host does not provide.
    pub(crate) fn missing(&self) -> Vec<Missing> {
        let missing = self.imports.iter().filter(|name| !is_provided(name));
        missing.map(|name| Missing { name: name.clone(), help: help(name) }).collect()
    }
}

fn malformed(error: &wasmparser::BinaryReaderError) -> Unfit {
    Unfit::Malformed(error.to_string())
}

/// Interfaces that a component may import in any 0.2.x.
const WASI_0_2: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/outgoing-handler",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

/// Interfaces whose version is a draft, which matches only as it is.
const DRAFTS: &[&str] = &[
    "wasi:config/store@0.2.0-rc.1",
    "wasi:keyvalue/atomics@0.2.0-draft",
    "wasi:keyvalue/batch@0.2.0-draft",
    "wasi:keyvalue/store@0.2.0-draft",
    "wasi:logging/logging",
    "wasi:logging/logging@0.1.0-draft",
];

fn is_provided(import: &str) -> bool {
    if DRAFTS.contains(&import) {
        return true;
    }
    let Some((interface, version)) = import.split_once('@') else { return false };
    let patch = version.strip_prefix("0.2.").unwrap_or_default();
    let is_patch = !patch.is_empty() && patch.bytes().all(|byte| byte.is_ascii_digit());
    is_patch && WASI_0_2.contains(&interface)
}

fn help(import: &str) -> &'static str {
    let (interface, version) = import.split_once('@').unwrap_or((import, ""));
    let same = |provided: &&str| provided.split('@').next() == Some(interface);
    if DRAFTS.iter().any(same) {
        return match interface {
            "wasi:config/store" => "another version; this host has 0.2.0-rc.1",
            _ if interface.starts_with("wasi:keyvalue/") => {
                "another version; this host has \
                0.2.0-draft"
            }
            _ => "another version; this host has 0.1.0-draft",
        };
    }
    if interface.starts_with("wasi:") && version.starts_with("0.3.") {
        return "WASI 0.3 is not supported here; build for wasm32-wasip2";
    }
    if WASI_0_2.contains(&interface) {
        return "another version; this host has WASI 0.2";
    }
    match import.split(['/', '@']).next().unwrap_or(import) {
        "wasi:blobstore"
        | "wasi:messaging"
        | "wasmcloud:messaging"
        | "wasmcloud:postgres"
        | "wasmcloud:secrets"
        | "wasmcloud:bus"
        | "wasi:config"
        | "wasi:keyvalue" => "this host has no provider for it",
        _ => "compose the component with one that exports it, with `wac plug`",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_component_is_told_apart() {
        let module = wat::parse_str("(module)").unwrap();
        let mut component = wat::parse_str("(component (core module))").unwrap();
        component.truncate(component.len() - 2);
        let cut = Shape::of(&component);
        assert_eq!(Shape::of(b""), Err(Unfit::NotWasm));
        assert_eq!(Shape::of(b"#!/bin/sh"), Err(Unfit::NotWasm));
        assert_eq!(Shape::of(&module), Err(Unfit::CoreModule));
        assert!(matches!(cut, Err(Unfit::Malformed(_))), "{cut:?}");
    }

    #[test]
    fn only_the_outermost_component_counts() {
        let bytes = wat::parse_str(
            r#"(component
                (import "a:b/c" (instance $i))
                (component (import "d:e/f" (instance)))
                (export "g:h/i" (instance $i)))"#,
        );
        let shape = Shape::of(&bytes.unwrap()).unwrap();
        assert_eq!(shape, Shape { imports: vec!["a:b/c".into()], exports: vec!["g:h/i".into()] });
    }

    #[test]
    fn every_import_that_nobody_provides_is_named_with_what_would_help() {
        let imports = [
            ("wasi:io/streams@0.2.0", None),
            ("wasi:io/streams@0.2.12", None),
            ("wasi:keyvalue/store@0.2.0-draft", None),
            ("wasi:keyvalue/store@0.2.0-draft2", Some("0.2.0-draft")),
            ("wasi:config/store@0.2.0-draft", Some("0.2.0-rc.1")),
            ("wasi:logging/logging", None),
            ("wasi:logging/logging@0.1.0-draft", None),
            ("wasi:http/types@0.3.0", Some("wasm32-wasip2")),
            ("wasi:io/streams@0.2.0-rc-2023-11-10", Some("WASI 0.2")),
            ("wasi:blobstore/blobstore@0.2.0-draft", Some("no provider")),
            ("acme:billing/invoices@1.0.0", Some("wac plug")),
            ("greet", Some("wac plug")),
        ];
        let names = imports.iter().map(|(name, _)| (*name).to_owned()).collect();
        let missing = Shape { imports: names, exports: Vec::new() }.missing();
        let expected = imports.iter().filter_map(|(name, help)| Some((*name, (*help)?)));
        let expected: Vec<_> = expected.collect();
        assert_eq!(missing.iter().map(|m| &*m.name).collect::<Vec<_>>(), {
            expected.iter().map(|(name, _)| *name).collect::<Vec<_>>()
        });
        for (missing, (name, help)) in missing.iter().zip(expected) {
            assert!(missing.help.contains(help), "{name}: {}", missing.help);
        }
    }
}
