//! What a host keeps in its data folder besides its key and its components: the closure it
//! restarts from, what was started by hand, the marks it judges by, and which file each spec turned
//! out to be.
//!
//! One redb file, written by one task, so that writes happen in the order they were asked for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use wattle_agent::{Closure, Event, Restored};
use wattle_tasks::{CancellationToken, Chain};
use wattle_types::stored::{self, VERSION};
use wattle_types::{Applied, Digest, Epoch, Key, ManualSet, SpecHash};

use crate::artifact::Artifacts;
use crate::mailbox::Mailbox;

const FILE: &str = "host.redb";
/// What is kept is read once; redb's own default is a gigabyte.
const CACHE_BYTES: usize = 4 << 20;
/// `marks`, and the assignment as it was `sealed`.
const MARKS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("marks");
/// Specs and id records, by their key in the control stream.
const VALUES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("values");
/// `set`: what was started by hand.
const MANUAL: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("manual");
/// By spec: the component it was when it first ran here. A spec never changes, so neither does
/// what it runs, whatever is at its image's place by now.
const PINS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("pins");

#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    #[error(
        "{} is in use: another host runs from this data folder; give each its own",
        path.display()
    )]
    InUse { path: PathBuf },
    #[error("could not open {}", path.display())]
    Open { path: PathBuf, source: redb::DatabaseError },
    #[error("could not {what}")]
    Failed { what: &'static str, source: Box<redb::Error> },
    #[error("{what} on disk is not readable")]
    Unreadable { what: &'static str, source: stored::Error },
}

/// Blocks: not for the serving path.
#[derive(Clone)]
pub(crate) struct Disk {
    database: Arc<Database>,
    artifacts: Artifacts,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk").field("artifacts", &self.artifacts).finish_non_exhaustive()
    }
}

fn failed<E: Into<redb::Error>>(what: &'static str) -> impl Fn(E) -> DiskError {
    move |error| DiskError::Failed { what, source: Box::new(error.into()) }
}

impl Disk {
    pub(crate) fn open(dir: &Path, artifacts: Artifacts) -> Result<Self, DiskError> {
        let path = dir.join(FILE);
        let database =
            Database::builder().set_cache_size(CACHE_BYTES).create(&path).map_err(|source| {
                match source {
                    redb::DatabaseError::DatabaseAlreadyOpen => DiskError::InUse { path },
                    source => DiskError::Open { path, source },
                }
            })?;
        Ok(Self { database: Arc::new(database), artifacts })
    }

    pub(crate) fn artifacts(&self) -> &Artifacts {
        &self.artifacts
    }

    /// What was stored last. Marks that cannot be read are an error: without them this host would
    /// obey what it refused before.
    pub(crate) fn restore(&self) -> Result<Restored, DiskError> {
        const WHAT: &str = "read what this host was assigned";
        let reading = self.database.begin_read().map_err(failed(WHAT))?;
        let mut restored = Restored { manual: self.manual()?, ..Restored::default() };
        let table = match reading.open_table(MARKS) {
            Ok(table) => table,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(restored),
            Err(error) => return Err(failed(WHAT)(error)),
        };
        let marks = Marks::read(&table)?;
        (restored.epoch_max, restored.applied) = (marks.epoch_max, marks.applied);
        let sealed = table.get("sealed").map_err(failed(WHAT))?;
        restored.sealed = sealed.map(|sealed| sealed.value().to_vec());
        let values = reading.open_table(VALUES).map_err(failed(WHAT))?;
        for entry in values.iter().map_err(failed(WHAT))? {
            let (key, value) = entry.map_err(failed(WHAT))?;
            // What has another name was written by a newer version; it is not ours to use.
            if let Ok(key) = key.value().parse::<Key>() {
                restored.values.insert(key, value.value().to_vec());
            }
        }
        Ok(restored)
    }

