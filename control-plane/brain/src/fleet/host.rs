//! One host, as its beats and the answers of probes show it.

use wattle_planner::HostStatus;
use wattle_types::time::Millis;
use wattle_types::{Beat, Inventory};

use crate::event::ProbeReply;

/// After becoming suspect: together with 2.4 periods of half a second, five seconds of silence.
pub(super) const LOST_AFTER_MS: u64 = 3_800;
const PROBE_MS: u64 = 250;
/// Two "nobody listens" so far apart are no reconnect of a moment.
const GONE_MS: u64 = 500;
/// The result of a probe that the driver forgot.
const PROBE_LOST_MS: u64 = 1_000;
const INVENTORY_AGAIN_MS: u64 = 1_000;
/// A period outside is a mistake: faster is a flood, slower is as good as silent.
const PERIOD_MS: std::ops::RangeInclusive<u64> = 100..=60_000;
const PERIOD_UNHEARD_MS: u64 = 500;
/// A late beat of an earlier boot is the network's doing; so many turns are a second process.
const CLONE_TURNS: u32 = 3;
const CLONE_FORGOTTEN_MS: u64 = 30_000;
/// So many beats of the other boot and none of the current: the current one was the late one.
const RIVAL_BEATS: u32 = 3;

#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) beat: Option<Beat>,
    pub(crate) inventory: Option<Box<Inventory>>,
    pub(crate) phase: Phase,
    /// It has an assignment.
    pub(super) expected: bool,
    heard_at: Millis,
    /// The last sign of life, or since when this process could have heard one. Who leads does not
    /// matter, as it does to `heard_at`.
    silent_since: Millis,
    /// When its inventory was asked for last.
    pub(super) asked_at: Option<Millis>,
    /// Another process under this id that beat before the current one.
    rival: Option<Rival>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Alive,
    Suspect {
        probed_at: Millis,
        waiting: bool,
        /// The first "nobody listens".
        gone_since: Option<Millis>,
        gone: bool,
    },
    Lost,
}

#[derive(Debug)]
struct Rival {
    boot: u64,
    /// Of its last beat.
    seq: u64,
    /// Its beats since the last one of the current boot.
    beats: u32,
    /// How often one beat after the other.
    turns: u32,
    heard_at: Millis,
}

pub(super) struct Heard {
    pub(super) changed: bool,
    /// It became clear just now that two processes beat.
    pub(super) cloned: bool,
}

#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    Nothing,
    Probe,
    Suspected,
    /// Would be lost, if the silence is its own.
    Condemned,
}

impl Host {
    pub(super) fn unheard(now: Millis) -> Self {
        Self {
            beat: None,
            inventory: None,
            phase: Phase::Alive,
            expected: false,
            heard_at: now,
            silent_since: now,
            asked_at: None,
            rival: None,
        }
    }

    pub(super) fn heard(&mut self, now: Millis, beat: Beat) -> Heard {
        if let Some(rival) = &mut self.rival
            && rival.boot == beat.boot
        {
            if beat.seq <= rival.seq {
                return Heard { changed: false, cloned: false };
            }
            (rival.seq, rival.heard_at) = (beat.seq, now);
            rival.beats += 1;
            if rival.beats < RIVAL_BEATS {
                return Heard { changed: false, cloned: false };
            }
            let turns = rival.turns;
            self.succeed(now, beat, turns);
            return Heard { changed: true, cloned: false };
        }
        let mut changed = self.lives(now);
        let mut cloned = false;
        match &self.beat {
            Some(last) if last.boot == beat.boot => {
                if beat.seq <= last.seq {
                    // Overtaken on the way: a sign of life, but old news.
                    return Heard { changed, cloned };
                }
                changed |= last.draining != beat.draining || last.applied != beat.applied;
                changed |= last.epoch_max != beat.epoch_max;
                if let Some(rival) = self.rival.as_mut().filter(|rival| 0 < rival.beats) {
                    rival.beats = 0;
                    rival.turns += 1;
                    cloned = rival.turns == CLONE_TURNS;
                }
                self.beat = Some(beat);
            }
            _ => {
                self.succeed(now, beat, 0);
                changed = true;
            }
        }
        Heard { changed: changed | cloned, cloned }
    }

    /// The process that sent `beat` is the current one from now on.
    fn succeed(&mut self, now: Millis, beat: Beat, turns: u32) {
        self.lives(now);
        self.asked_at = None;
        self.rival = self.beat.as_ref().map(|last| {
            let (boot, seq) = (last.boot, last.seq);
            Rival { boot, seq, beats: 0, turns, heard_at: now }
        });
        self.beat = Some(beat);
    }

    /// Something came of it.
    fn lives(&mut self, now: Millis) -> bool {
        self.silent_since = now;
        self.alive(now)
    }

    fn alive(&mut self, now: Millis) -> bool {
        self.heard_at = now;
        std::mem::replace(&mut self.phase, Phase::Alive) != Phase::Alive
    }

    pub(super) fn probed(&mut self, now: Millis, reply: ProbeReply) -> bool {
        match (reply, &mut self.phase) {
            // A lost host returns by beating: an answer to an old probe may be as old.
            (ProbeReply::Answered, Phase::Suspect { .. }) => return self.lives(now),
            (ProbeReply::NoResponders, Phase::Suspect { waiting, gone_since, gone, .. }) => {
                *waiting = false;
                let since = *gone_since.get_or_insert(now);
                *gone |= GONE_MS <= now.since(since);
            }
            (ProbeReply::TimedOut, Phase::Suspect { waiting, .. }) => *waiting = false,
            (_, Phase::Alive | Phase::Lost) => {}
        }
        false
    }

