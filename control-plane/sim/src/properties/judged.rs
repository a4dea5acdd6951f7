//! What one process says or does about another, against how that really is.

use wattle_agent::RunId;
use wattle_brain::Alarm;
use wattle_types::{ActorId, SpecHash};

use super::Property;
use super::lost::alarm_of_loss;
use crate::hosts::{Daemon, Host, Phase};
use crate::network::Who;
use crate::world::World;

/// A host that has been well for so long was heard: of its beats, and of the answers to whoever
/// asked it, one at least has come through.
const WELL_MS: u64 = 15_000;
/// The shortest pause before what failed to start is tried again, as the agent promises it.
const AGAIN_MS: u64 = 1_000;

impl World {
    /// A controller says that something is wrong.
    pub(crate) fn alarmed(&mut self, alarm: &Alarm) {
        if let Alarm::HostLost { host } = alarm
            && let Some(index) = self.host_index(host)
            && self.is_well(&self.hosts[index])
            && !self.is_forged()
        {
            let message = format!("host {index} is well, and a controller says: {alarm}");
            self.law.breaks(Property::NoFalseAlarm, self.now, message);
        }
        if let Alarm::HostLost { host } = alarm
            && self.storm
            && self.law.only_hangs
            && let Some(index) = self.host_index(host)
            && self.hosts[index].running.is_some()
        {
            let message = format!("host {index} is given up, and only NATS servers hang");
            self.law.breaks(Property::Undisturbed, self.now, message);
        }
        if alarm_of_loss(alarm) {
            self.operator.restored = 0;
        }
        self.law.alarmed(self.now, alarm);
    }

    pub(super) fn is_well(&self, host: &Host) -> bool {
        let awake = |daemon: &Daemon| daemon.paused_until.max(daemon.booted_at);
        let since = host.running.as_ref().map(awake);
        let healed = self.network.healed_at(Who::Host(host.index));
        let well_since = since.zip(healed).map(|(since, healed)| since.max(healed));
        well_since.is_some_and(|since| since + WELL_MS <= self.now)
    }
}

impl Daemon {
    /// What the host would lose if this run ended now: it serves what the host should go on
    /// serving, and nothing serves in its place.
    pub(crate) fn ends_early(&self, run: RunId) -> Option<ActorId> {
        let ending = self.runs.get(&run).filter(|run| run.phase == Phase::Serving)?;
        let entries = self.followed.iter().flat_map(|followed| &followed.entries);
        let entry = entries.into_iter().find(|entry| entry.id == ending.id)?;
        let mut runs = self.runs.iter().filter(|(other, _)| **other != run).map(|(_, run)| run);
        let replaced = runs.any(|other| {
            let is_meant = other.hash == entry.spec || (ending.by_hand && other.by_hand);
            (&other.id, other.phase) == (&entry.id, Phase::Serving) && is_meant
        });
        (!replaced).then(|| entry.id.clone())
    }

    /// Whether this failed to start so lately that it must not be tried again.
    pub(crate) fn is_hasty(&self, now: u64, id: &ActorId, hash: SpecHash) -> bool {
        let failed = self.failed.get(&(id.clone(), hash));
        failed.is_some_and(|failed| self.clock_at(now) < *failed + AGAIN_MS)
    }
}
