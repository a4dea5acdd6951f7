//! `wasi:keyvalue` in the lattice's own NATS: every host sees the same stores.
//!
//! *Expected flow*: the host makes one [`NatsStores`] per connection and has the data stream
//! ensured; each guest's store is a prefix in that stream. *Guarantees*: reads go to the stream's
//! leader, so an actor reads what it wrote, from any host; `increment` is a compare-and-set that
//! is tried again until it holds. *Assumptions*: the layers of `wattle-capability` keep sizes and
//! deadlines. *Caveats*: a listing reads the names of all keys of the store; counting on one key
//! from many hosts is as fast as one round trip after the other. *Errors*: what a guest is told
//! names no subject, stream or server; those are in the host's log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use wattle_capability::keyvalue::incremented;
use wattle_capability::{Bucket, KeyPage, KeyValue, KvError, StoreScope, key};
use wattle_lattice::data::{DataBucket, DataError};
use wattle_lattice::{DataStore, Expect, Refusal, WriteOutcome};
use wattle_tasks::{Backoff, Chain};
use wattle_types::StoreName;

/// Operations of one batch that are under way at once: enough to hide the round trip, few enough
/// that one batch does not crowd out other actors.
const BATCH_AT_ONCE: usize = 8;

/// Between two attempts of an increment that lost against another one.
const CONTENTION_PAUSE_MIN: Duration = Duration::from_millis(1);
const CONTENTION_PAUSE_MAX: Duration = Duration::from_millis(32);

/// All stores of one lattice.
#[derive(Clone, Debug)]
pub struct NatsStores {
    data: DataStore,
}

impl NatsStores {
    /// Asks nobody. The stream is made by [`DataStore::ensure`], by whoever is connected first;
    /// without it every operation fails, and is told so.
    pub fn new(data: DataStore) -> Self {
        Self { data }
    }
}

#[async_trait]
impl KeyValue for NatsStores {
    async fn open(
        &self,
        scope: &StoreScope,
        store: &StoreName,
    ) -> Result<Arc<dyn Bucket>, KvError> {
        let bucket = self.data.open(&scope.to_string(), store).map_err(|error| told(&error))?;
        Ok(Arc::new(NatsBucket { bucket }))
    }
}

/// One store.
#[derive(Debug)]
struct NatsBucket {
    bucket: DataBucket,
}

#[async_trait]
impl Bucket for NatsBucket {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, KvError> {
        let stored = self.bucket.get(&key::encode(key)).await.map_err(|error| told(&error))?;
        Ok(stored.and_then(|stored| stored.value().cloned()))
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<(), KvError> {
        self.bucket.put(&key::encode(key), value).await.map(drop).map_err(|error| told(&error))
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        self.bucket.delete(&key::encode(key)).await.map_err(|error| told(&error))
    }

    async fn exists(&self, key: &str) -> Result<bool, KvError> {
        Ok(self.get(key).await?.is_some())
    }

    async fn list_keys(&self, cursor: Option<u64>) -> Result<KeyPage, KvError> {
        let keys = self.bucket.keys().await.map_err(|error| told(&error))?;
        // What does not decode was written with other tools: no key of a guest.
        let own = keys.iter().filter_map(|encoded| key::decode(encoded).ok());
        Ok(KeyPage::of(own, cursor))
    }

    /// Ends when it holds, or with the deadline of the layer above, which drops it: each attempt
    /// is stored or not, so there is nothing to undo.
    async fn increment(&self, key: &str, delta: u64) -> Result<u64, KvError> {
        let encoded = key::encode(key);
        let mut pauses = Backoff::new(CONTENTION_PAUSE_MIN, CONTENTION_PAUSE_MAX);
        loop {
            let stored = self.bucket.get(&encoded).await.map_err(|error| told(&error))?;
            let value = stored.as_ref().and_then(|stored| stored.value());
            let sum = incremented(value.map(AsRef::as_ref), delta)?;
            let expect = Expect::unchanged(stored.as_ref());
            let written = self.bucket.put_if(&encoded, sum.to_string().into(), expect).await;
            match written.map_err(|error| told(&error))? {
                WriteOutcome::Ok(_) => return Ok(sum),
                // Somebody else counted, or is about to. With a pause, so that many who count
                // at once do not all read and lose again together.
                WriteOutcome::Conflict | WriteOutcome::InFlight => {
                    tokio::time::sleep(pauses.pause()).await;
                }
                // Counting again could count twice, and reading back cannot tell our sum from
                // the same sum of somebody else.
                WriteOutcome::Unknown => return Err(KvError::Timeout),
                WriteOutcome::Refused(refusal) => return Err(refused(&refusal)),
            }
        }
    }

    /// Ends when it is known, as an increment does.
    async fn swap(
        &self,
        key: &str,
        expected: Option<&Bytes>,
        value: Bytes,
    ) -> Result<bool, KvError> {
        let encoded = key::encode(key);
        let mut pauses = Backoff::new(CONTENTION_PAUSE_MIN, CONTENTION_PAUSE_MAX);
        loop {
            let stored = self.bucket.get(&encoded).await.map_err(|error| told(&error))?;
            if stored.as_ref().and_then(|stored| stored.value()) != expected {
                return Ok(false);
            }
            let expect = Expect::unchanged(stored.as_ref());
            let written = self.bucket.put_if(&encoded, value.clone(), expect).await;
            match written.map_err(|error| told(&error))? {
                WriteOutcome::Ok(_) => return Ok(true),
                // Somebody else wrote, or is about to; perhaps the same value.
                WriteOutcome::Conflict | WriteOutcome::InFlight => {
                    tokio::time::sleep(pauses.pause()).await;
                }
                WriteOutcome::Unknown => return Err(KvError::Timeout),
                WriteOutcome::Refused(refusal) => return Err(refused(&refusal)),
            }
        }
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>, KvError> {
        let gets: Vec<_> = keys.iter().map(|key| self.get(key)).collect();
        stream::iter(gets).buffered(BATCH_AT_ONCE).try_collect().await
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>) -> Result<(), KvError> {
        // Of a key that is there twice the later one wins, whatever the order on the wire.
        let last: BTreeMap<String, Bytes> = entries.into_iter().collect();
        let sets: Vec<_> = last.iter().map(|(key, value)| self.set(key, value.clone())).collect();
        stream::iter(sets).buffer_unordered(BATCH_AT_ONCE).try_collect().await
    }

    async fn delete_many(&self, keys: &[String]) -> Result<(), KvError> {
        let deletes: Vec<_> = keys.iter().map(|key| self.delete(key)).collect();
        stream::iter(deletes).buffer_unordered(BATCH_AT_ONCE).try_collect().await
    }
}

/// What a guest is told; the log has the rest.
fn told(error: &DataError) -> KvError {
    match error {
        DataError::Unknown { .. } => KvError::Timeout,
        DataError::Malformed { .. } | DataError::Failed { .. } => {
            tracing::warn!(error = %Chain(error), "key-value operation failed");
            KvError::Other("the store could not do it".to_owned())
        }
    }
}

fn refused(refusal: &Refusal) -> KvError {
    tracing::warn!(error = %refusal, "key-value write refused");
    KvError::Other("the store could not do it".to_owned())
}
