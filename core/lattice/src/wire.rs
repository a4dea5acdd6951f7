//! How our own messages are written: MessagePack maps with field names, as stored values are.
//!
//! What arrives was written by somebody else, so reading is bounded by the caller and refuses
//! what follows the value: two values in one message are two meanings.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why bytes are not the message they should be.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    #[error("{what} of {len} bytes is longer than {max} bytes")]
    TooLarge { what: &'static str, len: usize, max: usize },
    #[error("could not read {what}")]
    Malformed { what: &'static str, source: rmp_serde::decode::Error },
    #[error("{what} is followed by {extra} bytes that are no part of it")]
    Trailing { what: &'static str, extra: usize },
    #[error("{what} has version {found}, and this is version {known}")]
    Version { what: &'static str, found: u8, known: u8 },
    #[error("{what} holds {field} that is not valid: {value:?}")]
    Invalid { what: &'static str, field: &'static str, value: String },
}

/// Encodes a message. The same message gives the same bytes.
pub fn encode<T: Serialize>(message: &T) -> bytes::Bytes {
    wattle_types::stored::encode(message).into()
}

/// Decodes a message of at most `max` bytes; `what` names it in the error.
pub fn decode<T: DeserializeOwned>(
    what: &'static str,
    bytes: &[u8],
    max: usize,
) -> Result<T, WireError> {
    if max < bytes.len() {
        return Err(WireError::TooLarge { what, len: bytes.len(), max });
    }
    let mut reader = rmp_serde::Deserializer::new(std::io::Cursor::new(bytes));
    let value =
        T::deserialize(&mut reader).map_err(|source| WireError::Malformed { what, source })?;
    let read = usize::try_from(reader.position()).unwrap_or(usize::MAX);
    match bytes.len().saturating_sub(read) {
        0 => Ok(value),
        extra => Err(WireError::Trailing { what, extra }),
    }
}
