//! Many writes, wholly or not at all, fenced by the lease.
//!
//! A batch is a run of messages with three headers: its id, their number in it, and on the last
//! one the commit. The server holds them back until the commit, checks every condition, and
//! stores all or none. Only the commit is answered.

use async_nats::HeaderMap;
use wattle_types::Key;

use super::write::{Refusal, Write, WriteOutcome, outcome};
use super::{JetStreamError, Store};
use crate::connection::random_token;
use crate::jetstream;

/// The server's limit; it refuses one more with code 10199.
pub const BATCH_MAX: usize = 1_000;

const BATCH_ID: &str = "Nats-Batch-Id";
const BATCH_SEQUENCE: &str = "Nats-Batch-Sequence";
const BATCH_COMMIT: &str = "Nats-Batch-Commit";

/// The sequence of the first write of a batch of `len` whose last one got `last`: a batch is
/// stored in one piece.
pub fn first_of_batch(last: u64, len: usize) -> u64 {
    (last + 1).saturating_sub(len as u64)
}

impl Store {
    /// Stores all writes, in order, or none. The first must be the lease, so that the store
    /// itself refuses whoever is no longer the leader.
    ///
    /// On [`WriteOutcome::Ok`] the sequence is the last one's; [`first_of_batch`] gives the
    /// lease's. On [`WriteOutcome::Unknown`], reading back the lease tells: all or nothing.
    pub async fn commit(&self, writes: &[Write]) -> WriteOutcome {
        if let Err(refusal) = check(writes) {
            return WriteOutcome::Refused(refusal);
        }
        // What cannot be sent must be known before the first message is.
        let max = self.bucket.connection().max_payload();
        let oversized = writes.iter().map(|write| write.payload().len() + HEADERS_BYTES_MAX);
        if let Some(len) = oversized.into_iter().find(|len| max < *len) {
            return WriteOutcome::Refused(Refusal::TooLarge { len, max });
        }
        let within = self.config.write_within;
        match tokio::time::timeout(within, self.send(writes)).await {
            Ok(stored) => outcome(stored),
            Err(_late) => WriteOutcome::Unknown,
        }
    }

    async fn send(&self, writes: &[Write]) -> Result<jetstream::Ack, JetStreamError> {
        let id = random_token();
        let connection = self.bucket.connection();
        let subject = |write: &Write| self.bucket.subject(&write.key.to_string());
        let (last, rest) = writes.split_last().ok_or(JetStreamError::Incomplete("a batch"))?;
        for (number, write) in (1..).zip(rest) {
            let headers = batch_headers(write, id.as_str(), number);
            let said = connection.publish_raw(subject(write), None, headers, write.payload());
            // Without its commit the server forgets the batch after a while.
            said.await.map_err(|error| JetStreamError::Ask { source: error.into() })?;
        }
        let mut headers = batch_headers(last, id.as_str(), writes.len());
        headers.insert(BATCH_COMMIT, "1");
        let within = self.config.write_within;
        jetstream::publish(connection, subject(last), headers, last.payload(), within).await
    }
}

/// Room for the headers of one message of a batch: conditions, batch and trace.
const HEADERS_BYTES_MAX: usize = 1_024;

fn batch_headers(write: &Write, id: &str, number: usize) -> HeaderMap {
    let mut headers = write.headers();
    headers.insert(BATCH_ID, id);
    headers.insert(BATCH_SEQUENCE, number.to_string().as_str());
    headers
}

fn check(writes: &[Write]) -> Result<(), Refusal> {
    let first = writes.first().ok_or(Refusal::Empty)?;
    if first.key != Key::Lease {
        return Err(Refusal::LeaseNotFirst);
    }
    let len = writes.len();
    if BATCH_MAX < len {
        return Err(Refusal::TooMany { len, max: BATCH_MAX });
    }
    // The server would answer a second condition on one key with "in flight", for ever.
    let mut seen = std::collections::BTreeSet::new();
    match writes.iter().find(|write| !seen.insert(&write.key)) {
        Some(twice) => Err(Refusal::Twice(twice.key.clone())),
        None => Ok(()),
    }
}
