//! Secrets of an actor: what a back-end implements, and a value that nothing prints.
//!
//! *Expected flow*: a host binds each actor to one [`Secrets`] that knows which secrets its spec
//! names; a guest asks for one by that name, each time it needs it, so that a changed secret is
//! seen without a restart. *Guarantees*: what a back-end hands out is wiped when it is dropped, and
//! has neither `Debug` nor `Display`. *Caveats*: a guest that was told a secret can say it.

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::call::CallContext;

/// How large a secret may be, in bytes: a private key with its chain of certificates fits.
pub const SECRET_BYTES_MAX: usize = 64 << 10;

/// A secret's value; wiped when dropped.
#[expect(missing_debug_implementations, reason = "what cannot be printed cannot be logged")]
pub struct Secret(Zeroizing<Vec<u8>>);

/// A secret's value, for the moment in which it is handed over.
#[expect(missing_debug_implementations, reason = "as the secret itself")]
pub enum Revealed<'a> {
    /// UTF-8.
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl Secret {
    pub fn new(value: impl Into<Zeroizing<Vec<u8>>>) -> Self {
        Self(value.into())
    }

    /// Text where it is UTF-8, bytes otherwise.
    pub fn reveal(&self) -> Revealed<'_> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => Revealed::Text(text),
            Err(_) => Revealed::Bytes(&self.0),
        }
    }
}

/// What one actor may know.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// The secret that the actor's spec calls `name`, as it is now.
    async fn get(&self, ctx: &CallContext, name: &str) -> Result<Secret, SecretError>;
}

/// Why there is no secret. In words that a guest may read: no paths, no values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The spec names no such secret, or nobody has put it there.
    #[error("there is no such secret")]
    NotFound,
    #[error("the secret has more than {max} bytes")]
    TooLarge { max: usize },
    #[error("the secret could not be read")]
    Unreadable,
    #[error("the secret could not be had in time")]
    Timeout,
}

/// Secrets of an actor that has none.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSecrets;

#[async_trait]
impl Secrets for NoSecrets {
    async fn get(&self, _ctx: &CallContext, _name: &str) -> Result<Secret, SecretError> {
        Err(SecretError::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_text_where_it_can_be() {
        assert!(matches!(Secret::new(b"hunter2".to_vec()).reveal(), Revealed::Text("hunter2")));
        assert!(matches!(Secret::new(vec![0xff]).reveal(), Revealed::Bytes([0xff])));
        assert!(matches!(Secret::new(Vec::new()).reveal(), Revealed::Text("")));
    }
}