    fn store_epoch(&self, epoch: Epoch) -> Result<(), DiskError> {
        const WHAT: &str = "store the highest epoch";
        let writing = self.database.begin_write().map_err(failed(WHAT))?;
        Marks::raise(&writing, epoch, None)?;
        // So that `restore` finds all tables or none.
        writing.open_table(VALUES).map_err(failed(WHAT))?;
        writing.commit().map_err(failed(WHAT))
    }

    fn store_closure(&self, closure: &Closure) -> Result<(), DiskError> {
        const WHAT: &str = "store the assignment";
        let writing = self.database.begin_write().map_err(failed(WHAT))?;
        Marks::raise(&writing, closure.epoch_max, Some(closure.applied))?;
        {
            let mut table = writing.open_table(MARKS).map_err(failed(WHAT))?;
            table.insert("sealed", &closure.sealed[..]).map_err(failed(WHAT))?;
            let mut values = writing.open_table(VALUES).map_err(failed(WHAT))?;
            for (key, bytes) in &closure.values {
                values.insert(&key.to_string()[..], &bytes[..]).map_err(failed(WHAT))?;
            }
            let keep: BTreeSet<String> = closure.keep.iter().map(Key::to_string).collect();
            values.retain(|key, _| keep.contains(key)).map_err(failed(WHAT))?;
        }
        writing.commit().map_err(failed(WHAT))
    }

    /// The specs of the closure.
    fn assigned(&self) -> Result<Vec<SpecHash>, DiskError> {
        const WHAT: &str = "read which specs are on disk";
        let reading = self.database.begin_read().map_err(failed(WHAT))?;
        let values = match reading.open_table(VALUES) {
            Ok(values) => values,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            Err(error) => return Err(failed(WHAT)(error)),
        };
        let mut specs = Vec::new();
        for entry in values.iter().map_err(failed(WHAT))? {
            let (key, _) = entry.map_err(failed(WHAT))?;
            if let Ok(Key::Spec(hash)) = key.value().parse() {
                specs.push(hash);
            }
        }
        Ok(specs)
    }

    /// What was started by hand, if anything ever was.
    fn manual(&self) -> Result<Option<Vec<u8>>, DiskError> {
        const WHAT: &str = "read what was started by hand";
        let reading = self.database.begin_read().map_err(failed(WHAT))?;
        let table = match reading.open_table(MANUAL) {
            Ok(table) => table,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
            Err(error) => return Err(failed(WHAT)(error)),
        };
        let found = table.get("set").map_err(failed(WHAT))?;
        Ok(found.map(|found| found.value().to_vec()))
    }

    fn store_manual(&self, set: &ManualSet) -> Result<(), DiskError> {
        const WHAT: &str = "store what was started by hand";
        let writing = self.database.begin_write().map_err(failed(WHAT))?;
        {
            let mut table = writing.open_table(MANUAL).map_err(failed(WHAT))?;
            table.insert("set", &set.encode()[..]).map_err(failed(WHAT))?;
        }
        writing.commit().map_err(failed(WHAT))
    }

    /// Drops pins and component files that neither the closure nor anything started by hand needs.
    /// Only saves space, and lets an image be fetched anew when it is deployed anew.
    fn tidy(&self) -> Result<(), DiskError> {
        const WHAT: &str = "remove components nobody needs";
        let by_hand = self.manual()?.as_deref().map(ManualSet::decode).transpose();
        let by_hand = by_hand
            .map_err(|source| DiskError::Unreadable { what: "what a person started", source })?;
        let by_hand = by_hand.iter().flat_map(|set| &set.entries).map(|entry| entry.spec.hash());
        let hashes = self.assigned()?.into_iter().chain(by_hand);
        let specs: BTreeSet<[u8; 32]> = hashes.map(|hash| *hash.0.bytes()).collect();
        let mut needed = BTreeSet::new();
        let writing = self.database.begin_write().map_err(failed(WHAT))?;
        {
            let mut pins = writing.open_table(PINS).map_err(failed(WHAT))?;
            pins.retain(|spec, digest| {
                let wanted = <[u8; 32]>::try_from(spec).is_ok_and(|spec| specs.contains(&spec));
                if wanted && let Ok(digest) = <[u8; 32]>::try_from(digest) {
                    needed.insert(Digest::from_bytes(digest));
                }
                wanted
            })
            .map_err(failed(WHAT))?;
        }
        writing.commit().map_err(failed(WHAT))?;
        if let Err(error) = self.artifacts.keep_only(&needed) {
            tracing::warn!(%error, "old components could not be removed");
        }
        Ok(())
    }

