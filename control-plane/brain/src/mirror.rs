//! What the store holds, as far as it was followed.
//!
//! Late by a few milliseconds, which is fine: every decision made from it is written on the
//! condition that the sequences it was made from are still the newest, and nothing is decided
//! before our own last write is seen here.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use wattle_types::assignment::AssignmentError;
use wattle_types::stored;
use wattle_types::{
    ActorId, ActorSpec, AppHead, AppName, Application, Assignment, ConfigName, ConfigRecord,
    Digest, HostId, IdRecord, Key, Lease, LinkRecord, Manifest, Owner, Part, Revision, SpecHash,
    Token,
};

use crate::effect::Expect;
use crate::event::Content;
use crate::marks::{Lost, Marks};

/// The newest message of one key. Without a value it is a marker, or cannot be read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct At<T> {
    pub(crate) seq: u64,
    pub(crate) value: Option<T>,
    /// There is something; it only cannot be read.
    pub(crate) unreadable: bool,
    /// It cannot be read because a later version wrote it.
    pub(crate) newer: bool,
}

/// A stored manifest in both forms.
#[derive(Clone, Debug)]
pub(crate) struct Stated {
    /// Of the stored bytes.
    digest: Digest,
    pub(crate) manifest: Manifest,
    pub(crate) application: Application,
    /// The specs of its actors, hashed once.
    pub(crate) specs: BTreeMap<ActorId, SpecHash>,
}

/// An assignment and the hash by which hosts report it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Told {
    pub(crate) assignment: Assignment,
    pub(crate) hash: Digest,
}

/// Whether what cannot be read was written by a later version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Newer {
    Yes,
    No,
}

/// The value of `manifest.<name>.<revision>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredManifest {
    pub v: u8,
    /// Whatever its author wrote, it is kept as JSON.
    pub json: String,
}

#[derive(Debug, Default)]
pub(crate) struct Mirror {
    complete: bool,
    /// The highest sequence followed.
    seen: u64,
    /// The last of our own writes: nothing is decided before it is seen.
    barrier: u64,
    /// For people, and to see that it was given back: what is decided by it is read from the
    /// stream's leader.
    pub(crate) lease: Option<At<Lease>>,
    pub(crate) heads: BTreeMap<AppName, At<AppHead>>,
    /// The hashes of these, as they were signed.
    head_digests: BTreeMap<AppName, Digest>,
    marks: Marks,
    /// Applications of which the store has less than was seen. Their heads count as unreadable.
    pub(crate) lost: BTreeMap<AppName, Lost>,
    pub(crate) manifests: BTreeMap<(AppName, Revision), At<Stated>>,
    pub(crate) ids: BTreeMap<ActorId, At<IdRecord>>,
    pub(crate) specs: BTreeSet<SpecHash>,
    /// Specs that were deleted by somebody: a write must expect the marker.
    spec_markers: BTreeMap<SpecHash, u64>,
    pub(crate) assignments: BTreeMap<HostId, At<Told>>,
    pub(crate) links: BTreeMap<Key, At<LinkRecord>>,
    pub(crate) configs: BTreeMap<ConfigName, At<ConfigRecord>>,
}

