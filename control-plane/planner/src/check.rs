//! Looks at a finished plan from the other side: not how it came about, but what must hold.

use std::collections::BTreeMap;

use wattle_types::{ActorId, HostId, ScalerKind};

use crate::input::{Desired, HostStatus, HostView, Observed, Placed, What};
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
        check_host(*id, host, target, desired)?;
        for (actor, on_host) in target {
            *placed.entry(actor).or_default() += u64::from(on_host.count);
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

fn check_host(
    id: HostId,
    host: &HostView,
    target: &BTreeMap<ActorId, Placed>,
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
        let more = host.assigned_count(actor) < placed.count;
        if !host.may_keep() || (more && !host.may_start()) {
            return Err(Broken::StartsWhereNothingMay { host: id, id: actor.clone() });
        }
        let wanted =
            desired.actors.get(actor).filter(|wanted| wanted.what == What::Run(placed.spec));
        let Some(wanted) = wanted else {
            return Err(Broken::NotDesired { host: id, id: actor.clone() });
        };
        let scaler = &wanted.scaler;
        let matches = scaler.spread.iter().any(|spread| host.satisfies(&spread.requirements));
        if !scaler.spread.is_empty() && !matches {
            return Err(Broken::RequirementViolated { host: id, id: actor.clone() });
        }
        if scaler.instances < placed.count {
            let (instances, placed) = (scaler.instances, placed.count);
            return Err(Broken::TooManyOnHost { host: id, id: actor.clone(), instances, placed });
        }
    }
    // What is frozen may be more than there is room for; it was not this plan that put it there.
    let room = host.room();
    if u64::from(room).saturating_sub(held) < planned {
        return Err(Broken::AboveCapacity { host: id, room, planned: planned + held });
    }
    Ok(())
}
