//! What must hold at every moment, whatever the weather (`P2` to `P8` of the reliability notes).

use std::collections::{BTreeMap, BTreeSet};

use wattle_brain::{Alarm, Payload};
use wattle_types::{
    ActorId, AppHead, AppName, Application, Assignment, Beat, Digest, Epoch, Generation, HostId,
    IdRecord, Key, Lease, Manifest, Owner, Part, Scaler, ScalerKind, stored,
};

use crate::hosts::Host;
use crate::store::Store;
use crate::world::{Batch, World};

/// A law that was broken, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// P1: calm did not bring everything to where it should be.
    NotConverged(String),
    /// P2: more instances on hosts that were counted on than were asked for.
    TooMany(String),
    /// P3: what was accepted is not there.
    Forgotten(String),
    /// P4: a host went back.
    WentBack(String),
    /// P5: something was written though nothing differed.
    Restless(String),
    /// P6: something ended that nobody said should end.
    Unexplained(String),
    /// P7: above capacity, or where it may not be.
    Misplaced(String),
    /// P8: something was written by one who did not lead.
    TwoLeaders(String),
    /// A host was given up that was there and could be reached.
    GivenUpWrongly(String),
}

#[derive(Debug, Default)]
pub struct Laws {
    /// Who led under each epoch.
    leaders: BTreeMap<Epoch, (String, u64)>,
    /// What each host said last: the highest epoch, and the generation it follows.
    beats: BTreeMap<HostId, (Epoch, Option<(Generation, Digest)>)>,
    pub(crate) assignments_written: u64,
    pub(crate) leaderships: u64,
}

impl Laws {
    /// The store has lost its memory of who led when; the hosts have not.
    pub(crate) fn tail_lost(&mut self) {
        self.leaders.clear();
    }

    pub(crate) fn beat(&mut self, beat: &Beat) -> Result<(), Violation> {
        let applied = beat.applied.map(|applied| (applied.generation, applied.hash));
        let said = (beat.epoch_max, applied);
        if let Some(before) = self.beats.insert(beat.host, said) {
            let generation = |said: &Option<(Generation, Digest)>| said.map(|(generation, _)| generation);
            let forked = match (before.1, applied) {
                (Some(before), Some(now)) => before.0 == now.0 && before.1 != now.1,
                _ => false,
            };
            if said.0 < before.0 || generation(&said.1) < generation(&before.1) || forked {
                let text = format!("{}: from {before:?} to {said:?}", beat.host);
                return Err(Violation::WentBack(text));
            }
        }
        Ok(())
    }

    /// A batch was stored.
    pub(crate) fn committed(
        &mut self,
        before: &Store,
        after: &Store,
        batch: &Batch,
        hosts: &[Host],
    ) -> Result<(), Violation> {
        let lease = self.check_lease(before, batch)?;
        let known = Known::read(after);
        for write in &batch.writes {
            if let (Key::Assign(host), Payload::Assignment(body)) = (&write.key, &write.payload) {
                self.assignments_written += 1;
                let told = Assignment::decode(body).expect("what a brain writes can be read");
                check_assignment(&told, host, &lease, before)?;
                check_places(&told, &known, hosts)?;
                check_ended(&told, before, &known)?;
            }
        }
        check_counts(after, &known, &batch.counted_on)
    }

    /// Every batch renews the lease, and each epoch has one leader.
    fn check_lease(&mut self, before: &Store, batch: &Batch) -> Result<Lease, Violation> {
        let lease = batch.writes.first().and_then(|write| match (&write.key, &write.payload) {
            (Key::Lease, Payload::Plain(bytes)) => stored::decode::<Lease>("the lease", bytes).ok(),
            _ => None,
        });
        let Some(lease) = lease else {
            return Err(Violation::TwoLeaders("a batch does not begin with the lease".to_owned()));
        };
        let previous = before.get(&Key::Lease).and_then(|message| message.bytes.as_ref());
        let previous = previous.and_then(|bytes| stored::decode::<Lease>("the lease", bytes).ok());
        if previous.as_ref().is_some_and(|previous| lease.epoch < previous.epoch) {
            let text = format!("epoch {} after {:?}", lease.epoch, previous);
            return Err(Violation::TwoLeaders(text));
        }
        if let Some(holder) = &lease.holder {
            let leader = (holder.clone(), lease.boot);
            let known = self.leaders.entry(lease.epoch).or_insert_with(|| {
                self.leaderships += 1;
                leader.clone()
            });
            if *known != leader {
                let text = format!("{known:?} and {leader:?} under epoch {}", lease.epoch);
                return Err(Violation::TwoLeaders(text));
            }
        }
        Ok(lease)
    }
}

fn check_assignment(
    told: &Assignment,
    host: &HostId,
    lease: &Lease,
    before: &Store,
) -> Result<(), Violation> {
    if told.epoch != lease.epoch || told.host != *host {
        let text = format!("an assignment of epoch {} under epoch {}", told.epoch, lease.epoch);
        return Err(Violation::TwoLeaders(text));
    }
    let previous = assignment(before, host).map(|previous| previous.generation);
    if previous.is_some_and(|previous| told.generation <= previous) {
        let text = format!("{host} was told {} after {previous:?}", told.generation);
        return Err(Violation::WentBack(text));
    }
    Ok(())
}

