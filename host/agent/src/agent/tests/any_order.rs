//! Whatever order answers, news and failures come in: what is bound last, and what is on disk
//! last, are the links that the store has.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::testing::{id, link_of_package, stored_value};
use crate::{Closure, Restored};
use wattle_types::{LinkRecord, LinkTable};

type Links = BTreeMap<Key, Vec<u8>>;

#[derive(Clone, Debug)]
enum Happens {
    /// A link of `web`, one of two, leads to one of three from now on.
    Put(usize, usize),
    Delete(usize),
    /// The host hears of the newest change, or of one before it.
    Told(usize),
    /// A read of links under way is answered: by a replica so many changes behind, or not at all.
    Answered(Option<usize>),
    /// A write is done, or fails, with or without effect.
    Written {
        ok: bool,
        effect: bool,
    },
    /// Another number of instances.
    Assigned,
    Looks,
    /// What the agent waits for has come.
    Due,
    /// The process ends and comes back with its disk.
    Restarts,
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        3 => (0..2usize, 0..3usize).prop_map(|(link, target)| Happens::Put(link, target)),
        1 => (0..2usize).prop_map(Happens::Delete),
        3 => (0..3usize).prop_map(Happens::Told),
        6 => proptest::option::weighted(0.8, 0..3usize).prop_map(Happens::Answered),
        5 => (proptest::bool::weighted(0.7), any::<bool>())
            .prop_map(|(ok, effect)| Happens::Written { ok, effect }),
        1 => Just(Happens::Assigned),
        1 => Just(Happens::Looks),
        2 => Just(Happens::Due),
        1 => Just(Happens::Restarts),
    ]
}

/// A host whose answers come when the test says so.
struct Host {
    agent: Agent,
    now: Millis,
    /// Every state the links in the store ever had; the sequence of each is its place.
    history: Vec<Links>,
    generation: u64,
    reads: VecDeque<ActorId>,
    writes: VecDeque<Closure>,
    disk: Restored,
    bound: Option<LinkTable>,
}

impl Host {
    fn new() -> Self {
        let (agent, effects) = Agent::start(config(), Restored::default(), Millis(0));
        let mut host = Self {
            agent,
            now: Millis(0),
            history: vec![Links::new()],
            generation: 0,
            reads: VecDeque::new(),
            writes: VecDeque::new(),
            disk: Restored::default(),
            bound: None,
        };
        host.carry_out(effects);
        host.happen(&Happens::Assigned);
        host
    }

