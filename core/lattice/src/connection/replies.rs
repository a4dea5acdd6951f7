//! Who waits for which reply.
//!
//! One subscription takes all replies of a connection, and the last token of the subject says
//! whose it is. A waiter that gives up removes itself: the client's own table would keep the
//! entry of every request that timed out, for as long as the process lives.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_nats::Message;
use tokio::sync::mpsc;

use super::RequestError;

/// Replies of one request that wait to be read: hosts answering one ping.
const MANY_CAPACITY: usize = 4_096;

#[derive(Debug, Default)]
pub(super) struct Replies {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    last: u64,
    by_number: HashMap<u64, mpsc::Sender<Message>>,
}

/// One request's place in the table; dropping it gives the place up.
#[derive(Debug)]
pub(super) struct Pending {
    number: u64,
    replies: Arc<Replies>,
    incoming: mpsc::Receiver<Message>,
}

impl Replies {
    pub(super) fn expect_one(self: &Arc<Self>) -> (u64, Pending) {
        self.expect(1)
    }

    pub(super) fn expect_many(self: &Arc<Self>) -> (u64, Pending) {
        self.expect(MANY_CAPACITY)
    }

    fn expect(self: &Arc<Self>, capacity: usize) -> (u64, Pending) {
        let (sender, incoming) = mpsc::channel(capacity);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.last += 1;
        let number = waiting.last;
        waiting.by_number.insert(number, sender);
        (number, Pending { number, replies: self.clone(), incoming })
    }

    /// A full queue drops the newest: one reply was wanted, or thousands were read too slowly.
    pub(super) fn deliver(&self, message: Message) {
        let number = message.subject.rsplit('.').next().and_then(|raw| raw.parse::<u64>().ok());
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(waiter) = number.and_then(|number| waiting.by_number.get(&number)) else {
            tracing::debug!(subject = %message.subject, "nobody waits for this reply any more");
            return;
        };
        if waiter.try_send(message).is_err() {
            tracing::debug!("a reply too many was dropped");
        }
    }
}

impl Pending {
    pub(super) async fn message(mut self) -> Result<Message, RequestError> {
        self.next().await
    }

    pub(super) async fn next(&mut self) -> Result<Message, RequestError> {
        let message = self.incoming.recv().await.ok_or(RequestError::Closed)?;
        if message.status == Some(async_nats::StatusCode::NO_RESPONDERS) {
            return Err(RequestError::NoResponders);
        }
        Ok(message)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let mut waiting = self.replies.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.by_number.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiter_that_gives_up_leaves_nothing_behind() {
        let replies = Arc::new(Replies::default());
        let (first, waiting) = replies.expect_one();
        let (second, given_up) = replies.expect_many();
        assert_ne!(first, second);
        drop(given_up);
        let left = |replies: &Replies| replies.waiting.lock().unwrap().by_number.len();
        assert_eq!(left(&replies), 1);
        drop(waiting);
        assert_eq!(left(&replies), 0);
    }
}
