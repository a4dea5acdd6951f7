//! Whom this host believes, as a person writes it.
//!
//! TOML; unknown keys are errors. Values are kept as written, so that a file survives being read
//! and written; [`TrustPolicy::try_from`](crate::TrustPolicy) checks them and is what everything
//! else uses.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::value::Datetime;
use wattle_types::nkey::{CompilerKey, ControllerKey, IssuerKey, NkeyError};

use crate::key;

/// The version of the format that this code reads and writes.
pub const VERSION: u64 = 1;

/// A trust file.
///
/// ```
/// let file = wattle_trust::TrustFile::parse(
///     r#"
///     version = 1
///
///     [[issuers]]
///     key = "ADGMQGVN3KOQWBXUZR32EVKSPTPTACEQMNHNFP44NJAYQ4NB42Q2ENLT"
///     name = "the build farm"
///     valid_until = 2031-01-01T00:00:00Z
///     "#,
/// );
/// assert!(file.is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustFile {
    /// Of the format: 1.
    pub version: u64,
    /// Of the content: whoever edits the file counts it up, so that an older one can be told.
    #[serde(default)]
    pub serial: u64,
    /// What tokens must have, whoever signed them.
    #[serde(default, skip_serializing_if = "TokenRules::is_default")]
    pub tokens: TokenRules,
    /// Who may sign components. Without any, nothing runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub issuers: Vec<IssuerEntry>,
    /// Who may sign assignments. Without any, nothing is assigned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub controllers: Vec<ControllerEntry>,
    /// Who may say of machine code which component it was made of. Such code runs outside the
    /// sandbox, so being an issuer is not enough. Without any, only what a host compiled itself runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compilers: Vec<CompilerEntry>,
    /// What is no longer believed, whatever stands above.
    #[serde(default, skip_serializing_if = "Revoked::is_empty")]
    pub revoked: Revoked,
    /// By module key (`M…`): the lowest revision (`rev`) that may run.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub minimum_revisions: BTreeMap<String, u32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRules {
    /// Whether a token must say when it expires.
    #[serde(default)]
    pub expiry_required: bool,
    /// From the day it was issued to the day it expires; a token that never expires is within
    /// it only if `expiry_required` is false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_days_max: Option<u32>,
}

impl TokenRules {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerEntry {
    /// An account key, `A…`.
    pub key: String,
    /// For people.
    pub name: String,
    /// Date and time with offset from which the issuer is believed; always, if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Datetime>,
    /// Date and time with offset until which the issuer is believed; always, if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Datetime>,
    /// The module keys (`M…`) it may sign for; all, if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modules: Option<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControllerEntry {
    /// A controller's key, `C…`.
    pub key: String,
    /// For people.
    pub name: String,
    /// The lattices it decides for; all, if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lattices: Option<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompilerEntry {
    /// An account key, `A…`.
    pub key: String,
    /// For people.
    pub name: String,
    /// Date and time with offset from which the compiler is believed; always, if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Datetime>,
    /// Date and time with offset until which the compiler is believed; always, if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Datetime>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoked {
    /// Keys of any role: issuers, controllers, compilers, modules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// SHA-256 of a file, or the `hash` of a token, in hexadecimal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub digests: Vec<String>,
}

impl Revoked {
    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.digests.is_empty()
    }
}

/// Why a trust file is not one. Nothing of such a file is used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The cause names line and column, shows the line, and says what would be right.
    #[error("the trust file cannot be read")]
    Syntax(#[source] Box<toml::de::Error>),
    #[error("version = {found} of the trust file: this program reads version {VERSION}")]
    Version { found: i64 },
    #[error("{key} = {value:?}: {right} is expected")]
    Value { key: String, value: String, right: &'static str },
    #[error("{key} = {value:?}: {right} is expected")]
    Nkey { key: String, value: String, right: &'static str, source: NkeyError },
    #[error("{key} is a key that can sign nothing")]
    Point { key: String, source: key::Error },
    #[error("{key} = {value:?} is there already; each is expected once")]
    Twice { key: String, value: String },
}

impl TrustFile {
    /// Trusts nobody.
    pub fn new() -> Self {
        Self {
            version: VERSION,
            serial: 1,
            tokens: TokenRules::default(),
            issuers: Vec::new(),
            controllers: Vec::new(),
            compilers: Vec::new(),
            revoked: Revoked::default(),
            minimum_revisions: BTreeMap::new(),
        }
    }

    /// Trusts an issuer, for all components and always.
    #[must_use]
    pub fn with_issuer(mut self, key: &IssuerKey, name: impl Into<String>) -> Self {
        self.issuers.push(IssuerEntry {
            key: key.to_string(),
            name: name.into(),
            valid_from: None,
            valid_until: None,
            modules: None,
        });
        self
    }

    /// Trusts a controller, for all lattices.
    #[must_use]
    pub fn with_controller(mut self, key: &ControllerKey, name: impl Into<String>) -> Self {
        self.controllers.push(ControllerEntry {
            key: key.to_string(),
            name: name.into(),
            lattices: None,
        });
        self
    }

    /// Trusts a compiler, always.
    #[must_use]
    pub fn with_compiler(mut self, key: &CompilerKey, name: impl Into<String>) -> Self {
        self.compilers.push(CompilerEntry {
            key: key.to_string(),
            name: name.into(),
            valid_from: None,
            valid_until: None,
        });
        self
    }

    /// Reads the form; the values are checked by [`TrustPolicy::try_from`](crate::TrustPolicy).
    ///
    /// # Errors
    /// [`Error::Syntax`] and [`Error::Version`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        /// A newer version may have other keys; it must be called newer, not wrong.
        #[derive(Deserialize)]
        struct Versioned {
            version: i64,
        }

        let syntax = |error| Error::Syntax(Box::new(error));
        match toml::from_str(text).map_err(syntax)? {
            Versioned { version: 1 } => toml::from_str(text).map_err(syntax),
            Versioned { version: found } => Err(Error::Version { found }),
        }
    }

    /// The text that [`TrustFile::parse`] reads.
    pub fn to_toml(&self) -> String {
        const HEAD: &str =
            "# Whom this host believes. Nothing runs that nobody here has signed.\n\n";
        let body = toml::to_string_pretty(self).expect("texts, numbers and dates are TOML");
        format!("{HEAD}{body}")
    }
}

impl Default for TrustFile {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
