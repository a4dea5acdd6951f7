//! The behaviour every back-end must have, and a back-end in memory to compare with.
//!
//! A provider's own tests call [`conforms`] with itself; a failure says which sentence broke.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use wattle_types::StoreName;

use super::{Bucket, KeyPage, KeyValue, KvError, PAGE_KEYS_MAX, StoreScope, incremented};

/// Keys that a back-end with opinions would mistake, lose, or merge with another one.
pub const ODD_KEYS: &[&str] = &[
    "",
    " ",
    "/",
    "//",
    "/a b",
    "a/b",
    "a.b",
    "a..b",
    ".a",
    "a.",
    ".",
    "*",
    ">",
    "a.>",
    "=",
    "=20",
    "a=20b",
    "a b",
    "ä",
    "a\u{308}",
    "日本語",
    "🌿",
    "\n",
    "\r\n",
    "\0",
    "\"",
    "'",
    "\\",
    "%2F",
    "A",
    "$KV.x.y",
    "a\tb",
    "\u{feff}",
    "../../etc",
];

/// Runs everything a back-end promises against `stores`, which must be empty.
///
/// # Panics
///
/// Where the back-end breaks a promise, with the promise.
pub async fn conforms(stores: &dyn KeyValue) {
    what_is_written_is_read(stores).await;
    any_string_is_a_key(stores).await;
    any_bytes_are_a_value(stores).await;
    deleting_is_final_and_repeatable(stores).await;
    increments_are_atomic_decimals(stores).await;
    a_swap_needs_what_it_expects(stores).await;
    sums_may_be_below_zero(stores).await;
    batches_answer_in_order(stores).await;
    a_long_listing_has_pages(stores).await;
    stores_and_scopes_are_apart(stores).await;
}

async fn open(stores: &dyn KeyValue, store: &str) -> Arc<dyn Bucket> {
    let scope = StoreScope::App("conformance".parse().expect("a literal name"));
    stores.open(&scope, &name(store)).await.expect("a store opens")
}

fn name(store: &str) -> StoreName {
    store.parse().expect("a literal name")
}

async fn what_is_written_is_read(stores: &dyn KeyValue) {
    let bucket = open(stores, "basic").await;
    assert_eq!(bucket.get("k").await, Ok(None), "a new store is empty");
    assert_eq!(bucket.exists("k").await, Ok(false), "a new store is empty");
    assert_eq!(bucket.list_keys(None).await, Ok(KeyPage::default()), "a new store lists nothing");
    for value in ["one", "two"] {
        assert_eq!(bucket.set("k", value.into()).await, Ok(()));
        assert_eq!(bucket.get("k").await, Ok(Some(value.into())), "a write is read at once");
    }
    assert_eq!(bucket.exists("k").await, Ok(true), "what was written exists");
    let again = open(stores, "basic").await;
    assert_eq!(again.get("k").await, Ok(Some("two".into())), "opening again opens the same store");
}

async fn any_string_is_a_key(stores: &dyn KeyValue) {
    let bucket = open(stores, "odd-keys").await;
    let long = "ä".repeat(512);
    let keys = || ODD_KEYS.iter().copied().chain([long.as_str()]);
    for key in keys() {
        let value = Bytes::from(key.to_owned());
        assert_eq!(bucket.set(key, value).await, Ok(()), "{key:?} is a key");
    }
    for key in keys() {
        let value = Bytes::from(key.to_owned());
        assert_eq!(bucket.get(key).await, Ok(Some(value)), "{key:?} is not mixed up with another");
    }
    let listed: BTreeSet<String> = all_keys(&*bucket).await.into_iter().collect();
    let expected: BTreeSet<String> = keys().map(str::to_owned).collect();
    assert_eq!(listed, expected, "a listing gives keys as the guest wrote them");
}

