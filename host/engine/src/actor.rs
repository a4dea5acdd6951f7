//! An actor on this host: a component, what it is bound to, and how much of it may run.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::time::Instant;
use wattle_capability::{CallContext, KeyValue, Log, Messaging, Outbound, Secrets, StoreScope};
use wattle_types::{ActorId, InstancePolicy, Load, UsageReport};

use crate::call::CallError;
use crate::concurrent::Crew;
use crate::grant::ActorLimits;
use crate::lane::{Driver, Pace, Turn};
use crate::limits::{QUEUE_WAIT, RETRY_AFTER};
use crate::load::Loaded;
use crate::permits::{Permit, Permits};
use crate::stock::Stock;
use crate::usage::{Gone, UnderWay, Usage};
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
    pub messaging: Arc<dyn Messaging>,
    pub secrets: Arc<dyn Secrets>,
    pub log: Arc<dyn Log>,
    pub limits: ActorLimits,
    pub instances: InstancePolicy,
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
    /// Instances of WASI 0.2 that wait.
    pub(crate) stock: Arc<Stock>,
    /// Instances of WASI 0.3.
    pub(crate) crew: Arc<Crew>,
}

/// What the calls of one actor share.
pub(crate) struct Core {
    pub(crate) id: ActorId,
    pub(crate) config: ArcSwap<BTreeMap<String, String>>,
    pub(crate) keyvalue: Arc<dyn KeyValue>,
    pub(crate) scope: StoreScope,
    pub(crate) outbound: Arc<dyn Outbound>,
    pub(crate) messaging: Arc<dyn Messaging>,
    pub(crate) secrets: Arc<dyn Secrets>,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) limits: ActorLimits,
    pub(crate) allowance: Allowance,
    pub(crate) usage: Arc<Usage>,
    pub(crate) pace: Arc<Pace>,
    /// Calls of this actor.
    pub(crate) permits: Arc<Permits>,
    /// Requests this actor has under way.
    pub(crate) outgoing: Arc<Permits>,
}

/// The right to run one call: of the actor and of the host, taken together or not at all.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// Counts the call.
    under_way: UnderWay,
    _actor: Permit,
    _host: Permit,
}

impl Admitted {
    /// The call ended well.
    pub(crate) fn done(&mut self) {
        self.under_way.done();
    }

    /// The call has no good end; `cause` is what wasmtime said, if it was wasmtime.
    pub(crate) fn failed(&mut self, error: &CallError, cause: Option<&wasmtime::Error>) {
        self.under_way.failed(error, cause);
    }
}

impl Actor {
    pub fn new(loaded: Arc<Loaded>, config: ActorConfig) -> Self {
        let limits = config.limits;
        let (policy, places) = (config.instances, &loaded.engine.idle);
        let stock = Stock::new(policy, places.clone());
        let crew = Crew::new(policy, loaded.linked().blocks.is_some(), places.clone());
        let core = Core {
            id: config.id,
            config: ArcSwap::from_pointee(config.config),
            keyvalue: config.keyvalue,
            scope: config.scope,
            outbound: config.outbound,
            messaging: config.messaging,
            secrets: config.secrets,
            log: config.log,
            allowance: Allowance::new(limits.log_bytes_per_second),
            usage: Arc::default(),
            pace: Arc::default(),
            permits: Permits::new(config.count.saturating_mul(limits.concurrency)),
            outgoing: Permits::new(limits.outgoing_max),
            limits,
        };
        Self { loaded, core: Arc::new(core), stock, crew }
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

    /// Calls of this actor that are running; one that takes several places of the pool counts as that
    /// many.
    pub fn in_flight(&self) -> u32 {
        self.core.permits.taken()
    }

    /// How busy this actor is here; calls that wait for their turn count as running.
    pub fn load(&self) -> Load {
        let permits = &self.core.permits;
        Load { in_flight: permits.taken() + permits.waiting(), limit: permits.limit() }
    }

    /// What this actor takes here, and took since it was made.
    pub fn usage(&self) -> UsageReport {
        self.core.usage.report(self.load())
    }

    /// What `wasi:config` answers from the next call on. Calls that run go on with what they had.
    pub fn reconfigure(&self, config: BTreeMap<String, String>) {
        self.core.config.store(Arc::new(config));
        self.stock.clear(Gone::Config);
        self.crew.clear();
    }

    /// For the calls of one instance.
    pub(crate) fn turn(&self) -> Turn {
        Turn::new(self.core.usage.clone())
    }

    pub(crate) fn driver(&self, turn: Turn, deadline: Option<Instant>) -> Driver {
        let lane = self.loaded.engine.lane.clone();
        Driver { lane, turn, pace: self.core.pace.clone(), deadline }
    }

    /// A permit of the actor and one of the host: for a call from outside after a short wait, for
    /// one made by a call at once or not at all.
    ///
    /// The actor's comes first: who waits for a busy actor must not hold what others could use.
    pub(crate) async fn admit(&self, ctx: &CallContext) -> Result<Admitted, CallError> {
        let admitted = self.permit(ctx).await;
        match admitted {
            Ok((actor, host)) => {
                Ok(Admitted { under_way: self.core.usage.begin(), _actor: actor, _host: host })
            }
            Err(error) => {
                self.core.usage.not_begun(&error);
                Err(error)
            }
        }
    }

    async fn permit(&self, ctx: &CallContext) -> Result<(Permit, Permit), CallError> {
        let engine = &self.loaded.engine;
        let slots = self.loaded.linked().slots;
        let (actor, host) = if ctx.hop == 0 {
            let until = ctx.deadline.min(Instant::now() + QUEUE_WAIT);
            let actor = self.core.permits.wait(slots, until).await.ok_or(overloaded("actor"))?;
            (actor, engine.permits.wait(slots, until).await.ok_or(overloaded("host"))?)
        } else {
            let actor = self.core.permits.take(slots).ok_or(overloaded("actor"))?;
            (actor, engine.nested.take(slots).ok_or(overloaded("host"))?)
        };
        Ok((actor, host))
    }
}

fn overloaded(what: &'static str) -> CallError {
    CallError::Overloaded { what, retry_after: RETRY_AFTER }
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
