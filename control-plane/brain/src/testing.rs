//! A perfect store and obedient hosts for the tests of this crate. Faults are the simulator's.

use std::collections::BTreeMap;

use wattle_types::time::Millis;
use wattle_types::{
    ActorId, ActorReport, ActorState, Applied, Assignment, AuthorKey, Beat, Epoch, HostId,
    IdRecord, Inventory, Key, LatticeId, LinkReport, Load, Owner, PublicKey, Role, stored,
};

use crate::apps::{Answer, Base, Command};
use crate::lease::{Identity, MIN_VERSION};
use crate::marks::Marks;
use crate::{
    Alarm, Brain, Config, Content, Effect, Event, Expect, Forwarded, Kept, LeaseReading, Payload,
    ProbeReply, RequestId, Seen, Server, Stamp, Terms, Write, Wrote,
};

pub(crate) fn host(index: u8) -> HostId {
    HostId::try_from(PublicKey::new(Role::Server, [index; 32])).unwrap()
}

pub(crate) fn beat(index: u8, boot: u64, seq: u64) -> Beat {
    Beat {
        v: 1,
        host: host(index),
        boot,
        seq,
        period_ms: 500,
        applied: None,
        epoch_max: Epoch::ZERO,
        draining: false,
        inventory: 1,
        load: Load::default(),
        server: String::new(),
    }
}

pub(crate) fn inventory(index: u8, boot: u64, labels: &[(&str, &str)]) -> Inventory {
    let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Inventory {
        v: 1,
        lattice: lattice(),
        host: host(index),
        boot,
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
    }
}

pub(crate) fn lattice() -> LatticeId {
    "test".parse().unwrap()
}

/// A manifest with one component per line: `name | traits in YAML flow form`.
pub(crate) fn manifest(app: &str, version: &str, components: &[(&str, &str)]) -> String {
    let mut text = format!(
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata:\n  name: {app}\n  \
         annotations: {{version: {version}}}\nspec:\n  components:\n"
    );
    for (name, traits) in components {
        text += &format!(
            "    - name: {name}\n      type: component\n      properties: {{image: \
             'file:///{name}.wasm', id: {name}}}\n      traits: [{traits}]\n"
        );
    }
    text
}

/// One brain, a store that always answers, and hosts that do what they are told.
pub(crate) struct World {
    pub(crate) now: Millis,
    pub(crate) brain: Brain,
    pub(crate) store: BTreeMap<Key, (u64, Vec<u8>)>,
    pub(crate) last_seq: u64,
    pub(crate) hosts: BTreeMap<u8, TestHost>,
    pub(crate) answers: BTreeMap<RequestId, Answer>,
    pub(crate) alarms: Vec<Alarm>,
    pub(crate) batches: Vec<Vec<Write>>,
    pub(crate) wakes: Vec<(HostId, u64)>,
    /// Whose links, and which configuration, hosts were told to read again.
    pub(crate) told: Vec<(String, u64)>,
    pub(crate) served: bool,
    pub(crate) stopped: bool,
    /// The stream is gone.
    pub(crate) deleted: bool,
    /// Why the store takes no writes.
    pub(crate) refuses: Option<String>,
    /// The store answers no write outside of batches.
    pub(crate) wedged: bool,
    /// What the brain had kept on disk.
    kept: BTreeMap<Key, Kept>,
    requests: u64,
    /// Beside the last answer.
    pub(crate) seen: Seen,
}

