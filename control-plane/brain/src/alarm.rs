//! What needs a person's eyes, in words.

use std::fmt;

use wattle_types::{ActorId, AppName, Epoch, HostId};

use crate::marks::Lost;

/// Raised when it begins, not for as long as it lasts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alarm {
    /// The store holds less than hosts remember: it was restored or re-created.
    StateLost {
        lease: Epoch,
        known: Epoch,
    },
    /// The store has less of an application than was seen before, or something else.
    AppLost {
        app: AppName,
        /// The change that was seen.
        seen: u64,
        /// What the store has; none if it has no head.
        found: Option<u64>,
    },
    /// A host follows an assignment that the store does not have.
    AssignmentLost {
        host: HostId,
    },
    /// A later version wrote the host's assignment; it is left alone.
    AssignmentNewer {
        host: HostId,
    },
    /// One generation with two contents.
    AssignmentForked {
        host: HostId,
    },
    /// An epoch so far ahead that nobody can have come by it honestly.
    EpochImplausible {
        host: HostId,
        epoch: Epoch,
    },
    /// Two processes beat under one id.
    Cloned {
        host: HostId,
    },
    /// A host would lose these, and nothing known says that it should.
    Withheld {
        host: HostId,
        ids: Vec<ActorId>,
    },
    /// The application's record cannot be read; what runs of it stays as it is.
    AppUnreadable {
        app: AppName,
    },
    HostLost {
        host: HostId,
    },
    /// Many fell silent at once, which is the network's doing: they are replaced slowly.
    SilenceOfMany {
        silent: usize,
        known: usize,
    },
    /// The lease asks for a newer controller.
    TooOld {
        own: String,
        wanted: String,
    },
    /// Another server answers the application API (a wadm, or another controller).
    ApiTaken,
    /// The planner broke its own promise; nothing was written.
    PlanBroken {
        message: String,
    },
    /// Something to be written exceeds what the server takes in one message.
    TooLarge,
    /// The control stream was deleted, and is made again.
    StoreGone,
    /// We are connected, and no small write of ours has succeeded for a while.
    StoreWedged,
    /// The server refuses writes, and says why.
    StoreRefuses {
        reason: String,
    },
    LeadershipLost {
        epoch: Epoch,
    },
    LeadershipTaken {
        epoch: Epoch,
    },
}

impl Alarm {
    /// Part of an ordinary day; the others want to be looked into.
    pub const fn is_ordinary(&self) -> bool {
        matches!(
            self,
            Self::LeadershipTaken { .. } | Self::LeadershipLost { .. } | Self::HostLost { .. }
        )
    }
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StateLost { lease, known } => write!(
                f,
                "state lost: the lease says epoch {lease}, but epoch {known} was seen; \
                 applications stored before may be missing"
            ),
            Self::AppLost { app, seen, found } => {
                let lost = Lost { seen: *seen, found: *found };
                write!(f, "{}; what runs of it is left as it is", lost.of(app))
            }
            Self::AssignmentLost { host } => {
                write!(f, "state lost: host {host} follows an assignment newer than the stored one")
            }
            Self::AssignmentNewer { host } => write!(
                f,
                "a later version wrote the assignment of host {host}, which is left alone; let a \
                 controller of that version lead"
            ),
            Self::AssignmentForked { host } => {
                write!(f, "host {host} follows another assignment under the stored generation")
            }
            Self::EpochImplausible { host, epoch } => {
                write!(f, "host {host} claims to have seen epoch {epoch}, which is ignored")
            }
            Self::Cloned { host } => write!(
                f,
                "two processes beat as host {host} (a copied data directory?); it is left alone"
            ),
            Self::Withheld { host, ids } => write!(
                f,
                "host {host} runs {} that no stored application explains; its assignment is not \
                 changed until one does",
                ids.iter().map(ActorId::as_str).collect::<Vec<_>>().join(", ")
            ),
            Self::AppUnreadable { app } => {
                write!(f, "application {app} cannot be read; what runs of it is left as it is")
            }
            Self::HostLost { host } => write!(
                f,
                "host {host} is lost; what it ran is replaced, at once or when its application says"
            ),
            Self::SilenceOfMany { silent, known } => write!(
                f,
                "{silent} of {known} hosts are silent at once, which looks like the network; \
                 they are replaced slowly"
            ),
            Self::TooOld { own, wanted } => {
                write!(f, "this controller is {own}, the lattice needs {wanted}; it will not lead")
            }
            Self::ApiTaken => f.write_str(
                "another server answers the application API, and this controller leaves it to that \
                 one; if it is a wadm, `wattle app import --from-wadm` brings its applications over",
            ),
            Self::PlanBroken { message } => {
                write!(f, "a plan failed its own check and was not written: {message}")
            }
            Self::TooLarge => f.write_str(
                "an assignment exceeds what the NATS server takes in one message; raise its \
                 max_payload",
            ),
            Self::StoreGone => f.write_str(
                "the control stream is gone; it is made again, empty, and what runs goes on running",
            ),
            Self::StoreWedged => write!(
                f,
                "the lattice's store has taken nothing for {} s, though NATS is connected; look \
                 at the stream's leader",
                crate::canary::WEDGED_MS / 1_000
            ),
            Self::StoreRefuses { reason } => write!(
                f,
                "the lattice's store refuses writes: {reason}; nothing can be changed until it \
                 takes them again"
            ),
            Self::LeadershipLost { epoch } => write!(f, "no longer leading (epoch {epoch})"),
            Self::LeadershipTaken { epoch } => write!(f, "leading with epoch {epoch}"),
        }
    }
}
