//! One host's life in a lattice: opened, run, left in order.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use wattle_agent::{Agent, Restored};
use wattle_engine::{Engine, EngineError};
use wattle_lattice::data::DataConfig;
use wattle_lattice::{Connection, DataStore};
use wattle_tasks::{CancellationToken, Chain, Stuck, Tasks};
use wattle_trust::{TrustPolicy, trust_file};
use wattle_types::{HostId, Labels};

use crate::HostConfig;
use crate::artifact::Artifacts;
use crate::disk::{self, Disk, DiskError};
use crate::driver::{self, Driver, Means};
use crate::egress::ServerError;
use crate::happenings::Source;
use crate::identity::{Identity, IdentityError};
use crate::join::{self, JoinError, Member};
use crate::keyvalue::{self, Later};
use crate::listener::{ListenError, Listener};
use crate::mailbox::Mailbox;
use crate::outbound::Gate;
use crate::router::Router;
use crate::secrets::{self, SecretFiles};
use crate::start::Starter;

/// Added to the grace of requests for everything that follows them.
const STOP_MARGIN: Duration = Duration::from_secs(5);
const FLUSH_WITHIN: Duration = Duration::from_secs(2);
const DATA_RETRY: Duration = Duration::from_secs(5);

/// Why a host did not start, or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    #[error("the trust file is wrong")]
    Trust(#[source] trust_file::Error),
    #[error("the label {0:?} is the host's own to set; leave it out")]
    Label(String),
    #[error("outbound = {raw:?}")]
    Outbound { raw: String, source: ServerError },
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("could not make the folder of components")]
    Artifacts(#[source] std::io::Error),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    Secrets(#[from] secrets::OpenError),
    #[error("the engine could not be set up")]
    Engine(#[from] EngineError),
    #[error("could not join the lattice")]
    Join(#[from] JoinError),
    #[error("a part of the host ended before it should")]
    Ended,
    #[error("the host did not end in time")]
    Stuck(#[from] Stuck),
}

/// Runs a host until `stop`; then lets what is in flight finish, says goodbye, and returns.
///
/// # Errors
/// See [`RunError`]: nothing was started, or a part of the host ended by itself.
pub async fn run(config: HostConfig, stop: CancellationToken) -> Result<(), RunError> {
    Host::open(config).await?.run(stop).await
}

/// A host that has its identity, its disk and its port, and serves nobody yet.
#[derive(Debug)]
pub struct Host {
    config: HostConfig,
    policy: TrustPolicy,
    identity: Identity,
    disk: Disk,
    restored: Restored,
    listener: Option<Listener>,
    engine: Engine,
    gate: Gate,
    secrets: Option<SecretFiles>,
}

impl Host {
    /// Takes everything that can be refused at once: configuration, data folder, port, memory.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn open(mut config: HostConfig) -> Result<Self, RunError> {
        let policy = TrustPolicy::try_from(&config.trust).map_err(RunError::Trust)?;
        config.labels = own_labels(std::mem::take(&mut config.labels))?;
        let gate = gate(&config.outbound)?;
        // First of what is shared with others, since it is what most often is refused.
        let listener = config.http_addr.map(Listener::bind).transpose()?;
        let listener = listener.map(|listener| listener.with_body_bytes_max(config.body_bytes_max));
        let opened = tokio::task::spawn_blocking(move || open_folder(config));
        let opened = opened.await.map_err(|_| RunError::Ended)??;
        let (config, identity, disk, restored, engine, secrets) = opened;
        Ok(Self { config, policy, identity, disk, restored, listener, engine, gate, secrets })
    }

    pub const fn id(&self) -> &HostId {
        &self.identity.id
    }

    /// Where the shared HTTP listener is, if there is one.
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.listener.as_ref().map(Listener::addr)
    }

    /// Runs until `stop`, and leaves in order.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn run(self, stop: CancellationToken) -> Result<(), RunError> {
        let config = self.config;
        let (own, boot) = (self.identity.id, driver::boot());
        let http_addr = self.listener.as_ref().map(|listener| listener.addr().to_string());
        let agent = agent_config(&config, &own, boot, &self.policy, http_addr);
        let source = Source {
            host: own,
            name: agent.name.clone(),
            labels: agent.labels.clone(),
            version: agent.version.clone(),
        };
        tracing::info!(host = %own, lattice = %config.lattice, name = config.name, "starting");

        let router = Router::new(own, self.engine.clone());
        let (mailbox, mail) = Mailbox::new();
        let (writer, writing) = disk::writer(self.disk.clone(), mailbox.clone());
        let keyvalue = Arc::new(Later::default());
        let caps = Arc::new(config.caps.clone());
        let starter = Starter::new(
            self.engine,
            self.policy,
            keyvalue.clone(),
            self.gate,
            self.secrets,
            &router,
        )
        .with_caps(caps.clone())
        .with_artifacts(config.code.artifacts_dir.clone());
        let (work, calls) = (TaskTracker::new(), TaskTracker::new());
        let means = Means {
            router: router.clone(),
            starter,
            disk: self.disk,
            writer,
            mailbox: mailbox.clone(),
            source,
            work: work.clone(),
        };

        // What ends when the host leaves, and what must outlive that: each is waited for.
        let leave = stop.child_token();
        let (serving, tasks) = (Tasks::under(&leave), Tasks::default());
        tasks.spawn_essential("disk", |stop| writing.run(stop));
        let started = Instant::now();
        let (agent, first) = Agent::start(agent, self.restored, driver::millis_since(started));
        let driver = Driver::new(agent, started, means, mail);
        let hard_stop = tasks.stop().clone();
        serving.spawn_essential("driver", |leave| driver.run(first, leave, hard_stop));
        if let Some(listener) = self.listener {
            let (router, grace) = (router.clone(), config.drain_grace);
            serving.spawn_essential("listener", |leave| listener.run(router, leave, grace));
        }
        let data = DataConfig { replicas: config.data_replicas, ..DataConfig::default() };
        let member =
            Member { own, boot, router: router.clone(), mailbox, caps, data, calls: calls.clone() };
        let (failed, failure) = oneshot::channel();
        let connect = join::connect_config(&config, &member.own);
        let inner = tasks.clone();
        tasks.spawn("membership", |stop| async move {
            if let Err(error) = member.belong(connect, keyvalue, &inner, stop).await {
                // Whoever waits for it may have stopped waiting.
                let _ = failed.send(error);
            }
        });

        let failure = until_leaving(&stop, &serving, &tasks, failure).await;
        let grace = config.drain_grace + STOP_MARGIN;
        if let Err(stuck) = serving.shut_down(grace).await {
            tracing::warn!(%stuck, "not everything had finished");
        }
        calls.close();
        if tokio::time::timeout(STOP_MARGIN, calls.wait()).await.is_err() {
            tracing::warn!("calls of other hosts were still being answered");
        }
        if let Some(connection) = router.lattice() {
            say_goodbye(connection).await;
        }
        tasks.shut_down(STOP_MARGIN).await?;
        match failure {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

impl Member {
    /// Joins and stays, until `stop`.
    async fn belong(
        self,
        connect: wattle_lattice::ConnectConfig,
        keyvalue: Arc<Later>,
        tasks: &Tasks,
        stop: CancellationToken,
    ) -> Result<(), JoinError> {
        let Some(connection) = join::connect(connect, &stop).await? else { return Ok(()) };
        self.check_alone(&connection).await?;
        let table = self.listen(&connection, tasks).await?;
        let data = DataStore::new(connection.clone(), self.data);
        keyvalue.set(keyvalue::in_lattice(data.clone()));
        tasks.spawn("data stream", |stop| ensure(data, stop));
        self.router.join(connection.clone());
        tracing::info!(host = %self.own, server = connection.server(), "joined the lattice");
        self.stay(connection, table, stop).await;
        Ok(())
    }
}

/// Makes sure that actors have where to store, as soon as NATS lets us.
async fn ensure(data: DataStore, stop: CancellationToken) {
    while let Err(error) = data.ensure().await {
        tracing::warn!(error = %Chain(&error), "no place for actors to store in yet");
        if stop.run_until_cancelled(tokio::time::sleep(DATA_RETRY)).await.is_none() {
            return;
        }
    }
}

/// None: because it was told to.
async fn until_leaving(
    stop: &CancellationToken,
    serving: &Tasks,
    tasks: &Tasks,
    failure: oneshot::Receiver<JoinError>,
) -> Option<RunError> {
    tokio::select! {
        biased;
        () = stop.cancelled() => None,
        failed = failure => Some(failed.map_or(RunError::Ended, RunError::from)),
        () = serving.stopping() => Some(RunError::Ended),
        () = tasks.stopping() => Some(RunError::Ended),
    }
}

/// What was said last is on its way before the connection goes.
async fn say_goodbye(connection: &Connection) {
    let flushed = connection.flush(FLUSH_WITHIN).await;
    let closed = match flushed {
        Ok(()) => connection.drain(FLUSH_WITHIN).await,
        Err(error) => Err(error),
    };
    if let Err(error) = closed {
        tracing::debug!(%error, "the lattice may not have heard the last words");
    }
}

type Opened = (HostConfig, Identity, Disk, Restored, Engine, Option<SecretFiles>);

/// Blocks: files, and gigabytes of address space.
fn open_folder(config: HostConfig) -> Result<Opened, RunError> {
    let secrets = config.secrets_dir.as_deref().map(SecretFiles::open).transpose()?;
    let identity = Identity::of(&config.data_dir)?;
    let folder = config.data_dir.join("components");
    let artifacts =
        Artifacts::open(folder, config.component_bytes_max).map_err(RunError::Artifacts)?;
    let disk = Disk::open(&config.data_dir, artifacts)?;
    let restored = disk.restore()?;
    let engine = config.code.engine(&config.data_dir, &identity)?;
    Ok((config, identity, disk, restored, engine, secrets))
}

pub(crate) fn gate(outbound: &[String]) -> Result<Gate, RunError> {
    let servers = outbound
        .iter()
        .map(|raw| raw.parse().map_err(|source| RunError::Outbound { raw: raw.clone(), source }));
    Ok(Gate::new(servers.collect::<Result<_, _>>()?))
}

/// With what a host says of itself in the words of the 1.x hosts.
fn own_labels(given: Labels) -> Result<Labels, RunError> {
    if let Some(label) = given.keys().find(|label| label.starts_with("hostcore.")) {
        return Err(RunError::Label(label.clone()));
    }
    let own = [
        ("hostcore.arch", std::env::consts::ARCH),
        ("hostcore.os", std::env::consts::OS),
        ("hostcore.osfamily", std::env::consts::FAMILY),
    ];
    let own: BTreeMap<String, String> =
        own.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Ok(given.into_iter().chain(own).collect())
}

fn agent_config(
    config: &HostConfig,
    own: &HostId,
    boot: u64,
    policy: &TrustPolicy,
    http_addr: Option<String>,
) -> wattle_agent::Config {
    wattle_agent::Config {
        lattice: config.lattice.clone(),
        host: *own,
        boot,
        name: config.name.clone(),
        labels: config.labels.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        http_addr,
        capacity: config.capacity,
        controllers: policy.controllers(&config.lattice),
        grace_ms: u64::try_from(config.drain_grace.as_millis()).unwrap_or(u64::MAX),
    }
}
