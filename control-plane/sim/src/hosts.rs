//! Hosts: the agent as shipped, a disk that outlives it (or not), and components that start,
//! fail and stop in their own time.

use std::sync::Arc;

use wattle_agent::{
    Agent, Closure, Component, Config, Effect, Event, Failure, Reading, Restored, RunId,
};
use wattle_brain::Event as Told;
use wattle_types::{
    Digest, Epoch, HostId, IssuerKey, Key, Labels, Load, Millis, PublicKey, Role,
};

use crate::agenda::Moment;
use crate::controllers::Of;
use crate::laws::Violation;
use crate::manifests::{BROKEN_IMAGE, labels};
use crate::options::Plant;
use crate::world::{Job, Link, Party, World, lattice};

#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) id: HostId,
    pub(crate) agent: Option<Agent>,
    pub(crate) life: u64,
    pub(crate) labels: Labels,
    pub(crate) capacity: u32,
    pub(crate) link: Link,
    /// The last moment at which it did not run.
    pub(crate) down: Moment,
    /// Its disk is gone, and with it its identity: it never returns.
    pub(crate) buried: bool,
    pub(crate) disk: Restored,
    boot: u64,
    skew_ms: u64,
    drift_ppm: i64,
    tick_at: Option<Moment>,
}

/// What happens at a host.
#[derive(Clone, Debug)]
pub(crate) enum Within {
    Event(Event),
    Connected,
    Woken { at_least: u64 },
    LeaderHeard(Arc<[u8]>),
    BeatDue,
    LookDue,
    Tick(Moment),
    /// A closure reaches the disk.
    Written(Box<Closure>),
    /// A controller wants its inventory.
    Asked { by: usize, life: u64 },
    Notice,
}

const READ_WITHIN_MS: u64 = 2_000;
const BEAT_MS: u64 = 500;
const LOOK_MS: u64 = 30_000;

impl Host {
    pub(crate) fn new(index: usize, rng: &mut fastrand::Rng) -> Self {
        let seed = u8::try_from(index).expect("a few hosts");
        let labels = labels(index).into_iter();
        Self {
            id: HostId::try_from(PublicKey::new(Role::Server, [seed; 32])).expect("a server key"),
            agent: None,
            life: 0,
            labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            capacity: [2, 4, 10][rng.usize(..3)],
            link: Link::default(),
            down: 0,
            buried: false,
            disk: Restored::default(),
            boot: 0,
            skew_ms: rng.u64(..1_000_000),
            drift_ppm: rng.i64(-500..500),
            tick_at: None,
        }
    }
}

fn component() -> Component {
    Component {
        digest: Digest::of(b"component"),
        issuer: IssuerKey::try_from(PublicKey::new(Role::Account, [9; 32])).expect("an account key"),
        name: None,
        revision: None,
    }
}

impl World {
    pub(crate) fn host_by_id(&self, id: &HostId) -> Option<usize> {
        self.hosts.iter().position(|host| host.id == *id)
    }

    fn host_clock(&self, at: usize) -> Millis {
        self.clock(self.hosts[at].skew_ms, self.hosts[at].drift_ppm)
    }

    pub(crate) fn start_host(&mut self, at: usize) -> Result<(), Violation> {
        let (boot, clock, now) = (self.rng.u64(..), self.host_clock(at), self.now());
        let controllers = self.believed();
        let forgets = self.has(Plant::ForgetMarks);
        let host = &mut self.hosts[at];
        if host.agent.is_some() || host.buried {
            return Ok(());
        }
        (host.boot, host.down, host.tick_at) = (boot, now, None);
        host.life += 1;
        if forgets {
            host.disk = Restored::default();
        }
        let config = Config {
            lattice: lattice(),
            host: host.id,
            boot,
            name: format!("h{at}"),
            labels: host.labels.clone(),
            version: "0.1.0".to_owned(),
            http_addr: None,
            capacity: host.capacity,
            controllers,
            grace_ms: 500,
        };
        let (agent, effects) = Agent::start(config, host.disk.clone(), clock);
        host.agent = Some(agent);
        let after = self.rng.u64(1..300);
        self.within(at, after, Within::Connected);
        let after = self.rng.u64(1..BEAT_MS);
        self.within(at, after, Within::BeatDue);
        let after = self.rng.u64(LOOK_MS / 2..LOOK_MS * 3 / 2);
        self.within(at, after, Within::LookDue);
        self.do_for_host(at, effects)
    }

