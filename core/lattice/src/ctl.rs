//! The control interface in the words of the wasmCloud 1.x clients: JSON.
//!
//! Field names and optional fields are theirs, checked against recordings of the real clients.
//! Unknown fields are passed over, as those clients do, so that either side can add some.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wattle_types::{HostId, LatticeId};

use crate::wire::WireError;

/// No command is longer; a manifest or an inventory may be, and has a bound of its own.
pub const COMMAND_BYTES_MAX: usize = 256 << 10;

pub type Annotations = BTreeMap<String, String>;

/// Every reply: whether it was accepted, why not, and what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope<T> {
    pub success: bool,
    #[serde(default)]
    pub message: String,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub response: Option<T>,
}

fn none<T>() -> Option<T> {
    None
}

/// The reply that carries nothing but its success.
pub type Accepted = Envelope<serde_json::Value>;

impl<T> Envelope<T> {
    pub fn with(response: T) -> Self {
        Self { success: true, message: String::new(), response: Some(response) }
    }

    pub fn accepted(message: impl Into<String>) -> Self {
        Self { success: true, message: message.into(), response: None }
    }

    pub fn refused(message: impl Into<String>) -> Self {
        Self { success: false, message: message.into(), response: None }
    }

    /// To an operation this version does not know; the words the 1.x host uses.
    pub fn unsupported() -> Self {
        Self::refused("unsupported subject")
    }
}

/// Writes a payload.
pub fn encode<T: Serialize>(payload: &T) -> bytes::Bytes {
    serde_json::to_vec(payload).expect("plain data with text keys is always JSON").into()
}

/// Why a payload could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    #[error(transparent)]
    TooLarge(#[from] WireError),
    #[error("could not read {what}")]
    Malformed { what: &'static str, source: serde_json::Error },
}

/// Reads a payload of at most `max` bytes; `what` names it in the error.
pub fn decode<T: DeserializeOwned>(
    what: &'static str,
    payload: &[u8],
    max: usize,
) -> Result<T, PayloadError> {
    if max < payload.len() {
        return Err(WireError::TooLarge { what, len: payload.len(), max }.into());
    }
    serde_json::from_slice(payload).map_err(|source| PayloadError::Malformed { what, source })
}

/// Reads a command.
pub fn decode_command<T: DeserializeOwned>(payload: &[u8]) -> Result<T, PayloadError> {
    decode("a command", payload, COMMAND_BYTES_MAX)
}

/// A host's answer to `host.ping`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostSummary {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpc_host: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ctl_host: Option<String>,
    pub friendly_name: String,
    pub id: HostId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub js_domain: Option<String>,
    pub labels: BTreeMap<String, String>,
    pub lattice: LatticeId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uptime_human: Option<String>,
    pub uptime_seconds: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// A host's answer to `host.get`, and the body of its heartbeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostInventory {
    /// Called `actors` before 1.0.
    #[serde(alias = "actors")]
    pub components: Vec<ComponentDescription>,
    pub providers: Vec<ProviderDescription>,
    #[serde(alias = "id")]
    pub host_id: HostId,
    pub friendly_name: String,
    pub labels: BTreeMap<String, String>,
    /// Must be a semantic version: wadm refuses the heartbeat otherwise.
    pub version: String,
    pub uptime_human: String,
    pub uptime_seconds: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentDescription {
    pub id: String,
    /// As it was asked for: wash copies it into its commands and compares it with events.
    pub image_ref: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
    #[serde(default)]
    pub revision: i32,
    pub max_instances: u32,
    /// The 1.x host sends `null`.
    #[serde(default)]
    pub limits: Option<BTreeMap<String, String>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderDescription {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_ref: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default)]
    pub revision: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScaleComponent {
    pub component_ref: String,
    pub component_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
    /// 0 stops it. Called `max_instances` everywhere but here.
    pub count: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component_limits: Option<BTreeMap<String, String>>,
    pub host_id: String,
    #[serde(default)]
    pub config: Vec<String>,
    /// wadm does not know this field.
    #[serde(default)]
    pub allow_update: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateComponent {
    pub component_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
    pub host_id: String,
    pub new_component_ref: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartProvider {
    pub provider_id: String,
    pub provider_ref: String,
    pub host_id: String,
    #[serde(default)]
    pub config: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopProvider {
    pub host_id: String,
    #[serde(alias = "provider_ref")]
    pub provider_id: String,
}

/// May also come as an empty payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopHost {
    pub host_id: String,
    /// Milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentAuction {
    pub component_ref: String,
    pub component_id: String,
    #[serde(default)]
    pub constraints: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentBid {
    pub component_ref: String,
    pub component_id: String,
    pub host_id: String,
    #[serde(default)]
    pub constraints: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderAuction {
    pub provider_ref: String,
    /// wash sends the link name here.
    pub provider_id: String,
    #[serde(default)]
    pub constraints: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderBid {
    pub host_id: String,
    pub provider_ref: String,
    pub provider_id: String,
    #[serde(default)]
    pub constraints: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    pub key: String,
    /// Absent when a label is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub source_id: String,
    pub target: String,
    #[serde(default = "default_link_name")]
    pub name: String,
    pub wit_namespace: String,
    pub wit_package: String,
    pub interfaces: Vec<String>,
    /// Names of config.
    #[serde(default)]
    pub source_config: Vec<String>,
    #[serde(default)]
    pub target_config: Vec<String>,
    /// Ours: calls may be repeated when nobody knows whether they were done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub idempotent: bool,
    /// Ours, of a command: what leads to another target is turned to this one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replace: bool,
}

/// What names a link when it is deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkKey {
    pub source_id: String,
    #[serde(default = "default_link_name")]
    pub name: String,
    pub wit_namespace: String,
    pub wit_package: String,
}

fn default_link_name() -> String {
    "default".to_owned()
}

/// One entry of `registry.put`, by registry.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryCredential {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    #[serde(rename = "registryType", default = "default_registry_type")]
    pub registry_type: String,
}

fn default_registry_type() -> String {
    "oci".to_owned()
}

/// Shows who, never how.
impl std::fmt::Debug for RegistryCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistryCredential")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// `config.get` and `config.put`: the whole map.
pub type Config = BTreeMap<String, String>;

/// One entry of `claims.get`.
pub type ClaimsEntry = BTreeMap<String, String>;
