//! How our own messages are written: MessagePack maps with field names, as stored values are.
//!
//! What arrives was written by somebody else, so each reader says how much of it it takes.

pub(crate) mod fields;

use serde::Serialize;
use serde::de::DeserializeOwned;
use wattle_types::stored;

/// Why bytes are not the message they should be.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    #[error("{what} of {len} bytes is longer than {max} bytes")]
    TooLarge { what: &'static str, len: usize, max: usize },
    #[error(transparent)]
    Unreadable(#[from] stored::Error),
    #[error("could not read {what} at byte {at}: {why}")]
    Malformed { what: &'static str, at: usize, why: String },
    #[error("{what} holds {field} that is not valid: {value:?}")]
    Invalid { what: &'static str, field: &'static str, value: String },
}

/// Encodes a message. The same message gives the same bytes.
pub fn encode<T: Serialize>(message: &T) -> bytes::Bytes {
    stored::encode(message).into()
}

/// Decodes a message of this version and of at most `max` bytes; `what` names it in the error.
pub fn decode<T: DeserializeOwned>(
    what: &'static str,
    bytes: &[u8],
    max: usize,
) -> Result<T, WireError> {
    if max < bytes.len() {
        return Err(WireError::TooLarge { what, len: bytes.len(), max });
    }
    Ok(stored::decode(what, bytes)?)
}
