//! wasmtime, once for each generation of WASI: its pool of slots and what guests can import there.
//!
//! Components of WASI 0.2 do not pay for what 0.3 needs, so each generation has an engine of its
//! own. The second is made with the first component that asks for it: on most hosts never.

use std::sync::{Arc, Mutex};

use wasmtime::component::Linker;

use crate::engine::EngineError;
use crate::engine_id::{EngineId, Target};
use crate::profile::{AddressSpace, Profile, Wasi};
use crate::state::{self, State};
use crate::ticker::Ticker;

/// wasmtime for one profile.
pub(crate) struct Runtime {
    pub(crate) profile: Profile,
    /// What this host compiles for itself.
    pub(crate) own: EngineId,
    pub(crate) wasmtime: wasmtime::Engine,
    pub(crate) linker: Linker<State>,
}

/// Those of one engine.
pub(crate) struct Runtimes {
    slots: u32,
    space: AddressSpace,
    target: Target,
    ticker: Ticker,
    p2: Arc<Runtime>,
    p3: Mutex<Option<Arc<Runtime>>>,
}

impl Runtime {
    fn new(profile: Profile, target: Target, slots: u32) -> Result<Self, EngineError> {
        let failed = |error: wasmtime::Error| EngineError::Wasmtime {
            slots,
            source: error.into_boxed_dyn_error(),
        };
        let config = profile.running(target, slots).map_err(failed)?;
        let wasmtime = wasmtime::Engine::new(&config).map_err(failed)?;
        let linker = state::linker(&wasmtime, profile.wasi)
            .map_err(|error| EngineError::Link(error.into_boxed_dyn_error()))?;
        let own = EngineId::own(profile, target);
        Ok(Self { profile, own, wasmtime, linker })
    }

    /// The engines whose code runs here if somebody else made it, the best first.
    pub(crate) fn accepted(&self) -> Vec<EngineId> {
        EngineId::accepted(self.profile, self.own.target())
    }

    /// The one for which somebody else should make code: that of the most machines.
    pub(crate) fn wanted(&self) -> EngineId {
        self.accepted().pop().unwrap_or(self.own)
    }
}

impl Runtimes {
    /// With `slots` instances in each pool.
    pub(crate) fn new(
        space: AddressSpace,
        target: Target,
        slots: u32,
    ) -> Result<Self, EngineError> {
        let p2 = Runtime::new(Profile { wasi: Wasi::P2, space }, target, slots)?;
        let ticker = Ticker::start(&p2.wasmtime).map_err(EngineError::Ticker)?;
        Ok(Self { slots, space, target, ticker, p2: Arc::new(p2), p3: Mutex::default() })
    }

    /// The one for components of this generation.
    pub(crate) fn of(&self, wasi: Wasi) -> Result<Arc<Runtime>, EngineError> {
        match wasi {
            Wasi::P2 => Ok(self.p2.clone()),
            Wasi::P3 => self.p3(),
        }
    }

    /// The same, if there is one yet.
    pub(crate) fn made(&self, wasi: Wasi) -> Option<Arc<Runtime>> {
        match wasi {
            Wasi::P2 => Some(self.p2.clone()),
            Wasi::P3 => self.p3.lock().expect("nothing panics while it holds this lock").clone(),
        }
    }

    fn p3(&self) -> Result<Arc<Runtime>, EngineError> {
        let mut p3 = self.p3.lock().expect("nothing panics while it holds this lock");
        if let Some(runtime) = &*p3 {
            return Ok(runtime.clone());
        }
        let profile = Profile { wasi: Wasi::P3, space: self.space };
        let runtime = Arc::new(Runtime::new(profile, self.target, self.slots)?);
        self.ticker.count(&runtime.wasmtime);
        *p3 = Some(runtime.clone());
        Ok(runtime)
    }
}
