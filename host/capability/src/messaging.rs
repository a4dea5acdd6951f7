//! Messages to and from a broker, as `wasmcloud:messaging` means them: what a back-end implements.
//!
//! *Expected flow*: a host binds each actor to one [`Messaging`] that knows what this actor may say
//! and to whom; what arrives for it is brought to its handler by the host. *Guarantees* a back-end
//! gives: an actor reaches no subject that was not granted to it. *Assumptions* it may make: sizes
//! and waits are within [`Limits`]. *Caveats*: at most once, both ways; a message that was accepted
//! may still be lost with the connection. *Errors*: [`MessagingError`]; after
//! [`MessagingError::Timeout`] a request may have been answered to nobody.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::call::CallContext;

mod bounded;

pub use bounded::{Bounded, Limits};

/// One message.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    pub subject: String,
    pub body: Bytes,
    /// Where an answer is wanted.
    pub reply_to: Option<String>,
}

/// Without the body: it is the guest's business.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Message");
        shown.field("subject", &self.subject).field("body_bytes", &self.body.len());
        shown.field("reply_to", &self.reply_to).finish()
    }
}

/// What one actor may say, and how it gets there.
#[async_trait]
pub trait Messaging: Send + Sync {
    /// Says `message` to whoever listens; returns when it was handed to the broker.
    ///
    /// An actor may answer to `reply_to` of a message while it handles that message, whatever else
    /// it may publish to.
    async fn publish(&self, ctx: &CallContext, message: Message) -> Result<(), MessagingError>;

    /// Says `body` to `subject` and waits for one answer, no longer than `within`.
    async fn request(
        &self,
        ctx: &CallContext,
        subject: &str,
        body: Bytes,
        within: Duration,
    ) -> Result<Message, MessagingError>;
}

/// Why a message was not said, or has no answer. In words that a guest may read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessagingError {
    #[error("this actor may not publish to {subject:?}")]
    Denied { subject: String },
    #[error("{subject:?} is not a subject: {reason}")]
    Subject { subject: String, reason: String },
    #[error("a subject has at most {max} bytes, this one has {len}")]
    SubjectTooLong { len: usize, max: usize },
    #[error("a message has at most {max} bytes, this one has {len}")]
    TooLarge { len: usize, max: usize },
    #[error("nobody listens there")]
    NobodyListens,
    /// The request may have been received.
    #[error("no answer came in time")]
    Timeout,
    #[error("there is no connection to the broker now")]
    Unavailable,
}

/// Messaging of an actor that may say nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

#[async_trait]
impl Messaging for Silent {
    async fn publish(&self, _ctx: &CallContext, message: Message) -> Result<(), MessagingError> {
        Err(MessagingError::Denied { subject: message.subject })
    }

    async fn request(
        &self,
        _ctx: &CallContext,
        subject: &str,
        _body: Bytes,
        _within: Duration,
    ) -> Result<Message, MessagingError> {
        Err(MessagingError::Denied { subject: subject.to_owned() })
    }
}
