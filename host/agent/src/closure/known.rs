//! What the store said of everything that assignments refer to, and the bytes that say it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wattle_types::{
    ActorId, ActorSpec, ConfigName, ConfigRecord, Entry, IdRecord, Key, LinkRecord, LinkTable,
    SpecHash, stored,
};

use crate::refusal::{Refusal, chain};

#[derive(Debug, Default)]
pub(super) struct Known {
    specs: BTreeMap<SpecHash, Spec>,
    owners: BTreeMap<ActorId, IdRecord>,
    /// Of each actor whose links were read, though it may have none.
    links: BTreeMap<ActorId, Links>,
    configs: BTreeMap<ConfigName, ConfigRecord>,
    values: BTreeMap<Key, Value>,
    last_version: u64,
}

/// A spec whose content is what its name says. It may still be unreadable: written by a version
/// newer than this host. That is one actor's failure and holds up no other.
pub(super) type Spec = Result<Arc<ActorSpec>, String>;

#[derive(Debug, Default)]
struct Links {
    records: BTreeMap<Key, LinkRecord>,
    table: Arc<LinkTable>,
}

/// The bytes of a key. Other bytes have another version.
#[derive(Debug)]
struct Value {
    bytes: Vec<u8>,
    version: u64,
}

/// Which bytes of which keys.
pub(super) type Image = BTreeMap<Key, u64>;

impl Known {
    pub(super) fn spec(&self, hash: &SpecHash) -> Option<&Spec> {
        self.specs.get(hash)
    }

    pub(super) fn owner(&self, id: &ActorId) -> Option<&IdRecord> {
        self.owners.get(id)
    }

    pub(super) fn has_links(&self, source: &ActorId) -> bool {
        self.links.contains_key(source)
    }

    /// Where the calls of an actor go; nowhere as long as its links are unknown.
    pub(super) fn table(&self, source: &ActorId) -> Arc<LinkTable> {
        self.links.get(source).map(|links| Arc::clone(&links.table)).unwrap_or_default()
    }

    pub(super) fn has_config(&self, name: &ConfigName) -> bool {
        self.configs.contains_key(name)
    }

    /// Named configuration that an entry's spec refers to.
    pub(super) fn config_names(&self, entry: &Entry) -> &[ConfigName] {
        match self.specs.get(&entry.spec) {
            Some(Ok(spec)) => &spec.config_from,
            _ => &[],
        }
    }

    /// What a spec configures, over the named configuration it refers to; or the first of these
    /// that is not stored.
    pub(super) fn config(&self, spec: &ActorSpec) -> Result<BTreeMap<String, String>, ConfigName> {
        let mut config = BTreeMap::new();
        for name in &spec.config_from {
            let record = self.configs.get(name).ok_or_else(|| name.clone())?;
            config.extend(record.values.clone());
        }
        config.extend(spec.config.clone());
        Ok(config)
    }

    /// Takes what the store has under a key. Whether it is news.
    pub(super) fn learn(&mut self, key: &Key, bytes: Vec<u8>) -> Result<bool, Refusal> {
        if self.values.get(key).is_some_and(|value| value.bytes == bytes) {
            return Ok(false);
        }
        match key {
            Key::Spec(hash) if ActorSpec::hash_of(&bytes) != *hash => {
                return Err(Refusal::SpecContent { expected: *hash });
            }
            Key::Spec(hash) => {
                let spec = ActorSpec::decode(*hash, &bytes);
                self.specs.insert(*hash, spec.map(Arc::new).map_err(|error| chain(&error)));
            }
            Key::Id(id) => {
                let record = id_record(id, &bytes)
                    .map_err(|reason| Refusal::OwnerRecord { id: id.clone(), reason })?;
                self.owners.insert(id.clone(), record);
            }
            Key::Config(name) => {
                let record = config_record(name, &bytes)
                    .map_err(|reason| Refusal::ConfigRecord { name: name.clone(), reason })?;
                self.configs.insert(name.clone(), record);
            }
            Key::Link { source, .. } => {
                let Some(links) = self.links.get_mut(source) else { return Ok(false) };
                let record = link_record(key, &bytes)
                    .map_err(|reason| Refusal::LinkRecord { source_id: source.clone(), reason })?;
                links.records.insert(key.clone(), record);
                links.index();
            }
            // Nothing else belongs to a closure.
            Key::Lease | Key::App(_) | Key::Manifest(..) | Key::Assign(_) | Key::Canary(_) => {
                return Ok(false);
            }
        }
        self.keep_bytes(key, bytes);
        Ok(true)
    }

    /// All links of an actor are these. Whether that is news. One that cannot be read stays as it
    /// was before.
    pub(super) fn learn_links(
        &mut self,
        source: &ActorId,
        read: Vec<(Key, Vec<u8>, u64)>,
    ) -> (bool, Vec<Refusal>) {
        let mut news = !self.links.contains_key(source);
        let links = self.links.entry(source.clone()).or_default();
        let read = read.into_iter().filter(|(key, ..)| is_link_of(source, key));
        let read: BTreeMap<Key, Vec<u8>> = read.map(|(key, bytes, _)| (key, bytes)).collect();
        let gone: Vec<Key> =
            links.records.keys().filter(|key| !read.contains_key(key)).cloned().collect();
        for key in gone {
            links.records.remove(&key);
            links.index();
            self.values.remove(&key);
            news = true;
        }
        let mut refusals = Vec::new();
        for (key, bytes) in read {
            match self.learn(&key, bytes) {
                Ok(changed) => news |= changed,
                Err(refusal) => refusals.push(refusal),
            }
        }
        (news, refusals)
    }

