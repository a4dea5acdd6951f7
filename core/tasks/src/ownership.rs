//! The tasks of one process: who may stop them, and whether they have stopped.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, info_span};

/// Cheap to clone; all clones own the same tasks.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    stop: CancellationToken,
    tracker: TaskTracker,
}

#[derive(Debug, thiserror::Error)]
#[error("{running} tasks were still running after {grace:?}")]
pub struct Stuck {
    pub running: usize,
    pub grace: Duration,
}

impl Tasks {
    /// Tasks that also stop when `parent` is cancelled.
    pub fn under(parent: &CancellationToken) -> Self {
        Self { stop: parent.child_token(), tracker: TaskTracker::new() }
    }

    /// Spawns a task the process can live without.
    pub fn spawn<F>(&self, name: &'static str, run: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let task = run(self.stop.child_token());
        self.tracker.spawn(task.instrument(info_span!("task", name)));
    }

    /// Spawns a task the process cannot live without: when it ends, even by a panic, everything
    /// is asked to stop.
    pub fn spawn_essential<F>(&self, name: &'static str, run: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop_all = self.stop.clone().drop_guard();
        self.spawn(name, |stop| {
            let task = run(stop);
            async move {
                let _stop_all = stop_all;
                task.await;
            }
        });
    }

    /// What is cancelled when the tasks are asked to stop.
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Completes once anyone has asked the tasks to stop.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    /// Asks every task to stop and waits for all of them, but no longer than `grace`.
    pub async fn shut_down(self, grace: Duration) -> Result<(), Stuck> {
        self.stop.cancel();
        self.tracker.close();
        match tokio::time::timeout(grace, self.tracker.wait()).await {
            Ok(()) => Ok(()),
            Err(_) => Err(Stuck { running: self.tracker.len(), grace }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_of_an_essential_task_stops_the_others() {
        let tasks = Tasks::default();
        tasks.spawn("waits", |stop| async move { stop.cancelled().await });
        tasks.spawn_essential("ends", |_| async {});
        tasks.stopping().await;
        tasks.shut_down(Duration::from_secs(5)).await.expect("all have stopped");
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_does_not_stop_is_counted() {
        let tasks = Tasks::default();
        tasks.spawn("deaf", |_| std::future::pending());
        let stuck = tasks.shut_down(Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(stuck.running, 1);
    }
}
