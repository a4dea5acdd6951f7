//! What must hold, whatever goes wrong, and who looks: the law sees what the store accepts, what
//! hosts do and what clients are told, from outside of all of them.
//!
//! Names in parentheses are those of the table of properties that every simulation of ours checks.

mod by_hand;
mod commits;
mod judged;
mod known;
mod leaving;
mod links;
mod lost;
mod promises;
mod removal;
mod rest;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use wattle_types::{ActorId, AppName, Applied, Digest, HostId, Labels};

use crate::controllers::OLD_VERSION;
use crate::faults::Hazards;
use crate::findings::Finding;
use crate::hosts::Host;
use by_hand::ByHand;
pub(crate) use by_hand::entries_of;
use known::Known;
pub(crate) use lost::Knowledge;
use lost::Promise;
use promises::Edit;

/// A promise of the control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Property {
    /// (P1, P9) When nothing goes wrong any more, or one host only, what runs is what should.
    Converges,
    /// (P3) What was acknowledged is kept, and what was said not to be done is not done.
    Kept,
    /// (P4) A host never goes back to an older assignment, and acknowledges only what is durable.
    NeverBack,
    /// (P5) Where nothing differs, nothing is written; what failed is not tried again at once.
    Rests,
    /// (P6) More than half of a host ends only when that is marked.
    NoMassEnd,
    /// (P7) Nothing is assigned beyond capacity, or where its labels do not allow it; nothing more
    /// often than it should run, but for what leaves one host when it is ready on another.
    Constraints,
    /// (P8) Only the holder of the lease changes anything, in whole batches, under its epoch.
    Fenced,
    /// An id has one owner, recorded before anything is assigned under it.
    OneOwner,
    /// Every link and configuration that is deployed is stored and belongs to its application,
    /// and what belongs to somebody else is not touched.
    Linked,
    /// A host runs only what is assigned to it.
    OnlyAssigned,
    /// Where nothing was lost or forged, nobody says so; a host that is well is not given up.
    NoFalseAlarm,
    /// Without trouble leadership does not change, and what moves is served all the time; while
    /// only NATS servers hang, no host that runs is given up; whatever the trouble, a host ends
    /// nothing that serves before what takes its place there does.
    Undisturbed,
    /// (P10) Nothing panics.
    NeverPanics,
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub property: Property,
    /// Virtual time.
    pub at_ms: u64,
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is broken at {} ms: {}", self.property, self.at_ms, self.message)
    }
}

