//! The small messages of ours that carry no state: "look again", "tell me", and what is told to
//! whoever watches.

use serde::{Deserialize, Serialize};
use wattle_types::stored::VERSION;
use wattle_types::{ActorId, HostId};

use crate::wire::{self, WireError};

/// No signal is longer; what is, is not one.
const BYTES_MAX: usize = 4_096;

/// Look again: at an assignment, at the links of an actor, at configuration. It says what to read,
/// not what is in it, so a lost or repeated one does no harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wake {
    pub v: u8,
    /// The stream sequence that a read must show; a replica that is behind shows a lower one.
    pub at_least: u64,
}

/// Tell me of the calls by and to an actor, for a while. Whoever goes on watching asks again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpyRequest {
    pub v: u8,
    pub actor: ActorId,
    pub for_ms: u64,
}

/// One call was made. Never its arguments or its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpyEvent {
    pub v: u8,
    /// Who tells it.
    pub host: HostId,
    pub at_unix_ms: u64,
    /// The calling actor; none from outside the lattice.
    #[serde(default)]
    pub caller: Option<ActorId>,
    pub callee: ActorId,
    /// `ns:pkg/iface.func`, or `GET /path`.
    pub what: String,
    pub way: Way,
    /// As in a reply: `ok`, `failed`, `not-begun`, `unknown`.
    pub outcome: String,
    /// Of `failed`, or the reason of `not-begun`.
    #[serde(default)]
    pub code: String,
    pub micros: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
}

/// Whether a call left the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    InProcess,
    Remote,
}

impl Way {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InProcess => "in-process",
            Self::Remote => "remote",
        }
    }
}

macro_rules! signals {
    ($($signal:ident: $what:literal;)*) => {$(
        impl $signal {
            pub fn encode(&self) -> bytes::Bytes {
                wire::encode(self)
            }

            pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
                wire::decode($what, bytes, BYTES_MAX)
            }
        }
    )*};
}

signals! {
    Wake: "a wake";
    SpyRequest: "a request to spy";
    SpyEvent: "a call spied on";
}

impl Wake {
    pub fn new(at_least: u64) -> Self {
        Self { v: VERSION, at_least }
    }
}

impl SpyRequest {
    pub fn new(actor: ActorId, for_ms: u64) -> Self {
        Self { v: VERSION, actor, for_ms }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wattle_types::{PublicKey, Role, stored};

    use super::*;

    fn spied() -> SpyEvent {
        SpyEvent {
            v: VERSION,
            host: HostId::try_from(PublicKey::new(Role::Server, [7; 32])).unwrap(),
            at_unix_ms: 1_790_000_000_000,
            caller: Some("web".parse().unwrap()),
            callee: "billing".parse().unwrap(),
            what: "acme:billing/invoices@1.0.0.issue".into(),
            way: Way::InProcess,
            outcome: "ok".into(),
            code: String::new(),
            micros: 17,
            bytes_in: 4,
            bytes_out: 9,
        }
    }

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

    #[test]
    fn spying_survives_the_wire() {
        let asked = SpyRequest::new("billing".parse().unwrap(), 15_000);
        assert_eq!(SpyRequest::decode(&asked.encode()).unwrap(), asked);
        assert_eq!(SpyEvent::decode(&spied().encode()).unwrap(), spied());
        for way in [Way::InProcess, Way::Remote] {
            let encoded = wire::encode(&way);
            assert_eq!(rmp_serde::from_slice::<String>(&encoded).unwrap(), way.as_str());
        }
    }

    proptest! {
        #[test]
        fn arbitrary_and_damaged_signals_are_refused_without_a_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..256),
            at in 0usize..1_000,
            with in any::<u8>(),
        ) {
            let _ = (Wake::decode(&bytes), SpyRequest::decode(&bytes), SpyEvent::decode(&bytes));
            let mut encoded = spied().encode().to_vec();
            let at = at % encoded.len();
            encoded[at] = with;
            let _ = SpyEvent::decode(&encoded);
            prop_assert!(SpyEvent::decode(&encoded[..at]).is_err());
        }
    }
}
