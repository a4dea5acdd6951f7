//! The actors of this host: which run answers for which id, and what still finishes.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, RwLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;
use http_body_util::BodyExt;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use wattle_agent::RunId;
use wattle_capability::{Body, BodyError, CallContext, Invocation, Returned, StoreScope, body};
use wattle_engine::{Actor, CallError};
use wattle_types::{ActorId, ActorSpec, Exports, SpecHash, SubjectPattern};

use crate::keyvalue::Owned;

/// All runs of this host, by a lock that is held for one look.
#[derive(Debug, Default)]
pub(crate) struct Actors {
    serving: RwLock<HashMap<ActorId, Arc<Run>>>,
    runs: Mutex<HashMap<RunId, Arc<Run>>>,
}

/// One run that was started.
#[derive(Debug)]
pub(crate) struct Run {
    id: RunId,
    actor: Actor,
    whose: RwLock<Whose>,
    /// None: those of its spec, for as long as it runs.
    stores: Option<Arc<Owned>>,
    /// What its links must lead to: made when it is first asked for.
    imports: OnceLock<Exports>,
    /// Calls whose answers are not read to their end.
    in_flight: TaskTracker,
}

/// Which spec a run stands for now.
#[derive(Clone, Debug)]
struct Whose {
    revision: SpecHash,
    spec: Arc<ActorSpec>,
}

impl Actors {
    /// It can be called once [`Actors::serve`] says so.
    pub(crate) fn add(
        &self,
        id: RunId,
        revision: SpecHash,
        actor: Actor,
        spec: Arc<ActorSpec>,
        stores: Option<Arc<Owned>>,
    ) {
        let (imports, in_flight) = (OnceLock::new(), TaskTracker::new());
        let whose = RwLock::new(Whose { revision, spec });
        let run = Arc::new(Run { id, actor, whose, stores, imports, in_flight });
        self.runs.lock().expect("nothing panics while it holds this lock").insert(id, run);
    }

    /// From now on calls of the actor go to this run, with so many instances.
    pub(crate) fn serve(&self, actor: &ActorId, id: RunId, count: u32) {
        let Some(run) = self.run(id) else { return };
        run.actor.resize(count);
        let mut serving = self.serving.write().expect("nothing panics while it holds this lock");
        serving.insert(actor.clone(), run);
    }

    pub(crate) fn get(&self, actor: &ActorId) -> Option<Arc<Run>> {
        let serving = self.serving.read().expect("nothing panics while it holds this lock");
        serving.get(actor).cloned()
    }

    pub(crate) fn run(&self, id: RunId) -> Option<Arc<Run>> {
        let runs = self.runs.lock().expect("nothing panics while it holds this lock");
        runs.get(&id).cloned()
    }

    /// All that calls are going to now.
    pub(crate) fn serving(&self) -> Vec<Arc<Run>> {
        let serving = self.serving.read().expect("nothing panics while it holds this lock");
        serving.values().cloned().collect()
    }

    /// Every run of an actor that was not taken out, in the order of their starts.
    pub(crate) fn runs_of(&self, actor: &ActorId) -> Vec<Arc<Run>> {
        let runs = self.runs.lock().expect("nothing panics while it holds this lock");
        let mut found: Vec<_> =
            runs.values().filter(|run| run.actor.id() == actor).cloned().collect();
        drop(runs);
        found.sort_by_key(|run| run.id);
        found
    }

    /// Takes a run out: nothing new reaches it.
    pub(crate) fn take_out(&self, id: RunId) -> Option<Arc<Run>> {
        let run = self.runs.lock().expect("nothing panics while it holds this lock").remove(&id)?;
        let mut serving = self.serving.write().expect("nothing panics while it holds this lock");
        let actor = run.actor.id();
        if serving.get(actor).is_some_and(|current| current.id == id) {
            serving.remove(actor);
        }
        Some(run)
    }
}

impl Run {
    pub(crate) const fn id(&self) -> RunId {
        self.id
    }

    pub(crate) fn revision(&self) -> SpecHash {
        self.whose().revision
    }

    /// It goes on running, as this spec says.
    pub(crate) fn give(&self, revision: SpecHash, spec: Arc<ActorSpec>) {
        if let Some(stores) = &self.stores {
            stores.give(StoreScope::of(&spec));
        }
        let mut whose = self.whose.write().expect("nothing panics while it holds this lock");
        *whose = Whose { revision, spec };
    }

    pub(crate) const fn actor(&self) -> &Actor {
        &self.actor
    }

    pub(crate) fn spec(&self) -> Arc<ActorSpec> {
        self.whose().spec
    }

    /// Messages that are brought to it.
    pub(crate) fn subscribe(&self) -> Vec<SubjectPattern> {
        self.whose().spec.messaging.subscribe.clone()
    }

    fn whose(&self) -> Whose {
        self.whose.read().expect("nothing panics while it holds this lock").clone()
    }

    /// What it calls and this host does not provide itself.
    pub(crate) fn imports(&self) -> &Exports {
        self.imports.get_or_init(|| self.actor.loaded().linkable().exports())
    }

    /// Whether it runs as much as it may: what comes now waits, or is refused.
    pub(crate) fn is_full(&self) -> bool {
        let load = self.actor.load();
        load.limit <= load.in_flight
    }

    /// Answers one request; counts as in flight until the answer's body ended or was dropped.
    pub(crate) async fn http(
        &self,
        ctx: CallContext,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, CallError> {
        let token = self.in_flight.token();
        let response = self.actor.http(ctx, request).await?;
        Ok(response.map(|body| Counted { body, _token: token }.boxed_unsync()))
    }

    /// Calls a function; counts as in flight until it returned and its streams ended or were
    /// dropped.
    pub(crate) async fn invoke(
        &self,
        ctx: CallContext,
        invocation: Invocation,
    ) -> Result<Returned, CallError> {
        let token = self.in_flight.token();
        let mut returned = self.actor.invoke(ctx, invocation).await?;
        for stream in &mut returned.streams {
            let body = std::mem::replace(stream, body::empty());
            *stream = Counted { body, _token: token.clone() }.boxed_unsync();
        }
        Ok(returned)
    }

    /// What is done for this run and not by one of its own calls.
    #[cfg(feature = "messaging-nats")]
    pub(crate) fn in_flight(&self) -> TaskTrackerToken {
        self.in_flight.token()
    }

    /// Completes when nothing is in flight any more. To be asked only of one that was taken out.
    pub(crate) async fn finished(&self) {
        self.in_flight.close();
        self.in_flight.wait().await;
    }
}

struct Counted {
    body: Body,
    _token: TaskTrackerToken,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
