//! The application API in the words of wadm 0.21: JSON.
//!
//! What wash 0.43 sends and expects, checked against recordings. A manifest travels as the text
//! or JSON it was written in; reading it is `wattle_types::manifest`'s work.

pub mod headers;
pub mod kept;

use serde::{Deserialize, Serialize};
use wattle_types::AuthorKey;

/// No manifest is longer.
pub const MANIFEST_BYTES_MAX: usize = 1 << 20;

/// The header that says how a manifest is written.
pub const CONTENT_TYPE: &str = "Content-Type";
pub const CONTENT_JSON: &str = "application/json";
pub const CONTENT_YAML: &str = "application/yaml";

/// An error where the reply's own shape does not matter to the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorReply {
    /// Always `error`.
    pub result: String,
    pub message: String,
}

impl ErrorReply {
    pub fn new(message: impl Into<String>) -> Self {
        Self { result: "error".to_owned(), message: message.into() }
    }
}

/// Reply to `model.put`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutReply {
    pub result: PutResult,
    #[serde(default)]
    pub total_versions: u64,
    #[serde(default)]
    pub current_version: String,
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    pub name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PutResult {
    Error,
    /// A new application.
    Created,
    /// A new revision of one that exists.
    NewVersion,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GetResult {
    Error,
    Success,
    NotFound,
}

/// Body of `model.get.<app>`; may also be empty: the latest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetRequest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// Reply to `model.get.<app>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetReply {
    pub result: GetResult,
    #[serde(default)]
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<serde_json::Value>,
}

/// Reply to `model.get`: all applications.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetAllReply {
    pub result: GetResult,
    #[serde(default)]
    pub message: String,
    pub models: Vec<Summary>,
}

/// One application in a list. `model.list` answers with a bare array of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub name: String,
    /// The latest stored.
    pub version: String,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default)]
    pub deployed_version: Option<String>,
    #[serde(default)]
    pub detailed_status: Status,
    /// Deprecated, and what older clients read.
    #[serde(default)]
    pub status: StatusType,
    #[serde(default)]
    pub status_message: Option<String>,
}

/// Body of `model.list`, `model.get`, `model.versions.<app>` and `model.history.<app>`; without it,
/// or with another, everything is asked for. wadm knows none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRequest {
    /// So many items at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// What `Wattle-Next` said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
}

/// Reply to `model.history.<app>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryReply {
    pub result: GetResult,
    #[serde(default)]
    pub message: String,
    /// Oldest first.
    pub revisions: Vec<RevisionInfo>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionInfo {
    pub revision: u64,
    pub version: String,
    /// The key of whoever stored it; none for somebody without one.
    #[serde(default)]
    pub by: Option<AuthorKey>,
    /// When, in seconds since 1970, by the controller's clock.
    pub stored_unix_s: u64,
    pub deployed: bool,
}

/// Reply to `model.versions.<app>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionsReply {
    pub result: GetResult,
    #[serde(default)]
    pub message: String,
    pub versions: Vec<VersionInfo>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionInfo {
    pub version: String,
    pub deployed: bool,
}

/// Body of `model.deploy.<app>`; may also be empty: the latest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployRequest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Ours: also what a person runs by hand, whatever it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub takeover: bool,
}

/// Reply to `model.deploy.<app>` and `model.undeploy.<app>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployReply {
    pub result: DeployResult,
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub version: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeployResult {
    Error,
    Acknowledged,
    NotFound,
}

/// Body of `model.del.<app>`; may also be empty: all versions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteRequest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// Reply to `model.del.<app>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteReply {
    pub result: DeleteResult,
    #[serde(default)]
    pub message: String,
    /// Whether it was undeployed by this.
    #[serde(default)]
    pub undeploy: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeleteResult {
    Deleted,
    Error,
    /// There was nothing to delete.
    Noop,
}

/// Reply to `model.status.<app>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReply {
    pub result: StatusResult,
    #[serde(default)]
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusResult {
    Error,
    Ok,
    NotFound,
}

/// How an application is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub status: StatusInfo,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scalers: Vec<ScalerStatus>,
    /// Deprecated: always empty in what wadm sends.
    #[serde(default)]
    pub version: String,
    /// Deprecated by wadm, which sends none; we fill it: one per component of the manifest.
    #[serde(default)]
    pub components: Vec<ComponentStatus>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusInfo {
    #[serde(rename = "type")]
    pub kind: StatusType,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

impl StatusInfo {
    pub fn new(kind: StatusType, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// In the order in which they outweigh each other when many become one: the first that is
/// present is the whole's.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum StatusType {
    Failed,
    #[default]
    Undeployed,
    Waiting,
    #[serde(alias = "compensating")]
    Reconciling,
    Unhealthy,
    #[serde(alias = "ready")]
    Deployed,
}

impl StatusType {
    /// Of a whole with these parts.
    pub fn aggregate(parts: impl IntoIterator<Item = Self>) -> Option<Self> {
        parts.into_iter().min()
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Undeployed => "undeployed",
            Self::Waiting => "waiting",
            Self::Reconciling => "reconciling",
            Self::Unhealthy => "unhealthy",
            Self::Deployed => "deployed",
        }
    }
}

/// How one scaler of an application is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScalerStatus {
    #[serde(default)]
    pub id: String,
    #[serde(default)]
    pub kind: String,
    #[serde(default)]
    pub name: String,
    pub status: StatusInfo,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentStatus {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub status: StatusInfo,
    #[serde(default)]
    pub traits: Vec<TraitStatus>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraitStatus {
    #[serde(rename = "type")]
    pub kind: String,
    pub status: StatusInfo,
}
