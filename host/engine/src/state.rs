//! What the store of one call holds, and which of it a guest can reach.
//!
//! WASI 0.2 is all there, and none of it is granted: no arguments, no environment, no folders, no
//! sockets, nothing on standard input. Output is heard as log lines.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};
use wattle_capability::CallContext;
use wattle_capability::log::{Level, Source};
use wattle_types::LinkName;

use crate::actor::Core;
use crate::bus::{self, LinkNames};
use crate::meter::Meter;
use crate::outgoing::Outgoing;
use crate::voice::{Speaker, Voice};
use crate::{keyvalue, limits, logging, messaging, secrets, settings};

/// One call, for what may outlive its store: requests it sent whose bodies are still read.
#[derive(Debug)]
pub(crate) struct Ongoing {
    pub(crate) ctx: CallContext,
    failed: AtomicBool,
}

impl Ongoing {
    pub(crate) fn new(ctx: CallContext) -> Arc<Self> {
        Arc::new(Self { ctx, failed: AtomicBool::new(false) })
    }

    /// Whether the call came to a bad end. Known before its store is dropped.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    pub(crate) fn fail(&self) {
        self.failed.store(true, Ordering::Release);
    }
}

/// The data of one call's store.
pub(crate) struct State {
    pub(crate) table: ResourceTable,
    pub(crate) meter: Meter,
    pub(crate) voice: Voice,
    /// As it was when the call began.
    pub(crate) config: Arc<BTreeMap<String, String>>,
    links: LinkNames,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outgoing: Outgoing,
    actor: Arc<Core>,
    ongoing: Arc<Ongoing>,
}

impl State {
    fn new(actor: Arc<Core>, ongoing: Arc<Ongoing>) -> Self {
        let voice = Voice::new(actor.clone());
        let mut wasi = WasiCtx::builder();
        wasi.allow_tcp(false)
            .allow_udp(false)
            .max_random_size(limits::RANDOM_BYTES_MAX)
            .stdout(Speaker::new(voice.clone(), Source::Stdout, Level::Info))
            .stderr(Speaker::new(voice.clone(), Source::Stderr, Level::Warn));
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(limits::FIELDS_BYTES_MAX);
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits::RESOURCES_MAX);
        Self {
            table,
            meter: Meter::new(actor.limits.memory_bytes_max),
            voice,
            config: actor.config.load_full(),
            links: LinkNames::default(),
            wasi: wasi.build(),
            http,
            outgoing: Outgoing::new(actor.clone(), ongoing.clone()),
            actor,
            ongoing,
        }
    }

    /// Who is running here, for calls that leave.
    pub(crate) fn caller(&self) -> (Arc<Core>, Arc<Ongoing>) {
        (self.actor.clone(), self.ongoing.clone())
    }

    /// The name of the link by which calls of this interface leave; `path` is without a version.
    pub(crate) fn link_for(&self, path: &str) -> LinkName {
        self.links.of(path).clone()
    }

    pub(crate) fn view(&mut self) -> View<'_> {
        View {
            table: &mut self.table,
            links: &mut self.links,
            actor: &self.actor,
            ctx: &self.ongoing.ctx,
        }
    }
}

/// A store for one call of `actor`, with every limit set that does not need the lane.
pub(crate) fn store(engine: &Engine, actor: Arc<Core>, ongoing: Arc<Ongoing>) -> Store<State> {
    let mut store = Store::new(engine, State::new(actor, ongoing));
    store.limiter(|state| &mut state.meter);
    store.set_hostcall_fuel(limits::HOSTCALL_FUEL);
    store.set_max_component_handles(limits::HANDLES_MAX);
    store
}

/// Everything a guest can import on this host; `offered` knows the same by name.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    settings::add_to_linker(&mut linker)?;
    keyvalue::add_to_linker(&mut linker)?;
    messaging::add_to_linker(&mut linker)?;
    secrets::add_to_linker(&mut linker)?;
    bus::add_to_linker(&mut linker)?;
    logging::add_to_linker(&mut linker)?;
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
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.outgoing }
    }
}
