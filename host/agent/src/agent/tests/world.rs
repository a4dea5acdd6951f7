//! A driver on paper: answers effects at once, unless a test says otherwise.

pub(super) mod by_hand;

use std::collections::BTreeMap;

use super::*;
use crate::testing::{id, spec, stored_value};
use crate::{Closure, Restored, Scaled};
use wattle_types::{ConfigRecord, LinkRecord};

/// All specs a story may name, so that effects can be written with short names.
const NAMES: [&str; 9] =
    ["web", "web#2", "db", "set", "set#2", "hand", "hand:web", "hand:web#2", "hand:set"];

pub(super) struct World {
    pub(super) agent: Agent,
    pub(super) now: Millis,
    /// Specs that the store has.
    pub(super) specs: Vec<&'static str>,
    /// Records other than that everything belongs to `shop`.
    pub(super) records: Vec<IdRecord>,
    pub(super) records_exist: bool,
    /// Records that were written since, and their sequences; none: deleted.
    pub(super) owners: BTreeMap<ActorId, (Option<IdRecord>, u64)>,
    /// So many writes of records are stored without an answer that says so.
    pub(super) unsure_writes: u32,
    /// So many writes of what was started by hand fail.
    pub(super) failing_writes: u32,
    commands: u64,
    /// Our assignment in the store, and its sequence.
    pub(super) stored: Option<(Vec<u8>, u64)>,
    /// Links and configuration that the store has.
    pub(super) values: BTreeMap<Key, Vec<u8>>,
    /// How new what the store says of them is.
    pub(super) up_to: u64,
    /// So many reads of our assignment see nothing yet.
    pub(super) stale_reads: u32,
    /// Whether the store can be reached.
    pub(super) online: bool,
    /// Whether reads are answered at all.
    pub(super) store_answers: bool,
    pub(super) disk_answers: bool,
    pub(super) starts: bool,
    pub(super) stops: bool,
    /// Specs that cannot be started.
    pub(super) broken: Vec<&'static str>,
    /// Runs that were started, and by which name.
    pub(super) runs: Vec<(RunId, String)>,
    starting: Vec<RunId>,
    stopping: Vec<RunId>,
    disk: Restored,
    story: Vec<String>,
}

