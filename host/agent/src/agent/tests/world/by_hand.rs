//! What the driver does about what is started by hand.

use super::{World, list, name_of};
use crate::testing::{host, id, record, spec};
use crate::{Answer, Command, Effect, Event, OwnerReading, RequestId, Start};
use std::collections::BTreeMap;
use wattle_types::{ActorId, IdRecord, Life, ManualSet, Owner, stored};

/// What this host's clock says.
const UNIX_S: u64 = 1_700_000_000;

impl World {
    /// A lattice in which nobody owns anything.
    pub(in super::super) fn free(specs: &[&'static str]) -> Self {
        let mut world = World::new(specs);
        world.records_exist = false;
        world.forget();
        world
    }

    pub(in super::super) fn command(&mut self, command: Command) {
        self.commands += 1;
        let request = RequestId(self.commands);
        self.step(Event::Commanded { request, command });
    }

    /// `wattle start component`, of what is called `hand:` and this.
    pub(in super::super) fn start(&mut self, name: &str, count: u32) {
        self.command(start(name, count, BTreeMap::new()));
    }

    /// As another manager does.
    pub(in super::super) fn start_session(&mut self, name: &str, count: u32) {
        self.command(start(name, count, managed()));
    }

    pub(in super::super) fn stop(&mut self, name: &str) {
        let (id, annotations) = (id(name), BTreeMap::new());
        self.command(Command::Stop { id, image: None, annotations });
    }

    pub(in super::super) fn update(&mut self, name: &str) {
        let spec = spec(&format!("hand:{name}"));
        self.command(Command::Update { id: spec.id, image: spec.image, annotations: None });
    }

    /// Somebody else writes who owns an id.
    pub(in super::super) fn own(&mut self, record: Option<IdRecord>, name: &str) {
        let seq = self.owner(&id(name)).1 + 1;
        self.owners.insert(id(name), (record, seq));
    }

    /// `web belongs to shop`.
    pub(in super::super) fn give_to_shop(&mut self, name: &str) {
        self.own(Some(record(name, "shop")), name);
    }

    /// As whose the lattice has an id, and on how many hosts.
    pub(in super::super) fn owned(&self, name: &str) -> Option<(Owner, usize)> {
        self.owner(&id(name)).0.map(|record| (record.owner, record.hosts.len()))
    }

    pub(in super::super) fn owner(&self, id: &ActorId) -> (Option<IdRecord>, u64) {
        let known = self.records.iter().find(|record| record.id == *id).cloned();
        let written = self.owners.get(id).cloned();
        let shop = || self.records_exist.then(|| record(id.as_str(), "shop"));
        written.unwrap_or_else(|| match known.or_else(shop) {
            Some(record) => (Some(record), 1),
            None => (None, 0),
        })
    }

    pub(super) fn answer_by_hand(&mut self, effect: Effect) {
        match effect {
            Effect::ReadOwner { id } if self.store_answers => {
                let reading = match self.owner(&id) {
                    _ if !self.online => OwnerReading::Failed,
                    (Some(record), seq) => {
                        OwnerReading::Record { bytes: stored::encode(&record), seq }
                    }
                    (None, seq) => OwnerReading::Free { seq },
                };
                self.step(Event::OwnerRead { id, reading, unix_s: UNIX_S });
            }
            Effect::WriteOwner { id, record, expect } if self.store_answers => {
                let fits = self.online && self.owner(&id).1 == expect;
                if fits {
                    let record = record.map(|bytes| stored::decode("a record", &bytes).unwrap());
                    self.owners.insert(id.clone(), (record, expect + 1));
                }
                let unsure = fits && 0 < self.unsure_writes;
                self.unsure_writes -= u32::from(unsure);
                self.step(Event::OwnerWritten { id, stored: fits && !unsure });
            }
            Effect::StoreManual { number, .. } if 0 < self.failing_writes => {
                self.failing_writes -= 1;
                let message = "disk full".to_owned();
                self.step(Event::ManualStoreFailed { number, message });
            }
            Effect::StoreManual { number, set } if self.disk_answers => {
                self.disk.manual = Some(set.encode());
                self.step(Event::ManualStored { number });
            }
            _ => {}
        }
    }

    /// What is on disk of it.
    pub(in super::super) fn by_hand_on_disk(&self) -> Option<ManualSet> {
        self.disk.manual.as_deref().map(|bytes| ManualSet::decode(bytes).unwrap())
    }
}

pub(in super::super) fn managed() -> BTreeMap<String, String> {
    BTreeMap::from([(Life::MANAGED_BY.to_owned(), "wadm".to_owned())])
}

pub(in super::super) fn start(
    name: &str,
    count: u32,
    annotations: BTreeMap<String, String>,
) -> Command {
    let spec = Box::new(spec(&format!("hand:{name}")));
    let life = Life::of(&annotations);
    Command::Start(Start { spec, count, life, annotations, replace: true })
}

pub(super) fn line(effect: &Effect) -> String {
    match effect {
        Effect::ReadOwner { id } => format!("read owner of {id}"),
        Effect::WriteOwner { id, record, .. } => match record {
            Some(bytes) => {
                let record: IdRecord = stored::decode("a record", bytes).unwrap();
                let named = if record.hosts.contains(&host(1)) { "with" } else { "without" };
                format!("write owner of {id} {named} us")
            }
            None => format!("delete owner of {id}"),
        },
        Effect::StoreManual { set, .. } => {
            let entries = set.entries.iter();
            let entries = entries.map(|entry| name_of(entry.spec.hash()));
            format!("store by hand: {}", list(entries)).trim_end().to_owned()
        }
        Effect::Answer { request, answer } => match answer {
            Answer::Done { message } => format!("answer {}: done {message}", request.0),
            Answer::Denied(denial) => format!("answer {}: {denial}", request.0),
        }
        .trim_end()
        .to_owned(),
        other => format!("{other:?}"),
    }
}
