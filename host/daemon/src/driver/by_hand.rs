//! What the driver does for what is started by hand: hands over commands and answers, reads and
//! writes who owns an id.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::oneshot;
use tracing::Instrument;
use wattle_agent::{Answer, Command, Event, OwnerReading, RequestId, RunId};
use wattle_lattice::store::Write;
use wattle_lattice::{Expect, Store, WriteOutcome};
use wattle_tasks::Chain;
use wattle_types::{ActorId, ActorSpec, Digest, Key, SpecHash};

use super::Driver;
use crate::disk::Writing;

/// Clients wait 2 s for the answer to their command, of which this is a part.
const READ_WITHIN: Duration = Duration::from_millis(900);

impl Driver {
    pub(super) fn commanded(&mut self, command: Command, reply: oneshot::Sender<Answer>) -> Event {
        self.requests += 1;
        let request = RequestId(self.requests);
        self.asking.insert(request, reply);
        Event::Commanded { request, command }
    }

    pub(super) fn answer(&mut self, request: RequestId, answer: Answer) {
        if let Some(reply) = self.asking.remove(&request) {
            // Who asked may have gone away meanwhile.
            let _ = reply.send(answer);
        }
    }

    pub(super) fn read_owner(&mut self, id: ActorId) {
        let (store, mailbox) = (self.store(), self.means.mailbox.clone());
        let work = async move {
            let reading = match &store {
                Some(store) => read(store, &id).await,
                None => OwnerReading::Failed,
            };
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            mailbox.tell(Event::OwnerRead { id, reading, unix_s: now.as_secs() }).await;
        };
        self.means.work.spawn(work.in_current_span());
    }

    pub(super) fn write_owner(&mut self, id: ActorId, record: Option<Vec<u8>>, expect: u64) {
        let (store, mailbox) = (self.store(), self.means.mailbox.clone());
        let expect = if expect == 0 { Expect::Absent } else { Expect::Revision(expect) };
        let key = Key::Id(id.clone());
        let write = match record {
            Some(record) => Write::put(key, record, expect),
            None => Write::delete(key, expect),
        };
        let work = async move {
            let outcome = match &store {
                Some(store) => Some(store.write(&write).await),
                None => None,
            };
            if let Some(WriteOutcome::Refused(refusal)) = &outcome {
                tracing::warn!(key = %write.key, %refusal, "not written");
            }
            let stored = matches!(outcome, Some(WriteOutcome::Ok(_)));
            mailbox.tell(Event::OwnerWritten { id, stored }).await;
        };
        self.means.work.spawn(work.in_current_span());
    }

    pub(super) fn adopt(
        &self,
        id: &ActorId,
        run: RunId,
        hash: SpecHash,
        spec: Arc<ActorSpec>,
        digest: Digest,
    ) {
        tracing::info!(actor = %id, app = ?spec.app, "adopted");
        if let Some(run) = self.means.router.actors.run(run) {
            run.give(hash, spec);
        }
        // By the one that writes: before it removes what nobody needs.
        if self.means.writer.try_send(Writing::Pin { spec: hash, digest }).is_err() {
            tracing::warn!(%hash, "the disk is behind: at its next start it is fetched anew");
        }
    }
}

async fn read(store: &Store, id: &ActorId) -> OwnerReading {
    let key = Key::Id(id.clone());
    let Ok(read) = tokio::time::timeout(READ_WITHIN, store.read_leader(&key)).await else {
        return OwnerReading::Failed;
    };
    match read {
        Ok(Some(stored)) if stored.deleted => OwnerReading::Free { seq: stored.seq },
        Ok(Some(stored)) => OwnerReading::Record { bytes: stored.bytes.to_vec(), seq: stored.seq },
        Ok(None) => OwnerReading::Free { seq: 0 },
        Err(error) => {
            tracing::debug!(%id, error = %Chain(&error), "its owner was not read");
            OwnerReading::Failed
        }
    }
}
