//! What a file is and what it imports, read before anything is compiled.
//!
//! Decides by names alone. A component that imports what nobody provides is refused here, with
//! every such name and what would help, instead of by the first failure of the linker.

use std::fmt;

use wasmparser::{
    CanonicalFunction, CanonicalOption, ComponentDefinedType, ComponentExternalKind, ComponentType,
    ComponentTypeDeclaration, ComponentTypeRef, Encoding, InstanceTypeDeclaration, Parser, Payload,
};
use wattle_types::InterfaceName;

use crate::offered;
use crate::profile::Wasi;

/// The outside of a component.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
    /// Anything in it, at any depth, is async, a stream or a future.
    is_async: bool,
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
    pub help: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "component imports {}; {}", self.name, self.help)
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
                Payload::ComponentTypeSection(section) => {
                    for ty in section {
                        shape.is_async |= is_async_type(&ty.map_err(|error| malformed(&error))?);
                    }
                }
                Payload::ComponentCanonicalSection(section) => {
                    for function in section {
                        let function = function.map_err(|error| malformed(&error))?;
                        shape.is_async |= is_async_function(&function);
                    }
                }
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

    /// Which generation of WASI it runs on. Names decide only where they are those of WASI itself:
    /// what is async needs 0.3 whatever it imports.
    pub(crate) fn wasi(&self) -> Wasi {
        let mut names = self.imports.iter().chain(&self.exports);
        match self.is_async || names.any(|name| offered::is_p3(name)) {
            true => Wasi::P3,
            false => Wasi::P2,
        }
    }

    /// Every import that this host does not provide and no link can lead to.
    pub(crate) fn missing(&self) -> Vec<Missing> {
        let helpless =
            |name: &&String| !offered::provides(name) && offered::linkable(name).is_none();
        let missing = self.imports.iter().filter(helpless);
        missing.map(|name| Missing { name: name.clone(), help: offered::help(name) }).collect()
    }

    /// The imports that links may lead to other actors.
    pub(crate) fn linkable(&self) -> impl Iterator<Item = InterfaceName> {
        self.imports.iter().filter_map(|name| offered::linkable(name))
    }
}

fn is_async_type(ty: &ComponentType<'_>) -> bool {
    let instance = |declared: &InstanceTypeDeclaration<'_>| match declared {
        InstanceTypeDeclaration::Type(ty) => is_async_type(ty),
        _ => false,
    };
    match ty {
        ComponentType::Func(func) => func.async_,
        ComponentType::Defined(ty) => {
            matches!(ty, ComponentDefinedType::Stream(_) | ComponentDefinedType::Future(_))
        }
        ComponentType::Instance(declared) => declared.iter().any(instance),
        ComponentType::Component(declared) => declared.iter().any(|declared| match declared {
            ComponentTypeDeclaration::Type(ty) => is_async_type(ty),
            _ => false,
        }),
        ComponentType::Resource { .. } => false,
    }
}

/// Everything but what the component model had in WASI 0.2.
fn is_async_function(function: &CanonicalFunction) -> bool {
    match function {
        CanonicalFunction::Lift { options, .. } | CanonicalFunction::Lower { options, .. } => {
            options.iter().any(|option| {
                matches!(option, CanonicalOption::Async | CanonicalOption::Callback(_))
            })
        }
        CanonicalFunction::ResourceNew { .. }
        | CanonicalFunction::ResourceDrop { .. }
        | CanonicalFunction::ResourceRep { .. } => false,
        _ => true,
    }
}

fn malformed(error: &wasmparser::BinaryReaderError) -> Unfit {
    Unfit::Malformed(error.to_string())
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
        assert_eq!(
            shape,
            Shape { imports: vec!["a:b/c".into()], exports: vec!["g:h/i".into()], is_async: false }
        );
    }

    #[test]
    fn every_import_that_nobody_provides_is_named_with_what_would_help() {
        let imports = [
            ("wasi:io/streams@0.2.0", None),
            ("wasi:io/streams@0.2.12", None),
            ("wasi:keyvalue/store@0.2.0-draft", None),
            ("wasi:keyvalue/store@0.2.0-draft3", Some("offer 0.2.0-draft and 0.2.0-draft2")),
            ("wasi:keyvalue/watcher@0.2.0-draft", Some("wasi:keyvalue/store of that package")),
            ("wasi:config/store@0.2.0-draft", None),
            ("wasi:logging/logging", None),
            ("wasi:logging/logging@0.2.0", Some("offer it without a version and 0.1.0-draft")),
            ("wasi:http/types@0.4.0", Some("hosts here offer 0.2.12 and 0.3.0")),
            ("wasi:io/streams@0.2.0-rc-2023-11-10", Some("hosts here offer 0.2.12")),
            ("wasi:blobstore/blobstore@0.2.0-draft", Some("no provider")),
            ("acme:billing/invoices@1.0.0", None),
            ("greet", Some("wac plug")),
        ];
        let names = imports.iter().map(|(name, _)| (*name).to_owned()).collect();
        let missing = Shape { imports: names, ..Shape::default() }.missing();
        let expected = imports.iter().filter_map(|(name, help)| Some((*name, (*help)?)));
        let expected: Vec<_> = expected.collect();
        assert_eq!(missing.iter().map(|m| &*m.name).collect::<Vec<_>>(), {
            expected.iter().map(|(name, _)| *name).collect::<Vec<_>>()
        });
        for (missing, (name, help)) in missing.iter().zip(expected) {
            let said = missing.to_string();
            assert!(said.starts_with(&format!("component imports {name}; ")), "{said}");
            assert!(said.contains(help), "{said}");
        }
    }
}
