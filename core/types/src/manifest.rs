//! What a person writes: an OAM manifest as wadm 0.21 reads it. JSON is YAML, so one parser
//! reads both.
//!
//! This is the written form; [`Application`](crate::Application) is the one that is used.
//! Unknown fields are errors, with line and column. Traits of unknown types are kept: other
//! tools put theirs into the same file.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_saphyr::Spanned;

use crate::AppName;

pub const API_VERSION: &str = "core.oam.dev/v1beta1";
pub const KIND: &str = "Application";

/// A manifest larger than this was not written by a person, and would not fit a message.
pub const TEXT_BYTES_MAX: usize = 512 << 10;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Manifest {
    pub api_version: String,
    pub kind: String,
    pub metadata: Metadata,
    pub spec: Body,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    pub name: AppName,
    /// `version`, `description`, and whatever else.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<Policy>,
    pub components: Vec<Component>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub properties: BTreeMap<String, Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: ComponentKind,
    pub properties: Properties,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub traits: Vec<Trait>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ComponentKind {
    #[serde(alias = "actor")]
    Component,
    Capability,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Properties {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// A component of another application, shared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<Shared>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub config: Vec<Config>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Secret>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shared {
    pub name: String,
    pub component: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub properties: Option<BTreeMap<String, String>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    pub name: String,
    pub properties: BTreeMap<String, Value>,
}

/// A trait; its properties are read according to its type, later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trait {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default, skip_serializing_if = "Located::is_null")]
    pub properties: Located,
}

/// A value and where it stood, for errors that are found after parsing.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Located {
    pub value: Value,
    #[serde(skip)]
    pub at: Option<Position>,
}

/// Two equal values are equal wherever they stood.
impl PartialEq for Located {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Located {
    fn is_null(&self) -> bool {
        self.value.is_null()
    }
}

impl<'de> Deserialize<'de> for Located {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        let (line, column) = (spanned.referenced.line(), spanned.referenced.column());
        let at = (line != 0).then_some(Position { line, column });
        Ok(Self { value: spanned.value, at })
    }
}

/// A place in a text, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub line: u64,
    pub column: u64,
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a text is not a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the manifest has {len} bytes; at most {TEXT_BYTES_MAX} are read")]
    TooLong { len: usize },
    #[error("{at}: {message}")]
    At { at: Position, message: String },
    #[error("{message}")]
    Somewhere { message: String },
}

impl Error {
    pub(crate) fn new(at: Option<Position>, message: impl Into<String>) -> Self {
        let message = message.into();
        match at {
            Some(at) => Self::At { at, message },
            None => Self::Somewhere { message },
        }
    }
}

impl Manifest {
    /// Reads the written form; [`Application::read`](crate::Application::read) also says whether
    /// it makes sense.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if TEXT_BYTES_MAX < text.len() {
            return Err(Error::TooLong { len: text.len() });
        }
        serde_saphyr::from_str(text).map_err(|error| {
            let error = error.without_snippet();
            let at = error.location();
            let at = at.map(|at| Position { line: at.line(), column: at.column() });
            // The parser's text ends with the place, which is said once, in front.
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            let message = match first.rfind(" at line ") {
                Some(end) if at.is_some() => &first[..end],
                _ => first,
            };
            Error::new(at, message)
        })
    }

    /// The stored form: JSON, as clients get it back.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).expect("a manifest has only string keys")
    }

    /// The `version` annotation; empty text counts as none.
    pub fn version(&self) -> Option<&str> {
        let version = self.metadata.annotations.get("version").map(String::as_str);
        version.filter(|version| !version.is_empty())
    }

    pub fn description(&self) -> &str {
        self.metadata.annotations.get("description").map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests;
