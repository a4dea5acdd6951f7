//! The life of a controller: join, work until told to stop, give the lease back, leave.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use wattle_brain::lease::{Identity, MIN_VERSION};
use wattle_brain::marks::Marks;
use wattle_brain::{Brain, Config};
use wattle_lattice::store::{EnsureError, StoreConfig};
use wattle_lattice::{
    ConnectConfig, ConnectError, Connection, Credentials, Notice, PublishError, Store,
};
use wattle_tasks::{Backoff, Chain, Tasks};
use wattle_types::{ControllerKey, Role};

use crate::archive::{Archive, ArchiveError, Keeper};
use crate::config::ControllerConfig;
use crate::desk;
use crate::ears::Ears;
use crate::hands::Hands;
use crate::memory::{Memory, MemoryError};
use crate::mind::{Ended, Letter, Mind};

/// Beats of a thousand hosts for two seconds, or a snapshot of as many keys.
const MAILBOX_CAPACITY: usize = 4_096;

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("a controller signs with a cluster key (C…), not with a {0} key")]
    KeyRole(Role),
    #[error("could not open the controller's memory")]
    Memory(#[from] MemoryError),
    #[error("could not open the controller's export")]
    Archive(#[from] ArchiveError),
    #[error("could not join the lattice")]
    Connect(#[from] ConnectError),
    #[error("the control stream cannot be used")]
    Store(#[source] EnsureError),
    #[error("could not listen")]
    Listen(#[from] PublishError),
    #[error("the connection to NATS ended for good")]
    Deaf,
    #[error("could not stop in time")]
    Stuck(#[from] wattle_tasks::Stuck),
}

/// Runs a controller until `stop` is cancelled.
///
/// Waits for NATS as long as it takes, and says so. Ends before that only for what no waiting
/// repairs.
pub async fn run(config: ControllerConfig, stop: CancellationToken) -> Result<(), RunError> {
    let role = config.key.role();
    ControllerKey::try_from(config.key.public()).map_err(|_| RunError::KeyRole(role))?;
    let (memory, epoch_known) = Memory::open(&config.data_dir, &config.lattice)?;
    let (archive, kept) = Archive::open(&config.data_dir, &config.lattice)?;
    let marks = Marks::of(kept.iter().filter_map(|kept| Some((&kept.key, kept.bytes.as_deref()?))));
    drop(kept);
    let (mailbox, letters) = mpsc::channel(MAILBOX_CAPACITY);
    let Some(connection) = stop.run_until_cancelled(connect(&config, mailbox.clone())).await else {
        return Ok(());
    };
    let connection = connection?;
    let store_config = StoreConfig { replicas: config.replicas, ..StoreConfig::default() };
    let store = Store::new(connection.clone(), store_config);
    match stop.run_until_cancelled(ensure(&store)).await {
        None => return Ok(()),
        Some(ensured) => ensured.map_err(RunError::Store)?,
    }
    info!(lattice = %config.lattice, controller = %config.name, "joined the lattice");

    let identity = Identity {
        holder: config.name.clone(),
        boot: fastrand::u64(..),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        min_version: MIN_VERSION.to_owned(),
    };
    let boot = identity.boot;
    let lattice = config.lattice.clone();
    let brain = Brain::new(Config { lattice, identity, epoch_known, marks });

    // Not a child of `stop`: the brain still needs hands and ears to give the lease back.
    let tasks = Tasks::default();
    let follow_anew = Arc::new(Notify::new());
    let ears = Ears {
        connection: connection.clone(),
        store: store.clone(),
        believed: config.believed(),
        mailbox: mailbox.clone(),
        follow_anew: follow_anew.clone(),
    };
    ears.listen(&tasks).await?;
    desk::open(&connection, (&config.name, boot), &mailbox, &tasks).await?;
    let keeper = Keeper::start(archive, follow_anew.clone(), &tasks);
    let stop_grace = config.stop_grace;
    let hands = Hands {
        connection: connection.clone(),
        store,
        config,
        boot,
        memory,
        keeper,
        mailbox,
        tasks: tasks.clone(),
        follow_anew,
        door: None,
    };
    let ended = Mind::new(brain, hands, letters).run(stop, stop_grace).await;

    // The lease is given back, or could not be; what follows is only politeness.
    tasks.shut_down(stop_grace).await?;
    if let Err(error) = connection.drain(stop_grace).await {
        warn!(error = %Chain(&error), "left without draining the connection");
    }
    match ended {
        Ended::AsAsked => Ok(()),
        Ended::Deaf => Err(RunError::Deaf),
    }
}

async fn connect(
    config: &ControllerConfig,
    mailbox: mpsc::Sender<Letter>,
) -> Result<Connection, ConnectError> {
    let mut connect =
        ConnectConfig::member(config.nats_url.clone(), config.lattice.clone(), config.name.clone());
    if let Some(path) = &config.nats_creds {
        connect.credentials = Credentials::File(path.clone());
    }
    Connection::connect(connect, move |notice| {
        say(&notice);
        if notice == Notice::SlowConsumer {
            // When the mailbox is full as well, more beats are lost, and more notices follow.
            let _ = mailbox.try_send(Letter::Deaf);
        }
    })
    .await
}

fn say(notice: &Notice) {
    match notice {
        Notice::Waiting { url, attempt, pause, reason } => {
            info!(url, attempt, ?pause, reason, "waiting for NATS; trying again");
        }
        Notice::Connected => info!("connected to NATS"),
        Notice::Lost => warn!("connection to NATS lost"),
        Notice::StillLost { reason } => warn!(reason, "NATS cannot be reached"),
        Notice::SlowConsumer => warn!("messages were lost: this controller does not keep up"),
        Notice::ServerStopping => info!("the NATS server is stopping"),
        Notice::Refused { reason } => warn!(reason, "NATS refused something"),
        Notice::Closed => {}
    }
}

/// Makes the control stream, waiting for JetStream as long as it takes.
async fn ensure(store: &Store) -> Result<(), EnsureError> {
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
    loop {
        match store.ensure().await {
            Err(error @ EnsureError::JetStream { .. }) => {
                let pause = backoff.pause();
                warn!(error = %Chain(&error), ?pause, "waiting for JetStream");
                tokio::time::sleep(pause).await;
            }
            done => return done,
        }
    }
}
