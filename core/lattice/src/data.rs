//! The data stream: what actors store, apart from what the control plane knows.
//!
//! Keys are `<scope>.<store>.<encoded key>`: whose store, which one, and the key in the encoding
//! all back-ends share. Reads go to the stream's leader, since an actor must read what it wrote.
//! A deletion leaves nothing behind: nobody follows this stream, and a listing is exact.

use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use wattle_types::{LatticeId, StoreName, Token};

use crate::bucket::{Bucket, EXPECTED, EnsureError, Stored};
use crate::jetstream::{self, JetStreamError};
use crate::store::{Expect, WriteOutcome};
use crate::{Connection, connection};

/// How the data stream is kept, and how long one step with it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataConfig {
    /// As for the control stream; only for creating it.
    pub replicas: u8,
    pub within: Duration,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self { replicas: 1, within: Duration::from_secs(5) }
    }
}

/// Why an operation on the data stream has no result.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    #[error("{what} {text:?} is not {expected}")]
    Malformed { what: &'static str, text: String, expected: &'static str },
    /// It was not carried out.
    #[error("the data stream did not do it")]
    Failed { source: JetStreamError },
    /// It may have been carried out, or may be yet.
    #[error("the data stream did not answer in time")]
    Unknown { source: JetStreamError },
}

/// The data stream of one lattice. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DataStore {
    bucket: Bucket,
    config: DataConfig,
}

/// One store in it: what an actor opens.
#[derive(Clone, Debug)]
pub struct DataBucket {
    bucket: Bucket,
    prefix: String,
    within: Duration,
}

impl DataStore {
    /// Of the connection's lattice. Costs nothing; [`DataStore::ensure`] makes the stream.
    pub fn new(connection: Connection, config: DataConfig) -> Self {
        let name = Self::bucket_name(connection.lattice());
        Self { bucket: Bucket::new(connection, name), config }
    }

    /// The name as NATS tools show it, without `KV_`.
    pub fn bucket_name(lattice: &LatticeId) -> String {
        format!("wattle-data-{lattice}")
    }

    /// Creates the stream if it is not there; refuses one with other settings.
    pub async fn ensure(&self) -> Result<(), EnsureError> {
        self.bucket.ensure(self.config.replicas, false, self.config.within.max(ENSURE_WITHIN)).await
    }

    /// Opens a store, without asking anybody: one that was never written is empty.
    ///
    /// `scope` says whose it is, as letters, digits, `-` and `_`.
    pub fn open(&self, scope: &str, store: &StoreName) -> Result<DataBucket, DataError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let well_formed =
            !scope.is_empty() && scope.len() <= SCOPE_LEN_MAX && scope.bytes().all(allowed);
        if !well_formed {
            return Err(DataError::Malformed {
                what: "scope",
                text: scope.to_owned(),
                expected: "letters, digits, `-` and `_`",
            });
        }
        let prefix = format!("{scope}.{store}");
        Ok(DataBucket { bucket: self.bucket.clone(), prefix, within: self.config.within })
    }
}

const ENSURE_WITHIN: Duration = Duration::from_secs(10);

/// A name and what kind of thing bears it.
const SCOPE_LEN_MAX: usize = Token::LEN_MAX + 16;

impl DataBucket {
    /// The value of a key, and the sequence a condition names.
    pub async fn get(&self, key: &str) -> Result<Option<Stored>, DataError> {
        let key = self.key(key)?;
        let stored = self.bucket.read_leader(&key, self.within).await.map_err(DataError::from)?;
        // A marker is not ours: somebody deleted the key with other tools. The key is gone.
        Ok(stored)
    }

    /// Stores a value, whatever was there.
    pub async fn put(&self, key: &str, value: Bytes) -> Result<u64, DataError> {
        let headers = connection::outgoing_headers();
        Ok(self.publish(&self.key(key)?, headers, value).await?.seq)
    }

    /// Stores a value on a condition.
    pub async fn put_if(
        &self,
        key: &str,
        value: Bytes,
        expect: Expect,
    ) -> Result<WriteOutcome, DataError> {
        let mut headers = connection::outgoing_headers();
        headers.insert(EXPECTED, expect.sequence().to_string().as_str());
        let subject = self.bucket.subject(&self.key(key)?);
        let connection = self.bucket.connection();
        let stored = jetstream::publish(connection, subject, headers, value, self.within).await;
        Ok(crate::store::outcome(stored))
    }

    /// Removes a key. What is not there is removed already.
    pub async fn delete(&self, key: &str) -> Result<(), DataError> {
        let key = self.key(key)?;
        self.bucket.purge(&key, self.within).await.map_err(DataError::from)
    }

    /// All keys, encoded, in order.
    pub async fn keys(&self) -> Result<Vec<String>, DataError> {
        let filter = format!("{}.*", self.prefix);
        let keys = self.bucket.keys(&filter, self.within).await.map_err(DataError::from)?;
        let own = |key: &str| Some(key.strip_prefix(&self.prefix)?.strip_prefix('.')?.to_owned());
        Ok(keys.iter().filter_map(|key| own(key)).collect())
    }

    async fn publish(
        &self,
        key: &str,
        headers: HeaderMap,
        value: Bytes,
    ) -> Result<jetstream::Ack, DataError> {
        let subject = self.bucket.subject(key);
        let connection = self.bucket.connection();
        let stored = jetstream::publish(connection, subject, headers, value, self.within);
        stored.await.map_err(DataError::from)
    }

    /// The full key, or why this text cannot be one.
    fn key(&self, encoded: &str) -> Result<String, DataError> {
        let allowed =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/' | b'=');
        if encoded.is_empty() || !encoded.bytes().all(allowed) {
            return Err(DataError::Malformed {
                what: "key",
                text: encoded.to_owned(),
                expected: "an encoded key",
            });
        }
        Ok(format!("{}.{encoded}", self.prefix))
    }
}

impl From<JetStreamError> for DataError {
    fn from(source: JetStreamError) -> Self {
        match &source {
            JetStreamError::Ask { source: lost } if lost.may_have_arrived() => {
                Self::Unknown { source }
            }
            JetStreamError::Answer { .. } => Self::Unknown { source },
            _ => Self::Failed { source },
        }
    }
}
