//! The actors of this host: which run answers for which id, and what still finishes.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, RwLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;
use http_body_util::BodyExt;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use wattle_agent::RunId;
use wattle_capability::{Body, BodyError, CallContext};
use wattle_engine::{Actor, CallError};
use wattle_types::{ActorId, SpecHash};

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
    revision: SpecHash,
    actor: Actor,
    /// Calls whose answers are not read to their end.
    in_flight: TaskTracker,
}

impl Actors {
    /// It can be called once [`Actors::serve`] says so.
    pub(crate) fn add(&self, id: RunId, revision: SpecHash, actor: Actor) {
        let run = Arc::new(Run { id, revision, actor, in_flight: TaskTracker::new() });
        self.runs.lock().expect("nothing panics while it holds this lock").insert(id, run);
    }

    /// From now on calls of the actor go to this run, with so many instances.
    pub(crate) fn serve(&self, actor: &ActorId, id: RunId, count: u32) {
        let runs = self.runs.lock().expect("nothing panics while it holds this lock");
        let Some(run) = runs.get(&id).cloned() else { return };
        drop(runs);
        run.actor.resize(count);
        let mut serving = self.serving.write().expect("nothing panics while it holds this lock");
        serving.insert(actor.clone(), run);
    }

    pub(crate) fn get(&self, actor: &ActorId) -> Option<Arc<Run>> {
        let serving = self.serving.read().expect("nothing panics while it holds this lock");
        serving.get(actor).cloned()
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
    pub(crate) const fn revision(&self) -> SpecHash {
        self.revision
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
