//! Getting connected and staying so.
//!
//! The first connection is tried here, so that each failure can be told; after that the client
//! reconnects by itself, for ever, to the server that [`next`] names.

mod next;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::{ConnectErrorKind, ConnectOptions, Event, ReconnectToServer, ServerAddr};
use tokio::sync::watch;
use wattle_tasks::Backoff;

use self::next::Next;
use super::config::{ConnectConfig, Credentials};

/// The bound of every wait between two attempts.
const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// The shortest bound: the first attempts of one who starts beside its NATS server.
const BACKOFF_MIN: Duration = Duration::from_millis(100);

/// How long one attempt may take, handshake included.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// What became of the connection; told as it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Nobody there yet; the next attempt follows after `pause`.
    Waiting {
        url: String,
        attempt: u32,
        pause: Duration,
        reason: String,
    },
    Connected,
    /// The connection broke; it is being restored.
    Lost,
    /// An attempt to restore it failed; the next follows within two seconds.
    StillLost {
        reason: String,
    },
    /// A subscription's queue was full and a message was dropped.
    SlowConsumer,
    /// The server is about to stop; the client moves on.
    ServerStopping,
    /// The server refused something, such as a subject we may not use.
    Refused {
        reason: String,
    },
    /// For good, because we asked for it.
    Closed,
}

/// Whether we are connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionState {
    pub up: bool,
    /// How often a connection was made. A rise means that something may have been missed.
    pub connects: u64,
    /// For good.
    pub closed: bool,
}

/// Why there will be no connection however long one waits.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("{url:?} is not the address of a NATS server; use nats://host:port or tls://host:port")]
    Address { url: String },
    #[error(
        "the address of a NATS server must not hold a user or password; use a credentials file"
    )]
    CredentialsInAddress,
    #[error("could not read the NATS credentials in {}", path.display())]
    Credentials { path: PathBuf, source: std::io::Error },
    #[error("the NATS server at {url} refused our credentials")]
    Refused { url: String, source: async_nats::ConnectError },
    #[error("the connection ended while it was being set up")]
    Ended,
}

/// What the client's callbacks and we share.
struct Observer<F> {
    state: watch::Sender<ConnectionState>,
    /// Before the first connection the client tries what it is given, at once: we pause between
    /// attempts ourselves.
    joined: AtomicBool,
    next: Next,
    on_event: F,
}

/// Connects. `queue_max` bounds the messages that wait to be written; none: the client's own bound.
pub(crate) async fn establish(
    config: &ConnectConfig,
    reply_prefix: &str,
    queue_max: Option<usize>,
    on_event: impl Fn(Notice) + Send + Sync + 'static,
) -> Result<(async_nats::Client, watch::Receiver<ConnectionState>), ConnectError> {
    let addresses = addresses(&config.url)?;
    let (state, mut link) = watch::channel(ConnectionState::default());
    let observer = Arc::new(Observer {
        state,
        joined: AtomicBool::new(false),
        next: Next::default(),
        on_event,
    });

    let mut backoff = Backoff::new(BACKOFF_MIN, BACKOFF_MAX);
    let mut attempt = 0;
    loop {
        attempt += 1;
        let mut options = options(config, reply_prefix, observer.clone()).await?;
        if let Some(queue_max) = queue_max {
            options = options.client_capacity(queue_max);
        }
        let refused = match options.connect(addresses.clone()).await {
            Ok(client) => {
                observer.joined.store(true, Ordering::Relaxed);
                // The client tells its callback a moment after it told us.
                link.wait_for(|link| link.up).await.map_err(|_| ConnectError::Ended)?;
                return Ok((client, link));
            }
            Err(source) => source,
        };
        match refused.kind() {
            ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                return Err(ConnectError::Refused { url: config.url.clone(), source: refused });
            }
            _ => {
                let pause = backoff.pause();
                let reason = refused.to_string();
                let url = config.url.clone();
                (observer.on_event)(Notice::Waiting { url, attempt, pause, reason });
                tokio::time::sleep(pause).await;
            }
        }
    }
}

fn addresses(url: &str) -> Result<Vec<ServerAddr>, ConnectError> {
    url.split(',').map(|one| address(one.trim())).collect()
}

fn address(url: &str) -> Result<ServerAddr, ConnectError> {
    let malformed = || ConnectError::Address { url: url.to_owned() };
    let address: ServerAddr = url.parse().map_err(|_| malformed())?;
    // Before anything else, so that no message repeats them.
    if address.has_user_pass() {
        return Err(ConnectError::CredentialsInAddress);
    }
    if address.host().is_empty() || !matches!(address.scheme(), "nats" | "tls") {
        return Err(malformed());
    }
    Ok(address)
}

async fn options<F: Fn(Notice) + Send + Sync + 'static>(
    config: &ConnectConfig,
    reply_prefix: &str,
    observer: Arc<Observer<F>>,
) -> Result<ConnectOptions, ConnectError> {
    let told = observer.clone();
    let mut options = ConnectOptions::new()
        .name(&config.name)
        .custom_inbox_prefix(reply_prefix)
        .ping_interval(config.ping_interval)
        .connection_timeout(ATTEMPT_TIMEOUT)
        .reconnect_delay_callback(|_attempt| Duration::ZERO)
        .reconnect_to_server_callback(move |servers, _info| {
            let joined = observer.joined.load(Ordering::Relaxed);
            let next = joined.then(|| observer.next.after(&servers)).flatten();
            std::future::ready(
                next.map(|(addr, pause)| ReconnectToServer { addr, delay: Some(pause) }),
            )
        })
        .event_callback(move |event| {
            told.on(event);
            std::future::ready(())
        });
    if let Some(file) = &config.ca_file {
        options = options.add_root_certificates(file.clone());
    }
    match &config.credentials {
        Credentials::Anonymous => Ok(options),
        Credentials::UserPassword { user, password } => {
            Ok(options.user_and_password(user.clone(), password.reveal().to_owned()))
        }
        Credentials::File(path) => options
            .credentials_file(path)
            .await
            .map_err(|source| ConnectError::Credentials { path: path.clone(), source }),
    }
}

impl<F: Fn(Notice)> Observer<F> {
    fn on(&self, event: Event) {
        let notice = match event {
            Event::Connected => {
                self.next.connected();
                self.state.send_modify(|link| {
                    link.up = true;
                    link.connects += 1;
                });
                Notice::Connected
            }
            Event::Disconnected => {
                self.state.send_modify(|link| link.up = false);
                Notice::Lost
            }
            Event::Closed => {
                self.state.send_modify(|link| {
                    link.up = false;
                    link.closed = true;
                });
                Notice::Closed
            }
            Event::Draining => return,
            Event::SlowConsumer(_) => Notice::SlowConsumer,
            Event::LameDuckMode => Notice::ServerStopping,
            Event::ServerError(error) => Notice::Refused { reason: error.to_string() },
            Event::ClientError(error) => Notice::StillLost { reason: error.to_string() },
        };
        (self.on_event)(notice);
    }
}
