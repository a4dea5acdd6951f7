//! Everything at once: who is there, what is under way, and what the network does to it.

use std::collections::BTreeSet;
use std::sync::Arc;

use wattle_brain::{Event as Told, Write};
use wattle_trust::KeyPair;
use wattle_types::{HostId, Key, LatticeId, Millis, PublicKey, Role, nkey};

use crate::agenda::{Agenda, Moment};
use crate::client::Client;
use crate::controllers::{Controller, Of};
use crate::hosts::{Host, Within};
use crate::laws::{Laws, Violation};
use crate::options::{Options, Plant};
use crate::store::Store;
use crate::trace::Trace;

pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) rng: fastrand::Rng,
    pub(crate) agenda: Agenda<Job>,
    pub(crate) store: Store,
    /// No answer from the store before; its servers elect a leader.
    pub(crate) store_down_until: Moment,
    pub(crate) controllers: Vec<Controller>,
    pub(crate) hosts: Vec<Host>,
    pub(crate) client: Client,
    pub(crate) laws: Laws,
    pub(crate) weather: Weather,
    pub(crate) trace: Trace,
    pub(crate) key: KeyPair,
    pub(crate) stranger: KeyPair,
}

/// Something that will happen. `life` names the process it is meant for: what comes for an
/// earlier one comes to nobody.
#[derive(Clone, Debug)]
pub(crate) enum Job {
    Controller { at: usize, life: u64, of: Of },
    Host { at: usize, life: u64, of: Within },
    /// A batch reaches the store.
    Commit { from: usize, life: u64, batch: Arc<Batch> },
    /// Somebody wants to know the lease from the store.
    ReadLease { from: usize, life: u64, op: wattle_brain::OpId },
    /// A host reads a key from some replica.
    ReadKey { from: usize, life: u64, key: Key },
    Client,
    Storm,
    Heal(Party),
    StartController(usize),
    StartHost(usize),
    /// Somebody puts back what was deleted by mistake.
    Restore { key: Key, bytes: Vec<u8> },
}

/// A batch on its way, and what its sender believed when it was sent.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) op: wattle_brain::OpId,
    pub(crate) writes: Vec<Write>,
    /// Hosts the sender counted on.
    pub(crate) counted_on: BTreeSet<HostId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    Controller(usize),
    Host(usize),
    Client,
}

/// One party's way to NATS.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Link {
    pub(crate) cut_out: bool,
    pub(crate) cut_in: bool,
    /// The party has noticed, and said so.
    pub(crate) noticed: bool,
    /// The last moment at which it was cut.
    pub(crate) troubled: Moment,
}

impl Link {
    pub(crate) fn is_cut(&self) -> bool {
        self.cut_out || self.cut_in
    }
}

/// What the network does with messages; calm at the end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weather {
    pub(crate) drop: f64,
    pub(crate) double: f64,
    /// How often one message takes up to three seconds.
    pub(crate) slow: f64,
    /// How often one takes up to a minute: overtaken by everything, also by a restart.
    pub(crate) ancient: f64,
    /// How often the store says "in flight".
    pub(crate) in_flight: f64,
    /// How often a controller dies around a write.
    pub(crate) crash_at_write: f64,
    /// How often a replica is behind.
    pub(crate) stale: f64,
    /// How often a disk refuses.
    pub(crate) disk: f64,
}

impl Weather {
    fn storm(rng: &mut fastrand::Rng) -> Self {
        let pick = |rng: &mut fastrand::Rng, of: &[f64]| of[rng.usize(..of.len())];
        Self {
            drop: pick(rng, &[0.0, 0.01, 0.05, 0.2]),
            double: pick(rng, &[0.0, 0.05]),
            slow: pick(rng, &[0.0, 0.02, 0.1]),
            ancient: pick(rng, &[0.0, 0.002]),
            in_flight: pick(rng, &[0.0, 0.05]),
            crash_at_write: pick(rng, &[0.0, 0.0, 0.02]),
            stale: pick(rng, &[0.0, 0.3]),
            disk: pick(rng, &[0.0, 0.02]),
        }
    }
}

pub(crate) fn lattice() -> LatticeId {
    "sim".parse().expect("a name")
}

fn key_pair(seed: u8) -> KeyPair {
    KeyPair::from_seed(&nkey::encode_seed(Role::Cluster, &[seed; 32])).expect("a seed of a cluster key")
}

