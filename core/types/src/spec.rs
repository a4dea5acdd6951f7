//! Everything a host must know to run one actor: immutable, named by its hash.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::digest::DigestError;
use crate::stored::{self, VERSION};
use crate::{
    ActorId, AppName, ComponentName, ConfigName, Digest, HttpRoute, InstancePolicy, Messaging,
    SpecLimits,
};

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
    /// Where it asks for other limits than it gets by itself.
    #[serde(default)]
    pub limits: SpecLimits,
    /// Which servers `wasi:http/outgoing-handler` may reach, as `host` or `host:port`; none by
    /// default.
    #[serde(default)]
    pub outbound: Vec<String>,
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// Configuration of the lattice that is under `config`, later ones over earlier ones. It is
    /// read under its name, so it may change while the actor runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub config_from: Vec<ConfigName>,
    /// What `wasmcloud:secrets` answers. Never the secrets themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretRef>,
    #[serde(default, skip_serializing_if = "Messaging::is_empty")]
    pub messaging: Messaging,
    #[serde(default, skip_serializing_if = "InstancePolicy::is_fresh")]
    pub instances: InstancePolicy,
}

/// Where a secret is, for the back-end that keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretRef {
    /// As the component asks for it; no two of one actor have the same.
    pub name: String,
    /// As the back-end knows it.
    pub key: String,
    /// A part of a secret that has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The newest where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
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
            config_from: Vec::new(),
            secrets: Vec::new(),
            messaging: Messaging::default(),
            instances: InstancePolicy::default(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limit, Reuse};

    fn old() -> ActorSpec {
        let mut spec = ActorSpec::new("web".parse().unwrap(), "file:///web.wasm");
        spec.app = Some("shop".parse().unwrap());
        spec.component = Some("web".parse().unwrap());
        spec.config.insert("colour".to_owned(), "red".to_owned());
        spec
    }

    #[test]
    fn a_spec_without_newer_fields_has_the_hash_it_always_had() {
        // Hosts have specs on disk under such names, and assignments refer to them.
        let expected = "10f42904f528970e6a28a7e6db2fe4e74d04a51a4c1b71787dfb40cfd7d2e693";
        assert_eq!(old().hash().to_string(), expected);
    }

    #[test]
    fn what_was_added_to_a_spec_is_read_back_and_is_part_of_its_hash() {
        let mut spec = old();
        spec.config_from = vec!["settings".parse().unwrap()];
        let (name, key) = ("token".to_owned(), "shop/token".to_owned());
        spec.secrets = vec![SecretRef { name, key, field: Some("v".to_owned()), version: None }];
        spec.messaging.subscribe = vec!["orders.>".parse().unwrap()];
        spec.limits.set(Limit::Handles, 100);
        spec.instances = InstancePolicy::Reused(Reuse::default());
        assert_ne!(spec.hash(), old().hash());
        assert_eq!(ActorSpec::decode(spec.hash(), &spec.encode()).unwrap(), spec);
    }
}
