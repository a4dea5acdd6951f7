//! Who waits for which reply.
//!
//! One subscription takes all replies of a connection, and the last token of the subject says
//! whose it is. A waiter that gives up removes itself: the client's own table would keep the
//! entry of every request that timed out, for as long as the process lives.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_nats::Message;
use tokio::sync::{mpsc, oneshot};

use super::RequestError;
use crate::exchange::Call;

/// Replies of one request that wait to be read: hosts answering one ping.
const MANY_CAPACITY: usize = 4_096;

#[derive(Debug, Default)]
pub(crate) struct Replies {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    last: u64,
    by_number: HashMap<u64, Waiter>,
}

#[derive(Debug)]
enum Waiter {
    One {
        reply: Option<oneshot::Sender<Message>>,
        /// It is lost with the connection, instead of waiting out its time.
        ends_with_connection: bool,
        /// What goes on beside a call, once anything does.
        beside: Option<Arc<Call>>,
    },
    Many(mpsc::Sender<Message>),
}

/// One request's place in the table; dropping it gives the place up.
#[derive(Debug)]
struct Place {
    number: u64,
    replies: Arc<Replies>,
}

/// Waits for one reply.
#[derive(Debug)]
pub(crate) struct Pending {
    place: Place,
    reply: oneshot::Receiver<Message>,
}

/// Waits for any number of replies.
#[derive(Debug)]
pub(super) struct PendingMany {
    place: Place,
    replies: mpsc::Receiver<Message>,
}

impl Replies {
    pub(super) fn expect_one(self: &Arc<Self>) -> Pending {
        self.one(false)
    }

    /// As [`Replies::expect_one`], for a call: known to be lost as soon as the connection is.
    pub(crate) fn expect_head(self: &Arc<Self>) -> Pending {
        self.one(true)
    }

    fn one(self: &Arc<Self>, ends_with_connection: bool) -> Pending {
        let (sender, reply) = oneshot::channel();
        let waiter = Waiter::One { reply: Some(sender), ends_with_connection, beside: None };
        Pending { place: self.place(waiter), reply }
    }

    pub(super) fn expect_many(self: &Arc<Self>) -> PendingMany {
        let (sender, replies) = mpsc::channel(MANY_CAPACITY);
        PendingMany { place: self.place(Waiter::Many(sender)), replies }
    }

    fn place(self: &Arc<Self>, waiter: Waiter) -> Place {
        let mut waiting = self.waiting();
        waiting.last += 1;
        let number = waiting.last;
        waiting.by_number.insert(number, waiter);
        Place { number, replies: self.clone() }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A full queue drops the newest: one reply was wanted, or thousands were read too slowly.
    pub(super) fn deliver(&self, message: Message) {
        let number = message.subject.rsplit('.').next().and_then(|raw| raw.parse::<u64>().ok());
        let mut waiting = self.waiting();
        let undelivered = match number.and_then(|number| waiting.by_number.get_mut(&number)) {
            Some(Waiter::One { reply, .. }) => match reply.take() {
                Some(reply) => reply.send(message).err(),
                None => Some(message),
            },
            Some(Waiter::Many(replies)) => replies.try_send(message).err().map(|full| match full {
                mpsc::error::TrySendError::Full(message)
                | mpsc::error::TrySendError::Closed(message) => message,
            }),
            None => Some(message),
        };
        drop(waiting);
        if let Some(message) = undelivered {
            tracing::debug!(subject = %message.subject, "nobody waits for this reply any more");
        }
    }

    /// Whether that call is not over yet.
    pub(crate) fn waits_for(&self, number: u64) -> bool {
        matches!(self.waiting().by_number.get(&number), Some(Waiter::One { .. }))
    }

    /// What goes on beside the call of that number; made if nothing did. None: it is over.
    pub(crate) fn beside(
        &self,
        number: u64,
        make: impl FnOnce() -> Arc<Call>,
    ) -> Option<Arc<Call>> {
        match self.waiting().by_number.get_mut(&number)? {
            Waiter::One { beside, .. } => Some(beside.get_or_insert_with(make).clone()),
            Waiter::Many(_) => None,
        }
    }

    /// No reply will come to that call.
    pub(crate) fn lose(&self, number: u64) {
        if let Some(Waiter::One { reply, .. }) = self.waiting().by_number.get_mut(&number) {
            *reply = None;
        }
    }

    /// No reply will come to any call.
    pub(super) fn lose_heads(&self) {
        for waiter in self.waiting().by_number.values_mut() {
            if let Waiter::One { reply, ends_with_connection: true, .. } = waiter {
                *reply = None;
            }
        }
    }
}

impl Pending {
    pub(crate) fn number(&self) -> u64 {
        self.place.number
    }

    /// The reply. Safe to drop and to ask again.
    pub(crate) async fn message(&mut self) -> Result<Message, RequestError> {
        let message = (&mut self.reply).await.map_err(|_| RequestError::Lost)?;
        if message.status == Some(async_nats::StatusCode::NO_RESPONDERS) {
            return Err(RequestError::NoResponders);
        }
        Ok(message)
    }
}

impl PendingMany {
    pub(super) fn number(&self) -> u64 {
        self.place.number
    }

    pub(super) async fn next(&mut self) -> Result<Message, RequestError> {
        let message = self.replies.recv().await.ok_or(RequestError::Closed)?;
        if message.status == Some(async_nats::StatusCode::NO_RESPONDERS) {
            return Err(RequestError::NoResponders);
        }
        Ok(message)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let given_up = self.replies.waiting().by_number.remove(&self.number);
        // Behind the lock: what went on beside it has tables of its own.
        drop(given_up);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiter_that_gives_up_leaves_nothing_behind() {
        let replies = Arc::new(Replies::default());
        let waiting = replies.expect_one();
        let given_up = replies.expect_many();
        assert_ne!(waiting.number(), given_up.number());
        drop(given_up);
        let left = |replies: &Replies| replies.waiting.lock().unwrap().by_number.len();
        assert_eq!(left(&replies), 1);
        drop(waiting);
        assert_eq!(left(&replies), 0);
    }

    #[tokio::test]
    async fn only_calls_are_lost_with_the_connection() {
        let replies = Arc::new(Replies::default());
        let (mut call, mut other) = (replies.expect_head(), replies.expect_one());
        replies.lose_heads();
        assert_eq!(call.message().await.unwrap_err(), RequestError::Lost);
        assert!(futures::FutureExt::now_or_never(other.message()).is_none());
        replies.lose(other.number());
        assert_eq!(other.message().await.unwrap_err(), RequestError::Lost);
    }
}
