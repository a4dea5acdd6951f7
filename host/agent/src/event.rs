//! What the driver tells the agent.

use std::collections::{BTreeMap, BTreeSet};

use wattle_types::{
    ActorId, Applied, ConfigName, Digest, Epoch, Exports, Generation, InterfaceName, IssuerKey,
    Key, LinkReport, Load,
};

use crate::{Command, RequestId};

/// One run of one spec of an actor on this host. A start that is tried again and a changed spec
/// are other runs, so that a late answer is never taken for an answer to something newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

/// Something happened. What comes from the lattice may come late, twice, or not at all; each
/// effect that says so is answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The lattice can be reached, for the first time or again. The driver spreads this over up
    /// to two seconds after a reconnect, so that a thousand hosts do not ask at once.
    Connected,
    /// Somebody changed our assignment; the change has this sequence in the control stream.
    Woken {
        at_least: u64,
    },
    /// Somebody changed a link of this actor; the change has this sequence in the control stream.
    LinkChanged {
        source: ActorId,
        at_least: u64,
    },
    /// Somebody changed this configuration; the change has this sequence in the control stream.
    ConfigChanged {
        name: ConfigName,
        at_least: u64,
    },
    /// Time for the regular look at our assignment, links and configuration, whatever was or was
    /// not heard.
    LookDue,
    /// The answer to [`Effect::Read`](crate::Effect::Read), for one key.
    Read {
        key: Key,
        reading: Reading,
    },
    /// The answer to [`Effect::ReadLinks`](crate::Effect::ReadLinks).
    LinksRead {
        source: ActorId,
        /// Every link of the actor: its key, its bytes and their sequence, without those that
        /// were deleted. `Err`: the store did not answer, or not to the end.
        links: Result<Vec<(Key, Vec<u8>, u64)>, ()>,
        /// The last sequence of the stream that the replica had when it answered.
        up_to: u64,
    },
    /// What became of the links of an actor that runs here, judged when its links or the table
    /// of who serves what changed.
    LinksJudged {
        id: ActorId,
        reports: Vec<LinkReport>,
    },
    /// Somebody tells this host what to do. Answered by one
    /// [`Effect::Answer`](crate::Effect::Answer).
    Commanded {
        request: RequestId,
        command: Command,
    },
    /// The answer to [`Effect::ReadOwner`](crate::Effect::ReadOwner).
    OwnerRead {
        id: ActorId,
        reading: OwnerReading,
        /// Now by this machine's clock, in seconds since 1970.
        unix_s: u64,
    },
    /// The answer to [`Effect::WriteOwner`](crate::Effect::WriteOwner). Not `stored`: nobody
    /// knows, or it is not.
    OwnerWritten {
        id: ActorId,
        stored: bool,
    },
    /// What was started by hand is on disk as it was handed over, also after a power cut.
    ManualStored {
        number: u64,
    },
    /// It is not; what the disk has is unknown.
    ManualStoreFailed {
        number: u64,
        message: String,
    },
    /// The leader said, under its signature, which epoch it leads.
    LeaderHeard {
        sealed: Vec<u8>,
    },
    /// The closure with this generation is on disk, also after a power cut.
    Stored {
        generation: Generation,
    },
    /// It is not; nothing of it may be assumed to be on disk.
    StoreFailed {
        generation: Generation,
        message: String,
    },
    /// The run's component was fetched, verified, compiled and linked: it can take calls.
    Started {
        run: RunId,
        component: Component,
    },
    StartFailed {
        run: RunId,
        failure: Failure,
    },
    /// Nothing of the run is left.
    Stopped {
        run: RunId,
    },
    /// Time for a beat. The driver draws the period (±10 %) and knows load and server.
    BeatDue {
        period_ms: u32,
        load: Load,
        server: String,
    },
    /// Time to repeat the number of our last announcement, for those who missed it.
    AnnounceDue,
    /// A time the agent asked for by [`Agent::due`](crate::Agent::due) has come.
    Tick,
    /// Leave: take nothing new, finish what is in flight, stop.
    Drain,
}

/// What reading a key of the control stream brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    Value {
        bytes: Vec<u8>,
        seq: u64,
    },
    /// No message, or a marker of deletion, purge or expiry.
    Nothing,
    /// The store did not answer.
    Failed,
}

/// What the store's leader has under the key of an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnerReading {
    Record {
        bytes: Vec<u8>,
        seq: u64,
    },
    /// No record; `seq` is the sequence of the marker of its deletion, 0 if there never was one.
    Free {
        seq: u64,
    },
    /// The store did not answer.
    Failed,
}

/// What a component turned out to be once it was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    pub digest: Digest,
    pub issuer: IssuerKey,
    /// Name and revision by its claims.
    pub name: Option<String>,
    pub revision: Option<u32>,
    /// What others may call.
    pub exports: Exports,
    /// What it calls and its host does not provide: links must lead to whoever does.
    pub imports: BTreeSet<InterfaceName>,
}

/// Why a run could not be started, for people (`message`) and for programs (`code`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub code: String,
    pub message: String,
}

/// What was on disk when the host started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// The highest epoch ever seen.
    pub epoch_max: Epoch,
    /// The assignment last acknowledged. Kept apart from the closure, which may have become
    /// unreadable or untrusted: older assignments are refused even then.
    pub applied: Option<Applied>,
    /// The acknowledged assignment as it was signed.
    pub sealed: Option<Vec<u8>>,
    /// Specs, id records, links and configuration it refers to.
    pub values: BTreeMap<Key, Vec<u8>>,
    /// What was started by hand, as it was stored.
    pub manual: Option<Vec<u8>>,
}
