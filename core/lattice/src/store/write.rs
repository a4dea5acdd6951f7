//! One write on a condition, and everything that can become of it.

use async_nats::HeaderMap;
use bytes::Bytes;
use wattle_types::Key;

use super::{JetStreamError, Store, Stored};
use crate::RequestError;
use crate::bucket::{DELETED, EXPECTED, OPERATION};
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

impl Refusal {
    /// Whether the server will say the same of any write until a person repairs it.
    pub fn lasts(&self) -> bool {
        matches!(self, Self::JetStream { code, .. } if code::LASTING.contains(code))
    }
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
        Err(JetStreamError::Ask { source }) if !source.may_have_arrived() => {
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
            RequestError::Closed
            | RequestError::TimedOut { .. }
            | RequestError::Lost
            | RequestError::Invalid { .. }
            | RequestError::Unreadable { .. } => Self::NotConnected,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers of nats-server 2.15.1, word for word.
    #[test]
    fn a_lost_condition_and_a_write_in_flight_are_told_apart_though_the_server_words_them_alike() {
        let refused = |code: u64, description: &str| {
            let description = description.to_owned();
            WriteOutcome::Refused(Refusal::JetStream { code, description })
        };
        let cases = [
            (r#"{"stream":"KV_x","seq":4,"batch":"b1","count":3}"#, WriteOutcome::Ok(4)),
            (
                r#"{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 2"},"stream":"KV_x","seq":0}"#,
                WriteOutcome::Conflict,
            ),
            (
                r#"{"error":{"code":400,"err_code":10164,"description":"wrong last sequence"},"stream":"KV_x","seq":0}"#,
                WriteOutcome::InFlight,
            ),
            (
                r#"{"error":{"code":400,"err_code":10199,"description":"atomic publish batch is too large: 1000"},"stream":"KV_x","seq":0}"#,
                refused(10199, "atomic publish batch is too large: 1000"),
            ),
            (
                r#"{"error":{"code":400,"err_code":10176,"description":"atomic publish batch is incomplete"},"stream":"KV_x","seq":0}"#,
                refused(10176, "atomic publish batch is incomplete"),
            ),
            // What cannot be read may be the acknowledgement of a later version.
            ("", WriteOutcome::Unknown),
            ("{}", WriteOutcome::Unknown),
            ("\u{0}", WriteOutcome::Unknown),
        ];
        for (answer, expected) in cases {
            assert_eq!(outcome(jetstream::read(answer.as_bytes())), expected, "{answer}");
        }
    }

    #[test]
    fn a_read_back_tells_mine_from_unchanged_from_somebody_elses() {
        let stored = |bytes: &'static str, seq, deleted| {
            Some(Stored { bytes: Bytes::from_static(bytes.as_bytes()), seq, deleted })
        };
        let put = Write::put(Key::Lease, "mine", Expect::Revision(4));
        let first = Write::put(Key::Lease, "mine", Expect::Absent);
        let delete = Write::delete(Key::Lease, Expect::Revision(4));
        let cases = [
            (&put, stored("mine", 5, false), ReadBack::Mine(5)),
            (&put, stored("old", 4, false), ReadBack::Unchanged),
            // What was there before may hold the same bytes: the sequence decides.
            (&put, stored("mine", 4, false), ReadBack::Unchanged),
            (&put, stored("other", 5, false), ReadBack::Other(stored("other", 5, false))),
            (&put, None, ReadBack::Other(None)),
            (&first, None, ReadBack::Unchanged),
            (&first, stored("mine", 1, false), ReadBack::Mine(1)),
            (&delete, stored("", 5, true), ReadBack::Mine(5)),
            (&delete, stored("", 5, false), ReadBack::Other(stored("", 5, false))),
        ];
        for (write, found, expected) in cases {
            let shown = format!("{write:?} {found:?}");
            assert_eq!(ReadBack::judge(write, found), expected, "{shown}");
        }
    }
}
