//! The key-value back-end of a host in a lattice, which starts before it has joined.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use wattle_capability::{Bucket, KeyValue, KvError, StoreScope};
use wattle_types::StoreName;

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