async fn any_bytes_are_a_value(stores: &dyn KeyValue) {
    let bucket = open(stores, "values").await;
    let largest = super::Limits::default().value_bytes_max;
    let all_bytes: Vec<u8> = (0..=255).collect();
    for value in [Bytes::new(), all_bytes.into(), vec![7; largest].into()] {
        let len = value.len();
        assert_eq!(bucket.set("v", value.clone()).await, Ok(()), "{len} bytes are a value");
        assert!(bucket.get("v").await == Ok(Some(value)), "{len} bytes come back as they were");
        assert_eq!(bucket.exists("v").await, Ok(true), "a value of {len} bytes exists");
    }
}

async fn deleting_is_final_and_repeatable(stores: &dyn KeyValue) {
    let bucket = open(stores, "deletes").await;
    assert_eq!(bucket.delete("absent").await, Ok(()), "deleting what is not there is no error");
    bucket.set("k", "v".into()).await.expect("a write");
    for _ in 0..2 {
        assert_eq!(bucket.delete("k").await, Ok(()));
        assert_eq!(bucket.get("k").await, Ok(None), "what was deleted is gone");
        assert_eq!(bucket.exists("k").await, Ok(false), "what was deleted does not exist");
    }
    assert!(all_keys(&*bucket).await.is_empty(), "what was deleted is not listed");
    assert_eq!(bucket.increment("k", 3).await, Ok(3), "what was deleted counts as 0");
}

