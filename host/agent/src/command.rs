//! What one host can be told by hand, and why it does not do it.

use std::collections::BTreeMap;

use wattle_types::{ActorId, ActorSpec, AppName, Life};

/// Tells the answers to commands apart; the driver's own number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Something to be done on this host only. Everything that it says again is as good as said once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Start(Start),
    /// So many instances of what was started by hand; none stops it.
    Scale {
        id: ActorId,
        count: u32,
    },
    /// Nothing is started by hand under this id any more.
    Stop {
        id: ActorId,
        /// What the client says that it stops. Its event says so too, if nothing ran.
        image: Option<String>,
        /// What the event of the end carries.
        annotations: BTreeMap<String, String>,
    },
    /// Another component for what was started by hand; it serves as soon as it is ready, and the
    /// one before it until then.
    Update {
        id: ActorId,
        image: String,
        /// None: those that it has.
        annotations: Option<BTreeMap<String, String>>,
    },
}

/// Run this, whether something runs under its id or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// Of no application.
    pub spec: Box<ActorSpec>,
    /// How many instances; none stops it.
    pub count: u32,
    pub life: Life,
    pub annotations: BTreeMap<String, String>,
    /// If something else runs under the id, this takes its place. Otherwise only its number of
    /// instances is changed, and the answer says so.
    pub replace: bool,
}

impl Command {
    pub fn id(&self) -> &ActorId {
        match self {
            Self::Start(start) => &start.spec.id,
            Self::Scale { id, .. } | Self::Stop { id, .. } | Self::Update { id, .. } => id,
        }
    }
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is durable, and under way. Mostly there is nothing to say about it.
    Done { message: String },
    /// Nothing was done.
    Denied(Denial),
}

/// Why a command is not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    #[error(
        "{id} belongs to application {app}; change its manifest, and use `wattle app deploy {app}`"
    )]
    OfApplication { id: ActorId, app: AppName },
    #[error("nothing was started by hand as {id} on this host")]
    Unknown { id: ActorId },
    #[error("who owns {id} is not readable; bring host and controller to one version")]
    Unreadable { id: ActorId },
    #[error("the lattice cannot be reached, and this host does not know who owns {id}")]
    OutOfReach { id: ActorId },
    #[error("too many others change who owns {id} at the same time; try again")]
    Contended { id: ActorId },
    #[error("this host could not store it: {reason}")]
    NotStored { reason: String },
    #[error("this host works on {waiting} commands already; try again")]
    Busy { waiting: usize },
    #[error("this host is leaving; use another one")]
    Leaving,
}
