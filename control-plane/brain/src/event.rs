//! What the driver tells the brain. Everything may come late, twice, or not at all.

use wattle_types::{AuthorKey, Beat, HostId, Inventory, Key};

use crate::apps::{Base, Command};

/// Names one thing that was asked of the driver, so that its result finds back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId(pub u64);

/// Names one request of a client; chosen by the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Time passed. Ten times a second; `random` is where all randomness comes from.
    Tick {
        random: u64,
    },
    /// The link to NATS is there, for the first time or again.
    Connected,
    Disconnected,
    /// The follower of the control stream begins anew: what was known of the store is void.
    FollowReset,
    /// A message of the control stream.
    Followed {
        key: Key,
        seq: u64,
        content: Content,
    },
    /// Everything up to this sequence has been followed.
    FollowedAll {
        seq: u64,
    },
    /// The answer to [`Effect::ReadLease`](crate::Effect::ReadLease).
    LeaseRead {
        op: OpId,
        reading: LeaseReading,
    },
    /// The answer to [`Effect::Commit`](crate::Effect::Commit).
    Committed {
        op: OpId,
        wrote: Wrote,
    },
    /// The answer to [`Effect::Write`](crate::Effect::Write).
    Written {
        op: OpId,
        wrote: Wrote,
    },
    Beat(Beat),
    /// The answer to [`Effect::AskInventory`](crate::Effect::AskInventory); none in time is none.
    Inventoried {
        host: HostId,
        inventory: Option<Box<Inventory>>,
    },
    /// The answer to [`Effect::Probe`](crate::Effect::Probe).
    Probed {
        host: HostId,
        reply: ProbeReply,
    },
    /// The answer to [`Effect::AskWhoServes`](crate::Effect::AskWhoServes).
    ServedBy {
        who: Server,
    },
    /// A client wants something.
    Requested {
        request: RequestId,
        command: Command,
        terms: Terms,
        at: Stamp,
    },
    /// What came of [`Effect::Forward`](crate::Effect::Forward).
    Forwarded {
        request: RequestId,
        outcome: Forwarded,
    },
    /// Leave: give the lease back, so that another takes over at once.
    Stop,
}

/// What a request says of how it is to be answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// What the asker had seen when it decided to ask; none if it does not say.
    pub base: Option<Base>,
    /// The answer must know the store up to this sequence; zero is any.
    pub at_least: u64,
    /// Another controller handed it on, because this one led: it is not handed on again.
    pub is_forwarded: bool,
}

/// Who answered when it was asked who serves the application API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// The server says that nobody listens there.
    Nobody,
    /// One of our controllers, this one perhaps.
    Ours,
    /// Somebody else, such as a wadm.
    Another,
    /// Somebody listens, and did not answer in time.
    Silent,
    /// The question was not sent, or its answer lost with the connection.
    NotAsked,
}

/// What became of a request that was handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarded {
    /// There is an answer, for [`Effect::PassOn`](crate::Effect::PassOn).
    Answered,
    /// Nobody listens there: it has not arrived.
    Nobody,
    /// It may have arrived, and nothing came in time.
    Silent,
}

/// Time of day, randomness and author for what a request writes. They are only ever stored for
/// people to read; nothing is decided by them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    pub unix_ms: u64,
    pub random: u128,
    /// Whose signature the request had; none for one without.
    pub by: Option<AuthorKey>,
}

/// The value of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The bytes; for what is signed, those inside a signature that was verified.
    Value(Vec<u8>),
    /// The bytes of what should be signed and is not: heads were not, once.
    Unsigned(Vec<u8>),
    /// A marker of deletion, purge or expiry.
    Gone,
    /// Signed by nobody we trust, or not readable at all.
    Unreadable,
}

/// What the leader of the stream (never a replica) says of the key `lease`.
#[derive(Clone, Debug, PartialEq)]
pub enum LeaseReading {
    Found {
        seq: u64,
        bytes: Vec<u8>,
    },
    /// The key was never written, or is gone.
    Absent,
    /// There is no such stream.
    NoStream,
    Failed,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrote {
    /// All of it is stored; its last message has this sequence, and those before it the ones
    /// before that.
    Ok { last_seq: u64 },
    /// At least one message expected another sequence. Nothing is stored.
    Conflict,
    /// Another conditional write was in flight: try again. Nothing is stored.
    InFlight,
    /// Nobody takes writes: the stream is gone, or has no leader just now. Nothing is stored.
    Nobody,
    /// Stored or not, now or later.
    Unknown,
    /// The server refuses writes for a reason that lasts, such as a full disk. Nothing is stored.
    Refused { reason: String },
    /// The server takes no message of this size, now or later. Nothing is stored.
    TooLarge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeReply {
    Answered,
    /// The server says that nobody listens there.
    NoResponders,
    /// Nothing came, which says little: a busy host, a slow link, a dead machine.
    TimedOut,
}
