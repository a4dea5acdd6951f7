//! Public keys and seeds as text: the nkeys format of NATS.
//!
//! Base32 without padding over one prefix byte, 32 bytes of key and a CRC-16/XMODEM in little
//! endian; seeds carry a second prefix. Only the text lives here: making keys, signing and
//! verifying belong to `wattle-trust`. Source: the nkeys specification, `PROTOCOL` of the 1.x
//! clients for which role is used where.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a key stands for; the first letter of its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// `N`: a host.
    Server,
    /// `C`: a controller.
    Cluster,
    /// `O`
    Operator,
    /// `A`: an issuer of claims.
    Account,
    /// `U`
    User,
    /// `M`: a component.
    Module,
    /// `V`: a provider.
    Service,
    /// `X`: sealed boxes; not a signing key.
    Curve,
}

impl Role {
    const ALL: [Self; 8] = [
        Self::Server,
        Self::Cluster,
        Self::Operator,
        Self::Account,
        Self::User,
        Self::Module,
        Self::Service,
        Self::Curve,
    ];

    /// The letter that public keys of this role begin with.
    pub const fn letter(self) -> char {
        match self {
            Self::Server => 'N',
            Self::Cluster => 'C',
            Self::Operator => 'O',
            Self::Account => 'A',
            Self::User => 'U',
            Self::Module => 'M',
            Self::Service => 'V',
            Self::Curve => 'X',
        }
    }

    /// The prefix byte: five bits that base32 shows as [`Self::letter`], then three of zero.
    const fn prefix(self) -> u8 {
        (self.letter() as u8 - b'A') << 3
    }

    fn from_prefix(prefix: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.prefix() == prefix)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "host",
            Self::Cluster => "controller",
            Self::Operator => "operator",
            Self::Account => "account",
            Self::User => "user",
            Self::Module => "module",
            Self::Service => "service",
            Self::Curve => "curve",
        })
    }
}

/// Why a text is not a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NkeyError {
    #[error("a public key has {PUBLIC_LEN} characters, this text has {0}")]
    Length(usize),
    #[error("a seed has {SEED_LEN} characters, this text has {0}")]
    SeedLength(usize),
    #[error("a key is base32 in upper case without padding")]
    Base32,
    #[error("the checksum of the key is wrong; a character is mistyped or missing")]
    Checksum,
    #[error("no key begins with these characters")]
    Prefix,
    #[error("this is a seed, which is secret; a public key is expected here")]
    SeedForPublic,
    #[error("this is a public key; a seed (its text begins with S) is expected here")]
    PublicForSeed,
    #[error("a {expected} key (its text begins with {}) is expected, this is a {found} key", expected.letter())]
    Role { expected: Role, found: Role },
}

const PUBLIC_LEN: usize = 56;
const SEED_LEN: usize = 58;
/// The letter `S` of a seed, as five bits at the top of its first byte.
const SEED_PREFIX: u8 = (b'S' - b'A') << 3;

/// A public key and what it stands for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey {
    role: Role,
    bytes: [u8; 32],
}

impl PublicKey {
    pub const fn new(role: Role, bytes: [u8; 32]) -> Self {
        Self { role, bytes }
    }

    pub const fn role(&self) -> Role {
        self.role
    }

    /// The Ed25519 (or, for [`Role::Curve`], X25519) point in its encoded form; not yet checked
    /// to be on the curve.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    fn of_role(self, expected: Role) -> Result<Self, NkeyError> {
        if self.role == expected {
            Ok(self)
        } else {
            Err(NkeyError::Role { expected, found: self.role })
        }
    }
}

impl FromStr for PublicKey {
    type Err = NkeyError;

