//! What the second draft of `wasi:keyvalue` does otherwise: cursors are text, sums have a sign, and
//! a value can be swapped for another.

use bytes::Bytes;
use wasmtime::component::{Linker, Resource, ResourceTableError};
use wattle_capability::KvError;

use super::{Failure, Handle, OpenBucket, as_bytes};
use crate::bindings::wasi::keyvalue0_2_0_draft2::{atomics, batch, store};
use crate::state::{HasView, State, View};

/// A key and what it held when the guest looked.
///
/// The swap compares values: a key that was changed and changed back holds what was expected.
#[expect(unreachable_pub, reason = "the generated bindings re-export it as public")]
pub struct Seen {
    bucket: OpenBucket,
    key: String,
    value: Option<Bytes>,
}

/// Why a swap was not done.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings re-export it as public")]
pub enum SwapFailure {
    Failed(Failure),
    /// Somebody else wrote; a new handle to try again with.
    Changed(Resource<Seen>),
}

impl From<Failure> for SwapFailure {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<KvError> for SwapFailure {
    fn from(error: KvError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<ResourceTableError> for SwapFailure {
    fn from(error: ResourceTableError) -> Self {
        Self::Failed(error.into())
    }
}

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    store::add_to_linker::<_, HasView>(linker, State::view)?;
    atomics::add_to_linker::<_, HasView>(linker, State::view)?;
    batch::add_to_linker::<_, HasView>(linker, State::view)
}

impl store::Host for View<'_> {
    async fn open(&mut self, identifier: String) -> Result<Handle, Failure> {
        self.open_bucket(&identifier).await
    }

    fn convert_error(&mut self, failure: Failure) -> wasmtime::Result<store::Error> {
        match failure {
            Failure::Told(KvError::NoSuchStore) => Ok(store::Error::NoSuchStore),
            Failure::Told(KvError::AccessDenied) => Ok(store::Error::AccessDenied),
            Failure::Told(other) => Ok(store::Error::Other(other.to_string())),
            Failure::Trap(error) => Err(error),
        }
    }
}

impl store::HostBucket for View<'_> {
    async fn get(&mut self, handle: Handle, key: String) -> Result<Option<Vec<u8>>, Failure> {
        let value = self.bucket(&handle)?.get(&key).await?;
        Ok(value.map(Vec::from))
    }

    async fn set(&mut self, handle: Handle, key: String, value: Vec<u8>) -> Result<(), Failure> {
        Ok(self.bucket(&handle)?.set(&key, value.into()).await?)
    }

    async fn delete(&mut self, handle: Handle, key: String) -> Result<(), Failure> {
        Ok(self.bucket(&handle)?.delete(&key).await?)
    }

    async fn exists(&mut self, handle: Handle, key: String) -> Result<bool, Failure> {
        Ok(self.bucket(&handle)?.exists(&key).await?)
    }

    async fn list_keys(
        &mut self,
        handle: Handle,
        cursor: Option<String>,
    ) -> Result<store::KeyResponse, Failure> {
        let unknown = |_| KvError::Other("that cursor came from no listing".to_owned());
        let cursor = cursor.map(|cursor| cursor.parse().map_err(unknown)).transpose()?;
        let page = self.bucket(&handle)?.list_keys(cursor).await?;
        let cursor = page.cursor.map(|cursor| cursor.to_string());
        Ok(store::KeyResponse { keys: page.keys, cursor })
    }

    async fn drop(&mut self, handle: Handle) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}

impl atomics::Host for View<'_> {
    async fn increment(&mut self, handle: Handle, key: String, delta: i64) -> Result<i64, Failure> {
        Ok(self.bucket(&handle)?.add(&key, delta).await?)
    }

    async fn swap(&mut self, handle: Resource<Seen>, value: Vec<u8>) -> Result<(), SwapFailure> {
        let Seen { bucket, key, value: seen } = self.table.delete(handle)?;
        if bucket.0.swap(&key, seen.as_ref(), value.into()).await? {
            return Ok(());
        }
        let value = bucket.0.get(&key).await?;
        Err(SwapFailure::Changed(self.table.push(Seen { bucket, key, value })?))
    }

    fn convert_cas_error(&mut self, failure: SwapFailure) -> wasmtime::Result<atomics::CasError> {
        match failure {
            SwapFailure::Changed(seen) => Ok(atomics::CasError::CasFailed(seen)),
            SwapFailure::Failed(failure) => {
                store::Host::convert_error(self, failure).map(atomics::CasError::StoreError)
            }
        }
    }
}

impl atomics::HostCas for View<'_> {
    async fn new(&mut self, handle: Handle, key: String) -> Result<Resource<Seen>, Failure> {
        let bucket = self.bucket(&handle)?;
        let value = bucket.get(&key).await?;
        Ok(self.table.push(Seen { bucket: OpenBucket(bucket), key, value })?)
    }

    async fn current(&mut self, handle: Resource<Seen>) -> Result<Option<Vec<u8>>, Failure> {
        Ok(self.table.get(&handle)?.value.clone().map(Vec::from))
    }

    async fn drop(&mut self, handle: Resource<Seen>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}

impl batch::Host for View<'_> {
    async fn get_many(
        &mut self,
        handle: Handle,
        keys: Vec<String>,
    ) -> Result<Vec<(String, Option<Vec<u8>>)>, Failure> {
        let values = self.bucket(&handle)?.get_many(&keys).await?;
        let pairs = keys.into_iter().zip(values);
        Ok(pairs.map(|(key, value)| (key, value.map(Vec::from))).collect())
    }

    async fn set_many(
        &mut self,
        handle: Handle,
        entries: Vec<(String, Vec<u8>)>,
    ) -> Result<(), Failure> {
        Ok(self.bucket(&handle)?.set_many(as_bytes(entries)).await?)
    }

    async fn delete_many(&mut self, handle: Handle, keys: Vec<String>) -> Result<(), Failure> {
        Ok(self.bucket(&handle)?.delete_many(&keys).await?)
    }
}
