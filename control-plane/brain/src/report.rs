//! What a controller says of itself to people: who leads, whether writes succeed, what is wrong.

use std::collections::BTreeMap;

use wattle_planner::HostStatus;
use wattle_types::time::Millis;
use wattle_types::{CanaryReport, Epoch, HostCounts, Token};

use crate::brain::Brain;
use crate::effect::{Alarm, Effect};

/// How one controller is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub name: Token,
    /// Semantic version.
    pub version: String,
    /// Random per process.
    pub boot: u64,
    /// Whether it decides now.
    pub leads: bool,
    /// Who has the lease, as far as this controller has followed the store.
    pub holder: Option<String>,
    /// Of that lease.
    pub epoch: Epoch,
    /// The last sequence of the store that was followed.
    pub followed: u64,
    /// The last that it wrote itself; nothing is decided before that is followed.
    pub wrote: u64,
    pub canary: CanaryReport,
    /// Batches that the store refused because somebody else was first, since the process began.
    pub batches_refused: u64,
    pub hosts: HostCounts,
    /// Another server answers the application API.
    pub api_taken: bool,
    /// What is wrong now, and for how many milliseconds.
    pub alarms: Vec<(Alarm, u64)>,
}

/// Alarms that were raised and may still hold, since then.
#[derive(Debug, Default)]
pub(crate) struct Standing(BTreeMap<Alarm, Millis>);

impl Standing {
    pub(crate) fn note(&mut self, now: Millis, effects: &[Effect]) {
        for effect in effects {
            if let Effect::Raise(alarm) = effect
                && !alarm.is_ordinary()
            {
                self.0.entry(alarm.clone()).or_insert(now);
            }
        }
    }

    pub(crate) fn retain(&mut self, holds: impl Fn(&Alarm) -> bool) {
        self.0.retain(|alarm, _| holds(alarm));
    }

    fn since(&self, now: Millis) -> impl Iterator<Item = (&Alarm, u64)> {
        self.0.iter().map(move |(alarm, since)| (alarm, now.since(*since)))
    }
}

impl Brain {
    /// How this controller is at `now`.
    pub fn report(&self, now: Millis) -> Report {
        let lease = self.mirror.lease.as_ref().and_then(|at| at.value.as_ref());
        let identity = self.lease.identity();
        let alarms = self.standing.since(now).filter(|(alarm, _)| self.holds(now, alarm));
        Report {
            name: identity.holder.clone(),
            version: identity.version.clone(),
            boot: identity.boot,
            leads: self.is_leading(now),
            holder: lease.and_then(|lease| lease.holder.clone()),
            epoch: lease.map_or(Epoch::ZERO, |lease| lease.epoch),
            followed: self.mirror.seen(),
            wrote: self.mirror.barrier(),
            canary: CanaryReport {
                well: self.canary.is_well(now),
                ok_ms_ago: self.canary.ok_ms_ago(now),
                took_ms: self.canary.took_ms(),
            },
            batches_refused: self.batches_refused,
            hosts: self.host_counts(now),
            api_taken: self.is_api_taken(),
            alarms: alarms.map(|(alarm, ms)| (alarm.clone(), ms)).collect(),
        }
    }

    fn host_counts(&self, now: Millis) -> HostCounts {
        let mut counts = HostCounts::default();
        for host in self.fleet.hosts().values() {
            let count = match host.status(now) {
                HostStatus::Ready => &mut counts.ready,
                HostStatus::Suspect => &mut counts.suspect,
                HostStatus::Draining => &mut counts.draining,
                HostStatus::Lost => &mut counts.lost,
            };
            *count += 1;
        }
        counts
    }

    /// Whether the cause of an alarm that was raised is still there.
    pub(crate) fn holds(&self, now: Millis, alarm: &Alarm) -> bool {
        match alarm {
            Alarm::HostLost { .. }
            | Alarm::LeadershipLost { .. }
            | Alarm::LeadershipTaken { .. } => false,
            // A person has to look, and nothing shows that one has.
            Alarm::StateLost { .. } | Alarm::EpochImplausible { .. } => true,
            Alarm::Cloned { host } => {
                self.fleet.hosts().get(host).is_some_and(|host| host.is_cloned(now))
            }
            Alarm::SilenceOfMany { .. } => self.fleet.is_outage(),
            Alarm::TooOld { .. } => self.lease.is_too_old(),
            Alarm::ApiTaken => self.is_api_taken(),
            Alarm::StoreGone => self.outlet.is_missing(),
            Alarm::StoreRefuses { .. } => self.outlet.refusal().is_some(),
            Alarm::StoreWedged => self.canary.is_wedged(),
            Alarm::TooLarge => self.lease.is_held() && self.reconcile.is_stuck(),
            Alarm::AssignmentLost { .. }
            | Alarm::AssignmentNewer { .. }
            | Alarm::AssignmentForked { .. }
            | Alarm::Withheld { .. }
            | Alarm::AppLost { .. }
            | Alarm::AppUnreadable { .. }
            | Alarm::PlanBroken { .. } => self.lease.is_held() && self.reconcile.raises(alarm),
        }
    }
}

#[cfg(test)]
mod tests;
