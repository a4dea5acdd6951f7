//! Refuses what is too large, before a back-end sees it and before a guest gets it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::{Bucket, KeyPage, KvError};

/// How large keys, values and batches may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Encoded three times as long at worst, which must fit a NATS control line of 4 KiB.
    pub key_bytes_max: usize,
    /// One NATS message of 1 MiB, less room for its headers.
    pub value_bytes_max: usize,
    pub batch_len_max: usize,
    /// What one batch may bring into or out of a guest: it is in the host's memory meanwhile.
    pub batch_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            key_bytes_max: 1 << 10,
            value_bytes_max: (1 << 20) - (4 << 10),
            batch_len_max: 100,
            batch_bytes_max: 4 << 20,
        }
    }
}

/// A bucket within [`Limits`].
pub struct Limited {
    inner: Arc<dyn Bucket>,
    limits: Limits,
}

/// How many values of a batch are read at once. Their sum can pass the bound by that many values
/// before it is noticed, so it is small.
const READ_AHEAD: usize = 4;

impl Limited {
    pub fn new(inner: Arc<dyn Bucket>, limits: Limits) -> Self {
        Self { inner, limits }
    }

    fn check_key(&self, key: &str) -> Result<(), KvError> {
        let (len, max) = (key.len(), self.limits.key_bytes_max);
        if max < len { Err(KvError::KeyTooLong { len, max }) } else { Ok(()) }
    }

    fn check_value(&self, value: &Bytes) -> Result<(), KvError> {
        let (len, max) = (value.len(), self.limits.value_bytes_max);
        if max < len { Err(KvError::ValueTooLarge { len, max }) } else { Ok(()) }
    }

    fn check_batch<'a>(
        &self,
        mut keys: impl ExactSizeIterator<Item = &'a String>,
    ) -> Result<(), KvError> {
        let (len, max) = (keys.len(), self.limits.batch_len_max);
        if max < len {
            return Err(KvError::BatchTooLong { len, max });
        }
        keys.try_for_each(|key| self.check_key(key))
    }

    fn check_sum(&self, bytes: usize) -> Result<(), KvError> {
        let max = self.limits.batch_bytes_max;
        if max < bytes { Err(KvError::BatchTooLarge { max }) } else { Ok(()) }
    }
}

#[async_trait]
impl Bucket for Limited {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, KvError> {
        self.check_key(key)?;
        self.inner.get(key).await
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<(), KvError> {
        self.check_key(key)?;
        self.check_value(&value)?;
        self.inner.set(key, value).await
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        self.check_key(key)?;
        self.inner.delete(key).await
    }

    async fn exists(&self, key: &str) -> Result<bool, KvError> {
        self.check_key(key)?;
        self.inner.exists(key).await
    }

    async fn list_keys(&self, cursor: Option<u64>) -> Result<KeyPage, KvError> {
        self.inner.list_keys(cursor).await
    }

    async fn increment(&self, key: &str, delta: u64) -> Result<u64, KvError> {
        self.check_key(key)?;
        self.inner.increment(key, delta).await
    }

    async fn swap(
        &self,
        key: &str,
        expected: Option<&Bytes>,
        value: Bytes,
    ) -> Result<bool, KvError> {
        self.check_key(key)?;
        self.check_value(&value)?;
        self.inner.swap(key, expected, value).await
    }

    async fn add(&self, key: &str, delta: i64) -> Result<i64, KvError> {
        self.check_key(key)?;
        self.inner.add(key, delta).await
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>, KvError> {
        self.check_batch(keys.iter())?;
        let mut values = Vec::with_capacity(keys.len());
        let mut bytes = 0;
        for some in keys.chunks(READ_AHEAD) {
            let read = self.inner.get_many(some).await?;
            bytes += read.iter().flatten().map(Bytes::len).sum::<usize>();
            self.check_sum(bytes)?;
            values.extend(read);
        }
        Ok(values)
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>) -> Result<(), KvError> {
        self.check_batch(entries.iter().map(|(key, _)| key))?;
        entries.iter().try_for_each(|(_, value)| self.check_value(value))?;
        self.check_sum(entries.iter().map(|(_, value)| value.len()).sum())?;
        self.inner.set_many(entries).await
    }

    async fn delete_many(&self, keys: &[String]) -> Result<(), KvError> {
        self.check_batch(keys.iter())?;
        self.inner.delete_many(keys).await
    }
}

impl std::fmt::Debug for Limited {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limited").field("limits", &self.limits).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::InMemory;
    use super::*;

