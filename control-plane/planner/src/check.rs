//! Looks at a finished plan from the other side: not how it came about, but what must hold.

use std::collections::{BTreeMap, BTreeSet};

use wattle_types::{ActorId, HostId, ScalerKind, Spread};

use crate::input::{Desired, HostStatus, HostView, Observed, Placed, Wanted, What};
use crate::plan::Plan;

/// A plan that must not be written. Always a defect of the planner, never of its input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error("{0} is planned for and not observed, or lost")]
    Unreachable(HostId),
    #[error("{0} is neither lost nor told what to run")]
    Forgotten(HostId),
    #[error("{host} has room for {room} and should run {planned}")]
    AboveCapacity { host: HostId, room: u32, planned: u64 },
    #[error("{host} takes nothing new and should run more of {id}")]
    StartsWhereNothingMay { host: HostId, id: ActorId },
    #[error("{id} is placed on {host} and not desired, or in another revision")]
    NotDesired { host: HostId, id: ActorId },
    #[error("{id} is frozen and changed on {host}")]
    FrozenChanged { host: HostId, id: ActorId },
    #[error("{id} is placed on {host}, which lacks what it requires")]
    RequirementViolated { host: HostId, id: ActorId },
    #[error("{id} should run {instances} times: {placed} placed and {missing} missing")]
    WrongSum { id: ActorId, instances: u32, placed: u64, missing: u32 },
    #[error("{id} leaves {host} without need, or was changed there")]
    LeavesWrongly { host: HostId, id: ActorId },
    #[error("{id} is waited for on {host}, which is not lost or never had so much")]
    AwaitedWrongly { host: HostId, id: ActorId },
    #[error("{id} should run {instances} times on {host}, {placed} are placed")]
    TooManyOnHost { host: HostId, id: ActorId, instances: u32, placed: u32 },
}

/// Whether `plan` keeps every promise.
pub fn check(plan: &Plan, desired: &Desired, observed: &Observed) -> Result<(), Broken> {
    for (id, host) in observed {
        if host.status != HostStatus::Lost && !plan.target.contains_key(id) {
            return Err(Broken::Forgotten(*id));
        }
    }
    let mut placed: BTreeMap<&ActorId, u64> = BTreeMap::new();
    for (id, target) in &plan.target {
        let host = observed.get(id).filter(|host| host.status != HostStatus::Lost);
        let host = host.ok_or(Broken::Unreachable(*id))?;
        let nothing = BTreeSet::new();
        let leaving = plan.leaving.get(id).unwrap_or(&nothing);
        check_host(*id, host, target, leaving, desired)?;
        for (actor, on_host) in target.iter().filter(|(actor, _)| !leaving.contains(*actor)) {
            *placed.entry(actor).or_default() += u64::from(on_host.count);
        }
    }
    for (id, awaited) in &plan.awaited {
        let host = observed.get(id).ok_or(Broken::Unreachable(*id))?;
        check_awaited(*id, host, awaited, desired)?;
        for (actor, count) in awaited {
            *placed.entry(actor).or_default() += u64::from(*count);
        }
    }
    for (host, leaving) in &plan.leaving {
        for id in leaving {
            let here = plan.target.get(host).is_some_and(|target| target.contains_key(id));
            // Without another place, or one it waits for, it has no reason to stay.
            if !here || !(placed.contains_key(id) || waits_in_line(id, plan, desired, observed)) {
                return Err(Broken::LeavesWrongly { host: *host, id: id.clone() });
            }
        }
    }
    for (id, wanted) in &desired.actors {
        let placed = placed.get(id).copied().unwrap_or(0);
        let missing = plan.unplaced.get(id).map_or(0, |unplaced| unplaced.missing);
        let instances = wanted.scaler.instances;
        let whole = wanted.scaler.kind == ScalerKind::Daemon
            || desired.frozen.contains(id)
            || placed + u64::from(missing) == u64::from(instances);
        if !whole {
            return Err(Broken::WrongSum { id: id.clone(), instances, placed, missing });
        }
    }
    Ok(())
}

