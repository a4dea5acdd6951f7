//! What the benchmarks measure: calls from actor to actor, by the way they take in a host.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wattle_agent::RunId;
use wattle_capability::{CallContext, Invocation, KeyValue, OutboundError, Returned};
use wattle_engine::{Actor, Engine, Loaded};
use wattle_trust::TrustPolicy;
use wattle_types::{ActorSpec, HostId, LinkRecord, LinkTable};

use crate::outbound::Gate;
use crate::router::Router;
use crate::standalone::StandaloneError;
use crate::start::Starter;

/// Actors of one process and the links between them, without a lattice around them.
#[expect(missing_debug_implementations, reason = "nobody looks at it")]
pub struct Mesh {
    router: Arc<Router>,
    starter: Starter,
    runs: AtomicU64,
}

impl Mesh {
    pub fn new(own: HostId, engine: Engine, keyvalue: Arc<dyn KeyValue>) -> Self {
        let router = Router::new(own, engine.clone());
        let (nobody, nowhere) = (TrustPolicy::default(), Gate::new(Vec::new()));
        let starter = Starter::new(engine, nobody, keyvalue, nowhere, None, &router);
        Self { router, starter, runs: AtomicU64::new(0) }
    }

    /// Runs a component as the actor of a spec, with so many calls at once as a host has.
    ///
    /// # Errors
    /// As when it is served alone.
    pub fn run(
        &self,
        spec: ActorSpec,
        loaded: Arc<Loaded>,
        links: &[LinkRecord],
    ) -> Result<Actor, StandaloneError> {
        let (id, count) = (spec.id.clone(), self.router.load().limit);
        let binding = self.router.bindings.of(&id);
        let actor = self.starter.actor(loaded, &spec, binding, count)?;
        let (run, revision) = (RunId(self.runs.fetch_add(1, Ordering::Relaxed)), spec.hash());
        let config = spec.config.clone();
        self.router.actors.add(run, revision, actor.clone(), Arc::new(spec), None);
        self.router.bind(&id, run, Arc::new(LinkTable::of(links)), &config);
        self.router.actors.serve(&id, run, count);
        Ok(actor)
    }

    /// Calls a function of an actor.
    ///
    /// # Errors
    /// As an actor's own call fails.
    pub async fn invoke(
        &self,
        ctx: CallContext,
        invocation: Invocation,
    ) -> Result<Returned, OutboundError> {
        self.router.invoke(ctx, invocation, false).await
    }
}