    const SMALL: Limits =
        Limits { key_bytes_max: 4, value_bytes_max: 8, batch_len_max: 3, batch_bytes_max: 16 };

    fn limited() -> Limited {
        Limited::new(Arc::new(InMemory::default()), SMALL)
    }

    fn keys(keys: &[&str]) -> Vec<String> {
        keys.iter().map(|key| (*key).to_owned()).collect()
    }

    #[tokio::test]
    async fn a_key_at_the_limit_passes_and_one_byte_more_is_refused_by_every_operation() {
        let bucket = limited();
        let too_long = KvError::KeyTooLong { len: 5, max: 4 };
        assert_eq!(bucket.set("abcd", Bytes::new()).await, Ok(()));
        assert_eq!(bucket.set("abcde", Bytes::new()).await, Err(too_long.clone()));
        assert_eq!(bucket.get("abcde").await, Err(too_long.clone()));
        assert_eq!(bucket.delete("abcde").await, Err(too_long.clone()));
        assert_eq!(bucket.exists("abcde").await, Err(too_long.clone()));
        assert_eq!(bucket.increment("abcde", 1).await, Err(too_long.clone()));
        assert_eq!(bucket.add("abcde", 1).await, Err(too_long.clone()));
        assert_eq!(bucket.swap("abcde", None, Bytes::new()).await, Err(too_long.clone()));
        assert_eq!(bucket.get_many(&keys(&["a", "abcde"])).await, Err(too_long.clone()));
        assert_eq!(bucket.delete_many(&keys(&["a", "abcde"])).await, Err(too_long));
    }

    #[tokio::test]
    async fn a_value_at_the_limit_passes_and_one_byte_more_is_refused() {
        let bucket = limited();
        assert_eq!(bucket.set("a", Bytes::from_static(&[0; 8])).await, Ok(()));
        let too_large = Err(KvError::ValueTooLarge { len: 9, max: 8 });
        assert_eq!(bucket.set("a", Bytes::from_static(&[0; 9])).await, too_large);
        let swapped = bucket.swap("a", None, Bytes::from_static(&[0; 9])).await;
        assert_eq!(swapped, too_large.clone().map(|()| false));
        let entries = vec![("a".to_owned(), Bytes::from_static(&[0; 9]))];
        assert_eq!(bucket.set_many(entries).await, too_large);
    }

    #[tokio::test]
    async fn a_batch_is_bounded_in_entries_and_in_bytes_both_ways() {
        let bucket = limited();
        let too_long = KvError::BatchTooLong { len: 4, max: 3 };
        assert_eq!(bucket.get_many(&keys(&["a", "b", "c", "d"])).await, Err(too_long));
        let entries = |len| {
            let value = Bytes::from_static(&[0; 8]);
            keys(&["a", "b", "c"]).into_iter().take(len).map(move |key| (key, value.clone()))
        };
        let too_large = KvError::BatchTooLarge { max: 16 };
        assert_eq!(bucket.set_many(entries(3).collect()).await, Err(too_large.clone()));
        assert_eq!(bucket.set_many(entries(2).collect()).await, Ok(()));
        assert_eq!(bucket.set("c", Bytes::from_static(&[0; 8])).await, Ok(()));
        assert_eq!(bucket.get_many(&keys(&["a", "b", "c"])).await, Err(too_large));
    }
}
