//! The two envelopes of a call as bytes: MessagePack maps with field names, so that other languages
//! and later versions can read what they know of it. What is empty is left out.
//!
//! Written and read by hand: there is one of each in every call, and the bytes inside are shared
//! with the message instead of copied.

mod parts;
mod reply;
mod request;

use bytes::Bytes;

pub(super) use self::parts::{read_headers, write_headers};
pub(crate) use self::reply::{ReplyHead, described};
use super::Limits;
use crate::wire::WireError;

const CALL: &str = "a call";
const REPLY: &str = "a reply to a call";

/// What a head says of what goes on beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// In a request: so much of each stream of the answer may be sent at once; 0: none before
    /// credit came.
    pub credit: u64,
    /// How many bytes of the arguments or of the result follow, as stream
    /// [`super::frame::REST`].
    pub rest: u64,
    /// What there is of each stream that accompanies a function's arguments or its result. The
    /// body of an HTTP message is not among them: its beginning is in the message.
    pub streams: Vec<Beginning>,
}

/// What there is of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beginning {
    pub data: Bytes,
    /// It is complete.
    pub end: bool,
}

impl Beside {
    /// Whether nothing follows.
    pub fn is_whole(&self) -> bool {
        self.rest == 0 && self.streams.iter().all(|stream| stream.end)
    }
}

fn check_len(what: &'static str, encoded: &[u8], limits: &Limits) -> Result<(), WireError> {
    let (len, max) = (encoded.len(), limits.message_bytes_max);
    if max < len { Err(WireError::TooLarge { what, len, max }) } else { Ok(()) }
}

/// What of `value` is written: all but what follows.
fn here(value: &[u8], rest: u64) -> &[u8] {
    let rest = usize::try_from(rest).unwrap_or(usize::MAX);
    &value[..value.len().saturating_sub(rest)]
}

#[cfg(test)]
mod tests;
