//! Whether everything is as it should be, and if not, what is not.

use std::collections::{BTreeMap, BTreeSet};

use wattle_planner::{About, HostStatus, HostView, Observed, Placed, What, check, plan};
use wattle_types::{ActorId, Assignment, Digest, Labels, ScalerKind, SpecHash};

use crate::hosts::{Daemon, Host, Phase};
use crate::world::World;

impl World {
    /// Why this is not the state in which nothing is left to do.
    pub(crate) fn unrest(&self) -> Option<String> {
        if let Some(reason) = self.no_leader().or_else(|| self.unrestored()) {
            return Some(reason);
        }
        if self.is_for_people_to_say() {
            return self.is_restoring().then(|| "somebody restores from exports".to_owned());
        }
        let unlike = self.hosts.iter().find_map(|host| self.unlike_assignment(host));
        unlike
            .or_else(|| self.two_owners())
            .or_else(|| self.hosts.iter().find_map(|host| self.law.unkept(host)))
            .or_else(|| self.unlike_plan())
            .or_else(|| self.unlike_desired())
            .or_else(|| self.law.known.unlinked())
            .or_else(|| self.hosts.iter().find_map(|host| self.unlike_links(host)))
    }

    /// The controller that decides now.
    pub(crate) fn leading(&self) -> Option<usize> {
        self.controllers.iter().position(|controller| {
            let run = controller.running.as_ref();
            run.is_some_and(|run| run.brain.is_leading(run.clock_at(self.now)))
        })
    }

    fn no_leader(&self) -> Option<String> {
        let holder = self.law.known.lease.as_ref().filter(|lease| lease.holder.is_some());
        let runs = self.controllers.iter().filter_map(|controller| controller.running.as_ref());
        let leading: Vec<u64> = runs
            .filter(|run| run.brain.is_leading(run.clock_at(self.now)))
            .map(|run| run.life)
            .collect();
        let held_by = holder.map(|lease| lease.boot);
        (leading.len() != 1 || held_by != leading.first().copied())
            .then(|| format!("boots {leading:?} lead, and {held_by:?} has the lease"))
    }

    /// What runs on a host, against what the store says should.
    fn unlike_assignment(&self, host: &Host) -> Option<String> {
        let index = host.index;
        let Some(daemon) = &host.running else {
            return (!host.kept_down).then(|| format!("host {index} is down"));
        };
        let Some(told) = self.law.known.assignments.get(&host.id) else {
            return Some(format!("host {index} was never told anything"));
        };
        let applied = self.law.hosts.get(&host.id).and_then(|facts| facts.applied);
        if applied.is_none_or(|applied| applied.hash != Digest::of(&told.encode())) {
            return Some(format!("host {index} was told {told:?} and follows {applied:?}"));
        }
        let runs: Vec<_> = daemon.runs.values().map(|run| (&run.id, run.phase)).collect();
        let by_hand = self.by_hand_on(host);
        (!runs_exactly(daemon, told, &by_hand))
            .then(|| format!("host {index} was told {told:?} and {by_hand:?} and runs {runs:?}"))
    }

    /// What the store says should run, against what the planner says.
    fn unlike_plan(&self) -> Option<String> {
        let desired = self.law.known.desired();
        let observed = self.observed();
        let plan = plan(&desired, &observed);
        if let Err(broken) = check(&plan, &desired, &observed) {
            return Some(broken.to_string());
        }
        if !plan.leaving.is_empty() {
            return Some(format!("still leaves: {:?}", plan.leaving));
        }
        self.hosts.iter().filter(|host| host.running.is_some()).find_map(|host| {
            let (wanted, told) = (plan.target.get(&host.id), &observed[&host.id].assigned);
            (wanted != Some(told))
                .then(|| format!("host {} was told {told:?}, planned {wanted:?}", host.index))
        })
    }

