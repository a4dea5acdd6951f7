//! Joins a compiled component to what this host provides and to what its links will lead to, and
//! says what others can call of it.
//!
//! Nothing here knows where a link leads: that is looked up at each call, so links change while
//! actors run, and all actors of one component share what is made here.

use std::collections::BTreeMap;
use std::fmt;

use wasmtime::component::{Component, ComponentExportIndex, InstancePre};
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wattle_capability::Callee;
use wattle_types::{Fingerprint, InterfaceName};
use wattle_value::{FuncType, Limits, Signatures, check_args};

use crate::bindings::told::ToldPre;
use crate::call::CallError;
use crate::engine::Shared;
use crate::shape::Shape;
use crate::signature::{Signer, Uncarried};
use crate::state::State;
use crate::{import, offered};

/// A component that is ready for instances.
pub(crate) struct Linked {
    pub(crate) pre: InstancePre<State>,
    pub(crate) proxy: Option<ProxyPre<State>>,
    pub(crate) told: Option<ToldPre<State>>,
    /// What others can call.
    pub(crate) signatures: Signatures,
    /// What its links must lead to.
    pub(crate) linkable: Signatures,
    exports: BTreeMap<InterfaceName, BTreeMap<String, Export>>,
}

/// One function that others can call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Export {
    pub(crate) index: ComponentExportIndex,
    fingerprint: Fingerprint,
}

/// One import that no link can serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlinkable {
    pub name: String,
    pub reason: Uncarried,
}

/// Why a component is not ready.
pub(crate) enum NotLinked {
    Unlinkable(Vec<Unlinkable>),
    Failed(wasmtime::Error),
}

impl fmt::Display for Unlinkable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.reason)
    }
}

impl From<wasmtime::Error> for NotLinked {
    fn from(error: wasmtime::Error) -> Self {
        Self::Failed(error)
    }
}

impl Linked {
    pub(crate) fn new(
        engine: &Shared,
        component: &Component,
        shape: &Shape,
    ) -> Result<Self, NotLinked> {
        let ty = component.component_type();
        let mut signer = Signer::new(&engine.wasmtime, component);
        let (mut linkable, mut unlinkable) = (Signatures::default(), Vec::new());
        for name in shape.linkable() {
            let Some(item) = ty.get_import(&engine.wasmtime, &name.to_string()) else { continue };
            match signer.imported(&item.ty) {
                // Only types: nothing is ever called there.
                Ok(functions) if functions.is_empty() => {}
                Ok(functions) => drop(linkable.0.insert(name, functions)),
                Err(reason) => unlinkable.push(Unlinkable { name: name.to_string(), reason }),
            }
        }
        if !unlinkable.is_empty() {
            return Err(NotLinked::Unlinkable(unlinkable));
        }
        let (signatures, exports) = exports(engine, component, shape, &mut signer);

        let pre = if linkable.is_empty() {
            engine.linker.instantiate_pre(component)?
        } else {
            let mut linker = engine.linker.clone();
            for (interface, functions) in &linkable.0 {
                for (name, func) in functions {
                    import::define(&mut linker, interface, name, func)?;
                }
            }
            linker.instantiate_pre(component)?
        };
        let exports_to_host = |interface: &str| {
            let mut called = shape.exports.iter().filter(|export| offered::calls(export));
            called.any(|export| export.split('@').next() == Some(interface))
        };
        let proxy = match exports_to_host("wasi:http/incoming-handler") {
            true => Some(ProxyPre::new(pre.clone())?),
            false => None,
        };
        let told = match exports_to_host("wasmcloud:messaging/handler") {
            true => Some(ToldPre::new(pre.clone())?),
            false => None,
        };
        Ok(Self { pre, proxy, told, signatures, linkable, exports })
    }

    /// What a caller asks for, if it is here and of the signature that the caller knows.
    pub(crate) fn export(&self, callee: &Callee) -> Result<Export, CallError> {
        let (interface, _) = self.find(callee)?;
        let export = self.exports[interface][&*callee.function];
        match export.fingerprint == callee.fingerprint {
            true => Ok(export),
            false => Err(CallError::WrongSignature),
        }
    }

    /// Whether packed arguments are what the function takes. Says nothing about the caller's idea
    /// of the signature.
    pub(crate) fn check(
        &self,
        callee: &Callee,
        args: &[u8],
        streams: usize,
    ) -> Result<(), CallError> {
        let (_, func) = self.find(callee)?;
        check_args(func, args, streams, &Limits::default())
            .map_err(|error| CallError::BadArguments { reason: error.to_string() })
    }

    fn find(&self, callee: &Callee) -> Result<(&InterfaceName, &FuncType), CallError> {
        let found = self.signatures.find(&callee.interface, &callee.function);
        found.ok_or(CallError::NoSuchFunction)
    }
}

fn exports(
    engine: &Shared,
    component: &Component,
    shape: &Shape,
    signer: &mut Signer<'_>,
) -> (Signatures, BTreeMap<InterfaceName, BTreeMap<String, Export>>) {
    let ty = component.component_type();
    let (mut signatures, mut exports) = (Signatures::default(), BTreeMap::new());
    for name in &shape.exports {
        let Ok(interface) = name.parse::<InterfaceName>() else { continue };
        let Some(item) = ty.get_export(&engine.wasmtime, name) else { continue };
        let Some(instance) = component.get_export_index(None, name) else { continue };
        let functions = signer.exported(&item.ty);
        if functions.is_empty() {
            continue;
        }
        let export = |(name, func): (&String, &FuncType)| {
            let index = component.get_export_index(Some(&instance), name)?;
            Some((name.clone(), Export { index, fingerprint: func.fingerprint() }))
        };
        exports.insert(interface.clone(), functions.iter().filter_map(export).collect());
        signatures.0.insert(interface, functions);
    }
    (signatures, exports)
}
