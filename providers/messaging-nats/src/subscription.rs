//! What one actor hears.

use std::fmt;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::{self, BoxStream, SelectAll};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wattle_capability::Message;
use wattle_lattice::{GuestMessage, GuestReply, GuestSubscription};
use wattle_tasks::{CancellationToken, TraceContext};
use wattle_types::ActorId;

use crate::backlog::Backlog;
use crate::grants::{Grant, Grants};
use crate::{BACKLOG_BYTES_MAX, BACKLOG_MAX};

/// Messages to one actor on this host. Dropping it ends the subscription.
pub struct Subscription {
    actor: ActorId,
    incoming: SelectAll<BoxStream<'static, GuestMessage>>,
    ended: bool,
    backlog: Backlog<GuestMessage>,
    places: Arc<Semaphore>,
    grants: Arc<Grants>,
    stop: CancellationToken,
}

/// One message that is being handled. To be kept until the actor has: dropping it makes place for
/// the next one, and ends the actor's right to answer this one.
#[derive(Debug)]
pub struct Delivery {
    pub message: Message,
    /// The trace it belongs to.
    pub trace: TraceContext,
    _grant: Option<Grant>,
    _place: OwnedSemaphorePermit,
}

impl Subscription {
    pub(crate) fn new(
        actor: ActorId,
        incoming: Vec<GuestSubscription>,
        grants: Arc<Grants>,
        at_once: usize,
    ) -> Self {
        let stop = CancellationToken::new();
        let incoming = incoming.into_iter().map(|one| listen(one, stop.clone()));
        Self {
            actor,
            incoming: stream::select_all(incoming),
            ended: false,
            backlog: Backlog::new(BACKLOG_MAX, BACKLOG_BYTES_MAX),
            places: Arc::new(Semaphore::new(at_once.max(1))),
            grants,
            stop,
        }
    }

    /// The next message, once there is a place for it; none after [`drain`](Self::drain), when all
    /// were handed out, or once the connection has closed.
    ///
    /// To be asked all the time: while it is, the host keeps no more than the backlog. Safe to drop.
    pub async fn next(&mut self) -> Option<Delivery> {
        while !(self.ended && self.backlog.is_empty()) {
            // Neither goes first: a flood would keep messages from being handed out, or those that
            // are handed out would keep the flood from being dropped.
            tokio::select! {
                place = self.places.clone().acquire_owned(), if !self.backlog.is_empty() => {
                    let place = place.expect("the places are never closed");
                    let message = self.backlog.pop().expect("the backlog was not empty");
                    return Some(self.deliver(message, place));
                }
                message = self.incoming.next(), if !self.ended => match message {
                    Some(message) => self.keep(message),
                    None => self.ended = true,
                },
            }
        }
        None
    }

    /// Takes nothing new. What has come already is still handed out.
    pub fn drain(&self) {
        self.stop.cancel();
    }

    /// Messages that found no room.
    pub fn dropped(&self) -> u64 {
        self.backlog.dropped()
    }

    fn keep(&mut self, message: GuestMessage) {
        let bytes = message.payload.len() + message.subject.as_str().len();
        if !self.backlog.push(message, bytes) && self.backlog.dropped().is_power_of_two() {
            let (actor, dropped) = (&self.actor, self.backlog.dropped());
            tracing::warn!(%actor, dropped, "messages come faster than they are handled");
        }
    }

    fn deliver(&self, message: GuestMessage, place: OwnedSemaphorePermit) -> Delivery {
        let trace = message.trace();
        let reply_to = message.reply.as_ref().map(|reply| reply.as_str().to_owned());
        // Whether it may speak on an ordinary subject is for its spec to say.
        let grant = message.reply.and_then(|reply| match reply {
            GuestReply::Inbox(to) => Some(self.grants.grant(&self.actor, reply_to.as_deref()?, to)),
            GuestReply::Subject(_) => None,
        });
        let subject = message.subject.as_str().to_owned();
        let message = Message { subject, body: message.payload, reply_to };
        Delivery { message, trace, _grant: grant, _place: place }
    }
}

/// Messages to one pattern, until it is told to stop and has given what came before.
fn listen(
    incoming: GuestSubscription,
    stop: CancellationToken,
) -> BoxStream<'static, GuestMessage> {
    let messages =
        stream::unfold((incoming, stop, false), |(mut incoming, stop, draining)| async move {
            if !draining {
                tokio::select! {
                    message = incoming.next() => {
                        return message.map(|message| (message, (incoming, stop, false)));
                    }
                    () = stop.cancelled() => incoming.drain().await,
                }
            }
            let message = incoming.next().await?;
            Some((message, (incoming, stop, true)))
        });
    messages.boxed()
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Subscription");
        shown.field("actor", &self.actor).field("dropped", &self.dropped());
        shown.finish_non_exhaustive()
    }
}
