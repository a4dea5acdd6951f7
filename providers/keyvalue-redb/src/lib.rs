//! `wasi:keyvalue` in one file of this machine, without a server.
//!
//! One table for all stores; an entry's key is `<scope>.<store>.<encoded key>`, as on every other
//! back-end, so that what is here can be moved there. What is acknowledged is on disk.
//!
//! Nothing blocks a worker of the runtime: writes go to one thread that commits them together
//! (`writer`), reads run on the runtime's blocking threads.

mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTable, TableDefinition};
use wattle_capability::{Bucket, KeyPage, KeyValue, KvError, StoreScope, key};
use wattle_types::StoreName;

use crate::writer::{Change, Writer};

const ENTRIES: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("entries");

/// The working set of a host is small; redb's own default is a gigabyte.
const CACHE_BYTES: usize = 16 << 20;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the key-value file {path} is in use by another process")]
    InUse { path: PathBuf },
    #[error("could not open the key-value file {path}")]
    Open { path: PathBuf, source: Box<redb::Error> },
    #[error("could not start the thread that writes {path}")]
    Thread { path: PathBuf, source: std::io::Error },
}

/// All stores of one file. The file is free again once this and every bucket of it are dropped.
#[derive(Debug)]
pub struct RedbStores {
    file: Arc<OpenFile>,
}

#[derive(Debug)]
struct OpenFile {
    // Dropped, and by that ended and waited for, before the database is.
    writer: Writer,
    database: Arc<Database>,
}

impl RedbStores {
    /// Opens the file, or makes it; its folder must be there. Blocks while an unclean end is
    /// repaired.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let at = || path.to_owned();
        let failed = |error: redb::Error| OpenError::Open { path: at(), source: Box::new(error) };
        let database = match Database::builder().set_cache_size(CACHE_BYTES).create(path) {
            Err(redb::DatabaseError::DatabaseAlreadyOpen) => {
                return Err(OpenError::InUse { path: at() });
            }
            opened => Arc::new(opened.map_err(|error| failed(error.into()))?),
        };
        make_table(&database).map_err(failed)?;
        let writer = Writer::start(database.clone())
            .map_err(|source| OpenError::Thread { path: at(), source })?;
        Ok(Self { file: Arc::new(OpenFile { writer, database }) })
    }
}

/// A table that was never written cannot be read.
fn make_table(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(ENTRIES)?;
    Ok(transaction.commit()?)
}

#[async_trait]
impl KeyValue for RedbStores {
    async fn open(
        &self,
        scope: &StoreScope,
        store: &StoreName,
    ) -> Result<Arc<dyn Bucket>, KvError> {
        let prefix = format!("{scope}.{store}.");
        Ok(Arc::new(RedbBucket { file: self.file.clone(), prefix }))
    }
}

/// One store: the entries whose keys begin with its prefix.
#[derive(Debug)]
struct RedbBucket {
    file: Arc<OpenFile>,
    prefix: String,
}

impl RedbBucket {
    fn entry(&self, key: &str) -> String {
        format!("{}{}", self.prefix, key::encode(key))
    }

    async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&ReadOnlyTable<&'static str, &'static [u8]>) -> Result<T, redb::Error>
        + Send
        + 'static,
    ) -> Result<T, KvError> {
        // The file, and not only the database: its lock is given back when the last one goes.
        let file = self.file.clone();
        let read = tokio::task::spawn_blocking(move || {
            let table = file.database.begin_read()?.open_table(ENTRIES)?;
            look(&table)
        });
        let read = read.await.map_err(|_| KvError::Other("the store has stopped".to_owned()))?;
        read.map_err(|error| failed(&error))
    }
}

#[async_trait]
impl Bucket for RedbBucket {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, KvError> {
        let entry = self.entry(key);
        self.read(move |table| value(table, &entry)).await
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<(), KvError> {
        self.file.writer.apply(Change::Set(vec![(self.entry(key), value)])).await.map(drop)
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        self.file.writer.apply(Change::Delete(vec![self.entry(key)])).await.map(drop)
    }

    async fn exists(&self, key: &str) -> Result<bool, KvError> {
        let entry = self.entry(key);
        self.read(move |table| Ok(table.get(entry.as_str())?.is_some())).await
    }

    async fn list_keys(&self, cursor: Option<u64>) -> Result<KeyPage, KvError> {
        let prefix = self.prefix.clone();
        self.read(move |table| page(table, &prefix, cursor)).await
    }

    async fn increment(&self, key: &str, delta: u64) -> Result<u64, KvError> {
        self.file.writer.apply(Change::Increment(self.entry(key), delta)).await
    }

    async fn swap(
        &self,
        key: &str,
        expected: Option<&Bytes>,
        value: Bytes,
    ) -> Result<bool, KvError> {
        let swap = Change::Swap(self.entry(key), expected.cloned(), value);
        Ok(self.file.writer.apply(swap).await? == 1)
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>, KvError> {
        let entries: Vec<String> = keys.iter().map(|key| self.entry(key)).collect();
        self.read(move |table| entries.iter().map(|entry| value(table, entry)).collect()).await
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>) -> Result<(), KvError> {
        let entries = entries.into_iter().map(|(key, value)| (self.entry(&key), value)).collect();
        self.file.writer.apply(Change::Set(entries)).await.map(drop)
    }

    async fn delete_many(&self, keys: &[String]) -> Result<(), KvError> {
        let entries = keys.iter().map(|key| self.entry(key)).collect();
        self.file.writer.apply(Change::Delete(entries)).await.map(drop)
    }
}

fn value(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
    entry: &str,
) -> Result<Option<Bytes>, redb::Error> {
    Ok(table.get(entry)?.map(|value| Bytes::copy_from_slice(value.value())))
}

fn page(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
    prefix: &str,
    cursor: Option<u64>,
) -> Result<KeyPage, redb::Error> {
    let mut failure = None;
    let entries = table.range(prefix..)?;
    let keys = entries
        .map_while(|entry| entry.map_err(|error| failure = Some(error)).ok())
        .map_while(|(entry, _)| entry.value().strip_prefix(prefix).map(key::decode))
        // What no guest wrote is not shown to one.
        .filter_map(Result::ok);
    let page = KeyPage::of(keys, cursor);
    match failure {
        Some(error) => Err(error.into()),
        None => Ok(page),
    }
}

/// The operator gets the cause, the guest only that there was one: it may name paths.
fn failed(error: &redb::Error) -> KvError {
    tracing::error!(%error, "key-value file");
    KvError::Other("the store failed".to_owned())
}
