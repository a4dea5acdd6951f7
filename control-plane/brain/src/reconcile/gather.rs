//! From what the store holds and what hosts say to what the planner is told.

use std::collections::{BTreeMap, BTreeSet};

use wattle_planner::{About, Desired, HostView, Observed, Placed, Wanted, What};
use wattle_types::time::Millis;
use wattle_types::{ActorId, ActorState, AppName, Applied, Inventory, Owner, Part};

use crate::alarm::Alarm;
use crate::fleet::{Fleet, Host};
use crate::mirror::{At, Mirror, Stated, Told};

use super::departures::Departures;
use super::patience::Patience;

/// Everything deployed, and what must be left alone because nobody can say what it should be; and
/// how long each waits for silent hosts.
pub(super) fn desired(mirror: &Mirror, alarms: &mut BTreeSet<Alarm>) -> (Desired, Patience) {
    let (mut desired, mut patience) = (Desired::default(), Patience::default());
    for (app, lost) in &mirror.lost {
        let (seen, found) = (lost.seen, lost.found);
        alarms.insert(Alarm::AppLost { app: app.clone(), seen, found });
    }
    for (app, at) in &mirror.heads {
        if mirror.lost.contains_key(app) {
            continue;
        }
        if mirror.is_unreadable(app) {
            alarms.insert(Alarm::AppUnreadable { app: app.clone() });
            continue;
        }
        let head = at.value.as_ref();
        let Some(stated) = head.and_then(|head| mirror.deployed(head)) else { continue };
        want(&mut desired, &mut patience, app, stated, mirror);
    }
    let placed = mirror.assignments.values().filter_map(|at| at.value.as_ref());
    for entry in placed.flat_map(|told| &told.assignment.entries) {
        if !desired.actors.contains_key(&entry.id) && !may_end(&entry.id, mirror) {
            desired.frozen.insert(entry.id.clone());
        }
    }
    (desired, patience)
}

fn want(
    desired: &mut Desired,
    patience: &mut Patience,
    app: &AppName,
    stated: &Stated,
    mirror: &Mirror,
) {
    for component in &stated.application.components {
        let ours = mirror.is_free_for(&component.id, app);
        let what = match (&component.part, stated.specs.get(&component.id)) {
            _ if !ours => continue,
            (Part::Unsupported(reason), _) => What::Unsupported(reason.clone()),
            (Part::Actor(_), Some(spec)) => What::Run(*spec),
            (Part::Actor(_), None) => continue,
        };
        let wanted = Wanted { what, scaler: component.scaler.clone() };
        desired.actors.entry(component.id.clone()).or_insert(wanted);
        patience.add(&component.id, component.lost_after_ms);
    }
}

/// Whether it is known that `id` should not run: its record names an application whose head can
/// be read, and which does not want it now.
pub(super) fn may_end(id: &ActorId, mirror: &Mirror) -> bool {
    match mirror.ids.get(id).and_then(|at| at.value.as_ref()).map(|record| &record.owner) {
        Some(Owner::App(app)) => !mirror.is_unreadable(app),
        // Started by hand, so no application wants it in an assignment; if none is lost, which may
        // have taken it over since.
        Some(Owner::Manual | Owner::Session) => mirror.lost.is_empty(),
        None => false,
    }
}

/// Every host that was told something, or that can be told something.
pub(super) fn observed(
    now: Millis,
    desired: &Desired,
    mirror: &Mirror,
    fleet: &Fleet,
    departures: &Departures,
    patience: &Patience,
) -> Observed {
    let views = fleet.hosts().iter().filter_map(|(id, host)| {
        let told = mirror.assignments.get(id);
        let adopted = adopted(host, desired, mirror);
        (told.is_some() || host.inventory.is_some()).then(|| {
            let mut view = view(now, host, told, departures.overdue(now, id), adopted);
            let awaited = view.assigned.keys().filter(|id| patience.holds(now, host, id));
            view.awaited = awaited.cloned().collect();
            (*id, view)
        })
    });
    views.collect()
}

/// What a host runs by hand under an id that is an application's now. It is as good as assigned
/// there: so it stays where it is, or until it serves elsewhere, and nobody runs it unassigned.
fn adopted(host: &Host, desired: &Desired, mirror: &Mirror) -> BTreeMap<ActorId, Placed> {
    let reports = host.inventory.iter().flat_map(|inventory| &inventory.actors);
    let by_hand =
        reports.filter(|report| report.owner.is_by_hand() && report.state != ActorState::Draining);
    let placed = by_hand.filter_map(|report| {
        let record = mirror.ids.get(&report.id)?.value.as_ref()?;
        let wanted = desired.actors.get(&report.id).filter(|_| !record.owner.is_by_hand())?;
        let What::Run(spec) = wanted.what else { return None };
        Some((report.id.clone(), Placed { spec, count: report.count }))
    });
    placed.collect()
}

fn view(
    now: Millis,
    host: &Host,
    told: Option<&At<Told>>,
    overdue: BTreeSet<ActorId>,
    adopted: BTreeMap<ActorId, Placed>,
) -> HostView {
    // What a later version told it is not known, so it is not to be told anything else.
    let is_newer = told.is_some_and(|at| at.newer);
    let inventory = host.inventory.as_deref().filter(|_| !is_newer);
    let told = told.and_then(|at| at.value.as_ref());
    HostView {
        status: host.status(now),
        about: inventory.map(|inventory| about(inventory, &adopted)),
        assigned: adopted.into_iter().chain(told.map(entries).unwrap_or_default()).collect(),
        ready: inventory.zip(told).map(|(said, told)| ready(said, told)).unwrap_or_default(),
        overdue,
        awaited: BTreeSet::new(),
    }
}

/// What is ready of what a host was told, once it follows that. Before, what it says to be ready
/// may be what it was to end and has to start again.
fn ready(inventory: &Inventory, told: &Told) -> BTreeSet<ActorId> {
    let follows = |applied: Applied| told.assignment.generation <= applied.generation;
    if !inventory.applied.is_some_and(follows) {
        return BTreeSet::new();
    }
    let named: BTreeSet<&ActorId> = told.assignment.entries.iter().map(|entry| &entry.id).collect();
    let ready = inventory.actors.iter().filter(|report| report.state == ActorState::Ready);
    ready.map(|report| &report.id).filter(|id| named.contains(id)).cloned().collect()
}

fn about(inventory: &Inventory, adopted: &BTreeMap<ActorId, Placed>) -> About {
    let reports = inventory.actors.iter();
    let not_ours =
        reports.filter(|report| report.owner.is_by_hand() && !adopted.contains_key(&report.id));
    About {
        name: inventory.name.clone(),
        labels: inventory.labels.clone(),
        capacity: inventory.capacity,
        reserved: not_ours.fold(0, |sum, report| sum.saturating_add(report.count)),
    }
}

fn entries(told: &Told) -> BTreeMap<ActorId, Placed> {
    let entries = told.assignment.entries.iter();
    entries
        .map(|entry| (entry.id.clone(), Placed { spec: entry.spec, count: entry.count }))
        .collect()
}