async fn increments_are_atomic_decimals(stores: &dyn KeyValue) {
    const TASKS: u64 = 8;
    const EACH: u64 = 25;
    let bucket = open(stores, "counters").await;
    assert_eq!(bucket.increment("n", 0).await, Ok(0), "an increment of 0 writes 0");
    assert_eq!(bucket.get("n").await, Ok(Some("0".into())), "a counter is ASCII decimal");
    assert_eq!(bucket.increment("n", 42).await, Ok(42), "an increment returns the sum");
    bucket.set("n", "99".into()).await.expect("a write");
    assert_eq!(
        bucket.increment("n", 1).await,
        Ok(100),
        "a decimal that was set can be incremented"
    );

    bucket.set("text", "abc".into()).await.expect("a write");
    assert_eq!(bucket.increment("text", 1).await, Err(KvError::NotANumber));
    assert_eq!(bucket.get("text").await, Ok(Some("abc".into())), "a refusal changes nothing");
    bucket.set("max", u64::MAX.to_string().into()).await.expect("a write");
    assert_eq!(bucket.increment("max", 1).await, Err(KvError::Overflow));

    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let bucket = bucket.clone();
            tokio::spawn(async move {
                for _ in 0..EACH {
                    bucket.increment("shared", 1).await.expect("an increment");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("increments do not fail");
    }
    let total = Bytes::from((TASKS * EACH).to_string());
    assert_eq!(bucket.get("shared").await, Ok(Some(total)), "no increment is lost");
}

async fn a_swap_needs_what_it_expects(stores: &dyn KeyValue) {
    let bucket = open(stores, "swaps").await;
    let [one, two] = [Bytes::from_static(b"one"), Bytes::from_static(b"two")];
    assert_eq!(bucket.swap("k", Some(&one), two.clone()).await, Ok(false), "it is not there");
    assert_eq!(bucket.swap("k", None, one.clone()).await, Ok(true), "it was not there");
    assert_eq!(bucket.swap("k", None, two.clone()).await, Ok(false), "it is there by now");
    assert_eq!(bucket.get("k").await, Ok(Some(one.clone())), "a swap that fails changes nothing");
    assert_eq!(bucket.swap("k", Some(&one), two.clone()).await, Ok(true), "it was as expected");
    assert_eq!(bucket.swap("k", Some(&one), one.clone()).await, Ok(false), "not any more");
    bucket.delete("k").await.expect("a delete");
    assert_eq!(bucket.swap("k", Some(&two), one.clone()).await, Ok(false), "it was deleted");
    assert_eq!(bucket.swap("k", None, one).await, Ok(true), "what was deleted is not there");

    let rivals = (0..8).map(|n: u8| {
        let bucket = bucket.clone();
        tokio::spawn(async move { bucket.swap("race", None, vec![n].into()).await })
    });
    let mut won = 0;
    for rival in rivals.collect::<Vec<_>>() {
        won += u32::from(rival.await.expect("a task ends").expect("swaps do not fail"));
    }
    assert_eq!(won, 1, "of many who expect the same, one wins");
}

async fn sums_may_be_below_zero(stores: &dyn KeyValue) {
    let bucket = open(stores, "sums").await;
    assert_eq!(bucket.add("n", -2).await, Ok(-2), "what is not there counts as 0");
    assert_eq!(bucket.get("n").await, Ok(Some("-2".into())), "a sum is ASCII decimal");
    assert_eq!(bucket.increment("n", 1).await, Err(KvError::NotANumber), "not without a sign");
    assert_eq!(bucket.add("n", 44).await, Ok(42));
    assert_eq!(bucket.increment("n", 1).await, Ok(43), "both count on the same number");
    bucket.set("max", i64::MAX.to_string().into()).await.expect("a write");
    assert_eq!(bucket.add("max", 1).await, Err(KvError::OutOfRange));
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let bucket = bucket.clone();
            tokio::spawn(async move {
                for _ in 0..5 {
                    bucket.add("shared", -1).await.expect("a sum");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("sums do not fail");
    }
    assert_eq!(bucket.get("shared").await, Ok(Some("-20".into())), "no sum is lost");
}

async fn batches_answer_in_order(stores: &dyn KeyValue) {
    let bucket = open(stores, "batches").await;
    let entry = |key: &str, value: &str| (key.to_owned(), Bytes::from(value.to_owned()));
    let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    let entries = vec![entry("a", "1"), entry("b", "2"), entry("", "3"), entry("a", "4")];
    assert_eq!(bucket.set_many(entries).await, Ok(()));
    let read = bucket.get_many(&keys(&["b", "absent", "a", "", "b"])).await;
    let expected = ["2", "", "4", "3", "2"].map(|v| (!v.is_empty()).then(|| v.into())).to_vec();
    assert_eq!(read, Ok(expected), "one answer per key, in order; the last entry of a key wins");
    assert_eq!(bucket.delete_many(&keys(&["a", "absent", ""])).await, Ok(()));
    assert_eq!(all_keys(&*bucket).await, keys(&["b"]), "a batch deletes what it names");
    assert_eq!(bucket.get_many(&[]).await, Ok(Vec::new()), "an empty batch is no error");
    assert_eq!(bucket.set_many(Vec::new()).await, Ok(()), "an empty batch is no error");
    assert_eq!(bucket.delete_many(&[]).await, Ok(()), "an empty batch is no error");
}

async fn a_long_listing_has_pages(stores: &dyn KeyValue) {
    let bucket = open(stores, "pages").await;
    let keys: BTreeSet<String> = (0..PAGE_KEYS_MAX + 5).map(|n| format!("k.{n}")).collect();
    for some in keys.iter().cloned().collect::<Vec<_>>().chunks(100) {
        let entries = some.iter().map(|key| (key.clone(), Bytes::new())).collect();
        bucket.set_many(entries).await.expect("a batch");
    }
    let first = bucket.list_keys(None).await.expect("a page");
    assert!(first.cursor.is_some() && first.keys.len() <= PAGE_KEYS_MAX, "a page is bounded");
    let listed = all_keys(&*bucket).await;
    assert_eq!(listed.len(), keys.len(), "no key is listed twice");
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), keys, "every key is on some page");
    let end = bucket.list_keys(Some(u64::MAX)).await;
    assert_eq!(end, Ok(KeyPage::default()), "a cursor past the end is an empty page");
}

async fn stores_and_scopes_are_apart(stores: &dyn KeyValue) {
    let scopes = [
        StoreScope::App("one".parse().expect("a literal name")),
        StoreScope::App("one-two".parse().expect("a literal name")),
        StoreScope::Actor("one".parse().expect("a literal name")),
    ];
    let names = ["s", "s-s", "S"];
    for (n, scope) in scopes.iter().enumerate() {
        for store in names {
            let bucket = stores.open(scope, &name(store)).await.expect("a store opens");
            assert_eq!(bucket.get("k").await, Ok(None), "{scope} {store} is not another store");
            bucket.set("k", format!("{n}{store}").into()).await.expect("a write");
        }
    }
    for (n, scope) in scopes.iter().enumerate() {
        for store in names {
            let bucket = stores.open(scope, &name(store)).await.expect("a store opens");
            let own = Bytes::from(format!("{n}{store}"));
            assert_eq!(bucket.get("k").await, Ok(Some(own)), "{scope} {store} kept its own value");
            assert_eq!(all_keys(&*bucket).await, ["k"], "{scope} {store} lists its own keys only");
        }
    }
}

/// Every key, page after page.
async fn all_keys(bucket: &dyn Bucket) -> Vec<String> {
    let (mut keys, mut cursor) = (Vec::new(), None);
    loop {
        let page = bucket.list_keys(cursor).await.expect("a page");
        keys.extend(page.keys);
        cursor = page.cursor;
        if cursor.is_none() {
            return keys;
        }
    }
}

/// One store in memory. As a [`KeyValue`] it is a family of them.
#[derive(Debug, Default)]
pub struct InMemory {
    entries: Mutex<BTreeMap<String, Bytes>>,
}

impl InMemory {
    fn with<T>(&self, use_them: impl FnOnce(&mut BTreeMap<String, Bytes>) -> T) -> T {
        use_them(&mut self.entries.lock().expect("no holder of this lock panics"))
    }
}

#[async_trait]
impl Bucket for InMemory {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, KvError> {
        Ok(self.with(|entries| entries.get(key).cloned()))
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<(), KvError> {
        self.with(|entries| entries.insert(key.to_owned(), value));
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        self.with(|entries| entries.remove(key));
        Ok(())
    }

    async fn exists(&self, key: &str) -> Result<bool, KvError> {
        Ok(self.with(|entries| entries.contains_key(key)))
    }

    async fn list_keys(&self, cursor: Option<u64>) -> Result<KeyPage, KvError> {
        Ok(self.with(|entries| KeyPage::of(entries.keys().cloned(), cursor)))
    }

    async fn increment(&self, key: &str, delta: u64) -> Result<u64, KvError> {
        self.with(|entries| {
            let sum = incremented(entries.get(key).map(AsRef::as_ref), delta)?;
            entries.insert(key.to_owned(), sum.to_string().into());
            Ok(sum)
        })
    }

    async fn swap(
        &self,
        key: &str,
        expected: Option<&Bytes>,
        value: Bytes,
    ) -> Result<bool, KvError> {
        Ok(self.with(|entries| {
            let as_expected = entries.get(key) == expected;
            if as_expected {
                entries.insert(key.to_owned(), value);
            }
            as_expected
        }))
    }
}

/// Stores in memory, for tests of what uses a store.
#[derive(Debug, Default)]
pub struct InMemoryStores {
    stores: Mutex<BTreeMap<(StoreScope, StoreName), Arc<InMemory>>>,
}

#[async_trait]
impl KeyValue for InMemoryStores {
    async fn open(
        &self,
        scope: &StoreScope,
        store: &StoreName,
    ) -> Result<Arc<dyn Bucket>, KvError> {
        let mut stores = self.stores.lock().expect("no holder of this lock panics");
        Ok(stores.entry((scope.clone(), store.clone())).or_default().clone())
    }
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn the_back_end_in_memory_conforms() {
        super::conforms(&super::InMemoryStores::default()).await;
    }
}