    /// The process dies; its disk stays, unless it burns with it.
    pub(crate) fn crash_host(&mut self, at: usize, burn: bool) {
        let now = self.now();
        let host = &mut self.hosts[at];
        host.agent = None;
        host.life += 1;
        host.down = now;
        host.buried |= burn;
    }

    pub(crate) fn within(&mut self, at: usize, ms: u64, of: Within) {
        let life = self.hosts[at].life;
        self.agenda.after(ms, Job::Host { at, life, of });
    }

    pub(crate) fn send_to_host(&mut self, from: Party, at: usize, of: &Within) {
        for ms in self.fate(from, Some(Party::Host(at))) {
            self.within(at, ms, of.clone());
        }
    }

    pub(crate) fn at_host(&mut self, at: usize, life: u64, of: Within) -> Result<(), Violation> {
        if self.hosts[at].life != life || self.hosts[at].agent.is_none() {
            return Ok(());
        }
        match of {
            Within::Event(event) => self.tell_host(at, event),
            Within::Connected => {
                if self.hosts[at].link.is_cut() {
                    self.hosts[at].link.noticed = true;
                    return Ok(());
                }
                self.tell_host(at, Event::Connected)
            }
            Within::Woken { at_least } => self.tell_host(at, Event::Woken { at_least }),
            Within::LeaderHeard(sealed) => {
                self.tell_host(at, Event::LeaderHeard { sealed: sealed.to_vec() })
            }
            Within::BeatDue => {
                let after = BEAT_MS * 9 / 10 + self.rng.u64(..BEAT_MS / 5);
                self.within(at, after, Within::BeatDue);
                let (period_ms, load, server) = (500, Load::default(), String::new());
                self.tell_host(at, Event::BeatDue { period_ms, load, server })
            }
            Within::LookDue => {
                let after = self.rng.u64(LOOK_MS / 2..LOOK_MS * 3 / 2);
                self.within(at, after, Within::LookDue);
                if self.has(Plant::NeverLook) {
                    return Ok(());
                }
                self.tell_host(at, Event::LookDue)
            }
            Within::Tick(moment) => {
                if self.hosts[at].tick_at == Some(moment) {
                    self.hosts[at].tick_at = None;
                    return self.tell_host(at, Event::Tick);
                }
                Ok(())
            }
            Within::Written(closure) => self.write_closure(at, *closure),
            Within::Asked { by, life } => {
                let clock = self.host_clock(at);
                let inventory = self.hosts[at].agent.as_ref().map(|agent| Box::new(agent.inventory(clock)));
                let host = self.hosts[at].id;
                for ms in self.fate(Party::Host(at), Some(Party::Controller(by))) {
                    let of = Of::Inventoried { host, inventory: inventory.clone() };
                    self.agenda.after(ms, Job::Controller { at: by, life, of });
                }
                Ok(())
            }
            Within::Notice => {
                let link = &mut self.hosts[at].link;
                link.noticed |= link.is_cut();
                Ok(())
            }
        }
    }

    /// One step of the agent, and everything it wants done.
    pub(crate) fn tell_host(&mut self, at: usize, event: Event) -> Result<(), Violation> {
        let clock = self.host_clock(at);
        let line = format!("{} h{at} {event:?}", self.now());
        let Some(agent) = &mut self.hosts[at].agent else { return Ok(()) };
        let effects = agent.step(clock, event);
        self.trace.take(format_args!("{line} => {effects:?}"));
        self.do_for_host(at, effects)
    }

