//! A lattice for one test: its own server, keys and trust, hosts that can be killed, and a leader
//! that is the test itself.

mod client;
mod links;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::StatusCode;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use wattle_host::run::Host;
use wattle_host::{HostConfig, RunError};
use wattle_lattice::signal::Wake;
use wattle_lattice::store::{StoreConfig, Write};
use wattle_lattice::subject::HostOp;
use wattle_lattice::testing::NatsServer;
use wattle_lattice::{Connection, Expect, RequestError, Store, Subject, WriteOutcome};
use wattle_tasks::CancellationToken;
use wattle_trust::signed::{self, Context};
use wattle_trust::{KeyPair, SignRequest, TrustFile, claims};
use wattle_types::stored::{self, VERSION};
use wattle_types::{
    ActorSpec, ActorState, Assignment, Entry, Epoch, Generation, HostId, HttpRoute, IdRecord,
    Inventory, Key, LatticeId, Leadership, Owner, Role,
};

pub(crate) use client::{begin, get, send};

/// Everything that is waited for comes within this time, also on a machine busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
pub(crate) const EPOCH: u64 = 5;

pub(crate) struct Lattice {
    pub(crate) nats: NatsServer,
    pub(crate) id: LatticeId,
    pub(crate) controller: KeyPair,
    pub(crate) issuer: KeyPair,
    pub(crate) connection: Connection,
    pub(crate) store: Store,
    pub(crate) dir: TempDir,
    generations: Cell<u64>,
}

impl Lattice {
    pub(crate) async fn start() -> Self {
        let nats = NatsServer::start();
        let id: LatticeId = "test".parse().unwrap();
        let connection = nats.join(&id).await;
        let store = Store::new(connection.clone(), StoreConfig::default());
        store.ensure().await.unwrap();
        Self {
            nats,
            id,
            controller: KeyPair::generate(Role::Cluster).unwrap(),
            issuer: KeyPair::generate(Role::Account).unwrap(),
            connection,
            store,
            dir: tempfile::tempdir().unwrap(),
            generations: Cell::new(0),
        }
    }

    pub(crate) fn trust(&self) -> TrustFile {
        let controller = self.controller.public().try_into().unwrap();
        let issuer = self.issuer.public().try_into().unwrap();
        TrustFile::new().with_controller(&controller, "tests").with_issuer(&issuer, "tests")
    }

    /// A host's configuration; one folder per name.
    pub(crate) fn config(&self, name: &str) -> HostConfig {
        HostConfig {
            http_addr: Some("127.0.0.1:0".parse().unwrap()),
            drain_grace: Duration::from_secs(20),
            ..HostConfig::new(
                self.id.clone(),
                self.nats.url(),
                name,
                BTreeMap::new(),
                self.dir.path().join(name),
                self.trust(),
            )
        }
    }

    /// A host that has joined.
    pub(crate) async fn host(&self, name: &str) -> Running {
        let host = Running::start(self.config(name)).await;
        self.inventory_of(&host).await;
        host
    }

