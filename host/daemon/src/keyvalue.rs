//! The key-value back-ends of a host, those it was built with: the stores of its lattice, which it
//! joins after it has started, and those of one component on disk.

use std::path::Path;
use std::sync::{Arc, OnceLock, RwLock};

use async_trait::async_trait;
use wattle_capability::{Bucket, KeyValue, KvError, StoreScope};
use wattle_lattice::DataStore;
use wattle_types::StoreName;

#[cfg(feature = "keyvalue-redb")]
pub use wattle_keyvalue_redb::OpenError;
#[cfg(not(feature = "keyvalue-redb"))]
pub type OpenError = std::convert::Infallible;

#[cfg(feature = "keyvalue-nats")]
pub(crate) fn in_lattice(data: DataStore) -> Arc<dyn KeyValue> {
    Arc::new(wattle_keyvalue_nats::NatsStores::new(data))
}

#[cfg(not(feature = "keyvalue-nats"))]
pub(crate) fn in_lattice(_data: DataStore) -> Arc<dyn KeyValue> {
    Arc::new(Without("keyvalue-nats"))
}

#[cfg(feature = "keyvalue-redb")]
pub(crate) fn on_disk(path: &Path) -> Result<Arc<dyn KeyValue>, OpenError> {
    Ok(Arc::new(wattle_keyvalue_redb::RedbStores::open(path)?))
}

#[cfg(not(feature = "keyvalue-redb"))]
pub(crate) fn on_disk(_path: &Path) -> Result<Arc<dyn KeyValue>, OpenError> {
    Ok(Arc::new(Without("keyvalue-redb")))
}

/// A back-end that this host was built without, by the feature that would bring it.
#[cfg(not(all(feature = "keyvalue-nats", feature = "keyvalue-redb")))]
struct Without(&'static str);

#[cfg(not(all(feature = "keyvalue-nats", feature = "keyvalue-redb")))]
#[async_trait]
impl KeyValue for Without {
    async fn open(
        &self,
        _scope: &StoreScope,
        _store: &StoreName,
    ) -> Result<Arc<dyn Bucket>, KvError> {
        Err(KvError::Other(format!("this host was built without stores (feature `{}`)", self.0)))
    }
}

/// The stores of one run: those of whoever it belongs to, which may change while it runs.
pub(crate) struct Owned {
    stores: Arc<dyn KeyValue>,
    scope: RwLock<StoreScope>,
}

impl Owned {
    pub(crate) fn new(stores: Arc<dyn KeyValue>, scope: StoreScope) -> Self {
        Self { stores, scope: RwLock::new(scope) }
    }

    /// What is opened from now on is another owner's; what is open stays as it is.
    pub(crate) fn give(&self, scope: StoreScope) {
        *self.scope.write().expect("nothing panics while it holds this lock") = scope;
    }
}

impl std::fmt::Debug for Owned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Owned").field("scope", &self.scope).finish_non_exhaustive()
    }
}

#[async_trait]
impl KeyValue for Owned {
    async fn open(
        &self,
        _scope: &StoreScope,
        store: &StoreName,
    ) -> Result<Arc<dyn Bucket>, KvError> {
        let scope = self.scope.read().expect("nothing panics while it holds this lock").clone();
        self.stores.open(&scope, store).await
    }
}

/// Refuses until the lattice is there.
#[derive(Default)]
pub(crate) struct Later(OnceLock<Arc<dyn KeyValue>>);

impl Later {
    pub(crate) fn set(&self, stores: Arc<dyn KeyValue>) {
        // There is one membership per process, and it joins once.
        let _ = self.0.set(stores);
    }
}

#[async_trait]
impl KeyValue for Later {
    async fn open(
        &self,
        scope: &StoreScope,
        store: &StoreName,
    ) -> Result<Arc<dyn Bucket>, KvError> {
        match self.0.get() {
            Some(stores) => stores.open(scope, store).await,
            None => Err(KvError::Other("this host has not joined its lattice yet".to_owned())),
        }
    }
}
