//! Which subjects of NATS an actor may speak and listen on. None, unless its spec says so.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What an actor hears and what it may say, as `wasmcloud:messaging` means it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Messaging {
    /// Messages to these are brought to its handler, each to one instance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subscribe: Vec<SubjectPattern>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub publish: Vec<SubjectPattern>,
}

impl Messaging {
    pub fn is_empty(&self) -> bool {
        self.subscribe.is_empty() && self.publish.is_empty()
    }
}

/// A subject in which `*` stands for one token, and `>` at the end for one or more.
///
/// Never one that reaches the subjects of NATS itself, of this lattice or of its clients: those
/// carry what hosts believe.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectPattern(Arc<str>);

/// Why a text is not a pattern that an actor may have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectPatternError {
    #[error("subject {raw:?} has {} bytes; at most {} are possible", raw.len(), SubjectPattern::BYTES_MAX)]
    TooLong { raw: String },
    #[error(
        "{raw:?} is not a subject: tokens are joined by dots, none is empty or has a space in it, \
         `*` stands alone and `>` alone at the end"
    )]
    Malformed { raw: String },
    #[error(
        "subject {raw:?} begins with a wildcard, which would reach the lattice's own; name its first token"
    )]
    Anything { raw: String },
    #[error("subject {raw:?} is not for actors: what begins with {first:?} is the lattice's own")]
    Reserved { raw: String, first: String },
}

impl SubjectPattern {
    /// As long as a subject of a message may be.
    pub const BYTES_MAX: usize = 256;
    /// What belongs to us and to 1.x (`wasmcloud`: its secrets); `$…` and `_…` are those of NATS.
    const RESERVED: [&str; 4] = ["wattle", "wasmbus", "wasmcloud", "wadm"];

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a message to `subject` is meant. A subject with wildcards is none.
    pub fn matches(&self, subject: &str) -> bool {
        let mut tokens = subject.split('.');
        for wanted in self.0.split('.') {
            match (wanted, tokens.next()) {
                (_, None | Some("" | "*" | ">")) => return false,
                (">", Some(_)) => return tokens.all(is_plain),
                ("*", Some(_)) => {}
                (wanted, Some(token)) if wanted != token => return false,
                _ => {}
            }
        }
        tokens.next().is_none()
    }
}

/// A token of a subject that is spoken on.
fn is_plain(token: &str) -> bool {
    !matches!(token, "" | "*" | ">")
}

impl FromStr for SubjectPattern {
    type Err = SubjectPatternError;

    fn from_str(raw: &str) -> Result<Self, SubjectPatternError> {
        let whole = || raw.to_owned();
        if Self::BYTES_MAX < raw.len() {
            return Err(SubjectPatternError::TooLong { raw: whole() });
        }
        let allowed = |c: char| !c.is_whitespace() && !c.is_control() && c != '*' && c != '>';
        let mut tokens = raw.split('.').peekable();
        while let Some(token) = tokens.next() {
            let is_last = tokens.peek().is_none();
            let is_wildcard = token == "*" || token == ">" && is_last;
            if !is_wildcard && (token.is_empty() || !token.chars().all(allowed)) {
                return Err(SubjectPatternError::Malformed { raw: whole() });
            }
        }
        let first = raw.split('.').next().unwrap_or_default();
        if !is_plain(first) {
            return Err(SubjectPatternError::Anything { raw: whole() });
        }
        let of_nats = first.starts_with('$') || first.starts_with('_');
        if of_nats || Self::RESERVED.contains(&first) {
            return Err(SubjectPatternError::Reserved { raw: whole(), first: first.to_owned() });
        }
        Ok(Self(raw.into()))
    }
}

impl fmt::Display for SubjectPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SubjectPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for SubjectPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SubjectPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_what_nats_means_by_it() {
        let cases = [
            ("orders.new", "orders.new", true),
            ("orders.new", "orders.new.x", false),
            ("orders.new", "orders", false),
            ("orders.*", "orders.new", true),
            ("orders.*", "orders", false),
            ("orders.*.eu", "orders.new.eu", true),
            ("orders.>", "orders.new.eu", true),
            ("orders.>", "orders", false),
            ("orders.>", "orders.", false),
            ("orders.>", "orders.a..b", false),
            ("orders.*", "orders.*", false),
            ("orders.>", "orders.>", false),
        ];
        for (pattern, subject, expected) in cases {
            let pattern: SubjectPattern = pattern.parse().unwrap();
            assert_eq!(pattern.matches(subject), expected, "{subject} by {pattern}");
        }
    }

    #[test]
    fn a_subject_that_is_not_for_actors_is_refused() {
        let cases = [
            ("", "is not a subject"),
            ("a..b", "is not a subject"),
            ("a. b", "is not a subject"),
            ("a\r\nPUB x", "is not a subject"),
            ("a.b*", "is not a subject"),
            ("a.>.b", "is not a subject"),
            (">", "begins with a wildcard"),
            ("*.orders", "begins with a wildcard"),
            ("$JS.API.>", "is the lattice's own"),
            ("_INBOX.x", "is the lattice's own"),
            ("_INBOX_c1.x", "is the lattice's own"),
            ("wattle.default.call.>", "is the lattice's own"),
            ("wasmbus.ctl.>", "is the lattice's own"),
            ("wadm.api.>", "is the lattice's own"),
            ("wasmcloud.secrets.>", "is the lattice's own"),
            ("_GR_.x", "is the lattice's own"),
        ];
        for (raw, said) in cases {
            let error = raw.parse::<SubjectPattern>().expect_err(raw).to_string();
            assert!(error.contains(said), "{raw:?}: {error}");
        }
        assert!("a.".repeat(200).parse::<SubjectPattern>().is_err());
        assert!("wattles.orders".parse::<SubjectPattern>().is_ok());
    }
}
