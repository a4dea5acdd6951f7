//! The one thread that writes.
//!
//! A commit waits for the disk, so all changes that came in meanwhile are committed together. Each
//! is decided on its own: one that is refused changes nothing and does not hold up the others.

use std::sync::Arc;
use std::{io, thread};

use bytes::Bytes;
use redb::{Database, ReadableTable, Table};
use tokio::sync::{mpsc, oneshot};
use wattle_capability::KvError;
use wattle_capability::keyvalue::incremented;

use crate::{ENTRIES, failed};

/// Changes in one commit. Also how many wait in line; a guest whose change finds no room waits.
const TOGETHER_MAX: usize = 256;

/// One change of the file; keys are those of entries.
#[derive(Debug)]
pub(crate) enum Change {
    Set(Vec<(String, Bytes)>),
    Delete(Vec<String>),
    Increment(String, u64),
    /// An entry, what it must hold, and what it holds afterwards.
    Swap(String, Option<Bytes>, Bytes),
}

#[derive(Debug)]
struct Request {
    change: Change,
    reply: oneshot::Sender<Result<u64, KvError>>,
}

/// The way to the thread. Dropping it waits until what was accepted is written.
#[derive(Debug)]
pub(crate) struct Writer {
    // Taken when dropped: the thread ends when nobody can send.
    requests: Option<mpsc::Sender<Request>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    pub(crate) fn start(database: Arc<Database>) -> io::Result<Self> {
        let (requests, inbox) = mpsc::channel(TOGETHER_MAX);
        let thread = thread::Builder::new()
            .name("keyvalue-redb".to_owned())
            .spawn(move || run(&database, inbox))?;
        Ok(Self { requests: Some(requests), thread: Some(thread) })
    }

    /// Returns when the change is on disk: for an increment with the sum, for a swap with 1 if it was
    /// done, otherwise with 0.
    pub(crate) async fn apply(&self, change: Change) -> Result<u64, KvError> {
        let stopped = || KvError::Other("the store has stopped".to_owned());
        let (reply, answer) = oneshot::channel();
        let requests = self.requests.as_ref().ok_or_else(stopped)?;
        requests.send(Request { change, reply }).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            // It panics only over a defect of ours, and then says so by itself.
            let _ = thread.join();
        }
    }
}

fn run(database: &Database, mut inbox: mpsc::Receiver<Request>) {
    let mut together = Vec::with_capacity(TOGETHER_MAX);
    while inbox.blocking_recv_many(&mut together, TOGETHER_MAX) != 0 {
        let (changes, replies): (Vec<_>, Vec<_>) =
            together.drain(..).map(|request| (request.change, request.reply)).unzip();
        let outcomes = commit(database, &changes);
        let outcomes = outcomes.unwrap_or_else(|error| {
            let error = failed(&error);
            changes.iter().map(|_| Err(error.clone())).collect()
        });
        for (reply, outcome) in replies.into_iter().zip(outcomes) {
            // Whoever asked may have given up meanwhile.
            let _ = reply.send(outcome);
        }
    }
}

fn commit(
    database: &Database,
    changes: &[Change],
) -> Result<Vec<Result<u64, KvError>>, redb::Error> {
    let transaction = database.begin_write()?;
    let mut table = transaction.open_table(ENTRIES)?;
    let outcomes = changes.iter().map(|change| apply(&mut table, change));
    let outcomes = outcomes.collect::<Result<_, redb::Error>>()?;
    drop(table);
    transaction.commit()?;
    Ok(outcomes)
}

fn apply(
    table: &mut Table<'_, &'static str, &'static [u8]>,
    change: &Change,
) -> Result<Result<u64, KvError>, redb::Error> {
    match change {
        Change::Set(entries) => {
            for (entry, value) in entries {
                table.insert(entry.as_str(), value.as_ref())?;
            }
        }
        Change::Delete(entries) => {
            for entry in entries {
                table.remove(entry.as_str())?;
            }
        }
        Change::Increment(entry, delta) => {
            let sum = incremented(table.get(entry.as_str())?.as_ref().map(|v| v.value()), *delta);
            if let Ok(sum) = sum {
                table.insert(entry.as_str(), sum.to_string().as_bytes())?;
            }
            return Ok(sum);
        }
        Change::Swap(entry, expected, value) => {
            let held = table.get(entry.as_str())?;
            let as_expected = held.as_ref().map(|held| held.value()) == expected.as_deref();
            drop(held);
            if as_expected {
                table.insert(entry.as_str(), value.as_ref())?;
            }
            return Ok(Ok(as_expected.into()));
        }
    }
    Ok(Ok(0))
}
