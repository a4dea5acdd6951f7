//! The body of an HTTP message between rooms.
//!
//! One type for the listener, the router, the wire and the engine, so that a body crosses from
//! one to the next without being copied or collected.

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};

/// A body that can be sent between tasks and is read by one reader.
///
/// It ends only when its producer finished it. A body that was cut short yields a [`BodyError`],
/// never a clean end: a reader may take what it got for the whole.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// Why a body ended before it was complete.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// Whoever wrote the body stopped in the middle: a trap, an exit, a lost host.
    #[error("the body was cut short: {reason} ({code})")]
    Cut { code: &'static str, reason: String },
    #[error("the deadline passed before the body was complete")]
    DeadlineExceeded,
    #[error("the body has more than {limit} bytes")]
    TooLarge { limit: u64 },
    /// The connection it came over failed.
    #[error("the body could not be read")]
    Transport(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A body without bytes.
pub fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body of bytes that are all here.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}
