//! One host in a lattice whose leader is this program: what runs is assigned by hand, so that nothing but the
//! host is measured.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use tempfile::TempDir;
use wattle_lattice::{
    Connection, Expect, Pattern, Store, Subject, WriteOutcome,
    signal::Wake,
    store::{BATCH_MAX, StoreConfig, Write},
    subject::HostOp,
    testing::NatsServer,
};
use wattle_tests::{Component, Look, Process, binary, free_address, wait_until};
use wattle_trust::{
    KeyPair, TrustFile,
    signed::{self, Context},
};
use wattle_types::{
    ActorSpec, ActorState, Assignment, Entry, Epoch, Generation, HostId, IdRecord, Inventory, Key,
    LatticeId, Lease, Owner, Role,
    stored::{self, VERSION},
};

/// Thousands of components are started, some of them compiled first.
pub(crate) const READY_WITHIN: Duration = Duration::from_secs(600);
const JOINED_WITHIN: Duration = Duration::from_secs(30);
const ASKED_WITHIN: Duration = Duration::from_secs(10);
/// A batch that the server writes to its disk.
const STORED_WITHIN: Duration = Duration::from_secs(20);
const NAME: &str = "bench";
const EPOCH: Epoch = Epoch(1);

/// Ended when dropped: the host first, then the server.
pub(crate) struct Stage {
    pub(crate) host: Process,
    pub(crate) id: HostId,
    pub(crate) listener: SocketAddr,
    pub(crate) connection: Connection,
    pub(crate) nats: NatsServer,
    store: Store,
    controller: KeyPair,
    issuer: KeyPair,
    generation: u64,
    lease: Expect,
    pub(crate) folder: TempDir,
}

impl Stage {
    /// A host that has joined; `nats_config` holds the settings that `wattle up` gives its server.
    pub(crate) async fn start(nats_config: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let [controller, issuer] = [Role::Cluster, Role::Account].map(KeyPair::generate);
        let (controller, issuer) = (controller?, issuer?);
        let trust = TrustFile::new()
            .with_controller(&controller.public().try_into()?, NAME)
            .with_issuer(&issuer.public().try_into()?, NAME);
        fs::write(folder.path().join("trust.toml"), trust.to_toml())?;
        let nats = NatsServer::start_with(&["--config", nats_config]);
        let lattice: LatticeId = NAME.parse()?;
        let connection = nats.join(&lattice).await;
        let config = StoreConfig { write_within: STORED_WITHIN, ..StoreConfig::default() };
        let store = Store::new(connection.clone(), config);
        store.ensure().await?;
        let mut beats = connection.subscribe(&Pattern::Beats).await?;
        let listener = free_address();
        let host = start_host(&nats, listener, folder.path());
        let beat = tokio::time::timeout(JOINED_WITHIN, beats.next()).await;
        let beat = beat.with_context(|| format!("the host did not join: {}", host.log()))?;
        let Subject::Beat { host: id } = beat.context("the lattice is gone")?.subject else {
            bail!("something else than a beat came")
        };
        let (generation, lease) = (0, Expect::Absent);
        Ok(Self {
            host,
            id,
            listener,
            connection,
            nats,
            store,
            controller,
            issuer,
            generation,
            lease,
            folder,
        })
    }

    /// Signs a component; returns its image.
    pub(crate) fn image(&self, name: &str, component: Vec<u8>) -> Result<String> {
        let path: PathBuf = self.folder.path().join(format!("{name}.wasm"));
        fs::write(&path, Component(component).signed(name, &self.issuer).0)?;
        Ok(format!("file://{}", path.display()))
    }