    fn do_for_host(&mut self, at: usize, effects: Vec<Effect>) -> Result<(), Violation> {
        let life = self.hosts[at].life;
        for effect in effects {
            match effect {
                Effect::Read { keys } => {
                    for key in keys {
                        self.read_for_host(at, life, key);
                    }
                }
                Effect::StoreEpoch { epoch } => {
                    let kept = &mut self.hosts[at].disk.epoch_max;
                    *kept = epoch.max(*kept);
                }
                Effect::StoreClosure(closure) => self.begin_write(at, closure)?,
                Effect::Start { run, spec, .. } => {
                    let ms = self.rng.u64(1..2_000);
                    let event = started(run, &spec.image);
                    self.within(at, ms, Within::Event(event));
                }
                Effect::Stop { run, .. } => {
                    let ms = self.rng.u64(1..600);
                    self.within(at, ms, Within::Event(Event::Stopped { run }));
                }
                Effect::Beat(mut beat) => {
                    self.laws.beat(&beat)?;
                    if self.has(Plant::HideEpochs) {
                        (beat.epoch_max, beat.applied) = (Epoch::ZERO, None);
                    }
                    for to in 0..self.controllers.len() {
                        for ms in self.fate(Party::Host(at), Some(Party::Controller(to))) {
                            let life = self.controllers[to].life;
                            let of = Of::Event(Told::Beat(beat.clone()));
                            self.agenda.after(ms, Job::Controller { at: to, life, of });
                        }
                    }
                }
                Effect::Leave => {
                    self.crash_host(at, false);
                    let after = self.rng.u64(500..10_000);
                    self.agenda.after(after, Job::StartHost(at));
                    return Ok(());
                }
                Effect::Serve { .. } | Effect::Announce(_) | Effect::Emit(_) | Effect::Refused(_) => {}
            }
        }
        self.arm(at);
        Ok(())
    }

    /// The agent's own timer.
    fn arm(&mut self, at: usize) {
        let clock = self.host_clock(at);
        let Some(due) = self.hosts[at].agent.as_ref().and_then(Agent::due) else { return };
        let after = due.since(clock).max(1);
        let moment = self.now() + after;
        if self.hosts[at].tick_at.is_none_or(|armed| moment < armed) {
            self.hosts[at].tick_at = Some(moment);
            self.within(at, after, Within::Tick(moment));
        }
    }

    fn read_for_host(&mut self, at: usize, life: u64, key: Key) {
        let on_the_way = self.fate(Party::Host(at), None);
        if let Some(ms) = on_the_way.first() {
            self.agenda.after(*ms, Job::ReadKey { from: at, life, key });
        } else {
            let event = Event::Read { key, reading: Reading::Failed };
            self.within(at, READ_WITHIN_MS, Within::Event(event));
        }
    }

    pub(crate) fn at_store_read_key(&mut self, from: usize, life: u64, key: Key) {
        let silent = self.now() < self.store_down_until
            || self.link(Party::Host(from)).cut_in
            || self.chance(self.weather.drop);
        let behind = if self.chance(self.weather.stale) { self.rng.u64(..20) } else { 0 };
        let (ms, reading) = if silent {
            (READ_WITHIN_MS, Reading::Failed)
        } else {
            let known = self.store.last_seq().saturating_sub(behind);
            let found = self.store.get_behind(&key, known);
            let reading = match found.and_then(|found| Some((found.bytes.clone()?, found.seq))) {
                Some((bytes, seq)) => Reading::Value { bytes, seq },
                None => Reading::Nothing,
            };
            (self.rng.u64(1..20), reading)
        };
        let of = Within::Event(Event::Read { key, reading });
        self.agenda.after(ms, Job::Host { at: from, life, of });
    }

    fn begin_write(&mut self, at: usize, closure: Closure) -> Result<(), Violation> {
        let generation = closure.generation;
        if self.chance(self.weather.disk) {
            let message = "the disk is full".to_owned();
            self.within(at, 20, Within::Event(Event::StoreFailed { generation, message }));
            return Ok(());
        }
        if self.has(Plant::AcknowledgeEarly) {
            self.within(at, 3_000, Within::Written(Box::new(closure)));
            return self.tell_host(at, Event::Stored { generation });
        }
        let ms = self.rng.u64(1..50);
        self.within(at, ms, Within::Written(Box::new(closure)));
        Ok(())
    }

    fn write_closure(&mut self, at: usize, closure: Closure) -> Result<(), Violation> {
        let disk = &mut self.hosts[at].disk;
        disk.epoch_max = closure.epoch_max.max(disk.epoch_max);
        disk.applied = Some(closure.applied);
        disk.sealed = Some(closure.sealed);
        disk.values.extend(closure.values);
        disk.values.retain(|key, _| closure.keep.contains(key));
        if self.has(Plant::AcknowledgeEarly) {
            return Ok(());
        }
        self.tell_host(at, Event::Stored { generation: closure.generation })
    }
}

fn started(run: RunId, image: &str) -> Event {
    if image == BROKEN_IMAGE {
        let (code, message) = ("WT-ENGINE-NOT-WASM".to_owned(), "not a component".to_owned());
        Event::StartFailed { run, failure: Failure { code, message } }
    } else {
        Event::Started { run, component: component() }
    }
}
