//! How values are written where they outlive a process: MessagePack maps with field names.
//!
//! Names rather than positions, so that a later version can add a field and an older reader
//! passes over it. Values that are read, changed and written back keep what they do not know in
//! an [`Unknown`].

use std::collections::BTreeMap;
use std::io::Cursor;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

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
    #[error("{what} is followed by {extra} bytes that are no part of it")]
    Trailing { what: &'static str, extra: usize },
    #[error("{what} has version {found}, and this program reads version {VERSION}")]
    Version { what: &'static str, found: u8 },
}

/// Encodes `value`; the same value gives the same bytes, since its maps are ordered.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec_named(value).expect("plain data without borrowed state always encodes")
}

/// Decodes a value; `what` names it in the error.
///
/// The version is looked at before anything else: a newer one may give a field we know another
/// meaning, and should be called newer rather than malformed.
pub fn decode<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, Error> {
    #[derive(Deserialize)]
    struct Versioned {
        v: u8,
    }

    if VALUE_BYTES_MAX < bytes.len() {
        return Err(Error::TooLarge { what, len: bytes.len() });
    }
    let Versioned { v } = read(what, bytes)?;
    if v != VERSION {
        return Err(Error::Version { what, found: v });
    }
    read(what, bytes)
}

/// One value and nothing behind it: two values in one would be two meanings.
fn read<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, Error> {
    let mut reader = rmp_serde::Deserializer::new(Cursor::new(bytes));
    let value = T::deserialize(&mut reader).map_err(|source| Error::Malformed { what, source })?;
    match (bytes.len() as u64).saturating_sub(reader.position()) {
        0 => Ok(value),
        extra => Err(Error::Trailing { what, extra: extra as usize }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Lease;

    #[test]
    fn a_value_is_read_back_with_what_a_newer_writer_added() {
        let mut lease = Lease::vacant();
        lease.unknown.insert("added-later".to_owned(), 7.into());
        assert_eq!(decode::<Lease>("a lease", &encode(&lease)).unwrap(), lease);
    }

    #[test]
    fn what_is_not_one_value_of_this_version_is_refused() {
        let lease = Lease::vacant();
        let whole = encode(&lease);
        let newer = encode(&Lease { v: 2, ..lease });
        let refused = |bytes: &[u8]| decode::<Lease>("a lease", bytes).unwrap_err();
        assert!(matches!(refused(&newer), Error::Version { found: 2, .. }));
        assert!(matches!(refused(&[&whole[..], b"\0"].concat()), Error::Trailing { extra: 1, .. }));
        assert!(matches!(refused(&whole[..whole.len() - 1]), Error::Malformed { .. }));
        assert!(matches!(refused(b""), Error::Malformed { .. }));
        assert!(matches!(refused(&vec![0; VALUE_BYTES_MAX + 1]), Error::TooLarge { .. }));
    }
}
