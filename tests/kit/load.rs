//! Requests that never cease: what somebody notices who uses the system while it changes.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::task::JoinHandle;

use crate::{
    http::get,
    wait::{Look, wait_until},
};

/// So many answers come in this time, or the story failed.
const WITHIN: Duration = Duration::from_secs(60);

/// Callers that ask one after the other for one path, each over a connection of its own.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU32>,
    callers: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    pub fn start(door: SocketAddr, path: &str, callers: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicU32::new(0));
        let callers = (0..callers).map(|_| {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            tokio::spawn(ask_until_stopped(door, path.to_owned(), stop, answered))
        });
        let callers = callers.collect();
        Self { stop, answered, callers }
    }

    /// Waits until so many more requests were answered with 200.
    pub async fn until_answered(&self, more: u32) {
        let count = self.answered.load(Ordering::Relaxed) + more;
        wait_until(&format!("{count} requests were answered"), WITHIN, async || {
            let now = self.answered.load(Ordering::Relaxed);
            Look::some((count <= now).then_some(()), || now.to_string())
        })
        .await;
    }

    /// Stops, and gives every answer that was not a 200.
    pub async fn lost(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        let mut lost = Vec::new();
        for caller in self.callers {
            lost.extend(caller.await.expect("a caller does not panic"));
        }
        lost
    }
}

async fn ask_until_stopped(
    door: SocketAddr,
    path: String,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU32>,
) -> Vec<String> {
    let mut lost = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        match get(door, &path).await {
            Ok(answer) if answer.status == 200 => {
                answered.fetch_add(1, Ordering::Relaxed);
            }
            other => lost.push(format!("{other:?}")),
        }
    }
    lost
}
