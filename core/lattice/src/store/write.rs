//! One write on a condition, and everything that can become of it.

use async_nats::HeaderMap;
use bytes::Bytes;
use wattle_types::Key;

use super::{JetStreamError, Store, Stored};
use crate::RequestError;
use crate::bucket::{DELETED, EXPECTED, OPERATION, was_not_sent};
use crate::jetstream::{self, code};

/// What must be stored for a write to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Nothing was ever stored there.
    Absent,
    /// The newest, value or marker, has this sequence.
    Revision(u64),
}

impl Expect {
    /// The condition under which what was read is still there.
    pub fn unchanged(read: Option<&Stored>) -> Self {
        read.map_or(Self::Absent, |stored| Self::Revision(stored.seq))
    }

    pub(crate) fn sequence(self) -> u64 {
        match self {
            Self::Absent => 0,
            Self::Revision(seq) => seq,
        }
    }
}

/// A value for a key, or its deletion, on a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    pub key: Key,
    /// None deletes: a marker is stored, which followers see.
    pub value: Option<Bytes>,
    pub expect: Expect,
}

impl Write {
    pub fn put(key: Key, value: impl Into<Bytes>, expect: Expect) -> Self {
        Self { key, value: Some(value.into()), expect }
    }

    pub fn delete(key: Key, expect: Expect) -> Self {
        Self { key, value: None, expect }
    }

    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = crate::connection::outgoing_headers();
        headers.insert(EXPECTED, self.expect.sequence().to_string().as_str());
        if self.value.is_none() {
            headers.insert(OPERATION, DELETED);
        }
        headers
    }

    pub(super) fn payload(&self) -> Bytes {
        self.value.clone().unwrap_or_default()
    }
}

/// What became of a write or a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    /// Stored; the sequence of the write, of a batch that of its last.
    Ok(u64),
    /// Not stored: a condition does not hold. Read again before deciding again.
    Conflict,
    /// Not stored: another write to the key is being decided. Nothing is lost; try again.
    InFlight,
    /// Perhaps stored, now or later. Read back; repeat on the same condition only.
    Unknown,
    /// Not stored, and not because of a condition.
    Refused(Refusal),
}

/// Why a write was certainly not stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("not connected to NATS")]
    NotConnected,
    /// No such stream, or it has no leader just now.
    #[error("nobody takes writes to the control stream")]
    NoResponders,
    #[error("a message of {len} bytes exceeds the server's limit of {max} bytes")]
    TooLarge { len: usize, max: usize },
    #[error("a batch of {len} writes exceeds the limit of {max}")]
    TooMany { len: usize, max: usize },
    #[error("an empty batch")]
    Empty,
    #[error("a batch must begin with the renewal of the lease")]
    LeaseNotFirst,
    #[error("a batch writes {0} twice")]
    Twice(Key),
    #[error("JetStream refused: {description} (code {code})")]
    JetStream { code: u64, description: String },
}

/// What the leader has stored in place of a write with an unknown outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadBack {
    /// Our own value: the write happened.
    Mine(u64),
    /// What was there before: not (yet) stored. It may be repeated on the same condition; should
    /// the first one arrive after all, the second is a conflict and is read back in turn.
    Unchanged,
    /// Something else: another writer was first.
    Other(Option<Stored>),
}

impl ReadBack {
    /// Compares what is stored with what was to be written.
    pub fn judge(write: &Write, found: Option<Stored>) -> Self {
        match found {
            Some(stored)
                if stored.seq != write.expect.sequence()
                    && stored.value() == write.value.as_ref() =>
            {
                Self::Mine(stored.seq)
            }
            found if Expect::unchanged(found.as_ref()) == write.expect => Self::Unchanged,
            found => Self::Other(found),
        }
    }
}

impl Store {
    /// Stores one value, or a deletion, if its condition holds.
    pub async fn write(&self, write: &Write) -> WriteOutcome {
        let subject = self.bucket.subject(&write.key.to_string());
        let within = self.config.write_within;
        let connection = self.bucket.connection();
        let (headers, payload) = (write.headers(), write.payload());
        let stored = jetstream::publish(connection, subject, headers, payload, within).await;
        outcome(stored)
    }

    /// Asks the stream's leader what became of a write with an unknown outcome.
    ///
    /// Two writers that write the same bytes on the same condition cannot be told apart; values
    /// that are contended (the lease) carry their holder and a counter for that reason.
    pub async fn read_back(&self, write: &Write) -> Result<ReadBack, JetStreamError> {
        Ok(ReadBack::judge(write, self.read_leader(&write.key).await?))
    }
}

pub(crate) fn outcome(stored: Result<jetstream::Ack, JetStreamError>) -> WriteOutcome {
    match stored {
        Ok(ack) => WriteOutcome::Ok(ack.seq),
        Err(JetStreamError::Refused { code: code::WRONG_LAST_SEQUENCE, .. }) => {
            WriteOutcome::Conflict
        }
        Err(JetStreamError::Refused { code: code::CONFLICT_IN_FLIGHT, .. }) => {
            WriteOutcome::InFlight
        }
        Err(JetStreamError::Refused { code, description }) => {
            WriteOutcome::Refused(Refusal::JetStream { code, description })
        }
        Err(JetStreamError::Ask { source }) if was_not_sent(&source) => {
            WriteOutcome::Refused(source.into())
        }
        // No answer, or one that cannot be read: either way it may be stored.
        Err(_) => WriteOutcome::Unknown,
    }
}

impl From<RequestError> for Refusal {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::NoResponders => Self::NoResponders,
            RequestError::TooLarge { len, max } => Self::TooLarge { len, max },
            RequestError::Closed | RequestError::TimedOut { .. } => Self::NotConnected,
        }
    }
}
