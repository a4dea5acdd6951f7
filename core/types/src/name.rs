//! Names that travel: one grammar for everything that becomes a token of a subject or a key.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One token of a subject: 1 to 128 ASCII letters, digits, `-` or `_`.
///
/// Every subject and every stored key is built from tokens, so an actor called `orders.>` cannot
/// exist, and nothing downstream has to escape, trim or check a name again.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(Arc<str>);

/// Why a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("a name must not be empty")]
    Empty,
    #[error("a name has at most {max} characters, this one has {len}")]
    TooLong { len: usize, max: usize },
    #[error(
        "{found:?} at character {at} is not allowed in a name; use letters, digits, `-` and `_`"
    )]
    Forbidden { found: char, at: usize },
}

impl Token {
    /// The bound of SAFETY's id grammar; two of them and a prefix still make a short subject.
    pub const LEN_MAX: usize = 128;

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a text is one, without making it.
    pub fn check(raw: &str) -> Result<(), TokenError> {
        if raw.is_empty() {
            return Err(TokenError::Empty);
        }
        let allowed = |byte: u8| ALLOWED[usize::from(byte)];
        if !raw.bytes().all(allowed) {
            let is_allowed = |c: char| u8::try_from(c).is_ok_and(allowed);
            let forbidden = raw.chars().enumerate().find(|(_, c)| !is_allowed(*c));
            let (at, found) = forbidden.expect("one of its bytes is not allowed");
            return Err(TokenError::Forbidden { found, at });
        }
        if Self::LEN_MAX < raw.len() {
            return Err(TokenError::TooLong { len: raw.len(), max: Self::LEN_MAX });
        }
        Ok(())
    }
}

/// Which bytes a name may have.
static ALLOWED: [bool; 256] = {
    let mut allowed = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let letter = (byte as u8).is_ascii_alphanumeric();
        allowed[byte] = letter || byte as u8 == b'-' || byte as u8 == b'_';
        byte += 1;
    }
    allowed
};

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(raw: &str) -> Result<Self, TokenError> {
        Self::check(raw).map(|()| Self(raw.into()))
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A token that names one kind of thing, so that two kinds cannot be confused.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Token);

        impl $name {
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }

            pub fn token(&self) -> &Token {
                &self.0
            }
        }

        impl From<Token> for $name {
            fn from(token: Token) -> Self {
                Self(token)
            }
        }

        impl FromStr for $name {
            type Err = TokenError;

            fn from_str(raw: &str) -> Result<Self, TokenError> {
                raw.parse().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    )*};
}

names! {
    /// The id under which an actor can be called from anywhere in its lattice.
    ActorId;
    /// An application: what one manifest describes.
    AppName;
    /// A component's name inside its manifest.
    ComponentName;
    /// One namespace of hosts, actors, links and config.
    LatticeId;
    /// What tells links of one interface apart; `default` where nothing is said.
    LinkName;
    /// Configuration that is kept in the lattice under a name.
    ConfigName;
    /// A key-value store as an actor names it in `wasi:keyvalue/store.open`.
    StoreName;
}

impl AppName {
    /// What the ids and names begin with that are made from this one. Two applications with one
    /// normal form would claim the same.
    pub fn normal(&self) -> String {
        normal(self.as_str())
    }
}

/// As 1.x makes ids: lower case, and `_` for everything but letters and digits.
pub(crate) fn normal(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    name.chars().map(plain).collect()
}

impl Default for LinkName {
    fn default() -> Self {
        Self("default".parse().expect("letters make a name"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_break_a_subject_is_refused() {
        let long = "a".repeat(Token::LEN_MAX + 1);
        let cases = [
            ("", TokenError::Empty),
            ("a.b", TokenError::Forbidden { found: '.', at: 1 }),
            ("*", TokenError::Forbidden { found: '*', at: 0 }),
            (">", TokenError::Forbidden { found: '>', at: 0 }),
            ("a b", TokenError::Forbidden { found: ' ', at: 1 }),
            ("a\r\nPUB x", TokenError::Forbidden { found: '\r', at: 1 }),
            ("ä", TokenError::Forbidden { found: 'ä', at: 0 }),
            (&long, TokenError::TooLong { len: 129, max: 128 }),
        ];
        for (raw, error) in cases {
            assert_eq!(raw.parse::<Token>(), Err(error), "{raw:?}");
        }
    }

    #[test]
    fn names_that_are_made_into_the_same_have_one_normal_form() {
        for raw in ["my_app", "my-app", "My-App", "MY_APP"] {
            assert_eq!(raw.parse::<AppName>().unwrap().normal(), "my_app", "{raw}");
        }
        assert_eq!("my-app2".parse::<AppName>().unwrap().normal(), "my_app2");
    }

    #[test]
    fn a_name_is_checked_when_it_is_read_from_a_message() {
        assert!(serde_json::from_str::<ActorId>(r#""orders-1_a""#).is_ok());
        assert!(serde_json::from_str::<ActorId>(r#""orders.>""#).is_err());
    }
}
