//! What one actor says.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use wattle_capability::{CallContext, Message, Messaging, MessagingError};
use wattle_lattice::{Connection, GuestSubject, PublishError, RequestError};
use wattle_types::messaging;

use crate::grants::Grants;

/// The voice of one actor, with what its spec allows.
#[derive(Debug)]
pub(crate) struct Voice {
    pub(crate) connection: Connection,
    pub(crate) grants: Arc<Grants>,
    pub(crate) allowed: messaging::Messaging,
}

impl Voice {
    fn read(&self, raw: &str) -> Result<GuestSubject, MessagingError> {
        GuestSubject::read(self.connection.names(), raw).map_err(|error| MessagingError::Subject {
            subject: raw.to_owned(),
            reason: error.to_string(),
        })
    }

    /// A subject that the spec lets it publish to.
    fn spoken_on(&self, raw: &str) -> Result<GuestSubject, MessagingError> {
        let subject = self.read(raw)?;
        match self.allowed.publish.iter().any(|pattern| pattern.matches(raw)) {
            true => Ok(subject),
            false => Err(MessagingError::Denied { subject: raw.to_owned() }),
        }
    }

    /// A subject on which it may want an answer. Whoever answers says there what this actor made
    /// them say, so it is one that the actor hears, or could speak on itself.
    fn answered_on(&self, raw: &str) -> Result<GuestSubject, MessagingError> {
        match self.allowed.subscribe.iter().any(|pattern| pattern.matches(raw)) {
            true => self.read(raw),
            false => self.spoken_on(raw),
        }
    }
}

#[async_trait]
impl Messaging for Voice {
    async fn publish(&self, ctx: &CallContext, message: Message) -> Result<(), MessagingError> {
        let Message { subject, body, reply_to } = message;
        if let Some(inbox) = self.grants.find(&ctx.actor, &subject) {
            // What the answer itself names as a place for answers is left out: who asked knows
            // whom, and did not ask to be asked.
            return self.connection.respond(&inbox, body).await.map_err(|error| not_said(&error));
        }
        let to = self.spoken_on(&subject)?;
        let reply = reply_to.map(|raw| self.answered_on(&raw)).transpose()?;
        self.connection
            .guest_publish(&to, reply.as_ref(), body)
            .await
            .map_err(|error| not_said(&error))
    }

    async fn request(
        &self,
        _ctx: &CallContext,
        subject: &str,
        body: Bytes,
        within: Duration,
    ) -> Result<Message, MessagingError> {
        let to = self.spoken_on(subject)?;
        let answer = self.connection.guest_request(&to, body, within).await;
        let body = answer.map_err(|error| match error {
            RequestError::NoResponders => MessagingError::NobodyListens,
            RequestError::TimedOut { .. } => MessagingError::Timeout,
            RequestError::Closed
            | RequestError::Lost
            | RequestError::Invalid { .. }
            | RequestError::Unreadable { .. } => MessagingError::Unavailable,
            RequestError::TooLarge { len, max } => MessagingError::TooLarge { len, max },
        })?;
        // Not the inbox that it really came to: that names this host.
        Ok(Message { subject: subject.to_owned(), body, reply_to: None })
    }
}

fn not_said(error: &PublishError) -> MessagingError {
    match error {
        PublishError::Closed => MessagingError::Unavailable,
        PublishError::TooLarge { len, max } => MessagingError::TooLarge { len: *len, max: *max },
    }
}
