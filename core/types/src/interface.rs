//! The name of a WIT interface: `namespace:package/interface@version`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use semver::Version;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Token;

/// One interface of one WIT package.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceName {
    /// The whole text, without the version.
    path: Arc<str>,
    version: Option<Version>,
}

/// Why a text is not the name of an interface.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not an interface; write namespace:package/interface or namespace:package/interface@1.2.3"
)]
pub struct InterfaceNameError(pub String);

impl InterfaceName {
    pub fn new(
        namespace: &Token,
        package: &Token,
        interface: &Token,
        version: Option<Version>,
    ) -> Self {
        Self { path: format!("{namespace}:{package}/{interface}").into(), version }
    }

    /// `namespace:package/interface`: what links name, in which versions play no part.
    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn namespace(&self) -> &str {
        self.path.split(':').next().unwrap_or_default()
    }

    pub fn package(&self) -> &str {
        let rest = self.path.split_once(':').map_or("", |(_, rest)| rest);
        rest.split('/').next().unwrap_or_default()
    }

    pub fn interface(&self) -> &str {
        self.path.split_once('/').map_or("", |(_, interface)| interface)
    }

    pub fn version(&self) -> Option<&Version> {
        self.version.as_ref()
    }

    /// Whether an importer of `self` can be served by an exporter of `other`, as far as the versions
    /// say: equal, or of one compatible line (`1.x`, `0.2.x`); drafts only if equal. Either side may
    /// have no version. Whether the functions fit is for their fingerprints to say.
    pub fn fits(&self, other: &Self) -> bool {
        if self.path != other.path {
            return false;
        }
        let (Some(a), Some(b)) = (&self.version, &other.version) else { return true };
        if !a.pre.is_empty() || !b.pre.is_empty() {
            return a == b;
        }
        match (a.major, a.minor) {
            (0, 0) => (a.major, a.minor, a.patch) == (b.major, b.minor, b.patch),
            (0, minor) => (b.major, b.minor) == (0, minor),
            (major, _) => b.major == major,
        }
    }
}

impl FromStr for InterfaceName {
    type Err = InterfaceNameError;

    fn from_str(raw: &str) -> Result<Self, InterfaceNameError> {
        let wrong = || InterfaceNameError(raw.to_owned());
        let (path, version) = match raw.split_once('@') {
            Some((path, version)) => (path, Some(version.parse().map_err(|_| wrong())?)),
            None => (raw, None),
        };
        let (namespace, rest) = path.split_once(':').ok_or_else(wrong)?;
        let (package, interface) = rest.split_once('/').ok_or_else(wrong)?;
        for word in [namespace, package, interface] {
            Token::check(word).map_err(|_| wrong())?;
        }
        Ok(Self { path: path.into(), version })
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        self.version.as_ref().map_or(Ok(()), |version| write!(f, "@{version}"))
    }
}

impl fmt::Debug for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for InterfaceName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for InterfaceName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(raw: &str) -> InterfaceName {
        raw.parse().unwrap()
    }

    #[test]
    fn a_name_has_its_parts_and_its_text() {
        let name = name("acme:billing-v2/invoices@1.2.3-rc.1");
        assert_eq!(name.namespace(), "acme");
        assert_eq!(name.package(), "billing-v2");
        assert_eq!(name.interface(), "invoices");
        assert_eq!(name.path(), "acme:billing-v2/invoices");
        assert_eq!(name.to_string(), "acme:billing-v2/invoices@1.2.3-rc.1");
    }

    #[test]
    fn what_is_no_interface_is_refused() {
        for raw in
            ["", "a", "a:b", "a/b", "a:b/", ":b/c", "a:b/c@", "a:b/c@1", "a:b/c.d", "a:b/c/d"]
        {
            assert!(raw.parse::<InterfaceName>().is_err(), "{raw:?}");
        }
    }

    #[test]
    fn versions_of_one_compatible_line_fit() {
        let fits = [
            ("a:b/c", "a:b/c@1.0.0", true),
            ("a:b/c@1.0.0", "a:b/c", true),
            ("a:b/c@1.2.0", "a:b/c@1.0.9", true),
            ("a:b/c@1.2.0", "a:b/c@2.0.0", false),
            ("a:b/c@0.2.1", "a:b/c@0.2.9", true),
            ("a:b/c@0.2.1", "a:b/c@0.3.0", false),
            ("a:b/c@0.0.1", "a:b/c@0.0.2", false),
            ("a:b/c@0.2.0-draft", "a:b/c@0.2.0-draft", true),
            ("a:b/c@0.2.0-draft", "a:b/c@0.2.0", false),
            ("a:b/c@1.0.0", "a:b/d@1.0.0", false),
        ];
        for (import, export, expected) in fits {
            assert_eq!(name(import).fits(&name(export)), expected, "{import} by {export}");
        }
    }
}