    fn step(&mut self, event: Event) {
        let effects = self.agent.step(self.now, event);
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::ReadLinks { source } => self.reads.push_back(source),
                Effect::StoreClosure(closure) => {
                    assert!(self.writes.is_empty(), "one write at a time");
                    self.writes.push_back(closure);
                }
                Effect::Bind { links, .. } => self.bound = Some((*links).clone()),
                Effect::Serve { .. } => assert!(self.bound.is_some(), "what serves is bound"),
                Effect::Read { keys } => {
                    for key in keys {
                        let found = match key {
                            Key::Assign(_) => Some(self.assignment()),
                            _ => stored_value(&key, &["web"]),
                        };
                        let seq = self.seq();
                        let reading =
                            found.map_or(Reading::Nothing, |bytes| Reading::Value { bytes, seq });
                        self.step(Event::Read { key, reading });
                    }
                }
                Effect::Start { run, .. } => {
                    self.step(Event::Started { run, component: component() });
                }
                _ => {}
            }
        }
    }

    fn seq(&self) -> u64 {
        self.history.len() as u64 - 1
    }

    fn change(&mut self, change: impl FnOnce(&mut Links)) {
        let mut links = self.history.last().cloned().unwrap_or_default();
        change(&mut links);
        self.history.push(links);
    }

    fn happen(&mut self, what: &Happens) {
        match *what {
            Happens::Put(link, target) => {
                let record = record(link, target);
                self.change(|links| drop(links.insert(record.key(), stored::encode(&record))));
            }
            Happens::Delete(link) => {
                self.change(|links| drop(links.remove(&record(link, 0).key())));
            }
            Happens::Told(behind) => {
                let at_least = self.seq().saturating_sub(behind as u64);
                self.step(Event::LinkChanged { source: id("web"), at_least });
            }
            Happens::Answered(behind) => {
                let Some(source) = self.reads.pop_front() else { return };
                let up_to = self.seq().saturating_sub(behind.unwrap_or_default() as u64);
                let links = self.history[up_to as usize].clone();
                let links = links.into_iter().map(|(key, bytes)| (key, bytes, up_to)).collect();
                let links = behind.map(|_| links).ok_or(());
                self.step(Event::LinksRead { source, links, up_to });
            }
            Happens::Written { ok, effect } => {
                let Some(closure) = self.writes.pop_front() else { return };
                let generation = closure.generation;
                if ok || effect {
                    self.write(closure);
                }
                let message = "disk full".to_owned();
                self.step(match ok {
                    true => Event::Stored { generation },
                    false => Event::StoreFailed { generation, message },
                });
            }
            Happens::Assigned => {
                self.generation += 1;
                self.step(Event::Woken { at_least: 0 });
            }
            Happens::Looks => self.step(Event::LookDue),
            Happens::Due => {
                self.now = self.agent.due().unwrap_or(self.now).max(self.now);
                self.step(Event::Tick);
            }
            Happens::Restarts => {
                (self.reads, self.writes, self.bound) = Default::default();
                let (agent, effects) = Agent::start(config(), self.disk.clone(), self.now);
                self.agent = agent;
                self.carry_out(effects);
            }
        }
    }

    /// What the store says this host should run.
    fn assignment(&self) -> Vec<u8> {
        let count = 1 + u32::try_from(self.generation % 3).unwrap();
        sealed(&assignment(1, self.generation, &[("web", count)]))
    }

    fn write(&mut self, closure: Closure) {
        self.disk.epoch_max = closure.epoch_max;
        self.disk.applied = Some(closure.applied);
        self.disk.sealed = Some(closure.sealed);
        self.disk.values.extend(closure.values);
        self.disk.values.retain(|key, _| closure.keep.contains(key));
        let kept: BTreeSet<Key> = self.disk.values.keys().cloned().collect();
        assert_eq!(kept, closure.keep, "a closure is whole");
    }

    /// From now on everything is answered well, and somebody looks.
    fn calm_down(&mut self) {
        // One look may be answered by what was under way before it.
        for _ in 0..2 {
            self.happen(&Happens::Looks);
            for _ in 0..1_000 {
                self.happen(&Happens::Answered(Some(0)));
                self.happen(&Happens::Written { ok: true, effect: true });
                if self.reads.is_empty() && self.writes.is_empty() && self.agent.due().is_none() {
                    break;
                }
                self.happen(&Happens::Due);
            }
        }
    }

    fn links_on_disk(&self) -> Links {
        let links = self.disk.values.iter().filter(|(key, _)| matches!(key, Key::Link { .. }));
        links.map(|(key, bytes)| (key.clone(), bytes.clone())).collect()
    }
}

fn record(link: usize, target: usize) -> LinkRecord {
    let target = ["a", "b", "c"][target];
    link_of_package(&format!("web -> {target}"), ["shop", "bank"][link])
}

fn table(links: &Links) -> LinkTable {
    let records = links.values().map(|bytes| stored::decode("a link", bytes).unwrap());
    LinkTable::of(&records.collect::<Vec<LinkRecord>>())
}

proptest! {
    #[test]
    fn what_is_bound_and_what_is_durable_in_the_end_is_what_the_store_has(
        story in proptest::collection::vec(happens(), 0..60)
    ) {
        let mut host = Host::new();
        for what in &story {
            host.happen(what);
        }
        host.calm_down();
        let last = host.history.last().cloned().unwrap_or_default();
        prop_assert_eq!(host.bound.as_ref(), Some(&table(&last)));
        prop_assert_eq!(host.links_on_disk(), last);
        let applied = host.agent.inventory(host.now).applied;
        prop_assert_eq!(applied.map(|applied| applied.generation.0), Some(host.generation));
    }
}
