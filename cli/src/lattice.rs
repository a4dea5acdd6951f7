//! How commands reach a lattice.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use wattle_lattice::subject::{AppSubject, ControlSubject, ControllerOp, HostOp};
use wattle_lattice::{
    ConnectConfig, Connection, Credentials, Notice, Reply, RequestError, Subject, ctl, wadm,
};
use wattle_types::{ControllerReport, HostId, Inventory, LatticeId, Token, stored};

use crate::app::Seen;
use crate::controller;
use crate::home::{HomeArgs, NATS_URL};
use crate::local::State;

/// The flags of every command that speaks to a lattice.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct LatticeArgs {
    /// The NATS server [default: that of `wattle up`, else nats://127.0.0.1:4222].
    #[arg(long, env = "WATTLE_NATS_URL", value_name = "URL")]
    pub(crate) nats_url: Option<String>,
    /// The lattice [default: that of `wattle up`, else `default`].
    #[arg(long, env = "WATTLE_LATTICE", value_name = "NAME")]
    pub(crate) lattice: Option<LatticeId>,
    /// A NATS credentials file.
    #[arg(long, env = "WATTLE_NATS_CREDS", value_name = "FILE")]
    pub(crate) nats_creds: Option<std::path::PathBuf>,
    /// How long to wait for an answer, in seconds.
    #[arg(long, default_value_t = 5, value_name = "SECONDS")]
    pub(crate) timeout: u64,
    #[command(flatten)]
    pub(crate) home: HomeArgs,
}

/// The application API takes manifests as JSON from us; people's YAML is read here.
const JSON: [(&str, &str); 1] = [(wadm::CONTENT_TYPE, wadm::CONTENT_JSON)];

/// Between two questions to a lattice that nobody leads at the moment.
const LEADERLESS_PAUSE: Duration = Duration::from_millis(100);

/// Of a list, in one answer.
const ITEMS_PER_REQUEST: usize = 100;

/// In the time that an answer may take.
const ATTEMPTS: u32 = 4;

/// For the answers of all controllers.
const LEADER_WINDOW: Duration = Duration::from_millis(300);

/// Until then a lattice that was started has a leader and a host, or never will.
const USABLE_DEADLINE: Duration = Duration::from_secs(25);

impl LatticeArgs {
    /// A lattice whose server is known.
    pub(crate) fn of(url: &str, lattice: &LatticeId) -> Self {
        Self {
            nats_url: Some(url.to_owned()),
            lattice: Some(lattice.clone()),
            nats_creds: None,
            timeout: 5,
            home: HomeArgs { data_dir: None },
        }
    }

    pub(crate) fn credentials(&self) -> Credentials {
        self.nats_creds.clone().map_or(Credentials::Anonymous, Credentials::File)
    }

    /// The server and the lattice: as given, else of what runs on this machine.
    pub(crate) fn resolve(&self) -> Result<(String, LatticeId)> {
        let running = match (&self.nats_url, &self.lattice) {
            (Some(_), Some(_)) => None,
            _ => State::of_running(&self.home.open()?)?,
        };
        let here = |state: State| (state.nats_url, state.lattice);
        let (url, lattice) = running.map(here).unzip();
        let url = self.nats_url.clone().or(url).unwrap_or_else(|| NATS_URL.to_owned());
        let lattice = match self.lattice.clone().or(lattice) {
            Some(lattice) => lattice,
            None => "default".parse().expect("a word is a token"),
        };
        Ok((url, lattice))
    }

    pub(crate) async fn connect(&self) -> Result<Lattice> {
        let (url, lattice) = self.resolve()?;
        let mut config = ConnectConfig::client(&url, lattice);
        config.credentials = self.credentials();
        let within = Duration::from_secs(self.timeout);
        let reason = Arc::new(Mutex::new(None));
        let waiting = reason.clone();
        let connecting = Connection::connect(config, move |notice| {
            if let Notice::Waiting { reason, .. } = notice {
                *waiting.lock().expect("nothing panics while it holds the lock") = Some(reason);
            }
        });
        match tokio::time::timeout(within, connecting).await {
            Ok(connection) => {
                let connection = connection?;
                // Without a folder of its own nothing was seen.
                let home = self.home.open().ok();
                let remembered = home.map(|home| Seen::of(&home, connection.lattice()));
                let seen = remembered.as_ref().map(Seen::sequence).unwrap_or_default();
                let seen = AtomicU64::new(seen);
                Ok(Lattice { connection, within, leader: None, seen, remembered })
            }
            Err(_) => {
                let reason = reason.lock().expect("nothing panics while it holds the lock").take();
                let reason = reason.unwrap_or_else(|| format!("no answer within {within:?}"));
                Err(anyhow!(
                    "could not reach NATS at {url}: {reason}; start a lattice with `wattle up`, or \
                     name its server with --nats-url"
                ))
            }
        }
    }
}

