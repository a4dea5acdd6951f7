//! Refuses what is too large, and gives up while the guest can still do something about it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::{Instant, timeout_at};
use wattle_types::SubjectPattern;

use super::{Message, Messaging, MessagingError};
use crate::call::CallContext;

/// How large a message may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub subject_bytes_max: usize,
    /// One NATS message of 1 MiB, less room for its headers.
    pub body_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { subject_bytes_max: SubjectPattern::BYTES_MAX, body_bytes_max: (1 << 20) - (4 << 10) }
    }
}

/// Messaging within [`Limits`] that never outlasts the call it is part of.
pub struct Bounded {
    inner: Arc<dyn Messaging>,
    limits: Limits,
}

impl Bounded {
    pub fn new(inner: Arc<dyn Messaging>, limits: Limits) -> Self {
        Self { inner, limits }
    }

    fn check(&self, subject: &str, body: &Bytes) -> Result<(), MessagingError> {
        let (len, max) = (subject.len(), self.limits.subject_bytes_max);
        if max < len {
            return Err(MessagingError::SubjectTooLong { len, max });
        }
        let (len, max) = (body.len(), self.limits.body_bytes_max);
        if max < len { Err(MessagingError::TooLarge { len, max }) } else { Ok(()) }
    }
}

#[async_trait]
impl Messaging for Bounded {
    async fn publish(&self, ctx: &CallContext, message: Message) -> Result<(), MessagingError> {
        self.check(&message.subject, &message.body)?;
        if let Some(reply_to) = &message.reply_to {
            self.check(reply_to, &Bytes::new())?;
        }
        let said = timeout_at(ctx.deadline, self.inner.publish(ctx, message));
        said.await.unwrap_or(Err(MessagingError::Timeout))
    }

    async fn request(
        &self,
        ctx: &CallContext,
        subject: &str,
        body: Bytes,
        within: Duration,
    ) -> Result<Message, MessagingError> {
        self.check(subject, &body)?;
        let now = Instant::now();
        let within = within.min(ctx.deadline.saturating_duration_since(now));
        let answer = timeout_at(now + within, self.inner.request(ctx, subject, body, within));
        answer.await.unwrap_or(Err(MessagingError::Timeout))
    }
}

impl std::fmt::Debug for Bounded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bounded").field("limits", &self.limits).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A broker that takes everything and answers nothing.
    struct Deaf;

    #[async_trait]
    impl Messaging for Deaf {
        async fn publish(&self, _: &CallContext, _: Message) -> Result<(), MessagingError> {
            Ok(())
        }
        async fn request(
            &self,
            _: &CallContext,
            _: &str,
            _: Bytes,
            _: Duration,
        ) -> Result<Message, MessagingError> {
            std::future::pending().await
        }
    }

    fn bounded() -> Bounded {
        let limits = Limits { subject_bytes_max: 4, body_bytes_max: 8 };
        Bounded::new(Arc::new(Deaf), limits)
    }

    fn call(left: Duration) -> CallContext {
        CallContext::outside("a".parse().unwrap(), Instant::now() + left)
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_at_the_limits_passes_and_one_byte_more_is_refused() {
        let too_long = Err(MessagingError::SubjectTooLong { len: 5, max: 4 });
        let too_large = Err(MessagingError::TooLarge { len: 9, max: 8 });
        let cases = [
            ("abcd", 8, None, Ok(())),
            ("abcde", 0, None, too_long.clone()),
            ("abcd", 9, None, too_large),
            ("abcd", 0, Some("abcd"), Ok(())),
            ("abcd", 0, Some("abcde"), too_long),
        ];
        for (subject, len, reply_to, expected) in cases {
            let message = Message {
                subject: subject.to_owned(),
                body: vec![0; len].into(),
                reply_to: reply_to.map(str::to_owned),
            };
            let said = bounded().publish(&call(Duration::from_secs(1)), message).await;
            assert_eq!(said, expected, "{subject} {len} {reply_to:?}");
        }
        let (bounded, call) = (bounded(), call(Duration::from_secs(1)));
        let asked = bounded.request(&call, "abcd", vec![0; 9].into(), Duration::from_secs(1));
        assert_eq!(asked.await, Err(MessagingError::TooLarge { len: 9, max: 8 }));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_ends_by_what_the_guest_asked_or_the_call_has_left() {
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        for (asked, left, ends) in
            [(second, minute, 1), (minute, second, 1), (Duration::ZERO, minute, 0)]
        {
            let start = Instant::now();
            let answer = bounded().request(&call(left), "a", Bytes::new(), asked).await;
            assert_eq!(answer, Err(MessagingError::Timeout));
            assert_eq!(start.elapsed().as_secs(), ends);
        }
    }
}