impl Mirror {
    /// Whether this is all there is.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether this is all there is, our own writes included.
    pub(crate) fn is_current(&self) -> bool {
        self.complete && self.barrier <= self.seen
    }

    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }

    pub(crate) fn barrier(&self) -> u64 {
        self.barrier
    }

    /// Whether somebody gave the lease back, as far as was followed.
    pub(crate) fn is_leaderless(&self) -> bool {
        let lease = self.lease.as_ref().and_then(|at| at.value.as_ref());
        lease.is_some_and(|lease| lease.holder.is_none())
    }

    /// Who leads, by name and boot, as far as was followed.
    pub(crate) fn leader(&self) -> Option<(Token, u64)> {
        let lease = self.lease.as_ref()?.value.as_ref()?;
        Some((lease.holder.as_ref()?.parse().ok()?, lease.boot))
    }

    /// We wrote up to here.
    pub(crate) fn expect(&mut self, seq: u64) {
        self.barrier = self.barrier.max(seq);
    }

    /// Holds the store to what was seen before.
    pub(crate) fn holding_to(marks: Marks) -> Self {
        Self { marks, ..Self::default() }
    }

    pub(crate) fn marks(&self) -> &Marks {
        &self.marks
    }

    pub(crate) fn reset(&mut self) {
        // The barrier stays: a follower that begins anew must come as far as we wrote. And what
        // was seen once was acknowledged.
        let marks = std::mem::take(&mut self.marks);
        *self = Self { barrier: self.barrier, marks, ..Self::default() };
    }

    /// The stream itself is another one, whose sequences begin at 1 again.
    pub(crate) fn forget_barrier(&mut self) {
        self.barrier = 0;
    }

    pub(crate) fn followed_all(&mut self, seq: u64) {
        self.complete = true;
        self.seen = self.seen.max(seq);
        for (app, mark) in self.marks.apps() {
            if !self.heads.contains_key(app) {
                self.lost.insert(app.clone(), Lost { seen: mark.change, found: None });
            }
        }
    }

    /// Takes one message. `true` if it can change a decision; `false` for the lease, and for
    /// what is older than what is known.
    pub(crate) fn follow(&mut self, key: Key, seq: u64, content: &Content) -> bool {
        self.seen = self.seen.max(seq);
        let bytes = match content {
            Content::Value(bytes) => Some(&bytes[..]),
            Content::Unsigned(_) | Content::Gone | Content::Unreadable => None,
        };
        match key {
            Key::Lease => {
                if self.lease.as_ref().is_none_or(|known| known.seq < seq) {
                    let value = bytes.and_then(|bytes| stored::decode("the lease", bytes).ok());
                    self.lease = Some(At { seq, value, unreadable: false, newer: false });
                }
                false
            }
            Key::Canary(_) => false,
            Key::App(name) => self.follow_head(name, seq, content),
            Key::Manifest(name, revision) => {
                let stated = bytes.and_then(Stated::read);
                put(&mut self.manifests, (name, revision), seq, content, stated)
            }
            Key::Id(id) => {
                let read = |bytes| stored::decode("an id", bytes).ok();
                let record = bytes.and_then(read).filter(|record: &IdRecord| record.id == id);
                put(&mut self.ids, id, seq, content, record)
            }
            Key::Spec(hash) => match bytes {
                Some(_) => self.specs.insert(hash),
                None => {
                    self.spec_markers.insert(hash, seq);
                    self.specs.remove(&hash)
                }
            },
            Key::Assign(host) => {
                let read = bytes.map(Told::read);
                let newer = matches!(read, Some(Err(Newer::Yes)));
                let told = read.and_then(Result::ok).filter(|told| told.assignment.host == host);
                let changed = put(&mut self.assignments, host, seq, content, told);
                if let Some(at) = self.assignments.get_mut(&host).filter(|_| changed) {
                    at.newer = newer;
                }
                changed
            }
            Key::Link { .. } => {
                let read = |bytes| stored::decode("a link", bytes).ok();
                let link = bytes.and_then(read).filter(|link: &LinkRecord| link.key() == key);
                put(&mut self.links, key, seq, content, link)
            }
            Key::Config(name) => {
                let read = |bytes| stored::decode("a configuration", bytes).ok();
                let config = bytes.and_then(read).filter(|read: &ConfigRecord| read.name == name);
                put(&mut self.configs, name, seq, content, config)
            }
        }
    }

    fn follow_head(&mut self, name: AppName, seq: u64, content: &Content) -> bool {
        if self.heads.get(&name).is_some_and(|at| seq <= at.seq) {
            return false;
        }
        let read = |bytes| stored::decode::<AppHead>("an application", bytes);
        let (read, bytes) = match content {
            Content::Value(bytes) => (Some(read(bytes)), &bytes[..]),
            // Of before heads were signed, and changes counted.
            Content::Unsigned(bytes) => {
                let old = read(bytes);
                (Some(old).filter(|old| old.as_ref().is_ok_and(|old| old.change == 0)), &bytes[..])
            }
            Content::Gone | Content::Unreadable => (None, &[][..]),
        };
        let newer = matches!(read, Some(Err(stored::Error::Version { .. })));
        // A head under another name would answer for that application.
        let mut head = read.and_then(Result::ok).filter(|head| head.name == name);
        self.lost.remove(&name);
        self.head_digests.remove(&name);
        let lost = match &head {
            Some(head) => self.marks.take(&name, head, Digest::of(bytes)).err(),
            None if *content == Content::Gone => {
                self.marks.get(&name).map(|mark| Lost { seen: mark.change, found: None })
            }
            None => None,
        };
        if let Some(lost) = lost {
            head = None;
            self.lost.insert(name.clone(), lost);
        }
        if head.is_some() {
            self.head_digests.insert(name.clone(), Digest::of(bytes));
        }
        let unreadable = head.is_none() && *content != Content::Gone;
        self.heads.insert(name, At { seq, value: head, unreadable, newer });
        true
    }

    /// The hash of an application's head, as the next one names it.
    pub(crate) fn head_digest(&self, name: &AppName) -> Option<Digest> {
        self.head_digests.get(name).copied()
    }

    pub(crate) fn expect_head(&self, name: &AppName) -> Expect {
        Expect::of(self.heads.get(name).map(|at| at.seq))
    }

    pub(crate) fn expect_manifest(&self, name: &AppName, revision: Revision) -> Expect {
        Expect::of(self.manifests.get(&(name.clone(), revision)).map(|at| at.seq))
    }

    pub(crate) fn expect_id(&self, id: &ActorId) -> Expect {
        Expect::of(self.ids.get(id).map(|at| at.seq))
    }

    pub(crate) fn expect_spec(&self, hash: &SpecHash) -> Expect {
        Expect::of(self.spec_markers.get(hash).copied())
    }

    pub(crate) fn expect_assignment(&self, host: &HostId) -> Expect {
        Expect::of(self.assignments.get(host).map(|at| at.seq))
    }

    /// The head of an application that exists: with at least one revision. A deleted one keeps
    /// an empty head, so that its end is something said and not something missing.
    pub(crate) fn head(&self, name: &AppName) -> Option<&AppHead> {
        let head = self.heads.get(name)?.value.as_ref()?;
        (!head.revisions.is_empty()).then_some(head)
    }

    pub(crate) fn stated(&self, name: &AppName, revision: Revision) -> Option<&Stated> {
        let stated = self.manifests.get(&(name.clone(), revision))?.value.as_ref()?;
        let head = self.heads.get(name).and_then(|at| at.value.as_ref());
        let expected = head.and_then(|head| head.by_revision(revision)?.manifest);
        // The head is signed; what it names is what was put.
        expected.is_none_or(|expected| expected == stated.digest).then_some(stated)
    }

    /// What `head` says should run, as far as it can be read.
    pub(crate) fn deployed(&self, head: &AppHead) -> Option<&Stated> {
        self.stated(&head.name, head.deployed?)
    }

    /// Whether nobody can say what should run of this application: its head, or the manifest of
    /// the revision it names, is missing or unreadable.
    pub(crate) fn is_unreadable(&self, app: &AppName) -> bool {
        match self.heads.get(app).and_then(|at| at.value.as_ref()) {
            Some(head) => head.deployed.is_some() && self.deployed(head).is_none(),
            None => true,
        }
    }

    /// Whether nobody but `app` is known to own `id`. A lost record is no reason to stop; another
    /// owner's is one not to begin.
    pub(crate) fn is_free_for(&self, id: &ActorId, app: &AppName) -> bool {
        let record = self.ids.get(id).and_then(|at| at.value.as_ref());
        record.is_none_or(|record| matches!(&record.owner, Owner::App(owner) if owner == app))
    }

    /// The application that has a right to `id`: the recorded one, while any of its stored
    /// revisions names the id, or while that cannot be known.
    pub(crate) fn app_owning(&self, id: &ActorId) -> Option<&AppName> {
        let Owner::App(app) = &self.ids.get(id)?.value.as_ref()?.owner else { return None };
        let Some(head) = self.heads.get(app).and_then(|at| at.value.as_ref()) else {
            return Some(app);
        };
        let names_it = head.revisions.iter().any(|revision| {
            let stated = self.stated(app, revision.revision);
            stated.is_none_or(|stated| stated.application.components.iter().any(|c| c.id == *id))
        });
        names_it.then_some(app)
    }
}

