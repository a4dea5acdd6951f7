//! People with hands in the store: they put links and configuration of their own, delete what is
//! there, theirs or not, and change what applications own.

use std::collections::BTreeMap;

use wattle_types::{
    ActorId, ConfigName, ConfigRecord, Key, LinkName, LinkRecord, LinkTarget, Owner, stored,
};

use crate::operator::PACKAGES;
use crate::store::{Ask, Expect, Mood, Write};
use crate::world::{Due, World};

impl World {
    /// One change of one key, on the condition that it still is what was seen.
    pub(crate) fn meddle(&mut self) {
        if !self.storm {
            return;
        }
        self.later(300..4_000, Due::Meddler);
        let key = self.some_key();
        let newest = self.store.newest(&key);
        let expect = newest.map_or(Expect::Absent, |message| Expect::Seq(message.seq));
        let found = newest.and_then(|message| message.value.clone());
        let value = match found {
            // Half of what is put stays, so that something foreign is there when the storm ends.
            Some(_) if self.rng.bool() => None,
            Some(bytes) => match self.changed(&key, &bytes) {
                Some(changed) => Some(changed),
                None => return,
            },
            None if self.rng.u8(..3) == 0 => Some(self.own(&key)),
            None => return,
        };
        self.note(format!("somebody writes {key} by hand, deleting: {}", value.is_none()));
        let before = self.store.last_seq();
        // Not through the weather: what becomes of it is of no interest, only what is there then.
        self.store.ask(&Ask::Put(Write { key, value, expect }), Mood::Fine);
        self.law.meddled(self.now, self.store.since(before));
        self.pump_all();
    }

    fn some_key(&mut self) -> Key {
        let apps = &self.operator.apps;
        let app = apps[self.rng.usize(..apps.len())].clone();
        if self.rng.u8(..3) == 0 {
            let name = format!("{app}-tuning{}", self.rng.u8(..2));
            return Key::Config(name.parse().expect("this is a name"));
        }
        let package = PACKAGES[self.rng.usize(..PACKAGES.len())];
        let source: ActorId = format!("{app}-{}", self.rng.u8(..3)).parse().expect("this is an id");
        self.own_link(source, package).key()
    }

    /// What an application owns, with other content. A person's own is left as it is.
    fn changed(&mut self, key: &Key, bytes: &[u8]) -> Option<Vec<u8>> {
        let theirs = |owner: &Owner| matches!(owner, Owner::App(_));
        match key {
            Key::Config(_) => {
                let mut config: ConfigRecord = stored::decode("it", bytes).ok()?;
                config.values.insert("changed".to_owned(), self.number().to_string());
                theirs(&config.owner).then(|| stored::encode(&config))
            }
            _ => {
                let mut link: LinkRecord = stored::decode("it", bytes).ok()?;
                link.targets.clear();
                theirs(&link.owner).then(|| stored::encode(&link))
            }
        }
    }

    fn own(&mut self, key: &Key) -> Vec<u8> {
        match key {
            Key::Link { source, package, .. } => {
                stored::encode(&self.own_link(source.clone(), package.as_str()))
            }
            key => {
                let name = key.to_string().replace("config.", "");
                let name: ConfigName = name.parse().expect("it was made of one");
                stored::encode(&ConfigRecord::new(name, BTreeMap::new(), Owner::Manual))
            }
        }
    }

    fn own_link(&mut self, source: ActorId, package: &str) -> LinkRecord {
        let target = LinkTarget {
            target: source.clone(),
            interfaces: ["calls".parse().expect("this is a name")].into(),
            idempotent: self.rng.bool(),
            source_config: Vec::new(),
            target_config: Vec::new(),
        };
        let namespace = "sim".parse().expect("this is a name");
        let package = package.parse().expect("this is a name");
        LinkRecord::new(source, namespace, package, LinkName::default(), target, Owner::Manual)
    }
}