    /// Takes what was on disk for the actors in `ids`. All of it is there, so an actor without a
    /// link has none; but if one of an actor's links is not readable, its links are unknown.
    pub(super) fn restore(
        &mut self,
        ids: impl Iterator<Item = ActorId>,
        values: BTreeMap<Key, Vec<u8>>,
    ) -> Vec<Refusal> {
        self.links = ids.map(|id| (id, Links::default())).collect();
        self.restore_values(values)
    }

    /// From now on these have the links that are learned of, and no others.
    pub(super) fn begin_links<'a>(&mut self, ids: impl Iterator<Item = &'a ActorId>) {
        for id in ids {
            self.links.entry(id.clone()).or_default();
        }
    }

    /// Takes what was on disk.
    pub(super) fn restore_values(
        &mut self,
        values: impl IntoIterator<Item = (Key, Vec<u8>)>,
    ) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        for (key, bytes) in values {
            if let Err(refusal) = self.learn(&key, bytes) {
                if let Key::Link { source, .. } = &key {
                    self.links.remove(source);
                    self.values.retain(|key, _| !is_link_of(source, key));
                }
                refusals.push(refusal);
            }
        }
        refusals
    }

    /// All bytes there are.
    pub(super) fn all(&self) -> Image {
        self.values.iter().map(|(key, value)| (key.clone(), value.version)).collect()
    }

    /// Which bytes a restart needs in order to follow these entries.
    pub(super) fn image(&self, entries: &[Entry]) -> Image {
        let mut image = Image::new();
        let mut add = |key: Key| {
            if let Some(value) = self.values.get(&key) {
                image.insert(key, value.version);
            }
        };
        for entry in entries {
            add(Key::Spec(entry.spec));
            if self.owners.contains_key(&entry.id) {
                add(Key::Id(entry.id.clone()));
            }
            if let Some(links) = self.links.get(&entry.id) {
                links.records.keys().cloned().for_each(&mut add);
            }
            self.config_names(entry).iter().cloned().map(Key::Config).for_each(&mut add);
        }
        image
    }

    /// The bytes of what is in `image` and not in `other`.
    pub(super) fn beyond(&self, image: &Image, other: Option<&Image>) -> BTreeMap<Key, Vec<u8>> {
        let has = |key: &Key, version| other.and_then(|other| other.get(key)) == Some(version);
        let beyond = image.iter().filter(|(key, version)| !has(key, version));
        let bytes = beyond.filter_map(|(key, _)| Some((key, self.values.get(key)?)));
        bytes.map(|(key, value)| (key.clone(), value.bytes.clone())).collect()
    }

    /// Forgets what none of these entries needs.
    pub(super) fn keep(&mut self, entries: &[&Entry], configs: &BTreeSet<ConfigName>) {
        let ids: BTreeSet<&ActorId> = entries.iter().map(|entry| &entry.id).collect();
        let specs: BTreeSet<SpecHash> = entries.iter().map(|entry| entry.spec).collect();
        self.specs.retain(|hash, _| specs.contains(hash));
        self.owners.retain(|id, _| ids.contains(id));
        self.links.retain(|id, _| ids.contains(id));
        self.configs.retain(|name, _| configs.contains(name));
        self.values.retain(|key, _| match key {
            Key::Spec(hash) => specs.contains(hash),
            Key::Id(id) | Key::Link { source: id, .. } => ids.contains(id),
            Key::Config(name) => configs.contains(name),
            _ => false,
        });
    }

    fn keep_bytes(&mut self, key: &Key, bytes: Vec<u8>) {
        self.last_version += 1;
        self.values.insert(key.clone(), Value { bytes, version: self.last_version });
    }
}

impl Links {
    fn index(&mut self) {
        let records: Vec<LinkRecord> = self.records.values().cloned().collect();
        self.table = Arc::new(LinkTable::of(&records));
    }
}

fn is_link_of(id: &ActorId, key: &Key) -> bool {
    matches!(key, Key::Link { source, .. } if source == id)
}

fn id_record(id: &ActorId, bytes: &[u8]) -> Result<IdRecord, String> {
    let record: IdRecord = stored::decode("an id record", bytes).map_err(|error| chain(&error))?;
    if record.id != *id {
        return Err(format!("it is the record of {}", record.id));
    }
    Ok(record)
}

fn config_record(name: &ConfigName, bytes: &[u8]) -> Result<ConfigRecord, String> {
    let record: ConfigRecord =
        stored::decode("a config record", bytes).map_err(|error| chain(&error))?;
    if record.name != *name {
        return Err(format!("it is the record of {}", record.name));
    }
    Ok(record)
}

fn link_record(key: &Key, bytes: &[u8]) -> Result<LinkRecord, String> {
    let record: LinkRecord = stored::decode("a link", bytes).map_err(|error| chain(&error))?;
    if record.key() != *key {
        return Err(format!("it is the record of {}", record.key()));
    }
    Ok(record)
}