    /// A signed component as a file of its own; returns its image.
    pub(crate) fn component(&self, guest: &str) -> String {
        let module = KeyPair::generate(Role::Module).unwrap().public().try_into().unwrap();
        let request = SignRequest::new(module, guest);
        let signed = claims::sign(&self::guest(guest), &request, &self.issuer, now_unix_s());
        self.file(guest, &signed.unwrap())
    }

    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.dir.path().join(format!("{name}.wasm"));
        std::fs::write(&path, bytes).unwrap();
        format!("file://{}", path.display())
    }

    /// What the leader would store for a spec, before it assigns it.
    pub(crate) async fn publish(&self, spec: &ActorSpec) {
        self.put(Key::Spec(spec.hash()), spec.encode()).await;
        let owner = spec.app.clone().map_or(Owner::Manual, Owner::App);
        let record = IdRecord::new(spec.id.clone(), owner, now_unix_s());
        self.put(Key::Id(spec.id.clone()), stored::encode(&record)).await;
    }

    /// Everything the host should run, by the next generation; it may end what ran before.
    pub(crate) async fn assign(&self, host: &Running, specs: &[&ActorSpec]) -> Assignment {
        for spec in specs {
            self.publish(spec).await;
        }
        let assignment = self.assignment(host, specs);
        self.write(host, &assignment, &self.controller).await;
        assignment
    }

    /// The next assignment, not written yet.
    pub(crate) fn assignment(&self, host: &Running, specs: &[&ActorSpec]) -> Assignment {
        self.generations.set(self.generations.get() + 1);
        let mut entries: Vec<Entry> = specs
            .iter()
            .map(|spec| Entry { id: spec.id.clone(), spec: spec.hash(), count: 2 })
            .collect();
        entries.sort_by(|a, b| a.id.cmp(&b.id));
        Assignment {
            v: VERSION,
            lattice: self.id.clone(),
            host: host.id,
            epoch: Epoch(EPOCH),
            generation: Generation(self.generations.get()),
            mass: true,
            entries,
        }
    }

    /// Stores an assignment under the host's key, signed by `key`, and wakes the host.
    pub(crate) async fn write(&self, host: &Running, assignment: &Assignment, key: &KeyPair) {
        let sealed = signed::seal(Context::Assignment, &assignment.encode(), key);
        let seq = self.put(Key::Assign(host.id), sealed).await;
        let wake = Subject::Wake { host: host.id };
        self.connection.publish(&wake, Wake::new(seq).encode()).await.unwrap();
    }

    pub(crate) async fn lead(&self, epoch: u64) {
        let word = Leadership::new(self.id.clone(), "tests", 1, Epoch(epoch));
        let sealed = signed::seal(Context::Leader, &word.encode(), &self.controller);
        self.connection.publish(&Subject::Leader, sealed.into()).await.unwrap();
    }

    pub(crate) async fn put(&self, key: Key, value: Vec<u8>) -> u64 {
        let stored = self.store.read_leader(&key).await.unwrap();
        let expect = Expect::unchanged(stored.as_ref());
        match self.store.write(&Write::put(key, value, expect)).await {
            WriteOutcome::Ok(seq) => seq,
            other => panic!("{other:?}"),
        }
    }

    /// As SIGKILL: nothing is finished, nothing is said. Returns when the lattice has noticed.
    pub(crate) async fn kill(&self, host: Running) {
        let probe = Subject::Host { host: host.id, op: HostOp::Probe };
        host.kill().await;
        let within = Duration::from_millis(500);
        until("nobody is there any more", async || {
            let probed = self.connection.request(&probe, Bytes::new(), within).await;
            matches!(probed, Err(RequestError::NoResponders)).then_some(())
        })
        .await;
    }

    /// None while the host does not answer.
    pub(crate) async fn ask_inventory(&self, host: HostId) -> Option<Inventory> {
        let subject = Subject::Host { host, op: HostOp::Inventory };
        let asked = self.connection.request(&subject, Bytes::new(), Duration::from_secs(2)).await;
        asked.ok().map(|reply| stored::decode("an inventory", &reply.payload).unwrap())
    }

    pub(crate) async fn inventory_of(&self, host: &Running) -> Inventory {
        until("the host is in the lattice", async || self.ask_inventory(host.id).await).await
    }

    /// Waits until the host follows an assignment and all of it is ready.
    pub(crate) async fn until_ready(&self, host: &Running, assignment: &Assignment) {
        self.until_settled(host, assignment, |state| *state == ActorState::Ready).await;
    }

    /// Waits until the host follows an assignment and all its actors are in such a state.
    pub(crate) async fn until_settled(
        &self,
        host: &Running,
        assignment: &Assignment,
        is_settled: impl Fn(&ActorState) -> bool,
    ) -> Inventory {
        let what = format!("{:?} is followed", assignment.generation);
        until(&what, async || {
            let inventory = self.ask_inventory(host.id).await?;
            let follows = inventory.applied?.generation == assignment.generation;
            let specs: Vec<_> = inventory.actors.iter().map(|actor| actor.spec).collect();
            let wanted: Vec<_> = assignment.entries.iter().map(|entry| entry.spec).collect();
            let settled = inventory.actors.iter().all(|actor| is_settled(&actor.state));
            (follows && specs == wanted && settled).then_some(inventory)
        })
        .await
    }
}

/// A host with a runtime of its own, so that it can be killed as a process would be.
pub(crate) struct Running {
    pub(crate) id: HostId,
    pub(crate) addr: SocketAddr,
    pub(crate) stop: CancellationToken,
    ended: Option<JoinHandle<Result<(), RunError>>>,
    runtime: Option<Runtime>,
}

impl Running {
    pub(crate) async fn start(config: HostConfig) -> Self {
        Self::try_start(config).await.unwrap()
    }

    pub(crate) async fn try_start(config: HostConfig) -> Result<Self, RunError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let opened = runtime.spawn(Host::open(config)).await.unwrap();
        let host = match opened {
            Ok(host) => host,
            Err(error) => {
                runtime.shutdown_background();
                return Err(error);
            }
        };
        let (id, addr) = (*host.id(), host.http_addr().unwrap());
        let stop = CancellationToken::new();
        let ended = Some(runtime.spawn(host.run(stop.clone())));
        Ok(Self { id, addr, stop, ended, runtime: Some(runtime) })
    }

    /// Returns when nothing of it holds its disk any more, as when a process has ended.
    pub(crate) async fn kill(mut self) {
        let runtime = self.runtime.take().unwrap();
        let ended = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(PATIENCE));
        ended.await.unwrap();
    }

    /// As SIGTERM.
    pub(crate) fn ask_to_stop(&self) {
        self.stop.cancel();
    }

    /// How it ended, once it has.
    pub(crate) async fn ended(&mut self) -> Result<(), RunError> {
        let ended = self.ended.take().unwrap();
        tokio::time::timeout(PATIENCE, ended).await.expect("the host ends").unwrap()
    }

    pub(crate) async fn stopped(mut self) {
        self.ask_to_stop();
        self.ended().await.unwrap();
    }

    pub(crate) async fn get(&self, target: &str) -> (StatusCode, String) {
        get(self.addr, target).await
    }

    /// Waits for a 200 and returns its text.
    pub(crate) async fn until_ok(&self, target: &str) -> String {
        until(&format!("{target} answers"), async || {
            let (status, text) = self.get(target).await;
            (status == StatusCode::OK).then_some(text)
        })
        .await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// An actor of application `shop` on one path, such as `hello` at `/hello`.
pub(crate) fn spec(id: &str, image: &str, path: &str) -> ActorSpec {
    ActorSpec {
        app: Some("shop".parse().unwrap()),
        routes: vec![HttpRoute { host: None, path: path.to_owned() }],
        ..ActorSpec::new(id.parse().unwrap(), image)
    }
}

/// A component that `cargo xtask guests` has built.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let beside = || Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("guests");
    let dir = std::env::var_os("WATTLE_GUESTS").map_or_else(beside, PathBuf::from);
    let path = dir.join(format!("{name}.wasm"));
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run cargo xtask guests", path.display()))
}

pub(crate) fn now_unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Looks until there is something to see.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
