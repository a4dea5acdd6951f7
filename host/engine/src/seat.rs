//! A store, the instance in it, and whether it may serve another call.
//!
//! By default a seat serves one call and is dropped with it. An actor may ask for its instances to
//! be reused; then what a call left behind decides: an instance goes on only if nothing of the call
//! is left that could act later, and if it is as good as a fresh one to the next.

use std::sync::Arc;

use wasmtime::Store;
use wasmtime::component::Instance;
use wasmtime_wasi_http::p2::bindings::Proxy;
use wasmtime_wasi_http::p3::bindings::Service;

use crate::actor::Core;
use crate::bindings::told::Told;
use crate::lane::Turn;
use crate::limits::REUSE_MEMORY_PERCENT_MAX;
use crate::link::Linked;
use crate::load::Loaded;
use crate::state::{self, Ongoing, State};
use crate::usage::{Gone, Made};

/// A place in the pool for calls of one actor.
pub(crate) struct Seat {
    pub(crate) store: Store<State>,
    pub(crate) turn: Turn,
    /// Places of the pool that it takes.
    pub(crate) slots: u32,
    live: Option<Live>,
    tally: Tally,
    made: Made,
}

/// What an instance has served, and what decides whether it serves more.
pub(crate) struct Tally {
    /// Calls that began here.
    served: u32,
    /// Calls that may begin here.
    serves: u32,
    /// What the host held for the guest after its first call. Guests keep a few things for good.
    resources_at_first: Option<usize>,
}

/// An instance, and what of it a host calls by name.
pub(crate) struct Live {
    pub(crate) instance: Instance,
    /// `wasi:http/incoming-handler` of 0.2.
    pub(crate) proxy: Option<Proxy>,
    /// `wasi:http/handler` of 0.3.
    pub(crate) service: Option<Service>,
    pub(crate) told: Option<Told>,
}

/// What is known of an instance between two calls.
#[derive(Clone, Copy, Debug)]
struct Condition {
    served: u32,
    serves: u32,
    resources: usize,
    resources_at_first: usize,
    memory_bytes: usize,
    memory_bytes_max: usize,
    config_is_current: bool,
}

impl Seat {
    /// For `serves` calls of an actor, of which the first is `ongoing`.
    pub(crate) fn new(
        loaded: &Loaded,
        core: &Arc<Core>,
        ongoing: Arc<Ongoing>,
        turn: Turn,
        serves: u32,
    ) -> Self {
        let engine = &loaded.linked().runtime.wasmtime;
        let mut store = state::store(engine, core.clone(), ongoing);
        turn.enter(&mut store);
        turn.begin(&mut store);
        let tally = Tally { served: 0, serves, resources_at_first: None };
        let slots = loaded.linked().slots;
        Self { store, turn, slots, live: None, tally, made: core.usage.made() }
    }

    /// Why it goes, for those who count.
    pub(crate) fn retire(&mut self, why: Gone) {
        self.made.retire(why);
    }

    /// The next call begins.
    pub(crate) fn begin(&mut self, ongoing: Arc<Ongoing>) {
        self.store.data_mut().act_for(ongoing);
        self.turn.begin(&mut self.store);
    }

    /// Runs `work` in the instance, which is made if there is none yet.
    pub(crate) async fn run<T>(
        &mut self,
        linked: &Linked,
        work: impl AsyncFnOnce(&mut Store<State>, &Live) -> wasmtime::Result<T>,
    ) -> wasmtime::Result<T> {
        let (store, live, tally) = self.live(linked).await?;
        tally.begin();
        work(store, live).await
    }

    /// The instance, which is made if there is none yet.
    pub(crate) async fn live(
        &mut self,
        linked: &Linked,
    ) -> wasmtime::Result<(&mut Store<State>, &Live, &mut Tally)> {
        let live = match &mut self.live {
            Some(live) => live,
            none => none.insert(Live::new(&mut self.store, linked).await?),
        };
        Ok((&mut self.store, live, &mut self.tally))
    }

    /// Whether it may serve another call, now that one ended well.
    pub(crate) fn judge(&mut self, actor: &Core) -> Result<(), Gone> {
        self.tally.judge(self.store.data_mut(), actor)
    }
}

impl Tally {
    /// Says how many calls began before.
    pub(crate) fn begin(&mut self) -> u32 {
        self.served += 1;
        self.served - 1
    }

    /// Whether the instance may serve another call, now that nothing runs in it.
    pub(crate) fn judge(&mut self, state: &mut State, actor: &Core) -> Result<(), Gone> {
        let resources = state.resources();
        let condition = Condition {
            served: self.served,
            serves: self.serves,
            resources,
            resources_at_first: *self.resources_at_first.get_or_insert(resources),
            memory_bytes: state.meter.memory_bytes(),
            memory_bytes_max: actor.limits.memory_bytes_max,
            config_is_current: Arc::ptr_eq(&state.config, &actor.config.load()),
        };
        condition.judge()
    }
}

impl Live {
    async fn new(store: &mut Store<State>, linked: &Linked) -> wasmtime::Result<Self> {
        let instance = linked.pre.instantiate_async(&mut *store).await?;
        let proxy = linked.proxy.as_ref().map(|proxy| proxy.load(&mut *store, &instance));
        let service = linked.service.as_ref().map(|service| service.load(&mut *store, &instance));
        let told = linked.told.as_ref().map(|told| told.load(&mut *store, &instance));
        let (proxy, service) = (proxy.transpose()?, service.transpose()?);
        Ok(Self { instance, proxy, service, told: told.transpose()? })
    }
}

impl Condition {
    fn judge(&self) -> Result<(), Gone> {
        let memory_bytes_max = self.memory_bytes_max / 100 * REUSE_MEMORY_PERCENT_MAX;
        match self {
            _ if self.serves == 1 => Err(Gone::Served),
            _ if self.serves <= self.served => Err(Gone::Age),
            _ if self.resources_at_first < self.resources => Err(Gone::Leftovers),
            _ if memory_bytes_max < self.memory_bytes => Err(Gone::Memory),
            _ if !self.config_is_current => Err(Gone::Config),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_goes_on_only_if_nothing_of_its_calls_is_left() {
        let good = Condition {
            served: 1,
            serves: 3,
            resources: 2,
            resources_at_first: 2,
            memory_bytes: 75,
            memory_bytes_max: 100,
            config_is_current: true,
        };
        let cases = [
            ("after its first call", good, Ok(())),
            ("with less than after its first", Condition { resources: 1, ..good }, Ok(())),
            ("after its last call", Condition { served: 3, ..good }, Err(Gone::Age)),
            ("with something open", Condition { resources: 3, ..good }, Err(Gone::Leftovers)),
            ("grown large", Condition { memory_bytes: 76, ..good }, Err(Gone::Memory)),
            (
                "made before the config",
                Condition { config_is_current: false, ..good },
                Err(Gone::Config),
            ),
        ];
        for (name, condition, verdict) in cases {
            assert_eq!(condition.judge(), verdict, "{name}");
        }
    }
}
