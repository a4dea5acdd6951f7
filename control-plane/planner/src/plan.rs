//! The decision itself.
//!
//! *A move leaves no gap.* What a host has and the target does not give it any more stays there as
//! *leaving*, with the spec it has and no more instances, until its new places are ready. So an
//! actor that moves runs in both places for the moment of the move, also one that should run once:
//! whatever is placed here is stateless, and two that answer are better than none. See [`leaving`].
//!
//! *A lost host is waited for where that is asked.* What is awaited there counts as placed there, in
//! whatever revision, as long as somebody with a clock says so: [`HostView::awaited`]. Where the same
//! runs on a host that is not lost, that one is kept first.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use wattle_types::{ActorId, HostId};

use crate::groups::groups;
use crate::input::{Desired, HostStatus, HostView, Observed, Placed, What};
use crate::matching::Matching;
use crate::reason::{self, Reason, Unplaced};
use crate::starting::{Placing, Starting};

/// The whole answer. Equal inputs give equal plans, on every machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What each host should run. Every host that is not lost is here, also with nothing, so
    /// that nothing is told to it in so many words.
    pub target: BTreeMap<HostId, BTreeMap<ActorId, Placed>>,
    /// What of `target` is there only until its new places are ready.
    pub leaving: BTreeMap<HostId, BTreeSet<ActorId>>,
    /// How much of what counts as placed is on hosts that are lost, and waited for: they are told
    /// nothing.
    pub awaited: BTreeMap<HostId, BTreeMap<ActorId, u32>>,
    /// What could not be placed, and why.
    pub unplaced: BTreeMap<ActorId, Unplaced>,
}

/// Decides where everything desired should run.
///
/// What runs somewhere it may run stays there: a move costs more than an imbalance. All of that
/// is settled before anything new is placed, so that a newcomer displaces nobody. A new instance
/// goes to the host with the fewest of the same actor, then the most room, then the lowest id.
pub fn plan(desired: &Desired, observed: &Observed) -> Plan {
    let ids: Vec<&HostId> = observed.keys().collect();
    let hosts: Vec<&HostView> = observed.values().collect();
    let mut plan = Plan::default();
    for (id, host) in observed {
        if host.status != HostStatus::Lost {
            plan.target.insert(*id, frozen(desired, host));
        }
    }
    let mut room: Vec<u32> = hosts
        .iter()
        .map(|host| {
            let held = frozen(desired, host);
            held.values().fold(host.room(), |room, placed| room.saturating_sub(placed.count))
        })
        .collect();

    let mut wanted = Vec::new();
    for (id, actor) in desired.actors.iter().filter(|(id, _)| !desired.frozen.contains(*id)) {
        match &actor.what {
            What::Run(spec) => wanted.push((id, *spec, groups(id, *spec, &actor.scaler, &hosts))),
            What::Unsupported(text) => {
                let reasons = vec![Reason::Unsupported(text.clone())];
                let missing = actor.scaler.instances;
                plan.unplaced.insert(id.clone(), Unplaced { missing, reasons });
            }
        }
    }
    let mut placing: Vec<Placing<'_>> = wanted
        .iter()
        .map(|(id, spec, groups)| Placing {
            id,
            spec: *spec,
            groups,
            matching: Matching::new(groups, hosts.len()),
        })
        .collect();
    for actor in &mut placing {
        keep(actor, &hosts, &mut room);
    }
    let (placing, leaving) =
        Starting { kept: &placing, hosts: &hosts, room: &room }.beside_leaving();

    for left in leaving {
        let (host, id) = (*ids[left.host], placing[left.actor].id.clone());
        plan.leaving.entry(host).or_default().insert(id.clone());
        let on_host = plan.target.get_mut(&host).expect("nothing leaves a lost host");
        on_host.insert(id, left.placed);
    }
    for actor in placing {
        for (index, &count) in actor.matching.placed.iter().enumerate() {
            if 0 < count && hosts[index].awaits(actor.id) {
                let on_host = plan.awaited.entry(*ids[index]).or_default();
                on_host.insert(actor.id.clone(), count);
            } else if 0 < count {
                let on_host = plan.target.get_mut(ids[index]).expect("a lost host has no more");
                on_host.insert(actor.id.clone(), Placed { spec: actor.spec, count });
            }
        }
        let scaler = &desired.actors[actor.id].scaler;
        let missing = settled(&actor, hosts.len());
        if let Some(unplaced) = reason::why(scaler, actor.groups, &missing, observed) {
            plan.unplaced.insert(actor.id.clone(), unplaced);
        }
    }
    plan
}

impl Plan {
    /// Whether `id` is on `host` only until its new places are ready.
    pub fn leaves(&self, host: &HostId, id: &ActorId) -> bool {
        self.leaving.get(host).is_some_and(|leaving| leaving.contains(id))
    }
}

/// What is left alone on `host`, for nobody knows what it should be.
fn frozen(desired: &Desired, host: &HostView) -> BTreeMap<ActorId, Placed> {
    let held = host.assigned.iter().filter(|(id, _)| desired.frozen.contains(*id));
    held.map(|(id, placed)| (id.clone(), *placed)).collect()
}

fn keep(actor: &mut Placing<'_>, hosts: &[&HostView], room: &mut [u32]) {
    let id = actor.id;
    let held: Vec<u32> =
        hosts.iter().zip(&*room).map(|(host, room)| host.assigned_count(id).min(*room)).collect();
    let mut left = held.clone();
    // Where there is too much of it: what is reachable and ready stays first, evenly.
    actor.matching.fill(&mut left, |host, placed, _| {
        (hosts[host].status, !hosts[host].ready.contains(id), placed)
    });
    for (index, room) in room.iter_mut().enumerate() {
        *room -= held[index] - left[index];
    }
}

/// What each group misses when the instances are counted for the earlier groups first. History
/// must not decide which of two overlapping spreads is said to be short, or the next plan would
/// say something else.
fn settled(actor: &Placing<'_>, hosts: usize) -> Vec<u32> {
    let mut matching = Matching::new(actor.groups, hosts);
    matching.fill(&mut actor.matching.placed.clone(), |host, _, _| host);
    matching.missing
}

/// One line per host: what tests compare and logs show.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (host, actors) in &self.target {
            write!(f, "{host}:")?;
            for (id, placed) in actors {
                write!(f, " {id}={}", placed.count)?;
                if self.leaves(host, id) {
                    f.write_str("(leaving)")?;
                }
            }
            writeln!(f)?;
        }
        for (host, actors) in &self.awaited {
            write!(f, "waits for {host}:")?;
            for (id, count) in actors {
                write!(f, " {id}={count}")?;
            }
            writeln!(f)?;
        }
        for (id, unplaced) in &self.unplaced {
            writeln!(f, "not placed: {id}={}: {unplaced}", unplaced.missing)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
