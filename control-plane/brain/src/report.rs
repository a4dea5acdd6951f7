//! What a controller says of itself to people: who leads, whether writes succeed, what is wrong.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use wattle_planner::HostStatus;
use wattle_types::time::Millis;
use wattle_types::{AlarmReport, CanaryReport, ControllerReport, Epoch, HostCounts, stored};

use crate::alarm::Alarm;
use crate::brain::Brain;
use crate::effect::Effect;

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
    pub fn report(&self, now: Millis) -> ControllerReport {
        let lease = self.mirror.lease.as_ref().and_then(|at| at.value.as_ref());
        let identity = self.lease.identity();
        let mut alarms: Vec<AlarmReport> = self
            .alarms(now)
            .map(|(alarm, for_ms)| AlarmReport { message: alarm.to_string(), for_ms })
            .collect();
        alarms.sort_by_key(|alarm| Reverse(alarm.for_ms));
        ControllerReport {
            v: stored::VERSION,
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
            alarms,
        }
    }

    /// What is wrong at `now`, and for how many milliseconds.
    pub fn alarms(&self, now: Millis) -> impl Iterator<Item = (&Alarm, u64)> {
        self.standing.since(now).filter(move |(alarm, _)| self.holds(now, alarm))
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
