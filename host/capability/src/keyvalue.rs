//! Key-value stores, as `wasi:keyvalue` means them: what a back-end implements.
//!
//! *Expected flow*: a host opens a store once per guest that asks for it, and calls the bucket
//! once per operation of the guest. *Guarantees* a back-end gives: an actor reads what it wrote;
//! `increment` is atomic and its value is ASCII decimal, so that back-ends can be swapped; any
//! string is a key. *Assumptions* it may make: keys, values and batches are within
//! [`Limits`]. *Caveats*: a batch is not atomic, and a listing may miss what changes meanwhile.
//! *Errors*: [`KvError`]; after [`KvError::Timeout`] a write may have happened.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use wattle_tasks::Backoff;
use wattle_types::{ActorId, ActorSpec, AppName, StoreName};

pub mod key;
mod limited;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod timely;

pub use limited::{Limited, Limits};
pub use timely::Timely;

/// How many keys one page of [`Bucket::list_keys`] holds: at most 1 MiB of keys at their longest.
pub const PAGE_KEYS_MAX: usize = 1_000;

/// Between two attempts of a sum that lost against another writer.
const CONTENTION_PAUSE_MIN: Duration = Duration::from_millis(1);
const CONTENTION_PAUSE_MAX: Duration = Duration::from_millis(32);

/// Whose stores are opened: actors of one application share theirs, others see none of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StoreScope {
    App(AppName),
    /// For an actor that belongs to no application.
    Actor(ActorId),
}

impl StoreScope {
    pub fn of(spec: &ActorSpec) -> Self {
        match &spec.app {
            Some(app) => Self::App(app.clone()),
            None => Self::Actor(spec.id.clone()),
        }
    }
}

/// `app_<name>` or `actor_<id>`: a token of a stored key. Neither can be read as the other.
impl fmt::Display for StoreScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::App(name) => write!(f, "app_{name}"),
            Self::Actor(id) => write!(f, "actor_{id}"),
        }
    }
}

/// A back-end that keeps stores.
#[async_trait]
pub trait KeyValue: Send + Sync {
    /// Opens a store, once per guest and name. Should cost no round trip: a store that was never
    /// written is empty, not absent.
    async fn open(&self, scope: &StoreScope, store: &StoreName)
    -> Result<Arc<dyn Bucket>, KvError>;
}

/// One store of one scope, ready for use.
#[async_trait]
pub trait Bucket: Send + Sync {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, KvError>;

    async fn set(&self, key: &str, value: Bytes) -> Result<(), KvError>;

    /// Deleting what is not there is no error.
    async fn delete(&self, key: &str) -> Result<(), KvError>;

    async fn exists(&self, key: &str) -> Result<bool, KvError>;

    /// At most [`PAGE_KEYS_MAX`] keys, in no promised order; `cursor` is what the page before
    /// returned. A back-end counts keys with it, so a key deleted between two pages can hide
    /// another one.
    async fn list_keys(&self, cursor: Option<u64>) -> Result<KeyPage, KvError>;

    /// Adds `delta` in one indivisible step and returns the sum. What is not there counts as 0.
    ///
    /// # Errors
    ///
    /// [`KvError::NotANumber`] where the value is not ASCII decimal, [`KvError::Overflow`] where
    /// the sum does not fit; in both cases nothing changed.
    async fn increment(&self, key: &str, delta: u64) -> Result<u64, KvError>;

    /// Writes `value` if the key holds exactly `expected` (`None`: if it is not there), in one
    /// indivisible step. Returns whether it did.
    async fn swap(
        &self,
        key: &str,
        expected: Option<&Bytes>,
        value: Bytes,
    ) -> Result<bool, KvError>;

    /// As [`increment`](Bucket::increment), of a number that may be below zero.
    ///
    /// # Errors
    ///
    /// [`KvError::NotANumber`], or [`KvError::OutOfRange`]; in both cases nothing changed.
    async fn add(&self, key: &str, delta: i64) -> Result<i64, KvError> {
        let mut pauses = Backoff::new(CONTENTION_PAUSE_MIN, CONTENTION_PAUSE_MAX);
        loop {
            let held = self.get(key).await?;
            let sum = added(held.as_deref(), delta)?;
            if self.swap(key, held.as_ref(), sum.to_string().into()).await? {
                return Ok(sum);
            }
            tokio::time::sleep(pauses.pause()).await;
        }
    }

    /// One answer per key, in the order asked.
    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>, KvError> {
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            values.push(self.get(key).await?);
        }
        Ok(values)
    }

    /// Later entries win over earlier ones of the same key. After an error some may be set.
    async fn set_many(&self, entries: Vec<(String, Bytes)>) -> Result<(), KvError> {
        for (key, value) in entries {
            self.set(&key, value).await?;
        }
        Ok(())
    }

    /// After an error some may be deleted.
    async fn delete_many(&self, keys: &[String]) -> Result<(), KvError> {
        for key in keys {
            self.delete(key).await?;
        }
        Ok(())
    }
}

/// One page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyPage {
    pub keys: Vec<String>,
    /// Where the next page starts; `None` after the last.
    pub cursor: Option<u64>,
}

impl KeyPage {
    /// The page at `cursor` of all keys, for a back-end that can only list everything.
    pub fn of(keys: impl Iterator<Item = String>, cursor: Option<u64>) -> Self {
        let start = cursor.unwrap_or(0);
        let skip = usize::try_from(start).unwrap_or(usize::MAX);
        let mut rest = keys.skip(skip);
        let keys: Vec<String> = rest.by_ref().take(PAGE_KEYS_MAX).collect();
        let cursor = rest.next().map(|_| start + keys.len() as u64);
        Self { keys, cursor }
    }
}

