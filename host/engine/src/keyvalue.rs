//! `wasi:keyvalue` for guests: the generated traits of both drafts, over whatever store the actor
//! is bound to. The older draft is here, what differs in the newer one in [`draft2`].

use std::sync::Arc;

use bytes::Bytes;
use wasmtime::component::{Linker, Resource, ResourceTableError};
use wattle_capability::keyvalue::{Limited, Timely};
use wattle_capability::{Bucket, KvError};
use wattle_types::StoreName;

use crate::bindings::wasi::keyvalue0_2_0_draft::{atomics, batch, store};
use crate::state::{HasView, State, View};

pub(crate) mod draft2;

/// A bucket that a guest has opened.
#[expect(unreachable_pub, reason = "the generated bindings re-export it as public")]
pub struct OpenBucket(Arc<dyn Bucket>);

/// What goes wrong in a host function: the guest hears it, or is at fault and traps.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings re-export it as public")]
pub enum Failure {
    Told(KvError),
    Trap(wasmtime::Error),
}

impl From<KvError> for Failure {
    fn from(error: KvError) -> Self {
        Self::Told(error)
    }
}

impl From<ResourceTableError> for Failure {
    fn from(error: ResourceTableError) -> Self {
        Self::Trap(error.into())
    }
}

pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    store::add_to_linker::<_, HasView>(linker, State::view)?;
    atomics::add_to_linker::<_, HasView>(linker, State::view)?;
    batch::add_to_linker::<_, HasView>(linker, State::view)?;
    draft2::add_to_linker(linker)
}

type Handle = Resource<OpenBucket>;

impl View<'_> {
    async fn open_bucket(&mut self, identifier: &str) -> Result<Handle, Failure> {
        // What is not a name cannot be the name of a store; it is not worth a different error.
        let name: StoreName = identifier.parse().map_err(|_| KvError::NoSuchStore)?;
        let opened = self.actor.keyvalue.open(&self.actor.scope, &name).await?;
        let limits = &self.actor.limits;
        let timely = Timely::new(opened, limits.keyvalue_wait, self.ctx.deadline);
        let bucket = Arc::new(Limited::new(Arc::new(timely), limits.keyvalue));
        Ok(self.table.push(OpenBucket(bucket))?)
    }

    fn bucket(&self, handle: &Handle) -> Result<Arc<dyn Bucket>, Failure> {
        Ok(self.table.get(handle)?.0.clone())
    }
}

fn as_bytes(entries: Vec<(String, Vec<u8>)>) -> Vec<(String, Bytes)> {
    entries.into_iter().map(|(key, value)| (key, value.into())).collect()
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
        cursor: Option<u64>,
    ) -> Result<store::KeyResponse, Failure> {
        let page = self.bucket(&handle)?.list_keys(cursor).await?;
        Ok(store::KeyResponse { keys: page.keys, cursor: page.cursor })
    }

    async fn drop(&mut self, handle: Handle) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}

impl atomics::Host for View<'_> {
    async fn increment(&mut self, handle: Handle, key: String, delta: u64) -> Result<u64, Failure> {
        Ok(self.bucket(&handle)?.increment(&key, delta).await?)
    }
}

impl batch::Host for View<'_> {
    async fn get_many(
        &mut self,
        handle: Handle,
        keys: Vec<String>,
    ) -> Result<Vec<Option<(String, Vec<u8>)>>, Failure> {
        let values = self.bucket(&handle)?.get_many(&keys).await?;
        let pairs = keys.into_iter().zip(values);
        Ok(pairs.map(|(key, value)| value.map(|value| (key, value.into()))).collect())
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
