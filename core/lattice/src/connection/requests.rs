//! Asking, and the ways an answer can fail to come.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::client::PublishErrorKind;
use bytes::Bytes;
use tokio::time::Instant;

use super::{Connection, Headers, Reply, headers};
use crate::{ReplyTo, Subject};

/// Why a request has no answer; [`RequestError::may_have_arrived`] says whether it may have had an
/// effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Nobody listens there; the server said so. Not received: safe to ask somebody else.
    #[error("nobody listens there")]
    NoResponders,
    /// No answer in time. Received or not, nobody knows.
    #[error("no answer within {within:?}")]
    TimedOut { within: Duration },
    /// There is no connection now, lost or closed. Not sent.
    #[error("not connected to NATS")]
    Closed,
    /// More than the server takes. Not sent.
    #[error("a message of {len} bytes exceeds the server's limit of {max} bytes")]
    TooLarge { len: usize, max: usize },
    /// The connection or the other side was lost before the answer came. Received or not, nobody
    /// knows.
    #[error("the connection was lost before the answer came")]
    Lost,
    /// What was to be asked is not valid. Not sent.
    #[error("the request cannot be sent: {reason}")]
    Invalid { reason: String },
    /// An answer came, and is not one.
    #[error("the answer cannot be read: {reason}")]
    Unreadable { reason: String },
}

impl RequestError {
    /// Whether somebody may have received the request.
    pub const fn may_have_arrived(&self) -> bool {
        match self {
            Self::TimedOut { .. } | Self::Lost | Self::Unreadable { .. } => true,
            Self::NoResponders | Self::Closed | Self::TooLarge { .. } | Self::Invalid { .. } => {
                false
            }
        }
    }
}

/// Why something was not said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    #[error("not connected to NATS")]
    Closed,
    #[error("a message of {len} bytes exceeds the server's limit of {max} bytes")]
    TooLarge { len: usize, max: usize },
}

impl From<PublishError> for RequestError {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Closed => Self::Closed,
            PublishError::TooLarge { len, max } => Self::TooLarge { len, max },
        }
    }
}

impl Connection {
    /// Asks, and waits for one answer no longer than `within`.
    ///
    /// Without a connection it fails at once instead of waiting to be sent: a request that is
    /// sent after its asker gave up would be work nobody waits for.
    pub async fn request(
        &self,
        subject: &Subject,
        payload: Bytes,
        within: Duration,
    ) -> Result<Reply, RequestError> {
        self.request_with(subject, &[], payload, within).await
    }

