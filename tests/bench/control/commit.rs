//! One atomic batch on three copies.

use std::time::Instant;

use anyhow::{Result, bail};
use serde_json::{Value, json};
use wattle_lattice::Store;
use wattle_lattice::store::{Expect, StoreConfig, Write, WriteOutcome};
use wattle_lattice::testing::NatsCluster;
use wattle_types::{HostId, Key, LatticeId, PublicKey, Role};

const BYTES: usize = 2_000;

pub(crate) async fn measure(writes: usize, runs: usize) -> Result<Value> {
    let cluster = NatsCluster::start(3).await;
    let lattice: LatticeId = "bench".parse()?;
    let config = StoreConfig { replicas: 3, ..StoreConfig::default() };
    let store = Store::new(cluster.join(&lattice).await, config);
    store.ensure().await?;
    let mut times = Vec::new();
    // The lease comes first, as in every batch of a leader.
    let mut expected: Vec<Expect> = vec![Expect::Absent; writes + 1];
    for _ in 0..runs {
        let batch: Vec<Write> = expected
            .iter()
            .enumerate()
            .map(|(index, expect)| match index {
                0 => Write::put(Key::Lease, vec![7], *expect),
                _ => Write::put(key(index), vec![7; BYTES], *expect),
            })
            .collect();
        let begun = Instant::now();
        let last = match store.commit(&batch).await {
            WriteOutcome::Ok(last) => last,
            other => bail!("the batch was not stored: {other:?}"),
        };
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        // The last message has this sequence, and those before it the ones before that.
        let first = last - writes as u64;
        expected = (first..=last).map(Expect::Revision).collect();
    }
    Ok(json!({ "commit_ms": times, "bytes": BYTES }))
}

/// Of the assignment of one host.
fn key(index: usize) -> Key {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&(index as u64).to_le_bytes());
    let id = HostId::try_from(PublicKey::new(Role::Server, bytes));
    Key::Assign(id.expect("a server's key is a host's id"))
}