impl World {
    pub(crate) fn new(options: Options) -> Self {
        let mut rng = fastrand::Rng::with_seed(options.seed);
        let weather = Weather::storm(&mut rng);
        let store = Store {
            unconditional: options.plant == Some(Plant::SkipCas),
            ..Store::default()
        };
        let mut world = Self {
            options,
            weather,
            agenda: Agenda::default(),
            store,
            store_down_until: 0,
            controllers: Vec::new(),
            hosts: Vec::new(),
            client: Client::default(),
            laws: Laws::default(),
            trace: Trace::default(),
            key: key_pair(1),
            stranger: key_pair(2),
            rng,
        };
        for index in 0..options.controllers {
            world.controllers.push(Controller::new(index, &mut world.rng));
            let after = world.rng.u64(..500);
            world.agenda.after(after, Job::StartController(index));
        }
        for _ in 0..options.hosts {
            let host = Host::new(world.hosts.len(), &mut world.rng);
            world.hosts.push(host);
            let after = world.rng.u64(..2_000);
            world.agenda.after(after, Job::StartHost(world.hosts.len() - 1));
        }
        world.agenda.after(2_000, Job::Client);
        world.agenda.after(3_000, Job::Storm);
        world
    }

    pub(crate) fn believed(&self) -> BTreeSet<PublicKey> {
        BTreeSet::from([self.key.public()])
    }

    pub(crate) fn has(&self, plant: Plant) -> bool {
        self.options.plant == Some(plant)
    }

    pub(crate) fn chance(&mut self, of: f64) -> bool {
        self.rng.f64() < of
    }

    pub(crate) fn now(&self) -> Moment {
        self.agenda.now()
    }

    /// Does everything until `end`, or until a law is broken.
    pub(crate) fn run_until(&mut self, end: Moment) -> Result<(), Violation> {
        while let Some(job) = self.agenda.next_before(end) {
            self.work(job)?;
        }
        Ok(())
    }

    fn work(&mut self, job: Job) -> Result<(), Violation> {
        match job {
            Job::Controller { at, life, of } => self.at_controller(at, life, of),
            Job::Host { at, life, of } => self.at_host(at, life, of),
            Job::Commit { from, life, batch } => self.at_store_commit(from, life, &batch),
            Job::ReadLease { from, life, op } => {
                self.at_store_read_lease(from, life, op);
                Ok(())
            }
            Job::ReadKey { from, life, key } => {
                self.at_store_read_key(from, life, key);
                Ok(())
            }
            Job::Client => {
                self.client_acts();
                Ok(())
            }
            Job::Storm => self.storm(),
            Job::Heal(party) => self.heal(party),
            Job::StartController(index) => self.start_controller(index),
            Job::StartHost(index) => self.start_host(index),
            Job::Restore { key, bytes } => {
                self.restore(key, bytes);
                Ok(())
            }
        }
    }

    pub(crate) fn link(&self, party: Party) -> Link {
        match party {
            Party::Controller(index) => self.controllers[index].link,
            Party::Host(index) => self.hosts[index].link,
            Party::Client => Link::default(),
        }
    }

    /// After how long a message arrives: not at all, once, or twice.
    pub(crate) fn fate(&mut self, from: Party, to: Option<Party>) -> Vec<u64> {
        let cut = self.link(from).cut_out || to.is_some_and(|to| self.link(to).cut_in);
        let weather = self.weather;
        if cut || self.chance(weather.drop) {
            return Vec::new();
        }
        let copies = if self.chance(weather.double) { 2 } else { 1 };
        (0..copies).map(|_| self.delay()).collect()
    }

    fn delay(&mut self) -> u64 {
        let Weather { slow, ancient, .. } = self.weather;
        if self.chance(ancient) {
            self.rng.u64(..60_000)
        } else if self.chance(slow) {
            self.rng.u64(..3_000)
        } else {
            self.rng.u64(1..20)
        }
    }

    /// The party's own clock: it begins anywhere and runs up to 500 ppm wrong.
    pub(crate) fn clock(&self, skew_ms: u64, drift_ppm: i64) -> Millis {
        let now = i64::try_from(self.now()).expect("a run is short");
        let drifted = now + now * drift_ppm / 1_000_000;
        Millis(skew_ms + u64::try_from(drifted).expect("clocks run forward"))
    }

    pub(crate) fn heal(&mut self, party: Party) -> Result<(), Violation> {
        let now = self.now();
        let link = match party {
            Party::Controller(index) => &mut self.controllers[index].link,
            Party::Host(index) => &mut self.hosts[index].link,
            Party::Client => return Ok(()),
        };
        if !link.is_cut() {
            return Ok(());
        }
        let noticed = std::mem::take(&mut link.noticed);
        (link.cut_out, link.cut_in, link.troubled) = (false, false, now);
        match party {
            Party::Controller(index) if noticed => self.tell_controller(index, Told::Connected),
            Party::Host(index) if noticed => {
                let after = self.rng.u64(..2_000);
                let life = self.hosts[index].life;
                self.agenda.after(after, Job::Host { at: index, life, of: Within::Connected });
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
