//! The control stream: everything the control plane knows, in one stream per lattice.
//!
//! Lease, ids, applications, manifests, specs and assignments are keys of *one* stream, because a
//! batch (and so the fence of the lease) does not span streams. Decides nothing: conditions come
//! from the caller, and what became of a write is told in full.
//!
//! *Expected flow*: [`Store::ensure`] once; [`Store::follow`] for those who must know everything;
//! [`Store::read_direct`] and [`Store::read_prefix`] for a host that reads its own keys; [`Store::write`] and
//! [`Store::commit`] to change something.
//! *Guarantees*: a write is stored only on its condition; a batch is stored wholly or not at all.
//! *Assumptions*: no wall clock; sequences only rise while the stream exists.
//! *Caveats*: after [`WriteOutcome::Unknown`] the write may still be stored later, so it is read
//! back with [`Store::read_back`] and repeated on the same condition only.

mod commit;
mod follow;
mod prefix;
mod write;

use std::time::Duration;

use wattle_types::{Key, LatticeId};

pub use commit::{BATCH_MAX, first_of_batch};
pub use follow::{Change, Follow};
pub use prefix::{Prefix, Read};
pub(crate) use write::outcome;
pub use write::{Expect, ReadBack, Refusal, Write, WriteOutcome};

pub use crate::bucket::{EnsureError, Stored};
pub use crate::jetstream::JetStreamError;

use crate::Connection;
use crate::bucket::Bucket;

/// How the control stream is kept, and how long one step with it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// Copies on different servers: 1 on one machine, 3 where losing one must not matter. Only
    /// for creating the stream; what exists is not changed.
    pub replicas: u8,
    /// A write that takes longer has an unknown outcome. Below the lease's renewal period.
    pub write_within: Duration,
    pub read_within: Duration,
    pub ensure_within: Duration,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            replicas: 1,
            write_within: Duration::from_millis(700),
            read_within: Duration::from_secs(2),
            ensure_within: Duration::from_secs(10),
        }
    }
}

/// The control stream of one lattice. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    bucket: Bucket,
    config: StoreConfig,
}

impl Store {
    /// Of the connection's lattice. Costs nothing; [`Store::ensure`] makes the stream.
    pub fn new(connection: Connection, config: StoreConfig) -> Self {
        let name = Self::bucket_name(connection.lattice());
        Self { bucket: Bucket::new(connection, name), config }
    }

    /// The name as NATS tools show it, without `KV_`.
    pub fn bucket_name(lattice: &LatticeId) -> String {
        format!("wattle-control-{lattice}")
    }

    /// Creates the stream if it is not there; refuses a server before 2.12, and a stream that
    /// exists with settings that do not keep our promises.
    pub async fn ensure(&self) -> Result<(), EnsureError> {
        self.bucket.ensure(self.config.replicas, true, self.config.ensure_within).await
    }

    /// Reads from the stream's leader: for conditions, and for whatever must not be stale.
    pub async fn read_leader(&self, key: &Key) -> Result<Option<Stored>, JetStreamError> {
        self.bucket.read_leader(&key.to_string(), self.config.read_within).await
    }

    /// Reads from any replica: for hosts, which compare generations anyway.
    pub async fn read_direct(&self, key: &Key) -> Result<Option<Stored>, JetStreamError> {
        self.bucket.read_direct(&key.to_string(), self.config.read_within).await
    }

    /// Follows all keys: first what is stored, then [`Change::Complete`], then every change.
    pub fn follow(&self) -> Follow {
        Follow::start(self.bucket.clone(), self.config.read_within)
    }

    /// Removes keys that no longer mean anything, such as the specs of a deleted application, and
    /// leaves no marker. Followers do not see it, so only what nobody refers to may go this way;
    /// everything else is deleted with [`Write::delete`].
    pub async fn purge(&self, key: &Key) -> Result<(), JetStreamError> {
        self.bucket.purge(&key.to_string(), self.config.write_within).await
    }
}
