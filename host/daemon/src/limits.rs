//! What an actor may take on this host and what it takes, for whoever asks.

#[cfg(all(test, feature = "messaging-nats"))]
mod page;

use bytes::Bytes;
use wattle_engine::Caps;
use wattle_lattice::ctl;
use wattle_tasks::Chain;
use wattle_types::stored::{self, VERSION};
use wattle_types::{ActorId, HostId, LimitsReport, LimitsRequest, RunReport};

use crate::actors::Actors;

/// What every actor of a host is judged by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits<'a> {
    pub(crate) host: HostId,
    pub(crate) caps: &'a Caps,
    pub(crate) actors: &'a Actors,
}

impl Limits<'_> {
    /// Answers one request, if it can be read.
    pub(crate) fn answer(self, payload: &[u8]) -> Bytes {
        match stored::decode::<LimitsRequest>("a question about limits", payload) {
            Ok(request) => stored::encode(&self.report(&request.actor)).into(),
            Err(error) => ctl::encode(&ctl::Accepted::refused(Chain(&error).to_string())),
        }
    }

    fn report(self, id: &ActorId) -> LimitsReport {
        let serving = self.actors.get(id).map(|run| run.id());
        let runs = self.actors.runs_of(id).into_iter().filter_map(|run| {
            let spec = run.spec();
            // None if it is not granted; but then it was not started.
            let limits = self.caps.report(&spec.limits).ok()?;
            Some(RunReport {
                spec: run.revision(),
                serving: serving == Some(run.id()),
                instances: spec.instances,
                limits,
                usage: run.actor().usage(),
            })
        });
        LimitsReport { v: VERSION, host: self.host, runs: runs.collect() }
    }
}
