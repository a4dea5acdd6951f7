//! What a store holds, and which of it a guest can reach.
//!
//! WASI 0.2 is all there, and none of it is granted: no arguments, no environment, no folders, no
//! sockets, nothing on standard input. Output is heard as log lines.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, OnceLock};

use wasmtime::component::{GuestTaskId, HasData, Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::p2::body::{HostOutgoingBody, StreamContext};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};
use wattle_capability::CallContext;
use wattle_capability::log::{Level, Source};
use wattle_types::LinkName;

use crate::actor::Core;
use crate::bus::{self, LinkNames};
use crate::call::CallError;
use crate::meter::Meter;
use crate::profile::Wasi;
use crate::voice::{Speaker, Voice};
use crate::{concurrent, keyvalue, logging, messaging, secrets, settings};

/// One call, for what may outlive its store: requests it sent whose bodies are still read.
#[derive(Debug)]
pub(crate) struct Ongoing {
    pub(crate) ctx: CallContext,
    failed: OnceLock<CallError>,
}

impl Ongoing {
    pub(crate) fn new(ctx: CallContext) -> Arc<Self> {
        Arc::new(Self { ctx, failed: OnceLock::new() })
    }

    /// Whether the call came to a bad end. Known before its store is dropped.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.get().is_some()
    }

    pub(crate) fn failure(&self) -> Option<CallError> {
        self.failed.get().cloned()
    }

    /// Only the first failure counts.
    pub(crate) fn fail(&self, error: CallError) {
        let _ = self.failed.set(error);
    }
}

/// Who acts in a store now. Looked up whenever a guest wants something, and never kept in what it
/// is given: in an instance that is reused, a handle of an earlier call acts for the present one.
#[derive(Clone)]
pub(crate) struct Acting {
    pub(crate) actor: Arc<Core>,
    pub(crate) ongoing: Arc<Ongoing>,
}

/// The data of a store.
pub(crate) struct State {
    pub(crate) table: ResourceTable,
    pub(crate) meter: Meter,
    pub(crate) voice: Voice,
    /// As it was when the instance was made.
    pub(crate) config: Arc<BTreeMap<String, String>>,
    links: LinkNames,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    acting: Acting,
    /// Which call each task of the guest belongs to, where several calls share the store.
    tasks: Vec<(GuestTaskId, Arc<Ongoing>)>,
}

impl State {
    fn new(actor: Arc<Core>, ongoing: Arc<Ongoing>) -> Self {
        let voice = Voice::new(actor.clone());
        let mut wasi = WasiCtx::builder();
        wasi.allow_tcp(false)
            .allow_udp(false)
            .max_random_size(actor.limits.random_bytes_max)
            .stdout(Speaker::new(voice.clone(), Source::Stdout, Level::Info))
            .stderr(Speaker::new(voice.clone(), Source::Stderr, Level::Warn));
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(actor.limits.fields_bytes_max);
        let mut table = ResourceTable::new();
        table.set_max_capacity(actor.limits.resources_max);
        Self {
            table,
            meter: Meter::new(actor.limits, actor.usage.clone()),
            voice,
            config: actor.config.load_full(),
            links: LinkNames::default(),
            wasi: wasi.build(),
            http,
            acting: Acting { actor, ongoing },
            tasks: Vec::new(),
        }
    }

    /// From now on this store acts for another call; nothing that was allowed to the one before
    /// goes on.
    pub(crate) fn act_for(&mut self, ongoing: Arc<Ongoing>) {
        self.acting.ongoing = ongoing;
        self.links = LinkNames::default();
        self.voice.begin();
        self.meter.begin();
    }

    pub(crate) fn acting(&self) -> &Acting {
        &self.acting
    }

    /// The same, for what one task is about to do.
    pub(crate) fn act_as(&mut self, acting: Acting) {
        self.acting = acting;
    }

    /// A task of the guest begins a call.
    pub(crate) fn enter(&mut self, task: GuestTaskId, ongoing: Arc<Ongoing>) {
        self.tasks.push((task, ongoing));
    }

    /// The call that a task began is over.
    pub(crate) fn leave(&mut self, task: GuestTaskId) {
        self.tasks.retain(|(other, _)| *other != task);
    }

    /// Who acts in a task that these tasks led to, if its call is not over.
    pub(crate) fn acting_in(&self, tasks: &[GuestTaskId]) -> Option<Acting> {
        let (_, ongoing) = self.tasks.iter().find(|(task, _)| tasks.contains(task))?;
        Some(Acting { actor: self.acting.actor.clone(), ongoing: ongoing.clone() })
    }

    /// Resources that the host holds for the guest.
    pub(crate) fn resources(&mut self) -> usize {
        self.table.iter_mut().count()
    }

    /// Cuts what the guest has not written to its end, although its call is over. Nothing else
    /// would: for whoever reads it, a body that goes with its store looks complete.
    pub(crate) fn cut_unfinished(&mut self) {
        for resource in self.table.iter_mut() {
            if let Some(body) = resource.downcast_mut::<HostOutgoingBody>() {
                // To abort is to take, and the table gives nothing away without its name.
                let (empty, _) = HostOutgoingBody::new(StreamContext::Response, None, 1, 1);
                mem::replace(body, empty).abort();
            }
        }
    }

    /// The name of the link by which calls of this interface leave; `path` is without a version.
    pub(crate) fn link_for(&self, path: &str) -> LinkName {
        self.links.of(path).clone()
    }

    pub(crate) fn view(&mut self) -> View<'_> {
        View {
            table: &mut self.table,
            links: &mut self.links,
            actor: &self.acting.actor,
            ctx: &self.acting.ongoing.ctx,
        }
    }
}

/// A store for calls of `actor`, with every limit set that does not need the lane.
pub(crate) fn store(engine: &Engine, actor: Arc<Core>, ongoing: Arc<Ongoing>) -> Store<State> {
    let limits = actor.limits;
    let mut store = Store::new(engine, State::new(actor, ongoing));
    store.limiter(|state| &mut state.meter);
    store.set_hostcall_fuel(limits.hostcall_bytes_max);
    store.set_max_component_handles(limits.handles_max);
    store
}

/// Everything a guest can import on this host; `offered` knows the same by name.
pub(crate) fn linker(engine: &Engine, wasi: Wasi) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    settings::add_to_linker(&mut linker)?;
    keyvalue::add_to_linker(&mut linker)?;
    messaging::add_to_linker(&mut linker)?;
    secrets::add_to_linker(&mut linker)?;
    bus::add_to_linker(&mut linker)?;
    logging::add_to_linker(&mut linker)?;
    if wasi == Wasi::P3 {
        wasmtime_wasi::p3::add_to_linker(&mut linker)?;
        concurrent::add_to_linker(&mut linker)?;
    }
    Ok(linker)
}

/// What the host functions of a capability see of the call they are part of.
pub(crate) struct View<'a> {
    pub(crate) table: &'a mut ResourceTable,
    pub(crate) links: &'a mut LinkNames,
    pub(crate) actor: &'a Core,
    pub(crate) ctx: &'a CallContext,
}

pub(crate) struct HasView;

impl HasData for HasView {
    type Data<'a> = View<'a>;
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.acting }
    }
}