    pub(crate) fn pin(&self, spec: SpecHash, digest: Digest) -> Result<(), DiskError> {
        const WHAT: &str = "note which component a spec is";
        if self.pinned(spec)? == Some(digest) {
            return Ok(());
        }
        let writing = self.database.begin_write().map_err(failed(WHAT))?;
        {
            let mut pins = writing.open_table(PINS).map_err(failed(WHAT))?;
            pins.insert(&spec.0.bytes()[..], &digest.bytes()[..]).map_err(failed(WHAT))?;
        }
        writing.commit().map_err(failed(WHAT))
    }

    pub(crate) fn pinned(&self, spec: SpecHash) -> Result<Option<Digest>, DiskError> {
        const WHAT: &str = "read which component a spec is";
        let reading = self.database.begin_read().map_err(failed(WHAT))?;
        let pins = match reading.open_table(PINS) {
            Ok(pins) => pins,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
            Err(error) => return Err(failed(WHAT)(error)),
        };
        let found = pins.get(&spec.0.bytes()[..]).map_err(failed(WHAT))?;
        let digest = found.and_then(|found| <[u8; 32]>::try_from(found.value()).ok());
        Ok(digest.map(Digest::from_bytes))
    }
}

/// What assignments are judged by, apart from what is followed.
#[derive(Debug, Serialize, Deserialize)]
struct Marks {
    v: u8,
    epoch_max: Epoch,
    applied: Option<Applied>,
}

impl Marks {
    /// None of it where nothing was stored; an error where it cannot be read.
    fn read(table: &impl ReadableTable<&'static str, &'static [u8]>) -> Result<Self, DiskError> {
        const WHAT: &str = "what this host obeyed last";
        let found = table.get("marks").map_err(failed("read the marks of assignments"))?;
        match found {
            None => Ok(Self { v: VERSION, epoch_max: Epoch::ZERO, applied: None }),
            Some(bytes) => stored::decode(WHAT, bytes.value())
                .map_err(|source| DiskError::Unreadable { what: WHAT, source }),
        }
    }

    /// Never lowers the epoch: what was asked for first may be older.
    fn raise(
        writing: &redb::WriteTransaction,
        epoch: Epoch,
        applied: Option<Applied>,
    ) -> Result<(), DiskError> {
        const WHAT: &str = "store the marks of assignments";
        let mut table = writing.open_table(MARKS).map_err(failed(WHAT))?;
        let before = Self::read(&table)?;
        let marks = Self {
            v: VERSION,
            epoch_max: before.epoch_max.max(epoch),
            applied: applied.or(before.applied),
        };
        table.insert("marks", &stored::encode(&marks)[..]).map_err(failed(WHAT))?;
        Ok(())
    }
}

/// What is to be written.
#[derive(Debug)]
pub(crate) enum Writing {
    Epoch(Epoch),
    Closure(Box<Closure>),
    Manual {
        number: u64,
        set: Arc<ManualSet>,
    },
    /// Which component a spec is.
    Pin {
        spec: SpecHash,
        digest: Digest,
    },
}

/// At most one closure is under way; epochs come once a second at the very most.
const WRITINGS_WAITING_MAX: usize = 64;

/// The one that writes. When its queue is full it refuses, and the driver takes that for a failed
/// write: neither ever waits for the other.
pub(crate) fn writer(disk: Disk, mailbox: Mailbox) -> (mpsc::Sender<Writing>, Writer) {
    let (sender, queue) = mpsc::channel(WRITINGS_WAITING_MAX);
    (sender, Writer { disk, queue, mailbox })
}

