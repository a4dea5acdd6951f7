//! How to join a lattice, as the binary configures it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use wattle_types::{LatticeId, Token};

use crate::Names;

/// Where the lattice is and who we are there.
#[derive(Clone, Debug)]
pub struct ConnectConfig {
    /// One or more NATS addresses, separated by commas: `nats://127.0.0.1:4222`.
    pub url: String,
    pub names: Names,
    /// Under which replies reach us: a host's id, or what [`ConnectConfig::client`] made up.
    pub who: Token,
    /// What the server's operator sees beside this connection.
    pub name: String,
    pub credentials: Credentials,
    /// Certificates (PEM) of those who may vouch for the server, besides the system's.
    pub ca_file: Option<PathBuf>,
    /// How often the server is asked whether it is there. The third question without an answer
    /// ends the connection, so a server that hangs is left within three of these.
    pub ping_interval: Duration,
}

/// Whoever beats has to be back with another server before its silence counts as its loss.
const MEMBER_PING: Duration = Duration::from_secs(1);
const CLIENT_PING: Duration = Duration::from_secs(5);

impl ConnectConfig {
    /// A host or controller, whose replies come to the id it is known by.
    pub fn member(url: impl Into<String>, lattice: LatticeId, who: Token) -> Self {
        Self {
            url: url.into(),
            names: Names::new(lattice),
            name: format!("wattle {who}"),
            who,
            credentials: Credentials::Anonymous,
            ca_file: None,
            ping_interval: MEMBER_PING,
        }
    }

    /// A command or a test, with a reply prefix nobody else uses.
    pub fn client(url: impl Into<String>, lattice: LatticeId) -> Self {
        let who = format!("client-{}", random_token());
        let who = who.parse().expect("letters, digits and a dash make a token");
        Self { ping_interval: CLIENT_PING, ..Self::member(url, lattice, who) }
    }
}

/// How we prove who we are to NATS.
#[derive(Clone, Debug, Default)]
pub enum Credentials {
    #[default]
    Anonymous,
    /// A `.creds` file: user JWT and seed.
    File(PathBuf),
    UserPassword {
        user: String,
        password: Password,
    },
}

/// A password that no log shows.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    pub fn new(raw: impl Into<String>) -> Self {
        Self(raw.into())
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Twelve letters and digits that nobody else has: 62 bits.
pub(crate) fn random_token() -> Token {
    const ALPHABET: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let letters = std::iter::repeat_with(|| ALPHABET[fastrand::usize(..ALPHABET.len())] as char);
    letters.take(12).collect::<String>().parse().expect("letters and digits make a token")
}
