//! Joins a compiled component to what this host provides and to what its links will lead to, and
//! says what others can call of it.
//!
//! Nothing here knows where a link leads: that is looked up at each call, so links change while
//! actors run, and all actors of one component share what is made here.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre};
use wasmtime_wasi_http::p2::bindings::ProxyIndices;
use wasmtime_wasi_http::p3::bindings::ServiceIndices;
use wattle_capability::Callee;
use wattle_types::{Fingerprint, InterfaceName};
use wattle_value::{FuncType, Limits, Signatures, check_args};

use crate::bindings::told::ToldIndices;
use crate::call::CallError;
use crate::limits::{SLOT_MEMORIES, SLOT_TABLES};
use crate::profile::Wasi;
use crate::runtime::Runtime;
use crate::shape::Shape;
use crate::signature::{Signer, Streams, Uncarried, flat};
use crate::state::State;
use crate::{import, offered};

/// A component that is ready for instances.
pub(crate) struct Linked {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) pre: InstancePre<State>,
    pub(crate) proxy: Option<ProxyIndices>,
    pub(crate) service: Option<ServiceIndices>,
    pub(crate) told: Option<ToldIndices>,
    /// What others can call.
    pub(crate) signatures: Signatures,
    /// What its links must lead to.
    pub(crate) linkable: Signatures,
    /// Places of the pool that an instance takes.
    pub(crate) slots: u32,
    /// The first import that leaves the host and keeps all of its store waiting meanwhile. An
    /// instance of a component with such an import runs one call at a time.
    pub(crate) blocks: Option<String>,
    exports: BTreeMap<InterfaceName, BTreeMap<String, Export>>,
}

/// One function that others can call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Export {
    pub(crate) index: ComponentExportIndex,
    fingerprint: Fingerprint,
    /// Core values that an async function returns its result in.
    pub(crate) places: Option<usize>,
    /// What its parameters have of streams.
    pub(crate) streams: Streams,
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
        runtime: Arc<Runtime>,
        component: &Component,
        shape: &Shape,
    ) -> Result<Self, NotLinked> {
        let engine = &runtime.wasmtime;
        let ty = component.component_type();
        let mut signer = Signer::new(engine, component);
        let (mut linkable, mut unlinkable) = (Signatures::default(), Vec::new());
        for name in shape.linkable() {
            let Some(item) = ty.get_import(engine, &name.to_string()) else { continue };
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
            runtime.linker.instantiate_pre(component)?
        } else {
            let mut linker = runtime.linker.clone();
            for (interface, functions) in &linkable.0 {
                for (name, func) in functions {
                    import::define(&mut linker, interface, name, func, runtime.profile.wasi)?;
                }
            }
            linker.instantiate_pre(component)?
        };
        let exports_to_host = |interface: &str| {
            let mut called = shape.exports.iter().filter(|export| offered::calls(export));
            called.any(|export| export.split('@').next() == Some(interface))
        };
        let proxy = match exports_to_host("wasi:http/incoming-handler") {
            true => Some(ProxyIndices::new(&pre)?),
            false => None,
        };
        let told = match exports_to_host("wasmcloud:messaging/handler") {
            true => Some(ToldIndices::new(&pre)?),
            false => None,
        };
        let service = match exports_to_host("wasi:http/handler") {
            true => Some(ServiceIndices::new(&pre)?),
            false => None,
        };
        let blocks = blocks(shape, &linkable);
        let slots = slots(component);
        Ok(Self {
            runtime,
            pre,
            slots,
            blocks,
            service,
            proxy,
            told,
            signatures,
            linkable,
            exports,
        })
    }

    pub(crate) fn wasi(&self) -> Wasi {
        self.runtime.profile.wasi
    }

    /// A function of an interface that the host calls itself.
    pub(crate) fn callee(&self, path: &str, function: &str) -> Option<Callee> {
        let (interface, functions) =
            self.signatures.0.iter().find(|(interface, _)| interface.path() == path)?;
        let fingerprint = functions.get(function)?.fingerprint();
        Some(Callee { interface: interface.clone(), function: function.into(), fingerprint })
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

/// Interfaces of the host that are not async and leave it, or that are about one call and would be
/// about all calls of an instance.
const BLOCKING: [&str; 5] = [
    "wasi:http/outgoing-handler",
    "wasi:keyvalue/",
    "wasmcloud:bus/",
    "wasmcloud:messaging/consumer",
    "wasmcloud:secrets/",
];

/// Admission counts what an instance takes of the pool, so that no actor uses up what the calls of
/// others have permits for.
fn slots(component: &Component) -> u32 {
    // Unknown for a component that imports core modules, which no host has.
    let Some(needed) = component.resources_required() else { return 1 };
    let memories = needed.num_memories.div_ceil(SLOT_MEMORIES);
    memories.max(needed.num_tables.div_ceil(SLOT_TABLES)).max(1)
}

fn blocks(shape: &Shape, linkable: &Signatures) -> Option<String> {
    let of_host = |name: &&String| BLOCKING.iter().any(|blocking| name.starts_with(blocking));
    let linked = || {
        let mut interfaces = linkable.0.iter();
        interfaces.find(|(_, functions)| functions.values().any(|func| !func.is_async))
    };
    let of_host = shape.imports.iter().find(of_host).cloned();
    of_host.or_else(|| linked().map(|(interface, _)| interface.to_string()))
}

fn exports(
    engine: &Engine,
    component: &Component,
    shape: &Shape,
    signer: &mut Signer<'_>,
) -> (Signatures, BTreeMap<InterfaceName, BTreeMap<String, Export>>) {
    let ty = component.component_type();
    let (mut signatures, mut exports) = (Signatures::default(), BTreeMap::new());
    for name in &shape.exports {
        let Ok(interface) = name.parse::<InterfaceName>() else { continue };
        let Some(item) = ty.get_export(engine, name) else { continue };
        let Some(instance) = component.get_export_index(None, name) else { continue };
        let functions = signer.exported(&item.ty);
        if functions.is_empty() {
            continue;
        }
        let export = |(name, func): (&String, &FuncType)| {
            let index = component.get_export_index(Some(&instance), name)?;
            let places = func.is_async.then(|| func.result.as_ref().map_or(0, flat));
            let streams = Streams::of(func.params.iter().map(|param| &param.ty));
            let fingerprint = func.fingerprint();
            Some((name.clone(), Export { index, fingerprint, places, streams }))
        };
        exports.insert(interface.clone(), functions.iter().filter_map(export).collect());
        signatures.0.insert(interface, functions);
    }
    (signatures, exports)
}