#[derive(Debug)]
pub(crate) struct Writer {
    disk: Disk,
    queue: mpsc::Receiver<Writing>,
    mailbox: Mailbox,
}

impl Writer {
    /// Runs until `stop`; what is being written then is written to its end.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        while let Some(Some(writing)) = stop.run_until_cancelled(self.queue.recv()).await {
            let disk = self.disk.clone();
            let written = tokio::task::spawn_blocking(move || disk.write(&writing)).await;
            match written {
                Ok(Some(event)) => self.mailbox.tell(event).await,
                Ok(None) => {}
                Err(error) => tracing::error!(%error, "writing to the host's disk panicked"),
            }
        }
    }
}

impl Disk {
    fn write(&self, writing: &Writing) -> Option<Event> {
        match writing {
            Writing::Epoch(epoch) => {
                if let Err(error) = self.store_epoch(*epoch) {
                    tracing::error!(error = %Chain(&error), "the epoch is not on disk");
                }
                None
            }
            Writing::Closure(closure) => {
                let generation = closure.generation;
                if let Err(error) = self.store_closure(closure) {
                    let message = Chain(&error).to_string();
                    tracing::error!(%generation, error = %message, "the assignment is not on disk");
                    return Some(Event::StoreFailed { generation, message });
                }
                if let Err(error) = self.tidy() {
                    tracing::warn!(error = %Chain(&error), "old components are still on disk");
                }
                Some(Event::Stored { generation })
            }
            Writing::Pin { spec, digest } => {
                if let Err(error) = self.pin(*spec, *digest) {
                    tracing::error!(error = %Chain(&error), "its component is not on disk");
                }
                None
            }
            Writing::Manual { number, set } => {
                let number = *number;
                if let Err(error) = self.store_manual(set) {
                    let message = Chain(&error).to_string();
                    tracing::error!(error = %message, "what is started by hand is not on disk");
                    return Some(Event::ManualStoreFailed { number, message });
                }
                if let Err(error) = self.tidy() {
                    tracing::warn!(error = %Chain(&error), "old components are still on disk");
                }
                Some(Event::ManualStored { number })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use wattle_types::Generation;

    fn open(dir: &Path) -> Result<Disk, DiskError> {
        let artifacts = Artifacts::open(dir.join("artifacts"), 1_000).unwrap();
        Disk::open(dir, artifacts)
    }

    fn closure(generation: u64, epoch: u64, values: &[&str], keep: &[&str]) -> Closure {
        let key = |name: &&str| Key::Spec(SpecHash(Digest::of(name.as_bytes())));
        let hash = Digest::of(b"assignment");
        let applied = Applied { epoch: Epoch(epoch), generation: Generation(generation), hash };
        Closure {
            generation: Generation(generation),
            applied,
            epoch_max: Epoch(epoch),
            sealed: format!("sealed {generation}").into_bytes(),
            values: values.iter().map(|name| (key(name), name.as_bytes().to_vec())).collect(),
            keep: keep.iter().map(key).collect(),
        }
    }

    #[test]
    fn what_was_stored_last_comes_back_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let disk = open(dir.path()).unwrap();
        assert_eq!(disk.restore().unwrap(), Restored::default());
        disk.store_epoch(Epoch(3)).unwrap();
        assert_eq!(disk.restore().unwrap().epoch_max, Epoch(3));
        disk.store_closure(&closure(1, 4, &["a", "b"], &["a", "b"])).unwrap();
        disk.store_closure(&closure(2, 2, &["c"], &["b", "c"])).unwrap();
        drop(disk);
        let restored = open(dir.path()).unwrap().restore().unwrap();
        let expected = closure(2, 2, &["b", "c"], &[]);
        assert_eq!(restored.epoch_max, Epoch(4), "the highest epoch is never lowered");
        assert_eq!(restored.applied, Some(expected.applied));
        assert_eq!(restored.sealed, Some(expected.sealed));
        assert_eq!(restored.values, expected.values);
    }

    #[test]
    fn marks_that_cannot_be_read_are_an_error_and_not_a_new_beginning() {
        let dir = tempfile::tempdir().unwrap();
        let disk = open(dir.path()).unwrap();
        disk.store_closure(&closure(1, 4, &["a"], &["a"])).unwrap();
        let writing = disk.database.begin_write().unwrap();
        writing.open_table(MARKS).unwrap().insert("marks", &b"rotten"[..]).unwrap();
        writing.commit().unwrap();
        assert!(matches!(disk.restore(), Err(DiskError::Unreadable { .. })));
        assert!(matches!(disk.store_epoch(Epoch(5)), Err(DiskError::Unreadable { .. })));
    }

    #[test]
    fn a_data_folder_has_one_host() {
        let dir = tempfile::tempdir().unwrap();
        let _first = open(dir.path()).unwrap();
        assert!(matches!(open(dir.path()), Err(DiskError::InUse { .. })));
    }

    #[test]
    fn what_was_started_by_hand_comes_back_beside_the_assignment() {
        let dir = tempfile::tempdir().unwrap();
        let disk = open(dir.path()).unwrap();
        let mut set = ManualSet::new(Vec::new(), ["web".parse().unwrap()].into());
        let written = disk.write(&Writing::Manual { number: 3, set: Arc::new(set.clone()) });
        assert_eq!(written, Some(Event::ManualStored { number: 3 }));
        let restored = disk.restore().unwrap();
        assert_eq!(restored.manual, Some(set.encode()), "also without an assignment");
        disk.store_closure(&closure(1, 4, &["a"], &["a"])).unwrap();
        set.released.clear();
        disk.write(&Writing::Manual { number: 4, set: Arc::new(set.clone()) });
        drop(disk);
        let restored = open(dir.path()).unwrap().restore().unwrap();
        assert_eq!((restored.manual, restored.values.len()), (Some(set.encode()), 1));
    }

    #[test]
    fn a_component_is_kept_as_long_as_a_spec_needs_it() {
        let dir = tempfile::tempdir().unwrap();
        let disk = open(dir.path()).unwrap();
        let spec = |name: &str| SpecHash(Digest::of(name.as_bytes()));
        let mut digests = BTreeMap::new();
        for name in ["a", "b"] {
            let digest = Digest::of(name.as_bytes());
            disk.artifacts().keep(digest, name.as_bytes()).unwrap();
            disk.pin(spec(name), digest).unwrap();
            digests.insert(name, digest);
        }
        let event = disk.write(&Writing::Closure(Box::new(closure(1, 1, &["a"], &["a"]))));
        assert_eq!(event, Some(Event::Stored { generation: Generation(1) }));
        assert_eq!(disk.pinned(spec("a")).unwrap(), Some(digests["a"]));
        assert!(disk.artifacts().kept(digests["a"]).is_some());
        assert_eq!(disk.pinned(spec("b")).unwrap(), None);
        assert!(disk.artifacts().kept(digests["b"]).is_none());
        // What was started by hand needs its own, and neither takes from the other.
        let by_hand = wattle_types::ActorSpec::new("web".parse().unwrap(), "file:///web.wasm");
        disk.pin(by_hand.hash(), digests["a"]).unwrap();
        let entry = wattle_types::ManualEntry {
            spec: by_hand.clone(),
            count: 1,
            life: wattle_types::Life::Manual,
            annotations: BTreeMap::new(),
        };
        let manual = |number, entries| Writing::Manual {
            number,
            set: Arc::new(ManualSet::new(entries, BTreeSet::new())),
        };
        disk.write(&manual(1, vec![entry]));
        disk.write(&Writing::Closure(Box::new(closure(2, 1, &[], &[]))));
        assert_eq!(disk.pinned(by_hand.hash()).unwrap(), Some(digests["a"]));
        assert_eq!(disk.pinned(spec("a")).unwrap(), None);
        disk.write(&manual(2, Vec::new()));
        assert_eq!(disk.pinned(by_hand.hash()).unwrap(), None);
        assert!(disk.artifacts().kept(digests["a"]).is_none());
    }
}
