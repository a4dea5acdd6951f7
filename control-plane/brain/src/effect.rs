//! What the brain wants done, in the order given.

use wattle_types::{ActorId, ConfigName, Epoch, HostId, Key, Token};

use crate::alarm::Alarm;
use crate::apps::Answer;
use crate::event::{OpId, RequestId};

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