    /// What should run and is not placed though it could be, by counting and not by planning.
    fn unlike_desired(&self) -> Option<String> {
        let known = &self.law.known;
        let told = |host: &Host| known.assignments.get(&host.id).map(|told| &told.entries[..]);
        let count_on = |host: &Host, id: &ActorId| {
            let entries = told(host).unwrap_or_default().iter();
            entries.filter(|entry| entry.id == *id).map(|entry| entry.count).sum::<u32>()
        };
        let running: Vec<&Host> = self.hosts.iter().filter(|host| host.running.is_some()).collect();
        let with_room: Vec<&Host> = running
            .iter()
            .filter(|host| {
                let entries = told(host).unwrap_or_default().iter();
                entries.map(|entry| entry.count).sum::<u32>() + by_hand(host) < host.capacity
            })
            .copied()
            .collect();
        known.desired().actors.iter().find_map(|(id, wanted)| {
            let What::Run(_) = wanted.what else { return None };
            let (scaler, nothing) = (&wanted.scaler, Labels::new());
            let spreads = scaler.spread.iter().map(|spread| &spread.requirements);
            let spreads: Vec<&Labels> = match scaler.spread.is_empty() {
                true => vec![&nothing],
                false => spreads.collect(),
            };
            let has = |host: &Host, labels: &Labels| {
                labels.iter().all(|(key, value)| host.labels.get(key) == Some(value))
            };
            match scaler.kind {
                ScalerKind::Spread => {
                    let placed: u32 = running.iter().map(|host| count_on(host, id)).sum();
                    // It may be one spread that is short, so each must have had room.
                    let could = |labels: &&Labels| with_room.iter().any(|host| has(host, labels));
                    let short = placed < scaler.instances && spreads.iter().all(could);
                    short.then(|| format!("{id} runs {placed} times, and there is room for more"))
                }
                ScalerKind::Daemon => {
                    let short = with_room.iter().find(|host| {
                        let fits = spreads.iter().any(|labels| has(host, labels));
                        fits && count_on(host, id) < scaler.instances
                    });
                    short.map(|host| format!("{id} should run on host {}, too", host.index))
                }
            }
        })
    }

    /// The truth, in the planner's words.
    fn observed(&self) -> Observed {
        let mut observed = Observed::new();
        for host in &self.hosts {
            let status = if host.running.is_some() { HostStatus::Ready } else { HostStatus::Lost };
            let about = About {
                name: String::new(),
                labels: host.labels.clone(),
                capacity: host.capacity,
                reserved: by_hand(host),
            };
            let assigned = self.law.known.assignments.get(&host.id).map(placed).unwrap_or_default();
            let ready = host.serving().cloned().collect();
            let (overdue, awaited) = (BTreeSet::new(), BTreeSet::new());
            let view = HostView { status, about: Some(about), assigned, ready, overdue, awaited };
            observed.insert(host.id, view);
        }
        observed
    }
}

fn placed(told: &Assignment) -> BTreeMap<ActorId, Placed> {
    let entries = told.entries.iter();
    entries
        .map(|entry| (entry.id.clone(), Placed { spec: entry.spec, count: entry.count }))
        .collect()
}

fn runs_exactly(daemon: &Daemon, told: &Assignment, by_hand: &[(ActorId, SpecHash, u32)]) -> bool {
    let runs: BTreeSet<_> =
        daemon.runs.values().map(|run| (&run.id, run.hash, run.count)).collect();
    let entries = told.entries.iter().map(|entry| (&entry.id, entry.spec, entry.count));
    let by_hand = by_hand.iter().map(|(id, hash, count)| (id, *hash, *count));
    let all: BTreeSet<_> = entries.chain(by_hand).collect();
    daemon.runs.values().all(|run| run.phase == Phase::Serving)
        && daemon.runs.len() == all.len()
        && runs == all
}

/// How many instances run there that are not for applications.
fn by_hand(host: &Host) -> u32 {
    let runs = host.running.iter().flat_map(|daemon| daemon.runs.values());
    runs.filter(|run| run.by_hand).map(|run| run.count).sum()
}
