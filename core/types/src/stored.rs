//! How values are written where they outlive a process: MessagePack maps with field names.
//!
//! Names rather than positions, so that a later version can add a field and an older reader
//! passes over it. Values that are read, changed and written back keep what they do not know in
//! an [`Unknown`].

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Fields of a newer version, carried through a change made by an older one.
pub type Unknown = BTreeMap<String, rmpv::Value>;

/// The first version of every message and stored value.
pub const VERSION: u8 = 1;

/// No stored value of ours is larger; what is, was not written by us.
pub const VALUE_BYTES_MAX: usize = 8 << 20;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{what} of {len} bytes is longer than {VALUE_BYTES_MAX} bytes")]
    TooLarge { what: &'static str, len: usize },
    #[error("could not read {what}")]
    Malformed { what: &'static str, source: rmp_serde::decode::Error },
}

/// Encodes `value`; the same value gives the same bytes, since its maps are ordered.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec_named(value).expect("plain data without borrowed state always encodes")
}

/// Decodes a value; `what` names it in the error.
pub fn decode<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, Error> {
    if VALUE_BYTES_MAX < bytes.len() {
        return Err(Error::TooLarge { what, len: bytes.len() });
    }
    rmp_serde::from_slice(bytes).map_err(|source| Error::Malformed { what, source })
}