    /// Stores what a leader stores before it assigns, in batches.
    pub(crate) async fn publish(&mut self, specs: &[ActorSpec]) -> Result<()> {
        // Two writes for each, after that of the lease.
        for specs in specs.chunks((BATCH_MAX - 1) / 2) {
            let lease = Write::put(Key::Lease, stored::encode(&Lease::vacant()), self.lease);
            let mut writes = vec![lease];
            for spec in specs {
                writes.push(Write::put(Key::Spec(spec.hash()), spec.encode(), Expect::Absent));
                let id = Key::Id(spec.id.clone());
                writes.push(Write::put(id, stored::encode(&record(spec)?), Expect::Absent));
            }
            let WriteOutcome::Ok(last) = self.store.commit(&writes).await else {
                bail!("a batch was not stored")
            };
            self.lease =
                Expect::Revision(wattle_lattice::store::first_of_batch(last, writes.len()));
        }
        Ok(())
    }

    /// Assigns exactly these, which are published; returns when the host was told.
    pub(crate) async fn assign(&mut self, specs: &[ActorSpec]) -> Result<Instant> {
        self.generation += 1;
        let entry = |spec: &ActorSpec| Entry { id: spec.id.clone(), spec: spec.hash(), count: 1 };
        let mut entries: Vec<Entry> = specs.iter().map(entry).collect();
        entries.sort_by(|a, b| a.id.cmp(&b.id));
        let assignment = Assignment {
            v: VERSION,
            lattice: self.connection.lattice().clone(),
            host: self.id,
            epoch: EPOCH,
            generation: Generation(self.generation),
            mass: true,
            entries,
        };
        let sealed = signed::seal(Context::Assignment, &assignment.encode(), &self.controller);
        let key = Key::Assign(self.id);
        let before = self.store.read_leader(&key).await?;
        let write = Write::put(key, sealed, Expect::unchanged(before.as_ref()));
        let WriteOutcome::Ok(seq) = self.store.write(&write).await else {
            bail!("the assignment was not stored")
        };
        let told = Instant::now();
        let wake = Subject::Wake { host: self.id };
        self.connection.publish(&wake, Wake::new(seq).encode()).await?;
        Ok(told)
    }

    /// Waits until the host follows the last assignment, and all `count` actors of it are ready.
    pub(crate) async fn until_ready(&self, count: usize) {
        wait_until(&format!("{count} actors are ready"), READY_WITHIN, async || {
            let Ok(inventory) = self.inventory().await else {
                return Look::NotYet(format!("no inventory; {}", self.host.log()));
            };
            let ready = |state: &ActorState| *state == ActorState::Ready;
            let is_ready = inventory.actors.iter().filter(|actor| ready(&actor.state)).count();
            let follows = inventory.applied.map(|applied| applied.generation);
            let met = follows == Some(Generation(self.generation))
                && is_ready == count
                && inventory.actors.len() == count;
            Look::some(met.then_some(()), || format!("{is_ready} ready, {follows:?} followed"))
        })
        .await;
    }

    pub(crate) async fn inventory(&self) -> Result<Inventory> {
        let subject = Subject::Host { host: self.id, op: HostOp::Inventory };
        let reply = self.connection.request(&subject, Bytes::new(), ASKED_WITHIN).await?;
        Ok(stored::decode("an inventory", &reply.payload)?)
    }

    /// Resident memory of the host now, in bytes.
    pub(crate) fn memory(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.host.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        Ok(kib.context("the kernel says how much memory a process has")? << 10)
    }
}

fn start_host(nats: &NatsServer, listener: SocketAddr, folder: &Path) -> Process {
    let path = |name: &str| folder.join(name).display().to_string();
    let (url, listener) = (nats.url(), listener.to_string());
    let (data, trust) = (path("host"), path("trust.toml"));
    let arguments = [
        ["host", "--name"],
        [NAME, "--lattice"],
        [NAME, "--nats-url"],
        [&url, "--http-addr"],
        [&listener, "--data-dir"],
        [&data, "--trust"],
    ];
    let mut arguments: Vec<String> = arguments.concat().into_iter().map(str::to_owned).collect();
    arguments.push(trust);
    Process::start("host", binary(), &arguments, folder)
}

fn record(spec: &ActorSpec) -> Result<IdRecord> {
    let first_seen = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    Ok(IdRecord::new(spec.id.clone(), Owner::Manual, first_seen))
}
