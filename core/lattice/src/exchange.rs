//! One call with what streams beside it: how the messages of [`crate::call`] are exchanged.
//!
//! *Expected flow*: [`crate::Connection::exchange`] asks, [`crate::Connection::accept`] takes a
//! call that came in, [`Answering::reply`] answers it. What fits travels in the two messages; what
//! does not goes on in frames over a second connection, so that a body does not stand before a
//! small call.
//! *Guarantees*: a [`Content`] ends only if it is complete; whatever cut it short is a
//! [`StreamFault`]. Whoever is not read is not sent more than a window. Dropping an unfinished
//! exchange stops the callee.
//! *Assumptions*: NATS keeps the order of one sender; that nothing is missing is checked by number.
//! *Caveats*: a call to `any` that is given up before its first answer is not cancelled, for
//! nobody knows yet who took it; its deadline ends it.
//! *Errors*: [`crate::RequestError`] where there is no answer at all; everything else is an outcome.
//!
//! Most calls have no streams. What only streams need is boxed, so that their futures are small:
//! hosts run a task for each call, and a future of kilobytes would cost more than the call.
//!
//! In reading order: the caller's side (`ask`) and the callee's (`answer`), with what they share
//! (`heads`); one call in progress (`call`) with the ends of its streams (`ends`), and all of them
//! (`calls`); a stream that is read (`incoming`) and one that is sent (`outgoing`); how much may
//! be under way (`window`, `held`); the connection it travels on (`bulk`).

mod answer;
mod ask;
mod bulk;
mod call;
mod calls;
mod ends;
mod heads;
mod held;
mod incoming;
mod outgoing;
mod window;

use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use tokio::time::Instant;

pub use self::answer::{Accepted, Answering, Refused};
pub use self::ask::Exchanged;
pub(crate) use self::call::Call;
pub(crate) use self::calls::Calls;

/// What a stream contains. Trailers are frames.
pub type Content = UnsyncBoxBody<Bytes, StreamFault>;

/// Why a stream ended before it was complete.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamFault {
    /// Whoever wrote it says that it stopped in the middle, and why.
    #[error("the stream was cut short: {reason} ({code})")]
    Cut { code: String, reason: String },
    #[error("the deadline passed before the stream was complete")]
    DeadlineExceeded,
    #[error("the stream has more than {limit} bytes")]
    TooLarge { limit: u64 },
    /// The other side, the connection to it or a message between was lost.
    #[error("the stream was lost: {0}")]
    Lost(String),
}

/// Codes of faults that are no error of the stream's writer.
const DEADLINE_EXCEEDED: &str = "deadline-exceeded";
const TOO_LARGE: &str = "too-large";
const LOST: &str = "lost";

impl StreamFault {
    /// As a frame says it: code, message, limit.
    fn written(&self) -> (String, String, u64) {
        match self {
            Self::Cut { code, reason } => (code.clone(), reason.clone(), 0),
            Self::DeadlineExceeded => (DEADLINE_EXCEEDED.to_owned(), String::new(), 0),
            Self::TooLarge { limit } => (TOO_LARGE.to_owned(), String::new(), *limit),
            Self::Lost(reason) => (LOST.to_owned(), reason.clone(), 0),
        }
    }

    /// As a frame said it.
    fn read(code: String, message: String, limit: u64) -> Self {
        match code.as_str() {
            DEADLINE_EXCEEDED => Self::DeadlineExceeded,
            TOO_LARGE => Self::TooLarge { limit },
            LOST => Self::Lost(message),
            _ => Self::Cut { code, reason: message },
        }
    }
}

/// Nobody waits longer; a span from outside may be any number.
const SPAN_MAX: Duration = Duration::from_secs(24 * 60 * 60);

fn after(span: Duration) -> Instant {
    Instant::now() + span.min(SPAN_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_survives_the_wire() {
        for fault in [
            StreamFault::Cut { code: "WT-ENGINE-TRAP".into(), reason: "it trapped".into() },
            StreamFault::DeadlineExceeded,
            StreamFault::TooLarge { limit: 7 },
            StreamFault::Lost("gone".into()),
        ] {
            let (code, message, limit) = fault.written();
            assert_eq!(StreamFault::read(code, message, limit), fault);
        }
    }
}
