//! Silence of many at once: a broken network, not broken hosts.
//!
//! Measured: a NATS node that hangs silences its hosts for three seconds, and nothing is wrong
//! with them. Replacing a third of the fleet would be the outage.

use std::collections::BTreeMap;

use wattle_types::HostId;
use wattle_types::time::Millis;

use super::host::{Host, Phase};

/// Beyond becoming suspect; with the usual period, fifteen seconds of silence.
pub(super) const LOST_AFTER_MS: u64 = 13_800;
/// In the first minute one host is given up every five seconds,
const FIRST_MS: u64 = 60_000;
const FIRST_PACE_MS: u64 = 5_000;
/// then a tenth of the lattice per minute, and never less than before.
const SHARE_PER_MINUTE: usize = 10;

/// How many are silent, and on which servers.
#[derive(Debug, Default)]
pub(super) struct Census {
    /// Of those that were heard by this process.
    pub(super) silent: usize,
    pub(super) known: usize,
    /// Those that never were: a host that is gone for good keeps its assignment, so after a while
    /// there are many of them, and they say nothing about the network.
    absent: usize,
    by_server: BTreeMap<String, (usize, usize)>,
}

/// Counts those that are not given up.
pub(super) fn census(hosts: &BTreeMap<HostId, Host>) -> Census {
    let mut census = Census::default();
    for host in hosts.values().filter(|host| host.phase != Phase::Lost) {
        let silent = usize::from(matches!(host.phase, Phase::Suspect { .. }));
        let Some(beat) = &host.beat else {
            census.absent += silent;
            continue;
        };
        census.known += 1;
        census.silent += silent;
        if !beat.server.is_empty() {
            let of_server = census.by_server.entry(beat.server.clone()).or_default();
            of_server.0 += silent;
            of_server.1 += 1;
        }
    }
    census
}

impl Census {
    /// More than three that were never heard, and than a fifth of all: they are given up slowly.
    pub(super) fn is_absence(&self) -> bool {
        3.max((self.known + self.absent) / 5) < self.absent
    }

    /// More than three and than a fifth of all, or more than half of those on one NATS server;
    /// one alone is never many.
    pub(super) fn is_outage(&self) -> bool {
        let of_all = 3.max(self.known / 5) < self.silent;
        let mut servers = self.by_server.values();
        of_all || servers.any(|&(silent, known)| 1 < silent && known < 2 * silent)
    }
}

/// Lasts until nobody is silent any more.
#[derive(Debug, Default)]
pub(super) struct Outage {
    first_lost: Option<Millis>,
    last_lost: Option<Millis>,
}

impl Outage {
    /// Whether one more may be given up now; takes note of it.
    pub(super) fn may_lose_one(&mut self, now: Millis, known: usize) -> bool {
        let first = *self.first_lost.get_or_insert(now);
        let pace = if now.since(first) < FIRST_MS {
            FIRST_PACE_MS
        } else {
            let per_minute = u64::try_from(known / SHARE_PER_MINUTE).unwrap_or(u64::MAX);
            (60_000 / per_minute.max(1)).min(FIRST_PACE_MS)
        };
        let may = self.last_lost.is_none_or(|last| pace <= now.since(last));
        if may {
            self.last_lost = Some(now);
        }
        may
    }
}
