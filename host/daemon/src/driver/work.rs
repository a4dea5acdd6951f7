//! What takes time is done by tasks of its own, which tell by mail what came of it.

use std::sync::Arc;
use std::time::Duration;

use tracing::Instrument;
use wattle_agent::{Event, Failure, Reading, RunId};
use wattle_lattice::store::Prefix;
use wattle_lattice::{Store, Stored};
use wattle_tasks::{CancellationToken, Chain};
use wattle_types::{ActorId, ActorSpec, Key, SpecHash};

use super::Driver;
use crate::start::Started;

impl Driver {
    pub(super) fn read(&mut self, keys: Vec<Key>) {
        let (store, mailbox) = (self.store(), self.means.mailbox.clone());
        let work = async move {
            for key in keys {
                let reading = match &store {
                    Some(store) => read(store, &key).await,
                    None => Reading::Failed,
                };
                mailbox.tell(Event::Read { key, reading }).await;
            }
        };
        self.means.work.spawn(work.in_current_span());
    }

    pub(super) fn read_links(&mut self, source: ActorId) {
        let (store, mailbox) = (self.store(), self.means.mailbox.clone());
        let work = async move {
            let (links, up_to) = match &store {
                Some(store) => links_of(store, &source).await,
                None => (Err(()), 0),
            };
            mailbox.tell(Event::LinksRead { source, links, up_to }).await;
        };
        self.means.work.spawn(work.in_current_span());
    }

    /// None until this host has joined.
    pub(super) fn store(&mut self) -> Option<Store> {
        if self.store.is_none() {
            let connection = self.means.router.lattice().cloned();
            self.store = connection.map(|connection| Store::new(connection, Default::default()));
        }
        self.store.clone()
    }

    pub(super) fn start(
        &mut self,
        run: RunId,
        id: &ActorId,
        hash: SpecHash,
        spec: Arc<ActorSpec>,
        count: u32,
    ) {
        let given_up = CancellationToken::new();
        self.starting.insert(run, given_up.clone().drop_guard());
        let (starter, disk) = (self.means.starter.clone(), self.means.disk.clone());
        let (router, mailbox) = (self.means.router.clone(), self.means.mailbox.clone());
        let span = tracing::info_span!("start", actor = %id, image = %spec.image);
        let binding = router.bindings.of(id);
        let work = async move {
            let started = starter.start(disk, hash, &spec, binding, count);
            let event = match given_up.run_until_cancelled(started).await {
                // Its stop says so.
                None => return,
                Some(Ok(Started { actor, component, stores })) => {
                    router.actors.add(run, hash, actor, spec, Some(stores));
                    // Stopped in the same moment: its stop may not have found it.
                    if given_up.is_cancelled() {
                        router.actors.take_out(run);
                    }
                    Event::Started { run, component }
                }
                Some(Err(error)) => {
                    let reason = Chain(&error);
                    tracing::warn!(code = error.code(), %reason, "could not be started");
                    Event::StartFailed { run, failure: Failure::from(&error) }
                }
            };
            mailbox.tell(event).await;
        };
        self.means.work.spawn(work.instrument(span));
    }

    /// Brings a run the messages its spec names, if it does not get them already.
    pub(super) fn listen(&mut self, run: RunId) {
        let Some(listener) = self.means.router.actors.run(run) else { return };
        let patterns = listener.subscribe();
        if patterns.is_empty() || self.listening.contains_key(&run) {
            return;
        }
        let stop = CancellationToken::new();
        self.listening.insert(run, stop.clone().drop_guard());
        let bring = self.means.starter.post.clone().bring(listener, patterns, stop);
        self.means.work.spawn(bring.in_current_span());
    }

    pub(super) fn stop(&mut self, run: RunId, grace: Duration) {
        // A start under way ends here; one that just ended is taken out below.
        self.starting.remove(&run);
        self.listening.remove(&run);
        let (router, mailbox) = (self.means.router.clone(), self.means.mailbox.clone());
        let taken_out = router.actors.take_out(run);
        let work = async move {
            if let Some(stopped) = taken_out {
                if tokio::time::timeout(grace, stopped.finished()).await.is_err() {
                    tracing::warn!(?grace, "calls were in flight when their actor was dropped");
                }
                let actor = stopped.actor().id().clone();
                drop(stopped);
                router.bindings.tidy(&actor);
            }
            mailbox.tell(Event::Stopped { run }).await;
        };
        self.means.work.spawn(work.in_current_span());
    }
}

async fn read(store: &Store, key: &Key) -> Reading {
    match store.read_direct(key).await {
        Ok(Some(stored)) if !stored.deleted => {
            Reading::Value { bytes: stored.bytes.to_vec(), seq: stored.seq }
        }
        Ok(_) => Reading::Nothing,
        Err(error) => {
            tracing::debug!(%key, error = %Chain(&error), "not read");
            Reading::Failed
        }
    }
}

type Links = Result<Vec<(Key, Vec<u8>, u64)>, ()>;

async fn links_of(store: &Store, source: &ActorId) -> (Links, u64) {
    match store.read_prefix(&Prefix::LinksOf(source.clone())).await {
        Ok(read) => {
            let link = |(key, stored): (Key, Stored)| (key, stored.bytes.to_vec(), stored.seq);
            (Ok(read.found.into_iter().map(link).collect()), read.up_to)
        }
        Err(error) => {
            tracing::debug!(%source, error = %Chain(&error), "links not read");
            (Err(()), 0)
        }
    }
}
