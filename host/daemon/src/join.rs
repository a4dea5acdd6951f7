//! Membership in a lattice: getting in, being the only one under this id, listening, coming back.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio_util::task::TaskTracker;
use wattle_agent::Event;
use wattle_engine::Caps;
use wattle_lattice::data::DataConfig;
use wattle_lattice::signal::Wake;
use wattle_lattice::subject::HostOp;
use wattle_lattice::{
    ConnectConfig, ConnectError, Connection, Message, Notice, Pattern, PublishError, RequestError,
    Subject, Subscription, wire,
};
use wattle_tasks::{CancellationToken, Tasks};
use wattle_types::{Beat, HostId, Inventory, Token, stored};

use crate::calls::CallServer;
use crate::commands::Commands;
use crate::control::About;
use crate::mailbox::Mailbox;
use crate::router::Router;
use crate::serve::ServeTable;
use crate::{by_hand, control, judging, spy};

/// A living copy answers in a round trip; nobody at all is told at once by the server.
const PROBE_WITHIN: Duration = Duration::from_millis(500);
/// Two periods of a beat and a half, for a copy whose host is too busy to answer.
const LISTEN_FOR: Duration = Duration::from_millis(1_250);
const FLUSH_WITHIN: Duration = Duration::from_secs(5);
/// A thousand hosts that lost one server do not all ask in the same instant.
const RECONNECT_SPREAD: Duration = Duration::from_secs(2);
const BEAT_BYTES_MAX: usize = 4 << 10;

#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("could not listen in the lattice")]
    Listen(#[from] PublishError),
    #[error("could not reach the lattice after connecting to it")]
    Settle(#[from] RequestError),
    #[error(
        "another host with the id {id} is in this lattice: {name:?}{at}; if this data folder is a \
         copy, remove host.nk and host.redb from it"
    )]
    Clone { id: HostId, name: String, at: String },
}

/// What membership is carried out with.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) own: HostId,
    pub(crate) boot: u64,
    pub(crate) router: Arc<Router>,
    pub(crate) mailbox: Mailbox,
    pub(crate) caps: Arc<Caps>,
    pub(crate) data: DataConfig,
    /// Calls being answered; they outlive the subscription they came by.
    pub(crate) calls: TaskTracker,
}

/// Connects, as long as it takes, and says so. None: `stop` came first.
pub(crate) async fn connect(
    config: ConnectConfig,
    stop: &CancellationToken,
) -> Result<Option<Connection>, JoinError> {
    let connecting = Connection::connect(config, |notice| log(&notice));
    Ok(stop.run_until_cancelled(connecting).await.transpose()?)
}

fn log(notice: &Notice) {
    match notice {
        Notice::Waiting { url, attempt, pause, reason } => {
            tracing::warn!(url, attempt, ?pause, reason, "waiting for NATS; trying again");
        }
        Notice::Connected => tracing::info!("connected to NATS"),
        Notice::Lost => tracing::warn!("NATS is gone; what runs here goes on"),
        Notice::StillLost { reason } => tracing::debug!(reason, "NATS is still gone"),
        Notice::SlowConsumer => tracing::error!("messages were lost: this host is too slow"),
        Notice::ServerStopping => tracing::info!("the NATS server is about to stop"),
        Notice::Refused { reason } => tracing::error!(reason, "NATS refused something"),
        Notice::Closed => tracing::debug!("connection to NATS closed"),
    }
}

