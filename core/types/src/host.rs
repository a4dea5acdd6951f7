//! What a host says of itself: beats, often and small; the inventory, on request.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    ActorId, Digest, Epoch, Generation, HostId, LatticeId, LinkReport, MissingLink, Owner, SpecHash,
};

/// What a host is, for placement: `zone=edge`. Those beginning `hostcore.` are its own.
pub type Labels = BTreeMap<String, String>;

/// Which assignment a host has made durable and follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    pub epoch: Epoch,
    pub generation: Generation,
    /// Of the assignment's bytes: equal generations with different hashes are an alarm.
    pub hash: Digest,
}

/// How busy a host or actor is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    pub in_flight: u32,
    pub limit: u32,
}

/// "I am here": at most 256 bytes, several times a minute to twice a second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    pub v: u8,
    pub host: HostId,
    /// Random per process: two boots alternating under one id are a copied disk.
    pub boot: u64,
    pub seq: u64,
    /// The silence of a host is judged in multiples of its own period.
    pub period_ms: u32,
    pub applied: Option<Applied>,
    /// The highest epoch seen, also of assignments that were refused.
    pub epoch_max: Epoch,
    pub draining: bool,
    /// The revision of the inventory; whoever knows a lower one asks for it.
    pub inventory: u64,
    pub load: Load,
    /// The NATS server this host is connected to, so that a silent server is not taken for
    /// silent hosts.
    #[serde(default)]
    pub server: String,
}

/// Everything a host runs, and how it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    pub v: u8,
    pub lattice: LatticeId,
    pub host: HostId,
    pub boot: u64,
    /// The friendly name; never an identity.
    pub name: String,
    pub labels: Labels,
    /// Semantic version of the host.
    pub version: String,
    pub uptime_s: u64,
    /// Where the shared HTTP listener is, as `host:port`.
    pub http_addr: Option<String>,
    /// How many instances the planner may place here.
    pub capacity: u32,
    /// Changes whenever anything else here but the uptime does.
    pub revision: u64,
    pub applied: Option<Applied>,
    pub draining: bool,
    pub actors: Vec<ActorReport>,
}

/// One actor on one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorReport {
    pub id: ActorId,
    /// As it was asked for, not as it was resolved: clients compare the string.
    pub image: String,
    /// The component's name by its claims, once they were read.
    pub name: Option<String>,
    pub spec: SpecHash,
    pub count: u32,
    pub owner: Owner,
    pub annotations: BTreeMap<String, String>,
    /// What the image was resolved to.
    pub digest: Option<Digest>,
    /// The revision by its claims.
    pub revision: Option<u32>,
    pub state: ActorState,
    /// What became of its links here; empty where it has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<LinkReport>,
    /// What it imports without a link; empty until it is ready. Apart from `links`, because each of
    /// those names a target, and older readers pass over what they do not know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_links: Vec<MissingLink>,
}

/// Where an actor is in its life on one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum ActorState {
    /// Being fetched, verified, compiled or linked.
    Starting,
    Ready,
    /// Finishing what is in flight; takes nothing new.
    Draining,
    /// Could not be started; tried again unless what is wrong is the component itself.
    Failed {
        code: String,
        message: String,
    },
}

impl fmt::Display for ActorState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting => f.write_str("starting"),
            Self::Ready => f.write_str("ready"),
            Self::Draining => f.write_str("draining"),
            Self::Failed { code, message } => write!(f, "failed: {message} [{code}]"),
        }
    }
}