/// Capacity and labels of the host allow what it is told.
fn check_places(told: &Assignment, known: &Known, hosts: &[Host]) -> Result<(), Violation> {
    let host = hosts.iter().find(|host| host.id == told.host).expect("only real hosts beat");
    let planned: u32 = told.entries.iter().map(|entry| entry.count).sum();
    if host.capacity < planned {
        let text = format!("{planned} on {}, which has room for {}", told.host, host.capacity);
        return Err(Violation::Misplaced(text));
    }
    for entry in &told.entries {
        let Some(scaler) = known.scalers.get(&entry.id) else { continue };
        let fits = |labels: &wattle_types::Labels| {
            labels.iter().all(|(key, value)| host.labels.get(key) == Some(value))
        };
        let anywhere = scaler.spread.is_empty();
        if !anywhere && !scaler.spread.iter().any(|spread| fits(&spread.requirements)) {
            return Err(Violation::Misplaced(format!("{} on {}", entry.id, told.host)));
        }
    }
    Ok(())
}

/// Nothing ends while it is not known that it should.
fn check_ended(told: &Assignment, before: &Store, known: &Known) -> Result<(), Violation> {
    let Some(previous) = assignment(before, &told.host) else { return Ok(()) };
    for entry in previous.entries {
        let stays = told.entries.iter().any(|other| other.id == entry.id);
        if !stays && known.unreadable.contains(&entry.id) {
            let text = format!("{} ends on {} though its application is gone", entry.id, told.host);
            return Err(Violation::Unexplained(text));
        }
    }
    Ok(())
}

/// Of what is counted on, there is never more than was asked for.
fn check_counts(
    after: &Store,
    known: &Known,
    counted_on: &BTreeSet<HostId>,
) -> Result<(), Violation> {
    let mut counts: BTreeMap<ActorId, u32> = BTreeMap::new();
    for told in counted_on.iter().filter_map(|host| assignment(after, host)) {
        for entry in told.entries {
            *counts.entry(entry.id).or_default() += entry.count;
        }
    }
    for (id, count) in counts {
        let Some(scaler) = known.scalers.get(&id) else { continue };
        if scaler.kind == ScalerKind::Spread && scaler.instances < count {
            let text = format!("{count} of {id}, {} were asked for", scaler.instances);
            return Err(Violation::TooMany(text));
        }
    }
    Ok(())
}

/// The assignment as stored; the signature is the hosts' business.
pub(crate) fn assignment(store: &Store, host: &HostId) -> Option<Assignment> {
    let bytes = store.get(&Key::Assign(*host))?.bytes.as_ref()?;
    let sealed = wattle_trust::signed::open(bytes).ok()?;
    let allowed = BTreeSet::from([*sealed.claimed_key()]);
    let body = sealed.verify(wattle_trust::signed::Context::Assignment, &allowed).ok()?;
    Assignment::decode(body).ok()
}

/// What the store says should run, read here and not by the brain.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) scalers: BTreeMap<ActorId, Scaler>,
    pub(crate) specs: BTreeMap<ActorId, wattle_types::SpecHash>,
    pub(crate) unsupported: BTreeSet<ActorId>,
    /// Ids of applications whose head is gone or cannot be read.
    unreadable: BTreeSet<ActorId>,
}

impl Known {
    pub(crate) fn read(store: &Store) -> Self {
        let mut known = Self::default();
        let mut owners: BTreeMap<ActorId, AppName> = BTreeMap::new();
        for message in store.newest() {
            let Key::Id(id) = &message.key else { continue };
            let record = message.bytes.as_ref();
            let record = record.and_then(|bytes| stored::decode::<IdRecord>("an id", bytes).ok());
            if let Some(Owner::App(app)) = record.map(|record| record.owner) {
                owners.insert(id.clone(), app);
            }
        }
        let mut readable = BTreeSet::new();
        for message in store.newest() {
            let (Key::App(name), Some(bytes)) = (&message.key, &message.bytes) else { continue };
            let Ok(head) = stored::decode::<AppHead>("a head", bytes) else { continue };
            readable.insert(name.clone());
            if let Some(application) = deployed(store, &head) {
                known.take(name, &application, &owners);
            }
        }
        known.unreadable =
            owners.iter().filter(|(_, app)| !readable.contains(*app)).map(|(id, _)| id.clone()).collect();
        known
    }

    fn take(
        &mut self,
        name: &AppName,
        application: &Application,
        owners: &BTreeMap<ActorId, AppName>,
    ) {
        for component in &application.components {
            if owners.get(&component.id).is_some_and(|owner| owner != name) {
                continue;
            }
            self.scalers.insert(component.id.clone(), component.scaler.clone());
            match &component.part {
                Part::Actor(spec) => {
                    self.specs.insert(component.id.clone(), spec.hash());
                }
                Part::Unsupported(_) => {
                    self.unsupported.insert(component.id.clone());
                }
            }
        }
    }
}

fn deployed(store: &Store, head: &AppHead) -> Option<Application> {
    let key = Key::Manifest(head.name.clone(), head.deployed?);
    let bytes = store.get(&key)?.bytes.as_ref()?;
    let stored: wattle_brain::mirror::StoredManifest = stored::decode("a manifest", bytes).ok()?;
    Application::try_from(&Manifest::parse(&stored.json).ok()?).ok()
}

/// Trouble so long ago excuses nothing any more.
const EXCUSED_MS: u64 = 25_000;

impl World {
    pub(crate) fn heard_alarm(&mut self, by: usize, alarm: &Alarm) -> Result<(), Violation> {
        let Alarm::HostLost { host } = alarm else { return Ok(()) };
        let Some(index) = self.host_by_id(host) else { return Ok(()) };
        let (host, controller) = (&self.hosts[index], &self.controllers[by]);
        let links = [host.link, controller.link];
        let last = host.down.max(links[0].troubled).max(links[1].troubled);
        let excused = host.agent.is_none()
            || links.iter().any(crate::world::Link::is_cut)
            || self.now() < last + EXCUSED_MS;
        if excused {
            return Ok(());
        }
        Err(Violation::GivenUpWrongly(format!("{} by c{by} at {}", host.id, self.now())))
    }
}