impl Member {
    /// Looks for another host under this id, before anybody hears from this one.
    pub(crate) async fn check_alone(&self, connection: &Connection) -> Result<(), JoinError> {
        let host = self.own;
        let mut beats = connection.subscribe(&Pattern::BeatsOf { host }).await?;
        let probe = Subject::Host { host, op: HostOp::Probe };
        match connection.request(&probe, Bytes::new(), PROBE_WITHIN).await {
            Ok(reply) => return Err(self.cloned(&reply.payload)),
            Err(RequestError::NoResponders) => return Ok(()),
            // Somebody is subscribed and says nothing: a copy that hangs, or what is left of our
            // own last run, whose end the server has not noticed yet.
            Err(RequestError::TimedOut { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        match tokio::time::timeout(LISTEN_FOR, beats.next()).await {
            Ok(Some(_beat)) => Err(self.cloned(b"")),
            Ok(None) | Err(_) => Ok(()),
        }
    }

    fn cloned(&self, said: &[u8]) -> JoinError {
        let other: Option<Inventory> = stored::decode("an inventory", said).ok();
        let name = other.as_ref().map(|other| other.name.clone()).unwrap_or_default();
        let at = other.and_then(|other| other.http_addr);
        let at = at.map(|at| format!(" at {at}")).unwrap_or_default();
        JoinError::Clone { id: self.own, name, at }
    }

    /// Listens to everything that concerns this host. From here on others can reach it.
    pub(crate) async fn listen(
        &self,
        connection: &Connection,
        tasks: &Tasks,
    ) -> Result<ServeTable, JoinError> {
        let host = || self.own;
        let calls = CallServer::new(self.router.clone(), connection.clone(), self.calls.clone());
        for pattern in [Pattern::CallsTo { host: host() }, Pattern::AnyCalls] {
            let (server, incoming) = (calls.clone(), connection.subscribe(&pattern).await?);
            tasks.spawn("calls", |stop| server.run(incoming, stop));
        }
        for pattern in [
            Pattern::AskedOf { host: host() },
            Pattern::HostPings,
            Pattern::HostControls { host: host() },
            Pattern::ProviderControls { host: host() },
            Pattern::LabelControls { host: host() },
        ] {
            let incoming = connection.subscribe(&pattern).await?;
            let (connection, about) = (connection.clone(), self.about());
            tasks.spawn("control", |stop| control::serve(connection, about, incoming, stop));
        }
        let pattern = Pattern::ComponentControls { host: host() };
        let incoming = connection.subscribe(&pattern).await?;
        let (asked, mailbox) = (connection.clone(), self.mailbox.clone());
        tasks.spawn("control", |stop| by_hand::serve(asked, mailbox, incoming, stop));
        for pattern in [
            Pattern::WakesOf { host: host() },
            Pattern::Relinks,
            Pattern::ConfigChanges,
            Pattern::Leader,
            Pattern::BeatsOf { host: host() },
        ] {
            let (member, incoming) = (self.clone(), connection.subscribe(&pattern).await?);
            tasks.spawn("signals", |stop| member.hear(incoming, stop));
        }
        let commands = Commands::new(host(), connection.clone());
        for pattern in [Pattern::Links, Pattern::Configs] {
            let (commands, incoming) = (commands.clone(), connection.subscribe(&pattern).await?);
            tasks.spawn("commands", |stop| commands.serve(incoming, stop));
        }
        let asked = connection.subscribe(&Pattern::AskSpy).await?;
        let (router, spying) = (self.router.clone(), connection.clone());
        tasks.spawn("spy", |stop| async move {
            spy::serve(&router.spy, &spying, asked, &stop).await;
        });
        let (router, mailbox) = (self.router.clone(), self.mailbox.clone());
        tasks.spawn("links", |stop| judging::keep_judging(router, mailbox, stop));
        let table =
            ServeTable::new(host(), self.router.clone(), self.mailbox.clone(), connection.clone());
        let announcements = connection.subscribe(&Pattern::Serves).await?;
        let asked = connection.subscribe(&Pattern::AskServe).await?;
        tasks.spawn("serve table", |stop| table.clone().hear(announcements, stop));
        tasks.spawn("serve table", |stop| table.clone().tell(asked, stop));
        tasks.spawn("serve table", |stop| table.clone().keep_whole(stop));
        connection.flush(FLUSH_WITHIN).await?;
        Ok(table)
    }

    fn about(&self) -> About {
        let (mailbox, router) = (self.mailbox.clone(), self.router.clone());
        About { mailbox, router, caps: self.caps.clone() }
    }

    /// Tells the agent of every time the lattice can be reached, the first included, until `stop`.
    pub(crate) async fn stay(
        self,
        connection: Connection,
        table: ServeTable,
        stop: CancellationToken,
    ) {
        let mut link = connection.connected();
        let mut connects = link.borrow_and_update().connects;
        loop {
            table.ask_everyone();
            self.mailbox.tell(Event::Connected).await;
            let again = link.wait_for(|link| link.up && connects < link.connects);
            match stop.run_until_cancelled(again).await {
                Some(Ok(link)) => connects = link.connects,
                Some(Err(_)) | None => return,
            }
            let pause = RECONNECT_SPREAD.mul_f64(fastrand::f64());
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    /// Hands signals to the agent, until `stop`.
    async fn hear(self, mut signals: Subscription, stop: CancellationToken) {
        while let Some(Some(message)) = stop.run_until_cancelled(signals.next()).await {
            match &message.subject {
                Subject::Wake { .. } => {
                    self.woken(&message, |at_least| Event::Woken { at_least }).await;
                }
                Subject::Relink { source } => {
                    let source = source.clone();
                    self.woken(&message, |at_least| Event::LinkChanged { source, at_least }).await;
                }
                Subject::ConfigChanged { name } => {
                    let name = name.clone();
                    self.woken(&message, |at_least| Event::ConfigChanged { name, at_least }).await;
                }
                Subject::Leader => {
                    let sealed = message.payload.to_vec();
                    self.mailbox.tell(Event::LeaderHeard { sealed }).await;
                }
                Subject::Beat { .. } => self.check_beat(&message.payload),
                _ => {}
            }
        }
    }

    /// Tells the agent to look again; at what is for `event` to say.
    async fn woken(&self, message: &Message, event: impl FnOnce(u64) -> Event) {
        match Wake::decode(&message.payload) {
            Ok(wake) => self.mailbox.tell(event(wake.at_least)).await,
            Err(error) => tracing::warn!(subject = ?message.subject, %error, "passed over"),
        }
    }

    /// A copy that was started while neither could see the other.
    fn check_beat(&self, payload: &[u8]) {
        let beat: Result<Beat, _> = wire::decode("a beat", payload, BEAT_BYTES_MAX);
        if beat.is_ok_and(|beat| beat.boot != self.boot) {
            tracing::error!(
                host = %self.own,
                "another host runs under this id; stop one and remove its host.nk and host.redb"
            );
        }
    }
}

/// How a host connects: its id is the prefix of its replies.
pub(crate) fn connect_config(config: &crate::HostConfig, own: &HostId) -> ConnectConfig {
    let who: Token = own.to_string().parse().expect("an id in base32 is a token");
    let mut connect = ConnectConfig::member(config.nats_url.clone(), config.lattice.clone(), who);
    connect.name = format!("wattle host {}", config.name);
    if let Some(file) = &config.nats_creds {
        connect.credentials = wattle_lattice::Credentials::File(file.clone());
    }
    connect
}
