//! A host without an engine: the agent as it ships, its own connection to NATS, and starts that are
//! answered after five milliseconds. What it must keep is kept in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use bytes::Bytes;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};
use wattle_agent::{Agent, Component, Config, Effect, Event, Reading, Restored, RunId};
use wattle_lattice::{
    ConnectConfig, Connection, Pattern, Store, Subject, signal::Wake, store::Prefix,
    subject::HostOp,
};
use wattle_trust::KeyPair;
use wattle_types::{
    ControllerKey, Digest, Exports, HostId, IssuerKey, LatticeId, Load, Millis, PublicKey, Role,
    stored,
};

const BEAT: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_secs(30);
const START: Duration = Duration::from_millis(5);

/// How many instances all of them serve.
pub(crate) type Served = Arc<AtomicU32>;

struct Thin {
    agent: Agent,
    connection: Connection,
    store: Store,
    told: mpsc::UnboundedSender<Event>,
    born: Instant,
    counts: BTreeMap<RunId, u32>,
    served: Served,
}

/// Joins a host, which stays for as long as the runtime does.
pub(crate) async fn join(
    url: &str,
    lattice: &LatticeId,
    controller: ControllerKey,
    index: usize,
    served: Served,
) -> Result<()> {
    let host = HostId::try_from(KeyPair::generate(Role::Server)?.public())?;
    let config = ConnectConfig::member(url, lattice.clone(), host.to_string().parse()?);
    let connection = Connection::connect(config, |_| {}).await?;
    let mut heard = Vec::new();
    for pattern in [Pattern::AskedOf { host }, Pattern::WakesOf { host }, Pattern::Leader] {
        heard.push(connection.subscribe(&pattern).await?);
    }
    connection.flush(Duration::from_secs(10)).await?;
    let config = Config {
        lattice: lattice.clone(),
        host,
        boot: fastrand::u64(1..),
        name: format!("thin-{index}"),
        labels: BTreeMap::new(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        http_addr: None,
        capacity: 1_000,
        controllers: BTreeSet::from([*controller.public()]),
        grace_ms: 1_000,
    };
    let (agent, first) = Agent::start(config, Restored::default(), Millis(0));
    let (told, events) = mpsc::unbounded_channel();
    let store = Store::new(connection.clone(), Default::default());
    let (born, counts) = (Instant::now(), BTreeMap::new());
    let thin = Thin { agent, connection, store, told, born, counts, served };
    tokio::spawn(thin.run(first, events, heard));
    Ok(())
}

impl Thin {
    async fn run(
        mut self,
        first: Vec<Effect>,
        mut events: mpsc::UnboundedReceiver<Event>,
        heard: Vec<wattle_lattice::Subscription>,
    ) {
        let mut heard = futures::stream::select_all(heard.into_iter().map(|subscription| {
            Box::pin(futures::stream::unfold(subscription, async |mut subscription| {
                subscription.next().await.map(|message| (message, subscription))
            }))
        }));
        for effect in first {
            self.perform(effect).await;
        }
        self.step(Event::Connected).await;
        let mut beat_at = Instant::now() + BEAT.mul_f64(fastrand::f64());
        let mut look_at = Instant::now() + LOOK.mul_f64(0.5 + fastrand::f64());
        loop {
            let due =
                self.agent.due().map_or(look_at, |at| self.born + Duration::from_millis(at.0));
            tokio::select! {
                () = sleep_until(beat_at) => {
                    let period = BEAT.mul_f64(0.9 + 0.2 * fastrand::f64());
                    beat_at = Instant::now() + period;
                    let period_ms = u32::try_from(period.as_millis()).unwrap_or(u32::MAX);
                    let server = self.connection.server();
                    self.step(Event::BeatDue { period_ms, load: Load::default(), server }).await;
                }
                () = sleep_until(look_at) => {
                    look_at = Instant::now() + LOOK.mul_f64(0.5 + fastrand::f64());
                    self.step(Event::LookDue).await;
                }
                () = sleep_until(due) => self.step(Event::Tick).await,
                Some(event) = events.recv() => self.step(event).await,
                Some(message) = futures::StreamExt::next(&mut heard) => match message.subject {
                    Subject::Wake { .. } => {
                        if let Ok(wake) = Wake::decode(&message.payload) {
                            self.step(Event::Woken { at_least: wake.at_least }).await;
                        }
                    }
                    Subject::Leader => {
                        self.step(Event::LeaderHeard { sealed: message.payload.to_vec() }).await;
                    }
                    Subject::Host { op: HostOp::Inventory, .. } => {
                        let inventory = stored::encode(&self.agent.inventory(self.now())).into();
                        self.answer(message.reply, inventory).await;
                    }
                    _ => self.answer(message.reply, Bytes::new()).await,
                },
            }
        }
    }

    async fn answer(&self, to: Option<wattle_lattice::ReplyTo>, payload: Bytes) {
        let Some(to) = to else { return };
        // Whoever asked may be gone.
        let _ = self.connection.respond(&to, payload).await;
    }

    fn now(&self) -> Millis {
        Millis(u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    async fn step(&mut self, event: Event) {
        for effect in self.agent.step(self.now(), event) {
            self.perform(effect).await;
        }
    }

    async fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Read { keys } => {
                let (store, told) = (self.store.clone(), self.told.clone());
                tokio::spawn(async move {
                    for key in keys {
                        let reading = match store.read_direct(&key).await {
                            Ok(Some(found)) if !found.deleted => {
                                Reading::Value { bytes: found.bytes.to_vec(), seq: found.seq }
                            }
                            Ok(_) => Reading::Nothing,
                            Err(_) => Reading::Failed,
                        };
                        let _ = told.send(Event::Read { key, reading });
                    }
                });
            }
            Effect::ReadLinks { source } => {
                let (store, told) = (self.store.clone(), self.told.clone());
                tokio::spawn(async move {
                    let read = store.read_prefix(&Prefix::LinksOf(source.clone())).await;
                    let (links, up_to) = match read {
                        Ok(read) => {
                            let found = read.found.into_iter();
                            let link = |(key, stored): (_, wattle_lattice::Stored)| {
                                (key, stored.bytes.to_vec(), stored.seq)
                            };
                            (Ok(found.map(link).collect()), read.up_to)
                        }
                        Err(_) => (Err(()), 0),
                    };
                    let _ = told.send(Event::LinksRead { source, links, up_to });
                });
            }
            Effect::StoreClosure(closure) => {
                self.tell(Event::Stored { generation: closure.generation });
            }
            Effect::Start { run, .. } => {
                let told = self.told.clone();
                tokio::spawn(async move {
                    sleep(START).await;
                    let _ = told.send(Event::Started { run, component: component() });
                });
            }
            Effect::Serve { run, count, .. } => {
                let before = self.counts.insert(run, count).unwrap_or(0);
                self.served.fetch_add(count.wrapping_sub(before), Ordering::Relaxed);
            }
            Effect::Stop { run, .. } => {
                let before = self.counts.remove(&run).unwrap_or(0);
                self.served.fetch_sub(before, Ordering::Relaxed);
                self.tell(Event::Stopped { run });
            }
            Effect::Beat(beat) => {
                self.say(Subject::Beat { host: beat.host }, stored::encode(&beat)).await;
            }
            Effect::Announce(delta) => {
                self.say(Subject::Serve { host: delta.host }, stored::encode(&delta)).await;
            }
            Effect::StoreEpoch { .. }
            | Effect::Bind { .. }
            | Effect::Emit(_)
            | Effect::Refused(_)
            | Effect::Adopt { .. }
            | Effect::ReadOwner { .. }
            | Effect::WriteOwner { .. }
            | Effect::StoreManual { .. }
            | Effect::Answer { .. }
            | Effect::Leave => {}
        }
    }

    fn tell(&self, event: Event) {
        // Its own other end.
        let _ = self.told.send(event);
    }

    async fn say(&self, subject: Subject, payload: Vec<u8>) {
        // While NATS is gone nobody hears it, and it is said again.
        let _ = self.connection.publish(&subject, payload.into()).await;
    }
}

fn component() -> Component {
    let issuer = PublicKey::new(Role::Account, [1; 32]);
    Component {
        digest: Digest::of(b"thin"),
        issuer: IssuerKey::try_from(issuer).expect("an account issues components"),
        name: None,
        revision: None,
        exports: Exports::default(),
        imports: BTreeSet::new(),
    }
}
