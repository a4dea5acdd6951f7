//! Gives up on a back-end that does not answer, while the guest can still do something about it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use super::{Bucket, KeyPage, KvError};

/// A bucket whose every operation ends by a deadline.
///
/// One operation may take `patience`, but never longer than the call it is part of.
pub struct Timely {
    inner: Arc<dyn Bucket>,
    patience: Duration,
    deadline: Instant,
}

impl Timely {
    /// `deadline` is that of the call during which the store was opened.
    pub fn new(inner: Arc<dyn Bucket>, patience: Duration, deadline: Instant) -> Self {
        Self { inner, patience, deadline }
    }

    async fn in_time<T>(
        &self,
        operation: impl Future<Output = Result<T, KvError>> + Send,
    ) -> Result<T, KvError> {
        let deadline = self.deadline.min(Instant::now() + self.patience);
        timeout_at(deadline, operation).await.unwrap_or(Err(KvError::Timeout))
    }
}

#[async_trait]
impl Bucket for Timely {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, KvError> {
        self.in_time(self.inner.get(key)).await
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<(), KvError> {
        self.in_time(self.inner.set(key, value)).await
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        self.in_time(self.inner.delete(key)).await
    }

    async fn exists(&self, key: &str) -> Result<bool, KvError> {
        self.in_time(self.inner.exists(key)).await
    }

    async fn list_keys(&self, cursor: Option<u64>) -> Result<KeyPage, KvError> {
        self.in_time(self.inner.list_keys(cursor)).await
    }

    async fn increment(&self, key: &str, delta: u64) -> Result<u64, KvError> {
        self.in_time(self.inner.increment(key, delta)).await
    }

    async fn swap(
        &self,
        key: &str,
        expected: Option<&Bytes>,
        value: Bytes,
    ) -> Result<bool, KvError> {
        self.in_time(self.inner.swap(key, expected, value)).await
    }

    async fn add(&self, key: &str, delta: i64) -> Result<i64, KvError> {
        self.in_time(self.inner.add(key, delta)).await
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>, KvError> {
        self.in_time(self.inner.get_many(keys)).await
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>) -> Result<(), KvError> {
        self.in_time(self.inner.set_many(entries)).await
    }

    async fn delete_many(&self, keys: &[String]) -> Result<(), KvError> {
        self.in_time(self.inner.delete_many(keys)).await
    }
}

impl std::fmt::Debug for Timely {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timely").field("patience", &self.patience).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A back-end that never answers.
    struct Deaf;

    #[async_trait]
    impl Bucket for Deaf {
        async fn get(&self, _: &str) -> Result<Option<Bytes>, KvError> {
            std::future::pending().await
        }
        async fn set(&self, _: &str, _: Bytes) -> Result<(), KvError> {
            std::future::pending().await
        }
        async fn delete(&self, _: &str) -> Result<(), KvError> {
            std::future::pending().await
        }
        async fn exists(&self, _: &str) -> Result<bool, KvError> {
            std::future::pending().await
        }
        async fn list_keys(&self, _: Option<u64>) -> Result<KeyPage, KvError> {
            std::future::pending().await
        }
        async fn increment(&self, _: &str, _: u64) -> Result<u64, KvError> {
            std::future::pending().await
        }
        async fn swap(&self, _: &str, _: Option<&Bytes>, _: Bytes) -> Result<bool, KvError> {
            std::future::pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_does_not_answer_is_given_up_by_whichever_limit_comes_first() {
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        for (patience, left) in [(second, minute), (minute, second)] {
            let start = Instant::now();
            let bucket = Timely::new(Arc::new(Deaf), patience, start + left);
            assert_eq!(bucket.increment("a", 1).await, Err(KvError::Timeout));
            assert_eq!(bucket.add("a", 1).await, Err(KvError::Timeout));
            // The call's own deadline has passed after the first; patience starts again.
            let expected = if patience < left { 2 } else { 1 };
            assert_eq!(start.elapsed().as_secs(), expected);
        }
    }
}