impl World {
    pub(super) fn new(specs: &[&'static str]) -> Self {
        let mut world = Self::boot(Restored::default());
        world.specs = specs.to_vec();
        world.online = true;
        world.step(Event::Connected);
        world
    }

    fn boot(disk: Restored) -> Self {
        let now = Millis(0);
        let (agent, effects) = Agent::start(config(), disk.clone(), now);
        let mut world = Self {
            agent,
            now,
            specs: Vec::new(),
            records: Vec::new(),
            records_exist: true,
            owners: BTreeMap::new(),
            unsure_writes: 0,
            failing_writes: 0,
            commands: 0,
            stored: None,
            values: BTreeMap::new(),
            up_to: SEQ,
            stale_reads: 0,
            online: false,
            store_answers: true,
            disk_answers: true,
            starts: true,
            stops: true,
            broken: Vec::new(),
            runs: Vec::new(),
            starting: Vec::new(),
            stopping: Vec::new(),
            disk,
            story: Vec::new(),
        };
        world.carry_out(effects);
        world
    }

    /// The process dies; its disk stays, and so does the lattice, which is out of reach at first.
    pub(super) fn restart(self) -> Self {
        self.restart_with(|_| {})
    }

    pub(super) fn restart_with(self, damage: impl FnOnce(&mut Restored)) -> Self {
        let mut disk = self.disk;
        damage(&mut disk);
        let mut world = Self::boot(disk);
        world.specs = self.specs;
        world.stored = self.stored;
        world.records_exist = self.records_exist;
        world.owners = self.owners;
        world.values = self.values;
        world.up_to = self.up_to;
        world.online = true;
        world
    }

    pub(super) fn step(&mut self, event: Event) {
        let effects = self.agent.step(self.now, event);
        self.carry_out(effects);
    }

    /// Time passes until `at`, which the agent asked for.
    pub(super) fn at(&mut self, at: Millis) {
        self.now = self.now.max(at);
        self.step(Event::Tick);
    }

    /// The leader stored this assignment, and we read it.
    pub(super) fn assign(&mut self, assignment: &Assignment) {
        let seq = self.stored.as_ref().map_or(1, |(_, seq)| seq + 1);
        self.stored = Some((sealed(assignment), seq));
        self.read_assignment(&sealed(assignment));
    }

    pub(super) fn read_assignment(&mut self, sealed: &[u8]) {
        let reading = value(sealed.to_vec());
        self.step(Event::Read { key: Key::Assign(host(1)), reading });
    }

    pub(super) fn beat(&mut self) -> Beat {
        let load = Load::default();
        let due = Event::BeatDue { period_ms: 500, load, server: String::new() };
        match &self.agent.step(self.now, due)[..] {
            [Effect::Beat(beat)] => beat.clone(),
            other => panic!("a beat and nothing else: {other:?}"),
        }
    }

    pub(super) fn story(&self) -> Vec<String> {
        self.story.clone()
    }

    pub(super) fn forget(&mut self) {
        self.story.clear();
    }

    /// The inventory's actors, as `web x1 ready`.
    pub(super) fn running(&self) -> Vec<String> {
        let actors = self.agent.inventory(self.now).actors;
        let line = |actor: &wattle_types::ActorReport| {
            format!("{} x{} {}", name_of(actor.spec), actor.count, actor.state)
        };
        actors.iter().map(line).collect()
    }

    pub(super) fn pending_starts(&self) -> Vec<RunId> {
        self.starting.clone()
    }

    pub(super) fn finish_starts(&mut self) {
        for run in std::mem::take(&mut self.starting) {
            self.answer_start(run);
        }
    }

    pub(super) fn finish_stops(&mut self) {
        for run in std::mem::take(&mut self.stopping) {
            self.step(Event::Stopped { run });
        }
    }

    fn answer_start(&mut self, run: RunId) {
        let name = self.name_of_run(run);
        let event = if self.broken.contains(&name.as_str()) {
            let (code, message) = ("WT-TEST".to_owned(), "no such file".to_owned());
            Event::StartFailed { run, failure: Failure { code, message } }
        } else {
            Event::Started { run, component: component() }
        };
        self.step(event);
    }

    fn name_of_run(&self, run: RunId) -> String {
        let found = self.runs.iter().find(|(known, _)| *known == run);
        found.map(|(_, name)| name.clone()).expect("only runs that were started are named")
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        // First all lines, then the answers: a driver answers later, too.
        for effect in &effects {
            let line = self.line(effect);
            self.story.push(line);
        }
        for effect in effects {
            self.answer(effect);
        }
    }

    /// Somebody stores a link.
    pub(super) fn put_link(&mut self, link: &LinkRecord) {
        self.up_to += 1;
        self.values.insert(link.key(), stored::encode(link));
    }

    pub(super) fn delete_link(&mut self, link: &LinkRecord) {
        self.up_to += 1;
        self.values.remove(&link.key());
    }

    /// Somebody stores configuration.
    pub(super) fn put_config(&mut self, config: &ConfigRecord) {
        self.up_to += 1;
        self.values.insert(Key::Config(config.name.clone()), stored::encode(config));
    }

    /// This host is told that a link of `source` changed just now.
    pub(super) fn tell_link(&mut self, source: &str) {
        self.step(Event::LinkChanged { source: id(source), at_least: self.up_to });
    }

    /// This host is told that configuration changed just now.
    pub(super) fn tell_config(&mut self, name: &str) {
        let name = name.parse().unwrap();
        self.step(Event::ConfigChanged { name, at_least: self.up_to });
    }

    /// What the store says of all links of an actor.
    pub(super) fn links_of(&self, source: &ActorId) -> Event {
        let is_asked = |key: &Key| matches!(key, Key::Link { source: of, .. } if of == source);
        let found = self.values.iter().filter(|(key, _)| is_asked(key));
        let links = found.map(|(key, bytes)| (key.clone(), bytes.clone(), 1)).collect();
        let links = if self.online { Ok(links) } else { Err(()) };
        Event::LinksRead { source: source.clone(), links, up_to: self.up_to }
    }

    /// The disk says that what it was given last is stored.
    pub(super) fn finish_store(&mut self) {
        let generation = self.disk.applied.expect("something was stored").generation;
        self.step(Event::Stored { generation });
    }

    /// Links and configuration on disk.
    pub(super) fn on_disk(&self) -> BTreeMap<Key, Vec<u8>> {
        let is_value = |key: &Key| matches!(key, Key::Link { .. } | Key::Config(_));
        let values = self.disk.values.iter().filter(|(key, _)| is_value(key));
        values.map(|(key, bytes)| (key.clone(), bytes.clone())).collect()
    }

    fn answer(&mut self, effect: Effect) {
        match effect {
            Effect::ReadLinks { source } if self.store_answers => {
                let event = self.links_of(&source);
                self.step(event);
            }
            Effect::Read { keys } if self.store_answers => {
                for key in keys {
                    let reading = self.read(&key);
                    self.step(Event::Read { key, reading });
                }
            }
            Effect::StoreEpoch { epoch } => self.disk.epoch_max = epoch,
            Effect::StoreClosure(closure) => self.store(closure),
            Effect::Start { run, .. } if self.starts => self.answer_start(run),
            Effect::Start { run, .. } => self.starting.push(run),
            Effect::Stop { run, .. } if self.stops => {
                self.starting.retain(|starting| *starting != run);
                self.step(Event::Stopped { run });
            }
            Effect::Stop { run, .. } => self.stopping.push(run),
            by_hand => self.answer_by_hand(by_hand),
        }
    }

    fn read(&mut self, key: &Key) -> Reading {
        if !self.online {
            return Reading::Failed;
        }
        let found = match key {
            Key::Assign(_) if 0 < self.stale_reads => {
                self.stale_reads -= 1;
                None
            }
            Key::Assign(_) => {
                return self
                    .stored
                    .clone()
                    .map_or(Reading::Nothing, |(bytes, seq)| Reading::Value { bytes, seq });
            }
            Key::Id(id) => self.owner(id).0.map(|record| stored::encode(&record)),
            Key::Config(_) => {
                let found = self.values.get(key).cloned();
                return found
                    .map_or(Reading::Nothing, |bytes| Reading::Value { bytes, seq: self.up_to });
            }
            _ => stored_value(key, &self.specs),
        };
        found.map_or(Reading::Nothing, |bytes| Reading::Value { bytes, seq: 1 })
    }

    fn store(&mut self, closure: Closure) {
        self.disk.epoch_max = closure.epoch_max;
        self.disk.applied = Some(closure.applied);
        self.disk.sealed = Some(closure.sealed);
        self.disk.values.extend(closure.values);
        self.disk.values.retain(|key, _| closure.keep.contains(key));
        let keys: Vec<&Key> = self.disk.values.keys().collect();
        assert_eq!(keys, closure.keep.iter().collect::<Vec<_>>(), "a closure is whole");
        if self.disk_answers {
            self.step(Event::Stored { generation: closure.generation });
        }
    }

    fn line(&mut self, effect: &Effect) -> String {
        match effect {
            Effect::Read { keys } => format!("read {}", list(keys.iter().map(key_line))),
            Effect::ReadLinks { source } => format!("read links {source}"),
            Effect::Bind { run, links, config, .. } => {
                let links =
                    links.iter().map(|(path, _, bound)| format!("{path} -> {}", bound.target));
                let config = config.iter().map(|(key, value)| format!("{key}={value}"));
                format!("bind {}: {}", self.name_of_run(*run), list(links.chain(config)))
            }
            Effect::StoreEpoch { epoch } => format!("store epoch {epoch}"),
            Effect::StoreClosure(closure) => {
                let new = list(closure.values.keys().map(key_line));
                format!("store {}: {new}", closure.generation).trim_end().to_owned()
            }
            Effect::Start { run, hash, count, .. } => {
                self.runs.push((*run, name_of(*hash)));
                format!("start {} x{count}", name_of(*hash))
            }
            Effect::Serve { run, count, .. } => {
                format!("serve {} x{count}", self.name_of_run(*run))
            }
            Effect::Stop { run, .. } => format!("stop {}", self.name_of_run(*run)),
            Effect::Beat(_) => "beat".to_owned(),
            Effect::Announce(delta) => {
                let all = if delta.full { " all" } else { "" };
                let states: BTreeMap<String, String> = delta
                    .entries
                    .iter()
                    .map(|e| (name_of(e.revision), format!("{:?}", e.state).to_lowercase()))
                    .collect();
                let entries = list(states.iter().map(|(name, state)| format!("{name} {state}")));
                format!("announce{all} #{}: {entries}", delta.seq).trim_end().to_owned()
            }
            Effect::Emit(happening) => match happening {
                Happening::HostStarted => "started host".to_owned(),
                Happening::HostStopped => "stopped host".to_owned(),
                Happening::Heartbeat(_) => "heartbeat".to_owned(),
                Happening::Scaled(Scaled { id, count, .. }) => format!("scaled {id} to {count}"),
                Happening::ScaleFailed { of, .. } => format!("scaling {} failed", of.id),
            },
            Effect::Refused(refusal) => format!("refused {}", refusal.code()),
            Effect::Adopt { run, hash, .. } => {
                let run = self.runs.iter_mut().find(|(known, _)| known == run);
                let (_, name) = run.expect("only runs that were started are adopted");
                let before = std::mem::replace(name, name_of(*hash));
                format!("adopt {before} as {}", name_of(*hash))
            }
            Effect::ReadOwner { .. }
            | Effect::WriteOwner { .. }
            | Effect::StoreManual { .. }
            | Effect::Answer { .. } => by_hand::line(effect),
            Effect::Leave => "left".to_owned(),
        }
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
}

fn key_line(key: &Key) -> String {
    match key {
        Key::Spec(hash) => format!("spec {}", name_of(*hash)),
        Key::Id(id) => format!("id {id}"),
        Key::Assign(_) => "assign".to_owned(),
        other => other.to_string(),
    }
}

fn name_of(hash: wattle_types::SpecHash) -> String {
    let known = NAMES.into_iter().find(|name| spec(name).hash() == hash);
    known.expect("stories name only known specs").to_owned()
}
