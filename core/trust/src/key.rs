//! Key pairs, and the only place that checks a signature.
//!
//! Ed25519, strictly: a key that is not the one encoding of a point, or whose point has a small
//! order (for which anyone can make signatures), is not a key; a signature with another encoding
//! of the same value is not a signature. Text of keys: [`wattle_types::nkey`].

use std::fmt;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use wattle_types::nkey::{self, NkeyError, PublicKey, Role};
use zeroize::Zeroizing;

/// Bytes of a signature.
pub const SIGNATURE_LEN: usize = 64;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("could not read the seed")]
    Seed(#[source] NkeyError),
    #[error("a {0} key does not sign")]
    CannotSign(Role),
    #[error("the system gave no random bytes for a key")]
    Randomness(#[source] getrandom::Error),
    #[error("{0} is not a point of the curve")]
    NotAPoint(PublicKey),
    #[error("{0} has a small order, so anyone can sign for it")]
    Weak(PublicKey),
    #[error("the signature is not by {0} over these bytes")]
    Signature(PublicKey),
}

/// A key that signs. Its secret is wiped from memory when it is dropped.
#[derive(Clone)]
pub struct KeyPair {
    role: Role,
    signing: SigningKey,
}

impl KeyPair {
    /// A new key from the system's randomness.
    ///
    /// # Errors
    /// [`Error::CannotSign`] for [`Role::Curve`], [`Error::Randomness`].
    pub fn generate(role: Role) -> Result<Self, Error> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed).map_err(Error::Randomness)?;
        Self::new(role, &seed)
    }

    /// The key behind the text of a seed (`SA…`, `SM…`); blanks around it are ignored.
    ///
    /// # Errors
    /// [`Error::Seed`] or [`Error::CannotSign`]; neither repeats the text.
    pub fn from_seed(text: &str) -> Result<Self, Error> {
        let (role, seed) = nkey::decode_seed(text).map_err(Error::Seed)?;
        Self::new(role, &Zeroizing::new(seed))
    }

    fn new(role: Role, seed: &[u8; 32]) -> Result<Self, Error> {
        if role == Role::Curve {
            return Err(Error::CannotSign(role));
        }
        Ok(Self { role, signing: SigningKey::from_bytes(seed) })
    }

    /// The text that [`KeyPair::from_seed`] reads.
    pub fn seed(&self) -> Secret {
        Secret(Zeroizing::new(nkey::encode_seed(self.role, self.signing.as_bytes())))
    }

    pub fn public(&self) -> PublicKey {
        PublicKey::new(self.role, self.signing.verifying_key().to_bytes())
    }

    pub fn role(&self) -> Role {
        self.role
    }

    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_LEN] {
        self.signing.sign(message).to_bytes()
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyPair").field(&self.public()).finish()
    }
}

/// The text of a seed: not shown by `Debug`, wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// For the file or the terminal it is written to, and for nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Checks that `signature` is `key`'s over `message`.
///
/// # Errors
/// [`Error::NotAPoint`] and [`Error::Weak`] for a bad key, [`Error::Signature`] for everything
/// that is wrong with a signature; a caller learns no more, on purpose.
pub fn verify_strict(
    key: &PublicKey,
    message: &[u8],
    signature: &[u8; SIGNATURE_LEN],
) -> Result<(), Error> {
    checked(key)?
        .verify_strict(message, &Signature::from_bytes(signature))
        .map_err(|_| Error::Signature(*key))
}

/// The point behind a key, if it is one that can be trusted to sign.
pub(crate) fn checked(key: &PublicKey) -> Result<VerifyingKey, Error> {
    if key.role() == Role::Curve {
        return Err(Error::CannotSign(Role::Curve));
    }
    let point = VerifyingKey::from_bytes(key.bytes()).map_err(|_| Error::NotAPoint(*key))?;
    if point.is_weak() {
        return Err(Error::Weak(*key));
    }
    // The library takes y and y + p for the same point; two texts for one key would let a
    // revoked key come back.
    if point.to_edwards().compress().as_bytes() != key.bytes() {
        return Err(Error::NotAPoint(*key));
    }
    Ok(point)
}

#[cfg(test)]
mod tests;