/// A lattice that was reached.
#[derive(Debug)]
pub(crate) struct Lattice {
    pub(crate) connection: Connection,
    /// How long each answer may take.
    pub(crate) within: Duration,
    /// Who is asked by the application API, instead of whoever answers it.
    leader: Option<Token>,
    /// How far answers went in the control stream: the next ones are to know as much, whichever
    /// controller gives them.
    seen: AtomicU64,
    remembered: Option<Seen>,
}

impl Lattice {
    /// From now on the application API is that of the leader, also where something else answers for
    /// the lattice. Gives the leader's report.
    pub(crate) async fn ask_the_leader_by_name(&mut self) -> Result<ControllerReport> {
        let until = Instant::now() + self.within;
        loop {
            let reports = controller::reports(self, LEADER_WINDOW).await?;
            if let Some(leader) = reports.into_iter().find(|report| report.leads) {
                self.leader = Some(leader.name.clone());
                return Ok(leader);
            }
            if until <= Instant::now() {
                bail!(
                    "no controller leads lattice {}; `wattle controller status` shows those that \
                     there are",
                    self.connection.lattice()
                );
            }
        }
    }

    /// Asks the application API, which answers in JSON.
    pub(crate) async fn app<T: DeserializeOwned>(
        &self,
        op: AppSubject,
        body: impl Into<Bytes>,
    ) -> Result<T> {
        self.app_reply(op, &[], body.into()).await?.read()
    }

