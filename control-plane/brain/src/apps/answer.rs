//! What a client is told. The controller writes it in the words of wadm.

use wattle_types::{
    ActorId, AppName, AuthorKey, ComponentName, Epoch, HostId, InterfaceName, LinkName, Manifest,
    Revision, ScalerKind,
};

#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Put {
        result: PutResult,
        name: AppName,
        /// The one just stored.
        version: String,
        total_versions: usize,
        message: String,
    },
    Manifest(Box<Manifest>),
    Models {
        models: Vec<Summary>,
        /// The last of these, if there are more.
        next: Option<AppName>,
    },
    Versions {
        versions: Vec<VersionSummary>,
        /// The last of these, if there are more.
        next: Option<Revision>,
    },
    /// What should run is recorded; it will.
    Deployed {
        name: AppName,
        version: String,
        message: String,
    },
    Undeployed {
        name: AppName,
        message: String,
    },
    Deleted {
        name: AppName,
        undeployed: bool,
        message: String,
    },
    /// There was nothing to delete.
    NothingToDo(String),
    Status(Box<AppStatus>),
    /// This controller gave the lease back, which it had under this epoch.
    SteppedDown {
        epoch: Epoch,
    },
    /// What an export had and the store had not is stored.
    Restored {
        /// Values written.
        stored: usize,
        /// Values that the store has already, or that are nobody's to put back.
        passed_over: usize,
        /// What was not put back though the store lacks it, and why.
        refused: Vec<String>,
    },
    /// The host has no assignment any more, and nobody waits for it.
    Forgotten {
        host: HostId,
    },
    /// It was begun; asking again shows how far it has come.
    Underway(String),
    NotFound(String),
    /// Somebody else changed the application first; nothing was changed now.
    Conflict {
        name: AppName,
        /// The newest there is now; zero if all are deleted.
        revision: Revision,
        /// How often the application was changed.
        change: u64,
        /// Who did; none for somebody without a key.
        by: Option<AuthorKey>,
        /// When, in seconds since 1970, by the controller's clock.
        unix_s: u64,
    },
    /// The request was understood and is not possible; nothing was changed.
    Refused(String),
    /// Nothing was changed, and the same request may succeed later.
    Unavailable(String),
    /// Whether anything was changed is not known; asking shows it.
    Unknown(String),
}

impl Answer {
    /// What a conflict says to people.
    pub fn conflict_text(revision: Revision, by: Option<AuthorKey>) -> String {
        let by = by.map_or_else(|| "somebody without a key".to_owned(), |key| key.to_string());
        format!("someone changed it: revision {revision} by {by}")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutResult {
    Created,
    NewVersion,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    pub name: AppName,
    /// The newest.
    pub version: String,
    pub description: String,
    pub deployed_version: Option<String>,
    pub status: AppStatus,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionSummary {
    pub revision: Revision,
    pub version: String,
    /// Who stored it; none for somebody without a key.
    pub author: Option<AuthorKey>,
    pub deployed: bool,
    pub stored_unix_s: u64,
}

/// How an application is, from the newest plan and what hosts report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppStatus {
    pub kind: StatusKind,
    /// What is wrong and what would help; empty when all is well.
    pub message: String,
    /// The deployed version, else the newest.
    pub version: String,
    pub components: Vec<ComponentStatus>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentStatus {
    pub name: ComponentName,
    pub id: ActorId,
    pub kind: StatusKind,
    pub message: String,
    pub scaler: ScalerKind,
    /// As the manifest says; of a daemon, per host.
    pub instances: u32,
    /// Where the plan puts it, and how many are ready there.
    pub hosts: Vec<(HostId, u32)>,
    pub ready: u32,
    pub links: Vec<LinkStatus>,
}

/// How one interface of one link is: the worst of what hosts report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkStatus {
    /// Without a version.
    pub interface: InterfaceName,
    pub name: LinkName,
    pub target: ComponentName,
    pub kind: StatusKind,
    pub message: String,
}

/// In the order in which the worst is picked: that of wadm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StatusKind {
    Failed,
    Undeployed,
    /// For a host, for room: for something that is not there.
    Waiting,
    /// On its way.
    Reconciling,
    Deployed,
}