    pub(super) fn inventoried(&mut self, inventory: Option<Box<Inventory>>) -> bool {
        let Some(inventory) = inventory else { return false };
        let older = self.inventory.as_ref().is_some_and(|known| {
            known.boot == inventory.boot && inventory.revision <= known.revision
        });
        let other_boot = self.beat.as_ref().is_some_and(|beat| beat.boot != inventory.boot);
        if older || other_boot {
            return false;
        }
        self.inventory = Some(inventory);
        true
    }

    pub(super) fn begin_anew(&mut self, now: Millis) -> bool {
        self.asked_at = None;
        // Whoever was lost was lost to a judge who heard; it returns by beating.
        self.phase != Phase::Lost && self.alive(now)
    }

    /// What it may have said before was not heard.
    pub(super) fn was_not_heard(&mut self, now: Millis) {
        self.silent_since = now;
    }

    /// The last sign of life this process knows of. One that cannot have heard an earlier one
    /// counts from when it could.
    pub(crate) const fn silent_since(&self) -> Millis {
        self.silent_since
    }

    /// The last it said was that it leaves: nobody waits for it. That the server says nobody listens
    /// there is no such word, for it says so of a host whose link broke.
    pub(crate) fn has_left(&self) -> bool {
        self.phase == Phase::Lost && self.beat.as_ref().is_some_and(|beat| beat.draining)
    }

    fn period_ms(&self) -> u64 {
        let period = self.beat.as_ref().map_or(PERIOD_UNHEARD_MS, |beat| u64::from(beat.period_ms));
        period.clamp(*PERIOD_MS.start(), *PERIOD_MS.end())
    }

    /// Silence beyond what makes a suspect.
    pub(super) fn is_silent_for(&self, now: Millis, ms: u64) -> bool {
        self.period_ms() * 12 / 5 + ms <= now.since(self.heard_at)
    }

    pub(super) fn look(&mut self, now: Millis) -> Verdict {
        let silent = self.is_silent_for(now, 0);
        let silent_long = self.is_silent_for(now, LOST_AFTER_MS);
        match &mut self.phase {
            Phase::Lost => Verdict::Nothing,
            Phase::Alive if silent => {
                self.phase =
                    Phase::Suspect { probed_at: now, waiting: true, gone_since: None, gone: false };
                Verdict::Suspected
            }
            Phase::Alive => Verdict::Nothing,
            Phase::Suspect { gone, .. } if *gone || silent_long => Verdict::Condemned,
            Phase::Suspect { probed_at, waiting, .. } => {
                let since = now.since(*probed_at);
                if since < PROBE_MS || (*waiting && since < PROBE_LOST_MS) {
                    return Verdict::Nothing;
                }
                (*probed_at, *waiting) = (now, true);
                Verdict::Probe
            }
        }
    }

    pub(super) fn lose(&mut self) {
        self.phase = Phase::Lost;
    }

    /// Whether it beats and its inventory is not the one it speaks of.
    pub(super) fn lacks_inventory(&self) -> bool {
        let Some(beat) = &self.beat else { return false };
        let current =
            |known: &Inventory| known.boot == beat.boot && beat.inventory <= known.revision;
        self.phase == Phase::Alive && !self.inventory.as_deref().is_some_and(current)
    }

    pub(super) fn wants_inventory(&self, now: Millis) -> bool {
        let due = self.asked_at.is_none_or(|asked| INVENTORY_AGAIN_MS <= now.since(asked));
        due && self.lacks_inventory()
    }

    /// More than a beat, and not given up: what anybody can make up does not count.
    pub(super) fn has_lived(&self) -> bool {
        let known = self.expected || self.inventory.is_some();
        self.beat.is_some() && known && self.phase != Phase::Lost
    }

    pub(super) fn is_unheard_of(&self, now: Millis) -> bool {
        self.period_ms() * 3 <= now.since(self.heard_at)
    }

    /// The server said twice that nobody listens there.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self.phase, Phase::Suspect { gone: true, .. })
    }

    pub(crate) fn is_cloned(&self, now: Millis) -> bool {
        self.rival.as_ref().is_some_and(|rival| {
            CLONE_TURNS <= rival.turns && now.since(rival.heard_at) < CLONE_FORGOTTEN_MS
        })
    }

    pub(crate) fn status(&self, now: Millis) -> HostStatus {
        let Some(beat) = &self.beat else {
            let lost = self.phase == Phase::Lost;
            return if lost { HostStatus::Lost } else { HostStatus::Suspect };
        };
        // What it says of itself is of an earlier process, or of two.
        let unsure = self.is_cloned(now)
            || self.inventory.as_ref().is_none_or(|known| known.boot != beat.boot);
        match self.phase {
            Phase::Lost => HostStatus::Lost,
            _ if beat.draining => HostStatus::Draining,
            Phase::Suspect { .. } => HostStatus::Suspect,
            Phase::Alive if unsure => HostStatus::Suspect,
            Phase::Alive => HostStatus::Ready,
        }
    }

    /// The friendly name; none while nothing is known.
    pub(crate) fn name(&self) -> Option<&str> {
        let name = self.inventory.as_ref().map(|inventory| inventory.name.as_str());
        name.filter(|name| !name.is_empty())
    }
}
