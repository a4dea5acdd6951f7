//! What became of one component on the hosts that the plan names.

use wattle_planner::Plan;
use wattle_types::{ActorId, ActorReport, ActorState, HostId, SpecHash, Unit};

use super::View;
use crate::fleet::{Host, Phase};

#[derive(Default)]
pub(super) struct Tally {
    /// Each with how many instances are ready there.
    pub(super) hosts: Vec<(HostId, u32)>,
    pub(super) ready: u32,
    pub(super) failures: Vec<String>,
    /// Hosts that are lost and not given up.
    pub(super) awaited: Vec<String>,
    pub(super) pending: Vec<String>,
}

impl View<'_> {
    pub(super) fn tally(&self, plan: &Plan, id: &ActorId, spec: SpecHash) -> Tally {
        let mut tally = Tally::default();
        for (host_id, target) in &plan.target {
            let Some(placed) = target.get(id) else { continue };
            let (host, name) = (self.fleet.hosts().get(host_id), self.name_of(host_id));
            if plan.leaves(host_id, id) {
                // Not one of those that are wanted, though it may serve.
                tally.pending.push(format!("it leaves host {name} once it is ready elsewhere"));
                continue;
            }
            // An actor has several reports while one revision takes over from another.
            let report = host.and_then(|host| host.inventory.as_ref()).and_then(|inventory| {
                inventory.actors.iter().find(|report| report.id == *id && report.spec == spec)
            });
            let silent = host.is_none_or(|host| host.phase != Phase::Alive);
            let ready = match report {
                _ if silent => {
                    tally.pending.push(format!("host {name} is silent"));
                    0
                }
                Some(report) if placed.spec == spec => tally.take(&name, report, placed.count),
                _ => {
                    tally.pending.push(format!("host {name} has still to begin"));
                    0
                }
            };
            tally.ready += ready;
            tally.hosts.push((*host_id, ready));
        }
        let awaited = plan.awaited.iter().filter(|(_, awaited)| awaited.contains_key(id));
        for (host, _) in awaited {
            let left_ms = self.waits.map_or(0, |(now, waits)| waits.left_ms(now, host, id));
            let (name, left) = (self.name_of(host), in_words(left_ms));
            tally.awaited.push(format!("waits for host {name}, which is silent, for {left} more"));
            tally.hosts.push((*host, 0));
        }
        tally
    }

    /// What people call the host; its id where they did not name it.
    fn name_of(&self, id: &HostId) -> String {
        let name = self.fleet.hosts().get(id).and_then(Host::name);
        name.map_or_else(|| id.to_string(), str::to_owned)
    }
}

/// Whole minutes of what is longer than two, else seconds; never less than there is.
fn in_words(ms: u64) -> String {
    let unit = if 120_000 < ms { 60_000 } else { 1_000 };
    Unit::Time.show(ms.div_ceil(unit) * unit).to_string()
}

impl Tally {
    /// How many of the wanted instances are ready, by the host's report.
    fn take(&mut self, name: &str, report: &ActorReport, wanted: u32) -> u32 {
        match &report.state {
            ActorState::Ready if wanted <= report.count => return wanted,
            ActorState::Ready => {
                self.pending.push(format!("host {name} has {} of {wanted}", report.count));
                return report.count;
            }
            ActorState::Failed { code, message } => {
                self.failures.push(format!("host {name}: {message} [{code}]"));
            }
            ActorState::Starting => self.pending.push(format!("host {name} is starting it")),
            ActorState::Draining => self.pending.push(format!("host {name} is draining it")),
        }
        0
    }
}