    /// Asks the application API with more headers, and gives what is said beside the answer too.
    pub(crate) async fn app_reply(
        &self,
        op: AppSubject,
        more: &[(&'static str, &str)],
        body: Bytes,
    ) -> Result<AppReply> {
        let operation = op.to_string();
        let of_leader = |name| Subject::Controller { name, op: ControllerOp::App };
        let mut subject = self.leader.clone().map_or(Subject::App(op), of_leader);
        let until = Instant::now() + self.within;
        let attempt = self.within / ATTEMPTS;
        loop {
            let at_least = self.seen();
            let text = at_least.to_string();
            let own = [
                (wadm::headers::OPERATION, operation.as_str()),
                (wadm::headers::AT_LEAST, text.as_str()),
            ];
            let headers = [&JSON[..], more, &own].concat();
            let asked = self.connection.request_with(&subject, &headers, body.clone(), attempt);
            match asked.await {
                Ok(reply) => {
                    let reply = AppReply::of(reply);
                    let over = until <= Instant::now();
                    if reply.again && over && reply.sequence.is_some_and(|of| of < at_least) {
                        // Nobody lags for so long: the store was begun anew, or put back from a
                        // backup, and what was seen of it is void.
                        self.forget()?;
                        continue;
                    }
                    if !reply.again || over {
                        self.seen.fetch_max(reply.sequence.unwrap_or_default(), Ordering::Relaxed);
                        return Ok(reply);
                    }
                    tokio::time::sleep(LEADERLESS_PAUSE).await;
                }
                // Between two leaders, and just after the start, nobody answers for a moment.
                Err(RequestError::NoResponders) if Instant::now() < until => {
                    tokio::time::sleep(LEADERLESS_PAUSE).await;
                }
                Err(RequestError::NoResponders) => bail!(
                    "no controller answers in lattice {}; start one with `wattle up` or \
                     `wattle controller`",
                    self.connection.lattice()
                ),
                // One that hangs still gets its share of what is asked: the leader is asked by name.
                Err(RequestError::TimedOut { .. }) if Instant::now() < until => {
                    let reports = controller::reports(self, LEADER_WINDOW).await?;
                    if let Some(leader) = reports.into_iter().find(|report| report.leads) {
                        subject = of_leader(leader.name);
                    }
                }
                Err(error) => return Err(error).context("the controller did not answer"),
            }
        }
    }

    /// Asks the application API for a whole list, part by part.
    pub(crate) async fn app_parts<T>(
        &self,
        op: AppSubject,
        mut items: impl FnMut(&AppReply) -> Result<Vec<T>>,
    ) -> Result<Vec<T>> {
        let (mut all, mut page) = (Vec::new(), None);
        loop {
            let request = wadm::PageRequest { limit: Some(ITEMS_PER_REQUEST), page };
            let body = serde_json::to_vec(&request)?.into();
            let part = self.app_reply(op.clone(), &[], body).await?;
            all.extend(items(&part)?);
            match part.next {
                Some(next) => page = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// How far answers went in the control stream; zero if there were none.
    pub(crate) fn seen(&self) -> u64 {
        self.seen.load(Ordering::Relaxed)
    }

    fn forget(&self) -> Result<()> {
        self.seen.store(0, Ordering::Relaxed);
        self.remembered.as_ref().map_or(Ok(()), |seen| seen.remember_sequence(0))
    }

    /// Asks over the 1.x control interface, and needs an answer.
    pub(crate) async fn control<T: DeserializeOwned>(&self, op: ControlSubject) -> Result<T> {
        self.ask(op).await?.context("the host answered with nothing")
    }

    /// Asks over the 1.x control interface; success without an answer means that there is none.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, op: ControlSubject) -> Result<Option<T>> {
        self.exchange_control(op, Bytes::new()).await
    }

    /// Tells something over the 1.x control interface.
    pub(crate) async fn command(&self, op: ControlSubject, body: Bytes) -> Result<()> {
        self.exchange_control::<serde_json::Value>(op, body).await.map(drop)
    }

    /// The same, and what is said beside the success; mostly nothing.
    pub(crate) async fn told(&self, op: ControlSubject, body: Bytes) -> Result<String> {
        let asked = self.connection.request(&Subject::Control(op), body, self.within).await;
        let reply = asked.map_err(|error| self.no_answer(error))?;
        Ok(envelope::<serde_json::Value>(&reply.payload)?.message)
    }

    async fn exchange_control<T: DeserializeOwned>(
        &self,
        op: ControlSubject,
        body: Bytes,
    ) -> Result<Option<T>> {
        match self.connection.request(&Subject::Control(op), body, self.within).await {
            Ok(reply) => read_envelope(&reply.payload),
            Err(error) => Err(self.no_answer(error)),
        }
    }

    /// Everything one host says of itself.
    pub(crate) async fn inventory(&self, host: HostId) -> Result<Inventory> {
        let subject = Subject::Host { host, op: HostOp::Inventory };
        let reply = self.connection.request(&subject, Bytes::new(), self.within).await?;
        stored::decode("an inventory", &reply.payload)
            .context("the host's answer is not one of this protocol")
    }

    /// What a person is told when no host answered.
    pub(crate) fn no_answer(&self, error: RequestError) -> anyhow::Error {
        match error {
            RequestError::NoResponders => anyhow!(
                "no host answers in lattice {}; `wattle get hosts` shows those that there are",
                self.connection.lattice()
            ),
            error => anyhow::Error::new(error).context("no host answered"),
        }
    }

    /// Every host that answers within `window`.
    pub(crate) async fn hosts(&self, window: Duration) -> Result<Vec<ctl::HostSummary>> {
        let subject = Subject::Control(ControlSubject::HostPing);
        let replies = self.connection.gather(&subject, Bytes::new(), window, usize::MAX).await?;
        let mut hosts = replies
            .iter()
            .filter_map(|reply| read_envelope::<ctl::HostSummary>(&reply.payload).transpose())
            .collect::<Result<Vec<_>>>()?;
        hosts.sort_by(|a, b| (&a.friendly_name, &a.id).cmp(&(&b.friendly_name, &b.id)));
        Ok(hosts)
    }

    /// Waits until a controller leads and a host has joined.
    pub(crate) async fn until_usable(&self) -> Result<()> {
        let usable = async {
            loop {
                let reports = controller::reports(self, Duration::from_millis(100)).await;
                let leads = reports.is_ok_and(|all| all.iter().any(|report| report.leads));
                let joined = self.hosts(Duration::from_millis(100)).await;
                if leads && joined.is_ok_and(|hosts| !hosts.is_empty()) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(USABLE_DEADLINE, usable)
            .await
            .with_context(|| format!("no controller and host within {USABLE_DEADLINE:?}"))
    }
}

/// An answer of the application API, and what is said beside it.
#[derive(Debug)]
pub(crate) struct AppReply {
    payload: Bytes,
    /// How many changes the application has of which it was asked.
    pub(crate) change: Option<u64>,
    /// The same, if somebody else was first and nothing was changed.
    pub(crate) conflict: Option<u64>,
    /// There is more, after what this names.
    pub(crate) next: Option<String>,
    /// How far it goes in the control stream; none from a wadm.
    sequence: Option<u64>,
    /// Nothing was changed, and asking again may help.
    again: bool,
}

impl AppReply {
    fn of(reply: Reply) -> Self {
        let number = |name| reply.headers.get(name)?.parse().ok();
        Self {
            change: number(wadm::headers::CHANGE),
            conflict: number(wadm::headers::CONFLICT),
            sequence: number(wadm::headers::SEQUENCE),
            next: reply.headers.get(wadm::headers::NEXT).map(str::to_owned),
            again: reply.headers.get(wadm::headers::AGAIN).is_some(),
            payload: reply.payload,
        }
    }

    /// The value in the shape of its operation, or what `{result: "error", message}` says.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T> {
        if let Some(message) = self.error() {
            bail!("{message}");
        }
        self.parse()
    }

    /// The value in the shape of its operation, errors included.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.payload)
            .context("the controller's answer is not one of this protocol")
    }

    /// What is wrong, if something is.
    pub(crate) fn error(&self) -> Option<String> {
        let error: wadm::ErrorReply = serde_json::from_slice(&self.payload).ok()?;
        (error.result == "error").then_some(error.message)
    }
}

fn read_envelope<T: DeserializeOwned>(payload: &[u8]) -> Result<Option<T>> {
    Ok(envelope(payload)?.response)
}

fn envelope<T: DeserializeOwned>(payload: &[u8]) -> Result<ctl::Envelope<T>> {
    let envelope: ctl::Envelope<T> =
        serde_json::from_slice(payload).context("the host's answer is not one of this protocol")?;
    if !envelope.success {
        bail!("the host refused: {}", envelope.message);
    }
    Ok(envelope)
}
