//! An actor on this host: a component, what it is bound to, and how much of it may run.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use wasmtime_wasi_config::WasiConfigVariables;
use wattle_capability::{CallContext, KeyValue, Log, Outbound, StoreScope};
use wattle_types::ActorId;

use crate::call::CallError;
use crate::config::ActorLimits;
use crate::load::Loaded;
use crate::permits::{Permit, Permits};
use crate::voice::Allowance;

/// What one actor is bound to.
#[derive(Clone)]
pub struct ActorConfig {
    pub id: ActorId,
    /// What `wasi:config` answers.
    pub config: BTreeMap<String, String>,
    pub keyvalue: Arc<dyn KeyValue>,
    pub scope: StoreScope,
    pub outbound: Arc<dyn Outbound>,
    pub log: Arc<dyn Log>,
    pub limits: ActorLimits,
    /// Instances this host is assigned; each serves `limits.concurrency` calls at once.
    pub count: u32,
}

impl fmt::Debug for ActorConfig {
    /// Without the values of its config, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActorConfig")
            .field("id", &self.id)
            .field("scope", &self.scope)
            .field("limits", &self.limits)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

/// A component running under an id on this host. Cheap to clone.
#[derive(Clone)]
pub struct Actor {
    pub(crate) loaded: Arc<Loaded>,
    pub(crate) core: Arc<Core>,
}

/// What the calls of one actor share.
pub(crate) struct Core {
    pub(crate) id: ActorId,
    pub(crate) config: WasiConfigVariables,
    pub(crate) keyvalue: Arc<dyn KeyValue>,
    pub(crate) scope: StoreScope,
    pub(crate) outbound: Arc<dyn Outbound>,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) limits: ActorLimits,
    pub(crate) allowance: Allowance,
    /// Calls of this actor.
    pub(crate) permits: Arc<Permits>,
    /// Requests this actor has under way.
    pub(crate) outgoing: Arc<Permits>,
}

/// The right to run one call: of the actor and of the host, taken together or not at all.
#[derive(Debug)]
pub(crate) struct Admitted {
    _actor: Permit,
    _host: Permit,
}

impl Actor {
    pub fn new(loaded: Arc<Loaded>, config: ActorConfig) -> Self {
        let ActorConfig { id, config, keyvalue, scope, outbound, log, limits, count } = config;
        let core = Core {
            id,
            config: config.into_iter().collect(),
            keyvalue,
            scope,
            outbound,
            log,
            allowance: Allowance::default(),
            permits: Permits::new(count.saturating_mul(limits.concurrency)),
            outgoing: Permits::new(limits.outgoing_max),
            limits,
        };
        Self { loaded, core: Arc::new(core) }
    }

    pub fn id(&self) -> &ActorId {
        &self.core.id
    }

    pub fn loaded(&self) -> &Arc<Loaded> {
        &self.loaded
    }

    /// How many instances this host is assigned now. Calls that run go on.
    pub fn resize(&self, count: u32) {
        self.core.permits.resize(count.saturating_mul(self.core.limits.concurrency));
    }

    /// Calls of this actor that are running.
    pub fn in_flight(&self) -> u32 {
        self.core.permits.taken()
    }

    /// A permit of the actor and one of the host, at once or not at all.
    pub(crate) fn admit(&self, ctx: &CallContext) -> Result<Admitted, CallError> {
        let engine = &self.loaded.engine;
        let host = if ctx.hop == 0 { &engine.permits } else { &engine.nested };
        let actor = self.core.permits.take().ok_or(CallError::Overloaded { what: "actor" })?;
        let host = host.take().ok_or(CallError::Overloaded { what: "host" })?;
        Ok(Admitted { _actor: actor, _host: host })
    }
}

impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Actor")
            .field("id", &self.core.id)
            .field("digest", &self.loaded.digest())
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}
