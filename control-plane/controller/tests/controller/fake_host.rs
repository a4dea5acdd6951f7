//! A host on paper: beats, answers probes and inventories, reads its assignment when woken, and
//! claims to run whatever it is told at once, with links that are as a test says.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wattle_lattice::store::StoreConfig;
use wattle_lattice::subject::HostOp;
use wattle_lattice::testing::NatsServer;
use wattle_lattice::{ConnectConfig, Connection, Pattern, Store, Subject, wire};
use wattle_trust::signed::{self, Context};
use wattle_types::{
    ActorId, ActorReport, ActorState, Applied, Assignment, Beat, Digest, Epoch, HostId, IdRecord,
    Inventory, Key, LatticeId, Leadership, LinkReport, Load, Owner, PublicKey, Role, stored,
};

pub(crate) fn host_id(index: u8) -> HostId {
    HostId::try_from(PublicKey::new(Role::Server, [index; 32])).unwrap()
}

/// A running fake host. Dropping it ends it as SIGKILL would: at once, without a word.
pub(crate) struct FakeHost {
    assignment: watch::Receiver<Option<Assignment>>,
    epoch: watch::Receiver<Epoch>,
    links: watch::Sender<Vec<LinkReport>>,
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl FakeHost {
    pub(crate) async fn join(
        nats: &NatsServer,
        lattice: &LatticeId,
        controller: PublicKey,
        index: u8,
        labels: &[(&str, &str)],
    ) -> Self {
        let id = host_id(index);
        let who = id.to_string().parse().unwrap();
        let config = ConnectConfig::member(nats.url(), lattice.clone(), who);
        let connection = Connection::connect(config, |_| {}).await.unwrap();
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let (told, assignment) = watch::channel(None);
        let (heard, epoch) = watch::channel(Epoch::ZERO);
        let (said, links) = watch::channel(Vec::new());
        let body = Body {
            store: Store::new(connection.clone(), StoreConfig::default()),
            connection,
            controllers: BTreeSet::from([controller]),
            inventory: Inventory {
                v: 1,
                lattice: lattice.clone(),
                host: id,
                boot: fastrand::u64(..),
                name: format!("h{index}"),
                labels: labels.collect(),
                version: "0.1.0".to_owned(),
                uptime_s: 0,
                http_addr: None,
                capacity: 100,
                revision: 1,
                applied: None,
                draining: false,
                actors: Vec::new(),
            },
            beats: 0,
            told,
            heard,
            links,
        };
        let stop = CancellationToken::new();
        let task = tokio::spawn(body.run(stop.clone()));
        Self { assignment, epoch, links: said, task, stop }
    }

    /// Waits until the host follows an assignment that is as wanted.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&Assignment) -> bool) -> Assignment {
        let seen = self.assignment.wait_for(|told| told.as_ref().is_some_and(&wanted));
        let seen = tokio::time::timeout(Duration::from_secs(30), seen).await;
        let seen = seen.map(|told| told.expect("the host runs").clone());
        match seen {
            Ok(told) => told.expect("waited for"),
            Err(_) => panic!("the host still follows {:?}", self.assignment()),
        }
    }

    /// What it reports of the links of whatever it runs, from now on.
    pub(crate) fn says_of_links(&self, reports: Vec<LinkReport>) {
        self.links.send_replace(reports);
    }

    pub(crate) fn assignment(&self) -> Option<Assignment> {
        self.assignment.borrow().clone()
    }

    /// Waits until a leader's word names an epoch above this.
    pub(crate) async fn until_epoch_above(&mut self, epoch: Epoch) -> Epoch {
        let seen = self.epoch.wait_for(|heard| epoch < *heard);
        let seen = tokio::time::timeout(Duration::from_secs(30), seen).await;
        *seen.expect("no leader's word came in time").expect("the host runs")
    }

