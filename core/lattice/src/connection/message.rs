//! What arrives: messages to subjects we listen to, and replies to what we asked.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use wattle_tasks::TraceContext;

use super::headers;
use crate::{Names, ReplyTo, Subject};

/// Headers of a message that arrived.
#[derive(Clone, Debug, Default)]
pub struct Headers(Option<async_nats::HeaderMap>);

impl Headers {
    pub(crate) fn new(raw: Option<async_nats::HeaderMap>) -> Self {
        Self(raw)
    }

    /// The first value of a header, if it was sent.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.as_ref()?.get(name).map(|value| value.as_str())
    }

    pub fn trace(&self) -> TraceContext {
        headers::trace_of(self.0.as_ref())
    }

    /// For a message of our own.
    pub(super) fn copied(&self) -> async_nats::HeaderMap {
        self.0.clone().unwrap_or_default()
    }
}

/// Something said to a subject we listen to.
#[derive(Clone, Debug)]
pub struct Message {
    pub subject: Subject,
    /// Where an answer may go; none if none is wanted, or if the address is not one we answer to.
    pub reply: Option<ReplyTo>,
    pub payload: Bytes,
    pub headers: Headers,
}

impl Message {
    /// The trace this message belongs to.
    pub fn trace(&self) -> TraceContext {
        self.headers.trace()
    }
}

/// The answer to a request.
#[derive(Clone, Debug)]
pub struct Reply {
    pub payload: Bytes,
    pub headers: Headers,
}

/// Messages to one pattern, in the order the server sent them. Dropping it unsubscribes.
#[derive(Debug)]
pub struct Subscription {
    incoming: async_nats::Subscriber,
    names: Names,
    unreadable: Arc<AtomicU64>,
}

impl Subscription {
    pub(super) fn new(
        incoming: async_nats::Subscriber,
        names: Names,
        unreadable: Arc<AtomicU64>,
    ) -> Self {
        Self { incoming, names, unreadable }
    }

    /// The next message; none once the connection has closed. Safe to drop between messages.
    pub async fn next(&mut self) -> Option<Message> {
        futures::StreamExt::next(self).await
    }

    /// Takes nothing new; what has arrived already can still be read, then `next` gives none.
    pub async fn drain(&mut self) {
        // The only failure is a closed connection, and then there is nothing left to unsubscribe.
        let _ = self.incoming.drain().await;
    }

    fn read(&self, raw: async_nats::Message) -> Option<Message> {
        let subject = match self.names.read(&raw.subject) {
            Ok(subject) => subject,
            Err(error) => {
                self.unreadable.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(%error, "message passed over");
                return None;
            }
        };
        let reply = raw.reply.and_then(|to| {
            let reply = ReplyTo::take(&self.names, to.clone());
            if reply.is_none() {
                tracing::warn!(subject = %raw.subject, reply = %to, "not an address we answer to");
            }
            reply
        });
        Some(Message { subject, reply, payload: raw.payload, headers: Headers::new(raw.headers) })
    }
}

impl Stream for Subscription {
    type Item = Message;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        loop {
            match self.incoming.poll_next_unpin(cx) {
                Poll::Ready(Some(raw)) => {
                    if let Some(message) = self.read(raw) {
                        return Poll::Ready(Some(message));
                    }
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