/// Whether `id` could get a place that something else leaves.
fn waits_in_line(id: &ActorId, plan: &Plan, desired: &Desired, observed: &Observed) -> bool {
    let Some((wanted, What::Run(spec))) =
        desired.actors.get(id).map(|wanted| (wanted, &wanted.what))
    else {
        return false;
    };
    plan.leaving.iter().any(|(host, leaving)| {
        let (view, place) = (&observed[host], Placed { spec: *spec, count: 1 });
        leaving.iter().any(|other| other != id)
            && view.may_start()
            && check_scaler(*host, view, id, place, wanted).is_ok()
    })
}

fn check_host(
    id: HostId,
    host: &HostView,
    target: &BTreeMap<ActorId, Placed>,
    leaving: &BTreeSet<ActorId>,
    desired: &Desired,
) -> Result<(), Broken> {
    let left_alone = |actor: &&ActorId| desired.frozen.contains(*actor);
    for actor in host.assigned.keys().filter(left_alone) {
        if target.get(actor) != host.assigned.get(actor) {
            return Err(Broken::FrozenChanged { host: id, id: actor.clone() });
        }
    }
    let (mut planned, mut held) = (0u64, 0u64);
    for (actor, placed) in target {
        if desired.frozen.contains(actor) {
            if host.assigned.get(actor) != Some(placed) {
                return Err(Broken::FrozenChanged { host: id, id: actor.clone() });
            }
            held += u64::from(placed.count);
            continue;
        }
        planned += u64::from(placed.count);
        if leaving.contains(actor) {
            let as_before =
                |before: &Placed| before.spec == placed.spec && placed.count <= before.count;
            if !host.assigned.get(actor).is_some_and(as_before) || host.overdue.contains(actor) {
                return Err(Broken::LeavesWrongly { host: id, id: actor.clone() });
            }
            let runs = |wanted: &Wanted| matches!(wanted.what, What::Run(_));
            if !desired.actors.get(actor).is_some_and(runs) {
                return Err(Broken::NotDesired { host: id, id: actor.clone() });
            }
            continue;
        }
        let more = host.assigned_count(actor) < placed.count;
        if !host.may_keep() || (more && !host.may_start()) {
            return Err(Broken::StartsWhereNothingMay { host: id, id: actor.clone() });
        }
        let wanted =
            desired.actors.get(actor).filter(|wanted| wanted.what == What::Run(placed.spec));
        let Some(wanted) = wanted else {
            return Err(Broken::NotDesired { host: id, id: actor.clone() });
        };
        check_scaler(id, host, actor, *placed, wanted)?;
    }
    // What is frozen may be more than there is room for; it was not this plan that put it there.
    let room = host.room();
    if u64::from(room).saturating_sub(held) < planned {
        return Err(Broken::AboveCapacity { host: id, room, planned: planned + held });
    }
    Ok(())
}

/// What counts as placed on a host that is lost.
fn check_awaited(
    id: HostId,
    host: &HostView,
    awaited: &BTreeMap<ActorId, u32>,
    desired: &Desired,
) -> Result<(), Broken> {
    let mut planned = 0u64;
    for (actor, &count) in awaited {
        planned += u64::from(count);
        if !host.awaits(actor) || host.assigned_count(actor) < count {
            return Err(Broken::AwaitedWrongly { host: id, id: actor.clone() });
        }
        let wanted = desired.actors.get(actor).filter(|_| !desired.frozen.contains(actor));
        let Some((wanted, What::Run(spec))) = wanted.map(|wanted| (wanted, &wanted.what)) else {
            return Err(Broken::NotDesired { host: id, id: actor.clone() });
        };
        check_scaler(id, host, actor, Placed { spec: *spec, count }, wanted)?;
    }
    let room = host.room();
    if u64::from(room) < planned {
        return Err(Broken::AboveCapacity { host: id, room, planned });
    }
    Ok(())
}

fn check_scaler(
    id: HostId,
    host: &HostView,
    actor: &ActorId,
    placed: Placed,
    wanted: &Wanted,
) -> Result<(), Broken> {
    let scaler = &wanted.scaler;
    let matches = |spread: &Spread| host.suits(actor, placed.spec, &spread.requirements);
    if !scaler.spread.is_empty() && !scaler.spread.iter().any(matches) {
        return Err(Broken::RequirementViolated { host: id, id: actor.clone() });
    }
    if scaler.instances < placed.count {
        let (instances, placed) = (scaler.instances, placed.count);
        return Err(Broken::TooManyOnHost { host: id, id: actor.clone(), instances, placed });
    }
    Ok(())
}
