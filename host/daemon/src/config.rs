//! What a host is given by the binary. Checked when the host is opened.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use wattle_engine::Caps;
use wattle_trust::TrustFile;
use wattle_types::{Labels, LatticeId};

use crate::code::CodeConfig;

/// One host of a lattice.
#[derive(Clone, Debug)]
pub struct HostConfig {
    pub lattice: LatticeId,
    /// One or more NATS addresses, separated by commas.
    pub nats_url: String,
    /// A NATS credentials file.
    pub nats_creds: Option<PathBuf>,
    /// What people call this host; never an identity.
    pub name: String,
    pub labels: Labels,
    /// Everything the host keeps: its identity, what it was assigned, components and their
    /// compiled code. One host per folder.
    pub data_dir: PathBuf,
    /// Whom the host believes.
    pub trust: TrustFile,
    /// Where the shared HTTP listener is; none: this host answers no HTTP requests itself.
    pub http_addr: Option<SocketAddr>,
    /// How long leaving may take after the host was asked to stop: half of it until others have
    /// taken over, and the rest for requests in flight.
    pub drain_grace: Duration,
    /// Servers that actors may reach over HTTP if their specs ask for them, as `host` or
    /// `host:port`. An address that is loopback or link-local only if it is written here itself.
    pub outbound: Vec<String>,
    /// Copies of what actors store in NATS on different servers, if this host is the first to make
    /// a place for it.
    pub data_replicas: u8,
    /// How many instances the planner may place here.
    pub capacity: u32,
    /// A component file larger than this is not fetched, in bytes.
    pub component_bytes_max: u64,
    /// The longest body of a request that the shared HTTP listener takes, in bytes. Bodies are
    /// streamed, so this bounds how long a client may keep an actor busy and not memory.
    pub body_bytes_max: u64,
    /// What no actor gets more of, whatever its manifest asks for.
    pub caps: Caps,
    /// Where the secrets of actors are, one file each; none: this host gives out no secrets.
    pub secrets_dir: Option<PathBuf>,
    /// Where machine code comes from.
    pub code: CodeConfig,
}

/// A bound for the planner, not a reservation: an instance that serves nothing costs nothing.
const CAPACITY_DEFAULT: u32 = 1_000;

/// As the engine's own bound; a Python component has 18 MB.
pub(crate) const COMPONENT_BYTES_MAX: u64 = 64 << 20;

/// A form with a few pictures.
pub(crate) const BODY_BYTES_MAX: u64 = 8 << 20;

impl HostConfig {
    pub fn new(
        lattice: LatticeId,
        nats_url: impl Into<String>,
        name: impl Into<String>,
        labels: Labels,
        data_dir: impl Into<PathBuf>,
        trust: TrustFile,
    ) -> Self {
        Self {
            lattice,
            nats_url: nats_url.into(),
            nats_creds: None,
            name: name.into(),
            labels,
            data_dir: data_dir.into(),
            trust,
            http_addr: None,
            drain_grace: Duration::from_secs(30),
            outbound: Vec::new(),
            data_replicas: 1,
            capacity: CAPACITY_DEFAULT,
            component_bytes_max: COMPONENT_BYTES_MAX,
            body_bytes_max: BODY_BYTES_MAX,
            caps: Caps::default(),
            secrets_dir: None,
            code: CodeConfig::default(),
        }
    }
}
