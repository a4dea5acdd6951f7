//! The small message of ours that carries no state: "look again".

use serde::{Deserialize, Serialize};
use wattle_types::stored::VERSION;

use crate::wire::{self, WireError};

/// No signal is longer; what is, is not one.
const BYTES_MAX: usize = 4_096;

/// To one host: read your assignment. It says what to read, not what is in it, so a lost or
/// repeated one does no harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wake {
    pub v: u8,
    /// The stream sequence that a read must show; a replica that is behind shows a lower one.
    pub at_least: u64,
}

impl Wake {
    pub fn new(at_least: u64) -> Self {
        Self { v: VERSION, at_least }
    }

    pub fn encode(&self) -> bytes::Bytes {
        wire::encode(self)
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        wire::decode("a wake", bytes, BYTES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use wattle_types::stored;

    use super::*;

    #[test]
    fn a_wake_survives_the_wire_and_nothing_else_is_one() {
        let wake = Wake::new(u64::MAX);
        let encoded = wake.encode();
        assert_eq!(Wake::decode(&encoded).unwrap(), wake);
        let later = wire::encode(&Wake { v: 2, at_least: 7 });
        assert!(matches!(
            Wake::decode(&later),
            Err(WireError::Unreadable(stored::Error::Version { found: 2, .. }))
        ));
        let mut followed = encoded.to_vec();
        followed.push(0);
        for bad in [&b""[..], b"\xc0", &encoded[..encoded.len() - 1], &followed, &[0; 5_000]] {
            assert!(Wake::decode(bad).is_err(), "{bad:?}");
        }
    }
}