/// Why a store did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KvError {
    #[error("there is no such store")]
    NoSuchStore,
    #[error("this actor may not use the store")]
    AccessDenied,
    #[error("a key has at most {max} bytes, this one has {len}")]
    KeyTooLong { len: usize, max: usize },
    #[error("a value has at most {max} bytes, this one has {len}")]
    ValueTooLarge { len: usize, max: usize },
    #[error("a batch has at most {max} entries, this one has {len}")]
    BatchTooLong { len: usize, max: usize },
    #[error("a batch carries at most {max} bytes")]
    BatchTooLarge { max: usize },
    #[error("the value is not a decimal number, so it cannot be incremented")]
    NotANumber,
    #[error("the sum is larger than 18446744073709551615")]
    Overflow,
    #[error("the sum is not between -9223372036854775808 and 9223372036854775807")]
    OutOfRange,
    /// A write may have happened all the same.
    #[error("the store did not answer in time")]
    Timeout,
    /// The back-end's own words, fit for a guest to read: no paths, no addresses.
    #[error("{0}")]
    Other(String),
}

/// What `increment` stores for `value + delta`; shared by all back-ends.
///
/// # Errors
///
/// [`KvError::NotANumber`] or [`KvError::Overflow`].
pub fn incremented(value: Option<&[u8]>, delta: u64) -> Result<u64, KvError> {
    let Some(value) = value else { return Ok(delta) };
    // Only what `increment` itself writes is a number: `u64::from_str` would also take `+1`.
    let digits = std::str::from_utf8(value)
        .ok()
        .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = digits.ok_or(KvError::NotANumber)?;
    let number: u64 = number.parse().map_err(|_| KvError::Overflow)?;
    number.checked_add(delta).ok_or(KvError::Overflow)
}

/// What [`Bucket::add`] stores for `value + delta`.
fn added(value: Option<&[u8]>, delta: i64) -> Result<i64, KvError> {
    let Some(value) = value else { return Ok(delta) };
    let text = std::str::from_utf8(value).map_err(|_| KvError::NotANumber)?;
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(KvError::NotANumber);
    }
    let number: i64 = text.parse().map_err(|_| KvError::OutOfRange)?;
    number.checked_add(delta).ok_or(KvError::OutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_may_be_below_zero_and_is_decimal() {
        let (max, min) = (i64::MAX.to_string(), i64::MIN.to_string());
        let cases = [
            ("40", 2, Ok(42)),
            ("1", -3, Ok(-2)),
            ("-2", 2, Ok(0)),
            (min.as_str(), -1, Err(KvError::OutOfRange)),
            (max.as_str(), 1, Err(KvError::OutOfRange)),
            ("9223372036854775808", 0, Err(KvError::OutOfRange)),
            ("", 1, Err(KvError::NotANumber)),
            ("-", 1, Err(KvError::NotANumber)),
            ("+1", 1, Err(KvError::NotANumber)),
            ("--1", 1, Err(KvError::NotANumber)),
        ];
        for (value, delta, expected) in cases {
            assert_eq!(added(Some(value.as_bytes()), delta), expected, "{value:?} + {delta}");
        }
        assert_eq!(added(Some(b"\xff"), 1), Err(KvError::NotANumber));
        assert_eq!(added(None, -5), Ok(-5));
    }

    #[test]
    fn only_decimal_digits_can_be_incremented() {
        let max = u64::MAX.to_string();
        let cases = [
            ("0", 0, Ok(0)),
            ("41", 1, Ok(42)),
            ("", 1, Err(KvError::NotANumber)),
            ("+1", 1, Err(KvError::NotANumber)),
            ("1.5", 1, Err(KvError::NotANumber)),
            ("٣", 1, Err(KvError::NotANumber)),
            (max.as_str(), 1, Err(KvError::Overflow)),
            ("99999999999999999999", 0, Err(KvError::Overflow)),
        ];
        for (value, delta, expected) in cases {
            assert_eq!(incremented(Some(value.as_bytes()), delta), expected, "{value:?} + {delta}");
        }
        assert_eq!(incremented(Some(b"\xff"), 1), Err(KvError::NotANumber));
        assert_eq!(incremented(None, 5), Ok(5));
    }

    #[test]
    fn pages_cover_a_listing_without_gap_or_repetition() {
        for total in [0, 1, PAGE_KEYS_MAX, PAGE_KEYS_MAX + 1, 2 * PAGE_KEYS_MAX] {
            let all = || (0..total).map(|n| n.to_string());
            let (mut seen, mut cursor) = (Vec::new(), None);
            loop {
                let page = KeyPage::of(all(), cursor);
                seen.extend(page.keys);
                cursor = page.cursor;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(seen, all().collect::<Vec<_>>(), "{total} keys");
        }
        assert_eq!(KeyPage::of(["a".to_owned()].into_iter(), Some(u64::MAX)), KeyPage::default());
    }

    #[test]
    fn an_actor_and_an_application_of_one_name_have_different_scopes() {
        let app = StoreScope::App("web".parse().unwrap());
        let actor = StoreScope::Actor("web".parse().unwrap());
        assert_eq!((app.to_string(), actor.to_string()), ("app_web".into(), "actor_web".into()));
    }
}
