//! What tells two signatures of one function apart, in sixteen bytes.

use std::fmt;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The first sixteen bytes of the SHA-256 of a signature's canonical text; `wattle-value` makes it.
///
/// Compared when a link is made and carried in every call, because each side reads values by its
/// own component's types: two that differ would read garbage.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// As bytes: every actor of a lattice announces one per function that it exports.
impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Sixteen;

        impl de::Visitor<'_> for Sixteen {
            type Value = Fingerprint;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a fingerprint of 16 bytes")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Fingerprint, E> {
                let found = bytes.try_into().map(Fingerprint);
                found.map_err(|_| E::invalid_length(bytes.len(), &self))
            }

            fn visit_str<E: de::Error>(self, hex: &str) -> Result<Fingerprint, E> {
                let bytes = HEXLOWER.decode(hex.as_bytes()).map_err(E::custom)?;
                self.visit_bytes(&bytes)
            }
        }

        if deserializer.is_human_readable() {
            deserializer.deserialize_str(Sixteen)
        } else {
            deserializer.deserialize_bytes(Sixteen)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stored;

    #[test]
    fn a_fingerprint_is_sixteen_bytes_and_nothing_else_is_one() {
        let fingerprint = Fingerprint::from_bytes([7; 16]);
        let encoded = stored::encode(&fingerprint);
        assert_eq!(encoded, [&[0xc4, 16][..], &[7; 16]].concat());
        let json = serde_json::to_string(&fingerprint).unwrap();
        assert_eq!(json, format!("{:?}", "07".repeat(16)));
        assert_eq!(serde_json::from_str::<Fingerprint>(&json).unwrap(), fingerprint);
        assert!(serde_json::from_str::<Fingerprint>("\"07\"").is_err());
        assert!(serde_json::from_str::<Fingerprint>("\"zz\"").is_err());
    }
}
