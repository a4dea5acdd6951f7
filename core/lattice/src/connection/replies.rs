//! Who waits for which reply.
//!
//! One subscription takes all replies of a connection, and the last token of the subject says
//! whose it is. A waiter that gives up removes itself: the client's own table would keep the
//! entry of every request that timed out, for as long as the process lives.
//!
//! The number of a call that was answered whole is used again. The server remembers where the
//! subjects it saw lately lead, so a few that come again and again cost it half of what one per
//! call does. A number whose answer may still come, or frames, is not used again.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_nats::{Message, StatusCode, Subject};
use bytes::Bytes;
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
    by_number: HashMap<u64, Waiter, BuildHasherDefault<AsItIs>>,
    /// Numbers of calls of which nothing can come any more.
    free: Vec<u64>,
}

/// Numbers that we gave out need no hashing.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        // The table looks at the upper bits too.
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |number, byte| number << 8 | u64::from(*byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

#[derive(Debug)]
enum Waiter {
    One(Option<oneshot::Sender<Message>>),
    /// A call: it is lost with the connection, instead of waiting out its time.
    Head {
        head: Option<oneshot::Sender<Option<Head>>>,
        /// What goes on beside it, once anything does.
        beside: Option<Arc<Call>>,
    },
    Many(mpsc::Sender<Message>),
}

/// The answer to a call: what of a message matters then.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) payload: Bytes,
    /// Where frames reach whoever answered.
    pub(crate) there: Option<Subject>,
}

/// One request's place in the table; dropping it gives the place up.
#[derive(Debug)]
struct Place {
    number: u64,
    replies: Arc<Replies>,
    /// Everything that can come has come.
    over: bool,
}

/// Waits for one reply.
#[derive(Debug)]
pub(super) struct Pending {
    place: Place,
    reply: oneshot::Receiver<Message>,
}

/// Waits for the answer to a call.
#[derive(Debug)]
pub(crate) struct PendingHead {
    place: Place,
    head: oneshot::Receiver<Option<Head>>,
}

/// Waits for any number of replies.
#[derive(Debug)]
pub(super) struct PendingMany {
    place: Place,
    replies: mpsc::Receiver<Message>,
}

impl Replies {
    pub(super) fn expect_one(self: &Arc<Self>) -> Pending {
        let (sender, reply) = oneshot::channel();
        Pending { place: self.place(Waiter::One(Some(sender))), reply }
    }

    pub(crate) fn expect_head(self: &Arc<Self>) -> PendingHead {
        let (sender, head) = oneshot::channel();
        let waiter = Waiter::Head { head: Some(sender), beside: None };
        PendingHead { place: self.place(waiter), head }
    }

    pub(super) fn expect_many(self: &Arc<Self>) -> PendingMany {
        let (sender, replies) = mpsc::channel(MANY_CAPACITY);
        PendingMany { place: self.place(Waiter::Many(sender)), replies }
    }

    fn place(self: &Arc<Self>, waiter: Waiter) -> Place {
        let mut waiting = self.waiting();
        let number = match &waiter {
            Waiter::Head { .. } => waiting.free.pop(),
            Waiter::One(_) | Waiter::Many(_) => None,
        };
        let number = number.unwrap_or_else(|| {
            waiting.last += 1;
            waiting.last
        });
        waiting.by_number.insert(number, waiter);
        Place { number, replies: self.clone(), over: false }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A full queue drops the newest: one reply was wanted, or thousands were read too slowly.
    pub(super) fn deliver(&self, message: Message) {
        let number = message.subject.rsplit('.').next().and_then(|raw| raw.parse::<u64>().ok());
        let mut waiting = self.waiting();
        let undelivered = match number.and_then(|number| waiting.by_number.get_mut(&number)) {
            Some(Waiter::Head { head, .. }) => {
                let nobody = message.status == Some(StatusCode::NO_RESPONDERS);
                let said =
                    (!nobody).then_some(Head { payload: message.payload, there: message.reply });
                // Whoever gave up, or had one already, does not miss it.
                let _ = head.take().map(|head| head.send(said));
                None
            }
            Some(Waiter::One(reply)) => match reply.take() {
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
        matches!(self.waiting().by_number.get(&number), Some(Waiter::Head { .. }))
    }

    /// What goes on beside the call of that number; made if nothing did. None: it is over.
    pub(crate) fn beside(
        &self,
        number: u64,
        make: impl FnOnce() -> Arc<Call>,
    ) -> Option<Arc<Call>> {
        match self.waiting().by_number.get_mut(&number)? {
            Waiter::Head { beside, .. } => Some(beside.get_or_insert_with(make).clone()),
            Waiter::One(_) | Waiter::Many(_) => None,
        }
    }

    /// No reply will come to that call.
    pub(crate) fn lose(&self, number: u64) {
        if let Some(Waiter::Head { head, .. }) = self.waiting().by_number.get_mut(&number) {
            *head = None;
        }
    }

    /// No reply will come to any call.
    pub(super) fn lose_heads(&self) {
        for waiter in self.waiting().by_number.values_mut() {
            if let Waiter::Head { head, .. } = waiter {
                *head = None;
            }
        }
    }
}

impl Pending {
    pub(super) fn number(&self) -> u64 {
        self.place.number
    }

    /// The reply.
    pub(super) async fn message(self) -> Result<Message, RequestError> {
        let message = self.reply.await.map_err(|_| RequestError::Closed)?;
        if message.status == Some(StatusCode::NO_RESPONDERS) {
            return Err(RequestError::NoResponders);
        }
        Ok(message)
    }
}

impl PendingHead {
    pub(crate) fn number(&self) -> u64 {
        self.place.number
    }

    /// Says that the answer was whole, so that nothing can come any more.
    pub(crate) fn is_over(&mut self) {
        self.place.over = true;
    }

    pub(crate) async fn head(&mut self) -> Result<Head, RequestError> {
        let head = (&mut self.head).await.map_err(|_| RequestError::Lost)?;
        head.ok_or(RequestError::NoResponders)
    }
}

impl PendingMany {
    pub(super) fn number(&self) -> u64 {
        self.place.number
    }

    pub(super) async fn next(&mut self) -> Result<Message, RequestError> {
        let message = self.replies.recv().await.ok_or(RequestError::Closed)?;
        if message.status == Some(StatusCode::NO_RESPONDERS) {
            return Err(RequestError::NoResponders);
        }
        Ok(message)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.replies.waiting();
        let given_up = waiting.by_number.remove(&self.number);
        if self.over && matches!(given_up, Some(Waiter::Head { beside: None, .. })) {
            waiting.free.push(self.number);
        }
        drop(waiting);
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

    #[test]
    fn only_the_number_of_a_call_that_is_over_is_used_again() {
        let replies = Arc::new(Replies::default());
        let number = |over: bool| {
            let mut head = replies.expect_head();
            if over {
                head.is_over();
            }
            head.number()
        };
        assert_eq!([number(true), number(true), number(false), number(true)], [1, 1, 1, 2]);
        assert_eq!(replies.expect_one().number(), 3, "others are not sure to be over");
    }

    #[tokio::test]
    async fn only_calls_are_lost_with_the_connection() {
        let replies = Arc::new(Replies::default());
        let (mut call, other) = (replies.expect_head(), replies.expect_one());
        replies.lose_heads();
        assert_eq!(call.head().await.unwrap_err(), RequestError::Lost);
        let mut later = replies.expect_head();
        replies.lose(later.number());
        assert_eq!(later.head().await.unwrap_err(), RequestError::Lost);
        assert!(futures::FutureExt::now_or_never(other.message()).is_none());
    }
}
