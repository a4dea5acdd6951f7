//! An engine as wattle sets it up, and the same without one of the things that bound a guest.
//!
//! Not wattle's own: in a host none of them can be turned off. What is here is as small as it can be while a
//! guest is bounded in the same ways; how near it comes is told by wattle's own time beside it.

use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, timeout_at};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, Store, StoreLimits, StoreLimitsBuilder,
    UpdateDeadline,
    component::{Component, InstancePre, Linker, ResourceTable, TypedFunc},
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wattle_engine::{AddressSpace, bench, limits};

/// One call runs at a time; the next one's slot is given out before the last one's is back.
const SLOTS: u32 = 8;
const WITHIN: Duration = Duration::from_secs(10);

/// What bounds a guest, or keeps one call from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feature {
    /// An instance of its own for each call.
    FreshInstance,
    /// A running guest can be interrupted.
    Epochs,
    /// Memory and tables grow to a limit.
    Limiter,
    /// Bytes that one host call may take from the guest.
    HostcallFuel,
    /// Handles that one instance may have.
    Handles,
    /// A stack is cleared between two calls.
    StackZeroing,
    /// A call ends in time, whatever it waits for.
    Deadline,
    /// Cheap clearing of a slot: what it keeps is cleared in place.
    KeptMemory,
    /// Cheap clearing of a slot: only pages that were written are cleared.
    PagemapScan,
}

/// One engine with a component in it.
pub(crate) struct Lab<P, R> {
    pub(crate) engine: Engine,
    pre: InstancePre<Data>,
    function: &'static str,
    without: Option<Feature>,
    reused: Option<(Store<Data>, TypedFunc<P, R>)>,
}

pub(crate) struct Data {
    wasi: WasiCtx,
    table: ResourceTable,
    limits: StoreLimits,
}

impl WasiView for Data {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl Feature {
    pub(crate) const ALL: [Self; 9] = [
        Self::FreshInstance,
        Self::Epochs,
        Self::Limiter,
        Self::HostcallFuel,
        Self::Handles,
        Self::StackZeroing,
        Self::Deadline,
        Self::KeptMemory,
        Self::PagemapScan,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::FreshInstance => "a fresh instance for each call",
            Self::Epochs => "interruption by epochs",
            Self::Limiter => "the limit of memory",
            Self::HostcallFuel => "the limit of bytes per host call",
            Self::Handles => "the limit of handles",
            Self::StackZeroing => "clearing of stacks",
            Self::Deadline => "the deadline",
            Self::KeptMemory => "memory that slots keep",
            Self::PagemapScan => "the scan for written pages",
        }
    }
}

/// wasmtime's errors are of a kind of their own.
fn told(error: &wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}

fn settings(space: AddressSpace, without: Option<Feature>) -> wasmtime::Result<Config> {
    let mut config = bench::settings(space, SLOTS)?;
    let mut pool = bench::pool(SLOTS);
    match without {
        Some(Feature::Epochs) => drop(config.epoch_interruption(false)),
        Some(Feature::StackZeroing) => drop(config.async_stack_zeroing(false)),
        Some(Feature::KeptMemory) => {
            pool.linear_memory_keep_resident(0).table_keep_resident(0).async_stack_keep_resident(0);
        }
        Some(Feature::PagemapScan) => drop(pool.pagemap_scan(Enabled::No)),
        _ => {}
    }
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Ok(config)
}

impl<P, R> Lab<P, R>
where
    P: wasmtime::component::ComponentNamedList + wasmtime::component::Lower + Copy + Sync,
    R: wasmtime::component::ComponentNamedList + wasmtime::component::Lift + Send + Sync + 'static,
{
    pub(crate) fn new(
        component: &[u8],
        function: &'static str,
        space: AddressSpace,
        without: Option<Feature>,
    ) -> Result<Self> {
        Self::made(component, function, space, without).map_err(|error| told(&error))
    }

    fn made(
        component: &[u8],
        function: &'static str,
        space: AddressSpace,
        without: Option<Feature>,
    ) -> wasmtime::Result<Self> {
        let engine = Engine::new(&settings(space, without)?)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        let pre = linker.instantiate_pre(&Component::new(&engine, component)?)?;
        Ok(Self { engine, pre, function, without, reused: None })
    }

    /// Makes an instance, calls its function, and drops it.
    pub(crate) async fn call(&mut self, params: P) -> Result<R> {
        self.called(params).await.map_err(|error| told(&error))
    }

    async fn called(&mut self, params: P) -> wasmtime::Result<R> {
        let (mut store, function) = match self.reused.take() {
            Some(reused) => reused,
            None => {
                let mut store = self.store();
                let instance = self.pre.instantiate_async(&mut store).await?;
                let function = instance.get_typed_func(&mut store, self.function)?;
                (store, function)
            }
        };
        if self.has(Feature::Epochs) {
            store.set_epoch_deadline(1);
        }
        let call = function.call_async(&mut store, params);
        let result = match self.has(Feature::Deadline) {
            true => {
                timeout_at(Instant::now() + WITHIN, call).await.map_err(wasmtime::Error::new)?
            }
            false => call.await,
        };
        if !self.has(Feature::FreshInstance) {
            self.reused = Some((store, function));
        }
        result
    }

    fn store(&self) -> Store<Data> {
        let limits = StoreLimitsBuilder::new().memory_size(limits::MEMORY_BYTES_DEFAULT).build();
        let wasi = WasiCtx::builder().allow_tcp(false).allow_udp(false).build();
        let data = Data { wasi, table: ResourceTable::new(), limits };
        let mut store = Store::new(&self.engine, data);
        if self.has(Feature::Limiter) {
            store.limiter(|data| &mut data.limits);
        }
        if self.has(Feature::HostcallFuel) {
            store.set_hostcall_fuel(limits::HOSTCALL_FUEL);
        }
        if self.has(Feature::Handles) {
            store.set_max_component_handles(limits::HANDLES_MAX);
        }
        if self.has(Feature::Epochs) {
            // Instantiation runs code of the guest, too.
            store.set_epoch_deadline(1);
            store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Continue(1)));
        }
        store
    }

    fn has(&self, feature: Feature) -> bool {
        self.without != Some(feature)
    }
}