    fn from_str(raw: &str) -> Result<Self, NkeyError> {
        if raw.len() == SEED_LEN && raw.starts_with('S') {
            return Err(NkeyError::SeedForPublic);
        }
        if raw.len() != PUBLIC_LEN {
            return Err(NkeyError::Length(raw.len()));
        }
        let raw: [u8; 35] = decode(raw)?;
        let role = Role::from_prefix(raw[0]).ok_or(NkeyError::Prefix)?;
        let mut bytes = [0; 32];
        bytes.copy_from_slice(&raw[1..33]);
        Ok(Self { role, bytes })
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Every subject and every call holds some of these, so nothing is allocated.
        let mut raw = [0; PUBLIC_LEN * 5 / 8];
        raw[0] = self.role.prefix();
        raw[1..33].copy_from_slice(&self.bytes);
        let sum = crc16(&raw[..33]);
        raw[33..].copy_from_slice(&sum.to_le_bytes());
        let mut text = [0; PUBLIC_LEN];
        BASE32_NOPAD.encode_mut(&raw, &mut text);
        f.pad(str::from_utf8(&text).expect("base32 is ASCII"))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text of a seed. Who calls this keeps the result secret.
pub fn encode_seed(role: Role, seed: &[u8; 32]) -> String {
    let prefix = role.prefix();
    let mut raw = vec![SEED_PREFIX | prefix >> 5, (prefix & 31) << 3];
    raw.extend_from_slice(seed);
    encode(raw)
}

/// The role and the 32 bytes behind the text of a seed.
pub fn decode_seed(raw: &str) -> Result<(Role, [u8; 32]), NkeyError> {
    let raw = raw.trim();
    if raw.len() == PUBLIC_LEN && raw.parse::<PublicKey>().is_ok() {
        return Err(NkeyError::PublicForSeed);
    }
    if raw.len() != SEED_LEN {
        return Err(NkeyError::SeedLength(raw.len()));
    }
    let raw: [u8; 36] = decode(raw)?;
    if raw[0] & 0b1111_1000 != SEED_PREFIX {
        return Err(NkeyError::Prefix);
    }
    let prefix = (raw[0] & 0b111) << 5 | (raw[1] & 0b1111_1000) >> 3;
    let role = Role::from_prefix(prefix).ok_or(NkeyError::Prefix)?;
    let mut seed = [0; 32];
    seed.copy_from_slice(&raw[2..34]);
    Ok((role, seed))
}

fn encode(mut raw: Vec<u8>) -> String {
    raw.extend_from_slice(&crc16(&raw).to_le_bytes());
    BASE32_NOPAD.encode(&raw)
}

/// `N` bytes, of which the last two are the checksum of those before.
fn decode<const N: usize>(raw: &str) -> Result<[u8; N], NkeyError> {
    let mut bytes = [0; N];
    if BASE32_NOPAD.decode_len(raw.len()) != Ok(N) {
        return Err(NkeyError::Base32);
    }
    BASE32_NOPAD.decode_mut(raw.as_bytes(), &mut bytes).map_err(|_| NkeyError::Base32)?;
    let (body, sum) = bytes.split_at(N - 2);
    if crc16(body).to_le_bytes() != sum {
        return Err(NkeyError::Checksum);
    }
    Ok(bytes)
}

/// CRC-16/XMODEM: polynomial 0x1021, start 0, not reflected.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| crc << 8 ^ CRC16[usize::from((crc >> 8) as u8 ^ byte)])
}

/// What each byte adds.
static CRC16: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut bit) = ((byte as u16) << 8, 0);
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// A public key of one role, so that a module's key cannot stand where a host's belongs.
macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident: $role:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(PublicKey);

        impl $name {
            pub const ROLE: Role = $role;

            pub const fn public(&self) -> &PublicKey {
                &self.0
            }
        }

        impl TryFrom<PublicKey> for $name {
            type Error = NkeyError;

            fn try_from(key: PublicKey) -> Result<Self, NkeyError> {
                key.of_role(Self::ROLE).map(Self)
            }
        }

        impl FromStr for $name {
            type Err = NkeyError;

            fn from_str(raw: &str) -> Result<Self, NkeyError> {
                raw.parse::<PublicKey>()?.try_into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

keys! {
    /// A host, by the key it signs with.
    HostId: Role::Server;
    /// Who signs components.
    IssuerKey: Role::Account;
    /// A component, across its revisions.
    ModuleKey: Role::Module;
    /// Who signs assignments.
    ControllerKey: Role::Cluster;
    /// Who signs machine code. An account as issuers are, believed by itself.
    CompilerKey: Role::Account;
    /// Who asks for changes of applications: a person, or a program of theirs.
    AuthorKey: Role::User;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host of the recorded 1.x session.
    const HOST: &str = "NCCCUQIZFAT2HJHL2PDYWUHXSVE2RUF53EJYP4JZAYCFH54T7T2VADME";

    #[test]
    fn a_key_of_a_real_host_reads_and_writes_the_same() {
        let key: PublicKey = HOST.parse().unwrap();
        assert_eq!(key.role(), Role::Server);
        assert_eq!(key.to_string(), HOST);
    }

    #[test]
    fn every_role_survives_its_text() {
        for role in Role::ALL {
            let public = PublicKey::new(role, [7; 32]);
            let text = public.to_string();
            assert!(text.starts_with(role.letter()), "{text}");
            assert_eq!(text.parse(), Ok(public));

            let seed = encode_seed(role, &[9; 32]);
            assert_eq!(&seed[..2], format!("S{}", role.letter()));
            assert_eq!(decode_seed(&seed), Ok((role, [9; 32])));
        }
    }

    #[test]
    fn what_is_not_a_public_key_says_why() {
        let seed = encode_seed(Role::Account, &[1; 32]);
        let swapped = HOST.replace("CC", "CD");
        let cases = [
            ("", NkeyError::Length(0)),
            (&HOST[1..], NkeyError::Length(55)),
            (&swapped, NkeyError::Checksum),
            (&HOST.to_lowercase(), NkeyError::Base32),
            (&seed, NkeyError::SeedForPublic),
        ];
        for (raw, error) in cases {
            assert_eq!(raw.parse::<PublicKey>(), Err(error), "{raw:?}");
        }
        assert_eq!(
            HOST.parse::<IssuerKey>(),
            Err(NkeyError::Role { expected: Role::Account, found: Role::Server })
        );
        assert_eq!(decode_seed(HOST), Err(NkeyError::PublicForSeed));
    }
}