/// Takes the newer of two messages of one key.
fn put<K: Ord, V>(
    map: &mut BTreeMap<K, At<V>>,
    key: K,
    seq: u64,
    content: &Content,
    value: Option<V>,
) -> bool {
    let unreadable = value.is_none() && *content != Content::Gone;
    match map.get(&key) {
        Some(at) if seq <= at.seq => false,
        _ => {
            map.insert(key, At { seq, value, unreadable, newer: false });
            true
        }
    }
}

impl Stated {
    fn read(bytes: &[u8]) -> Option<Self> {
        let stored: StoredManifest = stored::decode("a manifest", bytes).ok()?;
        let manifest = Manifest::parse(&stored.json).ok()?;
        let application = Application::try_from(&manifest).ok()?;
        let specs = actors(&application).map(|(id, spec)| (id.clone(), spec.hash())).collect();
        Some(Self { digest: Digest::of(bytes), manifest, application, specs })
    }

    pub(crate) const fn digest(&self) -> Digest {
        self.digest
    }
}

impl Told {
    fn read(bytes: &[u8]) -> Result<Self, Newer> {
        let assignment = Assignment::decode(bytes).map_err(|error| match error {
            AssignmentError::Unreadable(stored::Error::Version { found, .. })
                if stored::VERSION < found =>
            {
                Newer::Yes
            }
            _ => Newer::No,
        })?;
        Ok(Self { assignment, hash: Digest::of(bytes) })
    }
}

/// The actors of an application that can run, by id.
pub(crate) fn actors(application: &Application) -> impl Iterator<Item = (&ActorId, &ActorSpec)> {
    application.components.iter().filter_map(|component| match &component.part {
        Part::Actor(spec) => Some((&component.id, &**spec)),
        Part::Unsupported(_) => None,
    })
}