    /// Ends it and waits until its connection is gone.
    pub(crate) async fn kill(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

struct Body {
    connection: Connection,
    store: Store,
    controllers: BTreeSet<PublicKey>,
    inventory: Inventory,
    beats: u64,
    told: watch::Sender<Option<Assignment>>,
    heard: watch::Sender<Epoch>,
    links: watch::Receiver<Vec<LinkReport>>,
}

impl Body {
    async fn run(mut self, stop: CancellationToken) {
        let host = self.inventory.host;
        let mut asked = self.connection.subscribe(&Pattern::AskedOf { host }).await.unwrap();
        let mut wakes = self.connection.subscribe(&Pattern::WakesOf { host }).await.unwrap();
        let mut leader = self.connection.subscribe(&Pattern::Leader).await.unwrap();
        let mut beat = tokio::time::interval(Duration::from_millis(500));
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = beat.tick() => self.beat().await,
                Some(_) = wakes.next() => self.look().await,
                Some(word) = leader.next() => self.hear(&word.payload),
                Ok(()) = self.links.changed() => self.judge(),
                Some(message) = asked.next() => {
                    let payload = match message.subject {
                        Subject::Host { op: HostOp::Inventory, .. } => wire::encode(&self.inventory),
                        _ => Bytes::new(),
                    };
                    if let Some(reply) = message.reply {
                        let _ = self.connection.respond(&reply, payload).await;
                    }
                }
            }
        }
    }

    async fn beat(&mut self) {
        self.beats += 1;
        if self.beats % 10 == 1 {
            self.look().await;
        }
        let beat = Beat {
            v: 1,
            host: self.inventory.host,
            boot: self.inventory.boot,
            seq: self.beats,
            period_ms: 500,
            applied: self.inventory.applied,
            epoch_max: self.inventory.applied.map(|applied| applied.epoch).unwrap_or_default(),
            draining: false,
            inventory: self.inventory.revision,
            load: Load::default(),
            server: self.connection.server(),
        };
        let subject = Subject::Beat { host: beat.host };
        let _ = self.connection.publish(&subject, wire::encode(&beat)).await;
    }

    fn hear(&self, sealed: &[u8]) {
        let opened = signed::open(sealed).unwrap();
        let word = opened.verify(Context::Leader, &self.controllers).unwrap();
        self.heard.send_replace(Leadership::decode(word).unwrap().epoch);
    }

    fn judge(&mut self) {
        let links = self.links.borrow_and_update().clone();
        for actor in &mut self.inventory.actors {
            actor.links.clone_from(&links);
        }
        self.inventory.revision += 1;
    }

    async fn look(&mut self) {
        let key = Key::Assign(self.inventory.host);
        let Ok(Some(stored)) = self.store.read_direct(&key).await else { return };
        let opened = signed::open(&stored.bytes).unwrap();
        let Ok(body) = opened.verify(Context::Assignment, &self.controllers) else { return };
        let told = Assignment::decode(body).unwrap();
        let newer = |applied: &Applied| told.generation <= applied.generation;
        if self.inventory.applied.as_ref().is_some_and(newer) {
            return;
        }
        let mut owners = Vec::new();
        for entry in &told.entries {
            let Some(owner) = self.owner_of(&entry.id).await else { return };
            owners.push(owner);
        }
        let hash = Digest::of(body);
        self.inventory.applied =
            Some(Applied { epoch: told.epoch, generation: told.generation, hash });
        self.inventory.revision += 1;
        let report = |(entry, owner): (&wattle_types::Entry, Owner)| ActorReport {
            id: entry.id.clone(),
            image: String::new(),
            name: None,
            spec: entry.spec,
            count: entry.count,
            owner,
            annotations: BTreeMap::new(),
            digest: None,
            revision: None,
            links: self.links.borrow().clone(),
            missing_links: Vec::new(),
            state: ActorState::Ready,
        };
        self.inventory.actors = told.entries.iter().zip(owners).map(report).collect();
        self.told.send_replace(Some(told));
    }

    /// As its record says, if that can be read now.
    async fn owner_of(&self, id: &ActorId) -> Option<Owner> {
        let record = self.store.read_leader(&Key::Id(id.clone())).await.ok()??;
        Some(stored::decode::<IdRecord>("an id", record.value()?).unwrap().owner)
    }
}
