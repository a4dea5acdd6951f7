//! What the agent wants done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wattle_types::{
    ActorId, ActorSpec, Applied, Beat, Digest, Epoch, Generation, Inventory, Key, LinkTable,
    ManualSet, ServeDelta, SpecHash,
};

use crate::{Answer, Component, Refusal, RequestId, RunId};

/// To be done by the driver, in the order given.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Read these keys of the control stream, by direct get. Each is answered by an
    /// [`Event::Read`](crate::Event::Read) of its own.
    Read {
        keys: BTreeSet<Key>,
    },
    /// Read all links of this actor, by direct get. Answered by one
    /// [`Event::LinksRead`](crate::Event::LinksRead).
    ReadLinks {
        source: ActorId,
    },
    /// Keep the highest epoch seen on disk. Not answered.
    StoreEpoch {
        epoch: Epoch,
    },
    /// Replace the closure on disk, all or nothing. Answered by `Stored` or `StoreFailed`.
    StoreClosure(Closure),
    /// Fetch, verify, compile and link; answered by `Started` or `StartFailed`.
    Start {
        run: RunId,
        id: ActorId,
        hash: SpecHash,
        spec: Arc<ActorSpec>,
        count: u32,
    },
    /// From now on this run calls through these links and has this configuration: what it was
    /// started with plays no part any more. Comes before the run's first `Serve`, and whenever
    /// something of it changed. Not answered.
    Bind {
        id: ActorId,
        run: RunId,
        /// All runs of an actor have the same.
        links: Arc<LinkTable>,
        /// What the run's spec says, over the named configuration that it refers to.
        config: Arc<BTreeMap<String, String>>,
    },
    /// From now on calls of this actor go to this run, with so many instances. Not answered.
    Serve {
        id: ActorId,
        run: RunId,
        count: u32,
    },
    /// What was started by hand belongs to an application from now on, and goes on running: this
    /// is its spec now, which stands for the same component. Not answered.
    Adopt {
        id: ActorId,
        run: RunId,
        hash: SpecHash,
        spec: Arc<ActorSpec>,
        digest: Digest,
    },
    /// Give the run nothing new, let it finish what is in flight but no longer than `grace_ms`,
    /// and drop it; a start under way is given up. Answered by `Stopped`.
    Stop {
        run: RunId,
        grace_ms: u64,
    },
    /// Read who owns this id, from the store's leader. Answered by one
    /// [`Event::OwnerRead`](crate::Event::OwnerRead).
    ReadOwner {
        id: ActorId,
    },
    /// Write who owns this id, if nothing was stored there after the sequence `expect`, where 0 is
    /// that nothing ever was. Answered by one
    /// [`Event::OwnerWritten`](crate::Event::OwnerWritten).
    WriteOwner {
        id: ActorId,
        /// None deletes.
        record: Option<Vec<u8>>,
        expect: u64,
    },
    /// Replace what is on disk of what was started by hand. Answered by `ManualStored` or
    /// `ManualStoreFailed`.
    StoreManual {
        number: u64,
        set: Arc<ManualSet>,
    },
    /// Tell whoever gave the command.
    Answer {
        request: RequestId,
        answer: Answer,
    },
    Beat(Beat),
    /// Tell the lattice what this host serves; the host's own table takes it too.
    Announce(ServeDelta),
    /// Tell listeners of events.
    Emit(Happening),
    /// Something from outside was not obeyed. Already counted; to be logged.
    Refused(Refusal),
    /// The host has left: flush and end.
    Leave,
}

/// What must be on disk before a generation is acknowledged: with it alone the host restarts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closure {
    pub generation: Generation,
    pub applied: Applied,
    pub epoch_max: Epoch,
    /// The assignment as it was signed, to be verified again at the next start.
    pub sealed: Vec<u8>,
    /// What is not on disk yet.
    pub values: BTreeMap<Key, Vec<u8>>,
    /// Every value the closure needs; others may go.
    pub keep: BTreeSet<Key>,
}

/// What listeners of events are told (`PROTOCOL.md` 2.6 has the words).
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    HostStarted,
    HostStopped,
    Heartbeat(Box<Inventory>),
    Scaled(Scaled),
    ScaleFailed { of: Scaled, error: String },
}

/// An actor has so many instances on this host now; none means it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scaled {
    pub id: ActorId,
    pub image: String,
    pub count: u32,
    pub annotations: BTreeMap<String, String>,
    pub component: Option<Component>,
}