pub(crate) struct TestHost {
    pub(crate) up: bool,
    /// Takes over what it is told.
    pub(crate) obeys: bool,
    /// The highest epoch that reached it otherwise than by an assignment.
    pub(crate) heard: Epoch,
    pub(crate) seq: u64,
    pub(crate) inventory: Inventory,
    pub(crate) draining: bool,
    /// Ids that cannot be started.
    pub(crate) fails: Vec<String>,
    /// What it says of the links of whatever it runs.
    pub(crate) links: Vec<LinkReport>,
    /// Goes on running what it should not, and says that it ends.
    pub(crate) lingers: bool,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::holding_to(Marks::default())
    }

    /// A process that finds these marks on its disk.
    pub(crate) fn holding_to(marks: Marks) -> Self {
        let version = MIN_VERSION.to_owned();
        let holder = "c1".parse().unwrap();
        let identity = Identity { holder, boot: 1, min_version: version.clone(), version };
        let config = Config { lattice: lattice(), identity, epoch_known: Epoch::ZERO, marks };
        let mut world = Self {
            now: Millis(10_000),
            brain: Brain::new(config),
            store: BTreeMap::new(),
            last_seq: 0,
            hosts: BTreeMap::new(),
            answers: BTreeMap::new(),
            alarms: Vec::new(),
            batches: Vec::new(),
            wakes: Vec::new(),
            told: Vec::new(),
            served: false,
            stopped: false,
            deleted: false,
            refuses: None,
            wedged: false,
            kept: BTreeMap::new(),
            requests: 0,
            seen: Seen::default(),
        };
        world.event(Event::Connected);
        world.event(Event::FollowedAll { seq: 0 });
        world
    }

    /// Leading, with so many hosts that have the labels `zone=z<index>`.
    pub(crate) fn leading(hosts: u8) -> Self {
        let mut world = Self::new();
        for index in 0..hosts {
            world.add_host(index, &[("zone", &format!("z{index}"))]);
        }
        world.run(5_000);
        assert!(world.brain.is_leading(world.now), "{:?}", world.alarms);
        world
    }

    /// The same lattice, with a controller that was stopped and started again.
    pub(crate) fn restarted(mut self) -> Self {
        let lease = wattle_types::Lease { holder: None, ..self.lease() };
        self.intrude(Key::Lease, stored::encode(&lease));
        let mut next = Self::new();
        (next.now, next.hosts) = (self.now, self.hosts);
        (next.store, next.last_seq) = (self.store, self.last_seq);
        let mut values: Vec<_> = next.store.clone().into_iter().collect();
        values.sort_by_key(|(_, (seq, _))| *seq);
        for (key, (seq, bytes)) in values {
            let content = if bytes.is_empty() { Content::Gone } else { Content::Value(bytes) };
            next.event(Event::Followed { key, seq, content });
        }
        next.event(Event::FollowedAll { seq: next.last_seq });
        next
    }

    pub(crate) fn add_host(&mut self, index: u8, labels: &[(&str, &str)]) {
        let inventory = inventory(index, 1, labels);
        let host = TestHost {
            up: true,
            obeys: true,
            heard: Epoch::ZERO,
            seq: 0,
            inventory,
            draining: false,
            fails: Vec::new(),
            links: Vec::new(),
            lingers: false,
        };
        self.hosts.insert(index, host);
    }

    pub(crate) fn run(&mut self, ms: u64) {
        let end = self.now + ms;
        while self.now < end {
            self.now = self.now + 100;
            self.event(Event::Tick { random: self.now.0 });
            if self.now.0.is_multiple_of(500) {
                self.beats();
            }
        }
    }

    fn beats(&mut self) {
        let up: Vec<u8> =
            self.hosts.iter().filter(|(_, host)| host.up).map(|(index, _)| *index).collect();
        for index in up {
            self.obey(index);
            let host = self.hosts.get_mut(&index).unwrap();
            host.seq += 1;
            let mut said = beat(index, host.inventory.boot, host.seq);
            said.applied = host.inventory.applied;
            let applied = said.applied.map(|applied| applied.epoch).unwrap_or_default();
            said.epoch_max = applied.max(host.heard);
            said.inventory = host.inventory.revision;
            said.draining = host.draining;
            self.event(Event::Beat(said));
        }
    }

    fn obey(&mut self, index: u8) {
        let stored = self.assignment(index);
        let host = self.hosts.get_mut(&index).unwrap();
        let Some(told) = stored.filter(|_| host.obeys) else { return };
        let hash = told.hash();
        let applied = Applied { epoch: told.epoch, generation: told.generation, hash };
        if host.inventory.applied == Some(applied) {
            return;
        }
        host.inventory.applied = Some(applied);
        host.inventory.revision += 1;
        let (fails, links, store) = (&host.fails, &host.links, &self.store);
        let owner_of = |id: &ActorId| {
            let (_, record) = store.get(&Key::Id(id.clone()))?;
            Some(stored::decode::<IdRecord>("an id", record).ok()?.owner)
        };
        let report = |entry: &wattle_types::Entry| ActorReport {
            id: entry.id.clone(),
            image: String::new(),
            name: None,
            spec: entry.spec,
            count: entry.count,
            owner: owner_of(&entry.id).unwrap_or(Owner::Manual),
            annotations: BTreeMap::new(),
            digest: None,
            revision: None,
            links: links.clone(),
            missing_links: Vec::new(),
            state: if fails.iter().any(|id| id == entry.id.as_str()) {
                let message = "it imports a:b/c, which nothing provides".to_owned();
                ActorState::Failed { code: "WT-ENGINE-IMPORTS".to_owned(), message }
            } else {
                ActorState::Ready
            },
        };
        let mut actors: Vec<ActorReport> = told.entries.iter().map(report).collect();
        let ended = host.inventory.actors.drain(..).filter(|_| host.lingers);
        let ended = ended.filter(|was| told.entries.iter().all(|entry| entry.spec != was.spec));
        actors.extend(ended.map(|was| ActorReport { state: ActorState::Draining, ..was }));
        host.inventory.actors = actors;
    }

    /// The host says something else of what it runs, from its next beat on.
    pub(crate) fn report(&mut self, index: u8, change: impl Fn(&mut Vec<ActorReport>)) {
        let host = self.hosts.get_mut(&index).unwrap();
        change(&mut host.inventory.actors);
        host.inventory.revision += 1;
    }

    pub(crate) fn assignment(&self, index: u8) -> Option<Assignment> {
        let (_, bytes) = self.store.get(&Key::Assign(host(index)))?;
        Assignment::decode(bytes).ok()
    }

    /// What each host was told, as `id=count` words.
    pub(crate) fn told(&self, index: u8) -> Option<String> {
        let told = self.assignment(index)?;
        let words = told.entries.iter().map(|entry| format!("{}={}", entry.id, entry.count));
        Some(words.collect::<Vec<_>>().join(" "))
    }

    pub(crate) fn ask(&mut self, command: Command) -> Answer {
        self.ask_as(None, None, command)
    }

    /// As the owner of this key, who had seen that.
    pub(crate) fn ask_as(
        &mut self,
        by: Option<AuthorKey>,
        base: Option<Base>,
        command: Command,
    ) -> Answer {
        self.requests += 1;
        let request = RequestId(self.requests);
        let at = Stamp { unix_ms: 1_700_000_000_000, random: u128::from(self.requests), by };
        let terms = Terms { base, ..Terms::default() };
        self.event(Event::Requested { request, command, terms, at });
        for _ in 0..50 {
            if let Some(answer) = self.answers.remove(&request) {
                return answer;
            }
            self.run(100);
        }
        panic!("request {request:?} was never answered");
    }

    pub(crate) fn put(&mut self, text: &str) -> Answer {
        self.ask(Command::Put { text: text.to_owned() })
    }

    pub(crate) fn deploy(&mut self, app: &str) -> Answer {
        self.ask(Command::Deploy { name: app.parse().unwrap(), version: None, takeover: false })
    }

    pub(crate) fn put_and_deploy(&mut self, app: &str, version: &str, parts: &[(&str, &str)]) {
        let put = self.put(&manifest(app, version, parts));
        assert!(matches!(put, Answer::Put { .. }), "{put:?}");
        let deployed = self.deploy(app);
        assert!(matches!(deployed, Answer::Deployed { .. }), "{deployed:?}");
    }

    pub(crate) fn status(&mut self, app: &str) -> crate::apps::AppStatus {
        match self.ask(Command::Status { name: app.parse().unwrap() }) {
            Answer::Status(status) => *status,
            other => panic!("{other:?}"),
        }
    }

    /// What is on the brain's disk, by key.
    pub(crate) fn export(&self) -> Vec<Kept> {
        self.kept.values().cloned().collect()
    }

    /// Somebody else writes.
    pub(crate) fn intrude(&mut self, key: Key, bytes: Vec<u8>) {
        self.last_seq += 1;
        self.store.insert(key.clone(), (self.last_seq, bytes.clone()));
        let (seq, content) = (self.last_seq, Content::Value(bytes));
        self.event(Event::Followed { key, seq, content });
    }

    /// Somebody deletes the stream, with all that is in it.
    pub(crate) fn delete_stream(&mut self) {
        (self.store, self.last_seq, self.deleted) = (BTreeMap::new(), 0, true);
    }

    /// Somebody else writes what should be signed, and does not sign it.
    pub(crate) fn intrude_unsigned(&mut self, key: Key, bytes: Vec<u8>) {
        self.last_seq += 1;
        self.store.insert(key.clone(), (self.last_seq, bytes.clone()));
        let (seq, content) = (self.last_seq, Content::Unsigned(bytes));
        self.event(Event::Followed { key, seq, content });
    }

    /// Somebody else deletes.
    pub(crate) fn remove(&mut self, key: Key) {
        self.last_seq += 1;
        self.store.insert(key.clone(), (self.last_seq, Vec::new()));
        self.event(Event::Followed { key, seq: self.last_seq, content: Content::Gone });
    }

    pub(crate) fn event(&mut self, event: Event) {
        let effects = self.brain.step(self.now, event);
        for effect in effects {
            self.act(effect);
        }
    }

    fn act(&mut self, effect: Effect) {
        match effect {
            Effect::ReadLease { op } => {
                let reading = match self.store.get(&Key::Lease) {
                    Some((seq, bytes)) => LeaseReading::Found { seq: *seq, bytes: bytes.clone() },
                    None if self.deleted => LeaseReading::NoStream,
                    None => LeaseReading::Absent,
                };
                self.event(Event::LeaseRead { op, reading });
            }
            Effect::Commit { op, writes } => {
                let wrote = self.commit(&writes);
                self.event(Event::Committed { op, wrote });
            }
            Effect::Write { op, write } => {
                let wrote = match self.wedged {
                    true => Wrote::Unknown,
                    false => self.store_all(&[write]),
                };
                self.event(Event::Written { op, wrote });
            }
            Effect::Probe { host: id } => {
                let up = self.hosts.values().any(|host| host.up && host.inventory.host == id);
                let reply = if up { ProbeReply::Answered } else { ProbeReply::NoResponders };
                self.event(Event::Probed { host: id, reply });
            }
            Effect::AskInventory { host: id } => {
                let known = self.hosts.values().find(|host| host.up && host.inventory.host == id);
                let inventory = known.map(|host| Box::new(host.inventory.clone()));
                self.event(Event::Inventoried { host: id, inventory });
            }
            Effect::AskWhoServes => {
                let who = if self.served { Server::Ours } else { Server::Nobody };
                self.event(Event::ServedBy { who });
            }
            // There is only one controller in this world.
            Effect::Forward { request, .. } => {
                self.event(Event::Forwarded { request, outcome: Forwarded::Nobody });
            }
            Effect::PassOn { request } => panic!("{request:?} was never handed on"),
            Effect::Serve { yes } => self.served = yes,
            Effect::Reply { request, answer, seen } => {
                self.seen = seen;
                self.answers.insert(request, *answer);
            }
            Effect::Raise(alarm) => self.alarms.push(alarm),
            Effect::Wake { host, at_least } => self.wakes.push((host, at_least)),
            Effect::TellLinks { source, at_least } => {
                self.told.push((source.to_string(), at_least));
            }
            Effect::TellConfig { name, at_least } => self.told.push((name.to_string(), at_least)),
            Effect::Stopped => self.stopped = true,
            Effect::Keep { entries } => {
                self.kept.extend(entries.into_iter().map(|kept| (kept.key.clone(), kept)));
            }
            Effect::MakeStore => {
                self.deleted = false;
                self.event(Event::FollowReset);
                self.event(Event::FollowedAll { seq: self.last_seq });
            }
            Effect::RememberEpoch { .. } | Effect::Announce { .. } => {}
        }
    }

    fn commit(&mut self, writes: &[Write]) -> Wrote {
        let wrote = self.store_all(writes);
        if matches!(wrote, Wrote::Ok { .. }) {
            self.batches.push(writes.to_vec());
        }
        wrote
    }

    fn store_all(&mut self, writes: &[Write]) -> Wrote {
        let fits = |write: &Write| {
            let seq = self.store.get(&write.key).map(|(seq, _)| *seq);
            write.expect == seq.map_or(Expect::Absent, Expect::Seq)
        };
        if self.deleted {
            return Wrote::Nobody;
        }
        if let Some(reason) = self.refuses.clone() {
            return Wrote::Refused { reason };
        }
        if !writes.iter().all(fits) {
            return Wrote::Conflict;
        }
        let mut followed = Vec::new();
        for write in writes {
            self.last_seq += 1;
            let (bytes, content) = match &write.payload {
                Payload::Plain(bytes) | Payload::Assignment(bytes) | Payload::Head(bytes) => {
                    (bytes.clone(), Content::Value(bytes.clone()))
                }
                Payload::Gone => (Vec::new(), Content::Gone),
            };
            self.store.insert(write.key.clone(), (self.last_seq, bytes));
            followed.push(Event::Followed { key: write.key.clone(), seq: self.last_seq, content });
        }
        for event in followed {
            self.event(event);
        }
        Wrote::Ok { last_seq: self.last_seq }
    }

    pub(crate) fn lease(&self) -> wattle_types::Lease {
        stored::decode("the lease", &self.store[&Key::Lease].1).unwrap()
    }
}
