//! Everything a host must know to run one actor: immutable, named by its hash.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::digest::DigestError;
use crate::stored::{self, VERSION};
use crate::{ActorId, AppName, ComponentName, Digest, HttpRoute};

/// SHA-256 of a spec's bytes: the name under which it is stored, and its identity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SpecHash(pub Digest);

impl FromStr for SpecHash {
    type Err = DigestError;

    fn from_str(raw: &str) -> Result<Self, DigestError> {
        raw.parse().map(Self)
    }
}

impl fmt::Display for SpecHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for SpecHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// One actor, as an application (or a person) wants it on any host.
///
/// Specs are shared by all hosts that run the same revision and never change, so a host reads
/// one once, checks its hash and keeps it on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorSpec {
    pub v: u8,
    pub id: ActorId,
    /// Whose key-value stores the actor shares; none for one started by hand.
    pub app: Option<AppName>,
    pub component: Option<ComponentName>,
    /// Where the component is: `file:///…`, later also a registry reference.
    pub image: String,
    /// What `wasi:config` answers.
    #[serde(default)]
    pub config: BTreeMap<String, String>,
    #[serde(default)]
    pub routes: Vec<HttpRoute>,
    #[serde(default)]
    pub limits: SpecLimits,
    /// Which servers `wasi:http/outgoing-handler` may reach, as `host` or `host:port`; none by
    /// default.
    #[serde(default)]
    pub outbound: Vec<String>,
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// Limits that differ from the host's defaults; a host's own maximum still holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpecLimits {
    pub memory_bytes_max: Option<u64>,
    pub execution_ms_max: Option<u64>,
    /// Requests that one instance serves at once.
    pub concurrency: Option<u32>,
}

/// Why bytes are not the spec they are said to be.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    #[error("spec {expected} has other content: its hash is {found}")]
    OtherContent { expected: SpecHash, found: SpecHash },
    #[error(transparent)]
    Unreadable(#[from] stored::Error),
}

impl ActorSpec {
    /// An actor with nothing but a component: no config, no routes, the host's limits.
    pub fn new(id: ActorId, image: impl Into<String>) -> Self {
        Self {
            v: VERSION,
            id,
            app: None,
            component: None,
            image: image.into(),
            config: BTreeMap::new(),
            routes: Vec::new(),
            limits: SpecLimits::default(),
            outbound: Vec::new(),
            annotations: BTreeMap::new(),
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        stored::encode(self)
    }

    pub fn hash(&self) -> SpecHash {
        Self::hash_of(&self.encode())
    }

    /// The name of a spec with these bytes.
    pub fn hash_of(bytes: &[u8]) -> SpecHash {
        SpecHash(Digest::of(bytes))
    }

    /// Reads the spec called `expected`, and nothing that merely claims to be it.
    pub fn decode(expected: SpecHash, bytes: &[u8]) -> Result<Self, SpecError> {
        let found = Self::hash_of(bytes);
        if found != expected {
            return Err(SpecError::OtherContent { expected, found });
        }
        Ok(stored::decode("a spec", bytes)?)
    }
}