    /// As [`Connection::request`], with headers, such as the content type of a manifest.
    pub async fn request_with(
        &self,
        subject: &Subject,
        extra: &[(&'static str, &str)],
        payload: Bytes,
        within: Duration,
    ) -> Result<Reply, RequestError> {
        let mut headers = headers::outgoing();
        for (name, value) in extra {
            headers.insert(*name, *value);
        }
        let subject = self.inner.names.subject(subject);
        let message = self.request_raw(subject, headers, payload, within).await?;
        Ok(Reply { payload: message.payload, headers: Headers::new(message.headers) })
    }

    /// As [`Connection::request_with`], for somebody else: with the headers that their request had.
    pub async fn request_as(
        &self,
        subject: &Subject,
        theirs: &Headers,
        extra: &[(&'static str, &str)],
        payload: Bytes,
        within: Duration,
    ) -> Result<Reply, RequestError> {
        let mut headers = theirs.copied();
        for (name, value) in extra {
            headers.insert(*name, *value);
        }
        let subject = self.inner.names.subject(subject);
        let message = self.request_raw(subject, headers, payload, within).await?;
        Ok(Reply { payload: message.payload, headers: Headers::new(message.headers) })
    }

    /// Answers a request with what somebody else answered to it.
    pub async fn respond_as(
        &self,
        to: &ReplyTo,
        theirs: Reply,
        extra: &[(&'static str, String)],
    ) -> Result<(), PublishError> {
        let mut headers = theirs.headers.copied();
        for (name, value) in extra {
            headers.insert(*name, value.as_str());
        }
        self.publish_raw(to.clone().into_subject(), None, headers, theirs.payload).await
    }

    /// Asks everyone, and collects answers for `within`, until `limit` have come or until
    /// somebody who knows that there are no more sends an empty one.
    pub async fn gather(
        &self,
        subject: &Subject,
        payload: Bytes,
        within: Duration,
        limit: usize,
    ) -> Result<Vec<Reply>, RequestError> {
        let until = Instant::now() + within;
        let mut pending = self.inner.replies.expect_many();
        let subject = self.inner.names.subject(subject);
        let respond = Some(self.reply_subject(pending.number()));
        self.publish_raw(subject, respond, headers::outgoing(), payload).await?;
        let mut gathered = Vec::new();
        while gathered.len() < limit {
            match tokio::time::timeout_at(until, pending.next()).await {
                Err(_over) => break,
                // Nobody at all is an answer too: there are none.
                Ok(Err(RequestError::NoResponders)) => break,
                Ok(Err(error)) => return Err(error),
                Ok(Ok(last)) if last.payload.is_empty() => break,
                Ok(Ok(message)) => gathered.push(Reply {
                    payload: message.payload,
                    headers: Headers::new(message.headers),
                }),
            }
        }
        Ok(gathered)
    }

    /// Asks one who answers with many messages, and takes them until `is_last`.
    pub(crate) async fn request_many_raw(
        &self,
        subject: String,
        payload: Bytes,
        within: Duration,
        is_last: impl Fn(&async_nats::Message) -> bool,
    ) -> Result<Vec<async_nats::Message>, RequestError> {
        let mut pending = self.inner.replies.expect_many();
        let respond = Some(self.reply_subject(pending.number()));
        tokio::time::timeout(within, async {
            self.publish_raw(subject, respond, HeaderMap::new(), payload).await?;
            let mut messages = Vec::new();
            loop {
                let message = pending.next().await?;
                let last = is_last(&message);
                messages.push(message);
                if last {
                    return Ok(messages);
                }
            }
        })
        .await
        .map_err(|_| RequestError::TimedOut { within })?
    }

    pub(crate) async fn request_raw(
        &self,
        subject: String,
        headers: HeaderMap,
        payload: Bytes,
        within: Duration,
    ) -> Result<async_nats::Message, RequestError> {
        let pending = self.inner.replies.expect_one();
        let respond = Some(self.reply_subject(pending.number()));
        tokio::time::timeout(within, async {
            self.publish_raw(subject, respond, headers, payload).await?;
            pending.message().await
        })
        .await
        .map_err(|_| RequestError::TimedOut { within })?
    }

    pub(crate) async fn publish_raw(
        &self,
        subject: impl Into<async_nats::Subject>,
        respond: Option<async_nats::Subject>,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        if !self.inner.link.borrow().up {
            return Err(PublishError::Closed);
        }
        let len = payload.len();
        let message = async_nats::message::OutboundMessage {
            subject: subject.into(),
            reply: respond,
            payload,
            headers: (!headers.is_empty()).then_some(headers),
        };
        let said =
            async_nats::client::traits::Publisher::publish_message(&self.inner.client, message);
        said.await.map_err(|error| match error.kind() {
            PublishErrorKind::MaxPayloadExceeded => {
                PublishError::TooLarge { len, max: self.max_payload() }
            }
            // Subjects are built from checked names, so the connection is what is missing.
            PublishErrorKind::Send | PublishErrorKind::InvalidSubject => PublishError::Closed,
        })
    }

    /// Where the answer to our request of that number reaches us.
    pub(crate) fn reply_subject(&self, number: u64) -> async_nats::Subject {
        use std::fmt::Write as _;

        let digits = number.checked_ilog10().unwrap_or(0) as usize + 1;
        let mut text = String::with_capacity(self.inner.reply_prefix.len() + digits);
        text.push_str(&self.inner.reply_prefix);
        write!(text, "{number}").expect("a text can be written to");
        text.into()
    }
}
