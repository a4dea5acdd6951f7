//! The task that writes the export, so that a slow disk does not hold up whoever decides.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};
use wattle_brain::Kept;
use wattle_tasks::{Backoff, Chain, Tasks};

use super::Archive;

/// When so many wait, more are dropped; the store is then followed anew, which tells them again.
const QUEUE_CAPACITY: usize = 1_024;

#[derive(Clone, Debug)]
pub(crate) struct Keeper {
    queue: mpsc::Sender<Vec<Kept>>,
    missed: Arc<AtomicBool>,
}

impl Keeper {
    pub(crate) fn start(archive: Archive, follow_anew: Arc<Notify>, tasks: &Tasks) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE_CAPACITY);
        let missed = Arc::new(AtomicBool::new(false));
        let work = Work { archive, waiting, missed: missed.clone(), follow_anew };
        tasks.spawn_essential("keep the export", |stop| work.run(stop));
        Self { queue, missed }
    }

    pub(crate) fn keep(&self, entries: Vec<Kept>) {
        if self.queue.try_send(entries).is_err() && !self.missed.swap(true, Ordering::Relaxed) {
            warn!("the disk does not keep up with the export");
        }
    }
}

struct Work {
    archive: Archive,
    waiting: mpsc::Receiver<Vec<Kept>>,
    missed: Arc<AtomicBool>,
    follow_anew: Arc<Notify>,
}

impl Work {
    async fn run(mut self, stop: CancellationToken) {
        while let Some(Some(first)) = stop.run_until_cancelled(self.waiting.recv()).await {
            let entries = self.all(first);
            let Some(archive) = append(self.archive, entries, &stop).await else { return };
            self.archive = archive;
            if self.waiting.is_empty() && self.missed.swap(false, Ordering::Relaxed) {
                self.follow_anew.notify_one();
            }
        }
        // What was followed before the end is kept as well, if the disk takes it.
        if let Ok(last) = self.waiting.try_recv() {
            let entries = self.all(last);
            append(self.archive, entries, &stop).await;
        }
    }

    /// What waits, flushed together.
    fn all(&mut self, first: Vec<Kept>) -> Vec<Kept> {
        let mut entries = first;
        while let Ok(more) = self.waiting.try_recv() {
            entries.extend(more);
        }
        entries
    }
}

/// Tries until it is done, or until `stop`. None when there is nothing left to do.
async fn append(
    mut archive: Archive,
    entries: Vec<Kept>,
    stop: &CancellationToken,
) -> Option<Archive> {
    let entries = Arc::new(entries);
    let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(10));
    loop {
        let batch = entries.clone();
        let appended = tokio::task::spawn_blocking(move || {
            let appended = archive.append(&batch);
            (archive, appended)
        });
        let appended = appended.await.ok()?;
        archive = appended.0;
        match appended.1 {
            Ok(()) => return Some(archive),
            Err(failed) => error!(error = %Chain(&failed), "the export could not be written"),
        }
        stop.run_until_cancelled(tokio::time::sleep(backoff.pause())).await?;
    }
}