/// How much happened, so that a test can see that it tested something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counts {
    /// Batches the store took, renewals included.
    pub commits: u64,
    /// Assignments in them.
    pub assignments: u64,
    /// Links and configuration in them.
    pub links: u64,
    /// Changes of applications in them.
    pub edits: u64,
    pub leaders: u64,
    /// How often the stream had no leader for a while.
    pub elections: u64,
    /// What the store refused because its writer was deposed,
    pub deposed: u64,
    /// and how much of that was more than a renewal.
    pub deposed_with_content: u64,
    /// Assignments that hosts made durable.
    pub followed: u64,
    pub started: u64,
    /// Ended by an assignment where it served, while it served elsewhere too,
    pub moved: u64,
    /// and while it did not, though it was to run elsewhere.
    pub gaps: u64,
    /// How often the store lost something that it had acknowledged,
    pub losses: u64,
    /// how many applications were put back after that,
    pub restored: u64,
    /// and how many batches of before it were taken because sequences are given again.
    pub let_through: u64,
    /// Heads that could not be read for a while.
    pub unreadable: u64,
    /// Commands by hand that hosts said to be done,
    pub by_hand: u64,
    /// and hosts that people had forgotten.
    pub forgotten: u64,
    /// How often a controller of the version before took the lead.
    pub led_old: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Law {
    /// Nothing goes wrong in this run, but for what is done on purpose at its end.
    calm: bool,
    /// Nothing goes wrong but that NATS servers hang.
    only_hangs: bool,
    /// So often somebody may take the lead though there is no trouble.
    leaders_max: u64,
    broken: Option<Violation>,
    pub(crate) counts: Counts,
    pub(crate) findings: BTreeSet<Finding>,
    known: Known,
    /// Processes that led at some time.
    led: BTreeSet<u64>,
    /// Of processes of controllers.
    versions: BTreeMap<u64, &'static str>,
    by_hand: ByHand,
    /// Hosts that somebody wants forgotten, and whether somebody agreed to end what they run.
    to_forget: BTreeMap<HostId, bool>,
    /// Which processes of them were told nothing any more, by the number that the next one has.
    forgotten: BTreeMap<HostId, u64>,
    /// Since when which processes know which hosts' inventories.
    seen: BTreeMap<(u64, HostId), u64>,
    hosts: BTreeMap<HostId, Facts>,
    /// What the store accepted for each host.
    accepted: BTreeMap<HostId, BTreeSet<Digest>>,
    asked: BTreeSet<Edit>,
    stored: BTreeSet<(AppName, String)>,
    /// Which of them clients were told to be stored, and where.
    acknowledged: BTreeMap<(AppName, String), u64>,
    /// Applications of which somebody asked to delete something.
    deleted: BTreeSet<AppName>,
    deployed: BTreeSet<(AppName, String)>,
    /// How far applications had come that the store has lost something of.
    promised: BTreeMap<AppName, Promise>,
    /// Lost, and a controller said so.
    said: BTreeSet<AppName>,
    /// Heads that somebody asked to put back.
    restoring: BTreeSet<Digest>,
    /// Heads that cannot be read now, and the sequence since which that is so.
    unreadable: BTreeMap<AppName, u64>,
    /// What the controller knew whose batch is looked at.
    pub(crate) writer: Knowledge,
    /// What assignments must not end though they lack it.
    not_to_end: BTreeMap<Digest, BTreeSet<ActorId>>,
}

/// What is true of a host, and the highest it acknowledged.
#[derive(Debug)]
struct Facts {
    labels: Labels,
    capacity: u32,
    applied: Option<Applied>,
}

impl Law {
    pub(crate) fn new(hazards: &Hazards) -> Self {
        let but_hangs = Hazards { node_hangs: 0, ..hazards.clone() };
        let is_calm = but_hangs == Hazards::default();
        let hangs = 0 < hazards.node_hangs;
        Self {
            calm: is_calm && !hangs,
            only_hangs: is_calm && hangs,
            leaders_max: 1,
            ..Self::default()
        }
    }

    /// A leader, or its server, is going to die.
    pub(crate) fn may_change_leader(&mut self) {
        self.leaders_max += 1;
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.broken.is_none()
    }

    pub(crate) fn violation(&self) -> Option<&Violation> {
        self.broken.as_ref()
    }

    /// The first broken promise is the one that tells something.
    pub(crate) fn breaks(&mut self, property: Property, at_ms: u64, message: impl Into<String>) {
        let message = message.into();
        self.broken.get_or_insert(Violation { property, at_ms, message });
    }

    /// A controller's process begins.
    pub(crate) fn is_of_version(&mut self, boot: u64, version: &'static str) {
        self.versions.insert(boot, version);
    }

    /// Whether it is of a version before the newest.
    pub(crate) fn is_old(&self, boot: u64) -> bool {
        self.versions.get(&boot) == Some(&OLD_VERSION)
    }

    /// A host with a new identity.
    pub(crate) fn meet(&mut self, host: &Host) {
        let (labels, capacity) = (host.labels.clone(), host.capacity);
        self.hosts.insert(host.id, Facts { labels, capacity, applied: None });
    }

    /// A controller's process has learned what a host is.
    pub(crate) fn sees(&mut self, now: u64, boot: u64, host: HostId) {
        self.seen.entry((boot, host)).or_insert(now);
    }

    /// Its disk was lost, and with it what it knew.
    pub(crate) fn forget(&mut self, host: &HostId) {
        if let Some(facts) = self.hosts.get_mut(host) {
            facts.applied = None;
        }
        self.forget_by_hand(host);
    }
}
