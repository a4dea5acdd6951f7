//! What the brain wants done, in the order given.

use std::fmt;

use wattle_types::{ActorId, AppName, ConfigName, Epoch, HostId, Key, Token};

use crate::apps::Answer;
use crate::event::{OpId, RequestId};
use crate::marks::Lost;

/// What an answer was given from, for whoever asks on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Of the store: whoever names it when asking again is told nothing older.
    pub sequence: u64,
    /// How many changes the application had that was asked about, with the one just made.
    pub change: Option<u64>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Read the lease from the stream's leader. Answered by `LeaseRead`.
    ReadLease {
        op: OpId,
    },
    /// Write all of it or nothing. Answered by `Committed`; with many messages a batch takes
    /// longer, but an answer after [`lease::VALID_MS`](crate::lease::VALID_MS) is of no use.
    Commit {
        op: OpId,
        writes: Vec<Write>,
    },
    /// Write one value outside of any batch, which only the canary is. Answered by `Written`.
    Write {
        op: OpId,
        write: Write,
    },
    /// Make the control stream if it is not there, and follow it anew from its beginning, which
    /// begins with `FollowReset`. Not answered: the next reading of the lease shows it.
    MakeStore,
    /// Add this to the export on disk: what people wrote, as the store has it now. Not answered.
    Keep {
        entries: Vec<Kept>,
    },
    /// Keep the highest epoch on disk, before anything after this effect is done. Not answered.
    RememberEpoch {
        epoch: Epoch,
    },
    /// Ask the host for any sign of life; an answer within 250 ms counts.
    Probe {
        host: HostId,
    },
    AskInventory {
        host: HostId,
    },
    /// Tell the host that its assignment has this sequence now.
    Wake {
        host: HostId,
        at_least: u64,
    },
    /// Tell the hosts that run this actor that its links have changed; the change has this
    /// sequence. Like [`Effect::Wake`], it is no harm if it is lost.
    TellLinks {
        source: ActorId,
        at_least: u64,
    },
    /// Tell all hosts that this configuration has changed; the change has this sequence.
    TellConfig {
        name: ConfigName,
        at_least: u64,
    },
    /// Say to everyone, signed, who leads.
    Announce {
        epoch: Epoch,
    },
    /// Ask whoever serves the application API something, once. Answered by `ServedBy`, within a
    /// second.
    AskWhoServes,
    /// Answer the application API, or cease to.
    Serve {
        yes: bool,
    },
    Reply {
        request: RequestId,
        answer: Box<Answer>,
        seen: Seen,
    },
    /// Hand this request on as it came, to the controller of this name, if it is the process of
    /// this boot. Answered by `Forwarded`, within so many milliseconds.
    Forward {
        request: RequestId,
        to: Token,
        boot: u64,
        within_ms: u64,
    },
    /// Answer this request with what came of handing it on.
    PassOn {
        request: RequestId,
    },
    /// Something a person should know.
    Raise(Alarm),
    /// The lease was given back, or was not ours: nothing more will come.
    Stopped,
}

/// One message of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    pub key: Key,
    pub payload: Payload,
    pub expect: Expect,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    Plain(Vec<u8>),
    /// An assignment, to be signed as these bytes with the controller's key.
    Assignment(Vec<u8>),
    /// The head of an application, to be signed likewise.
    Head(Vec<u8>),
    /// A marker of deletion.
    Gone,
}

/// A value of the store as an export has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub key: Key,
    /// The sequence it had, for people.
    pub seq: u64,
    /// Without its signature; none when it was deleted.
    pub bytes: Option<Vec<u8>>,
}

/// What the key must hold for the write to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// No message at all, not even a marker.
    Absent,
    /// The message with this sequence, whatever it is.
    Seq(u64),
}

impl Expect {
    pub(crate) fn of(seq: Option<u64>) -> Self {
        seq.map_or(Self::Absent, Self::Seq)
    }
}

/// What needs a person's eyes. Raised when it begins, not for as long as it lasts.
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
