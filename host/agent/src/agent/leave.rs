//! How a host leaves: it says so, others take over what it serves, then it takes nothing, then what
//! is in flight ends.
//!
//! *Expected flow.* The planner hears that the host leaves, and keeps an entry in its assignment
//! until the new places are ready. Until then the host serves it like before; what its assignment
//! does not name any more it ends. *Guarantees.* Nothing is started any more, nor again. The wait
//! is for entries of applications that serve here, only while somebody leads who could take them
//! away, and never longer than half the grace. Nothing else of an assignment is followed, nor is it
//! kept: whoever starts this host again, maybe without a lattice, finds it as it was. *Caveats.* Who
//! is not led, and what was started by hand, waits for nobody.

use std::collections::BTreeSet;

use wattle_types::{ActorId, Entry, Millis, Owner};

use super::Agent;
use crate::effect::Effect;

/// Between saying that a host takes nothing and refusing what still comes: callers that have heard
/// it by then choose another host, and lose nothing.
pub(super) const LAME_DUCK_MS: u64 = 250;
/// A leader says once a second that it leads. Whoever was not heard for three of these takes
/// nothing over; a successor needs as long to know that it is one.
pub(super) const LED_MS: u64 = 3_000;

#[derive(Debug, PartialEq)]
pub(super) enum Leaving {
    /// Said so, and serves until its assignment takes away what it serves.
    HandingOver {
        until: Millis,
        end: Millis,
    },
    /// Says that it takes nothing; still takes what comes.
    LameDuck {
        until: Millis,
        end: Millis,
    },
    /// Takes nothing new; ends then at the latest.
    Finishing {
        end: Millis,
    },
    Left,
}

impl Leaving {
    const fn due(&self) -> Option<Millis> {
        match self {
            Self::HandingOver { until, .. } | Self::LameDuck { until, .. } => Some(*until),
            Self::Finishing { end } => Some(*end),
            Self::Left => None,
        }
    }
}

impl Agent {
    /// When a host that leaves goes a step further though nothing happened.
    pub(super) fn leave_due(&self) -> Option<Millis> {
        let leaving = self.leaving.as_ref()?;
        let unled = self.leader_heard.map(|heard| heard + LED_MS);
        let unled = unled.filter(|_| matches!(leaving, Leaving::HandingOver { .. }));
        unled.into_iter().chain(leaving.due()).min()
    }

    /// Whether what the lattice says is listened to: a host that only finishes does not any more.
    pub(super) const fn listens(&self) -> bool {
        matches!(self.leaving, None | Some(Leaving::HandingOver { .. }))
    }

    pub(super) fn on_drain(&mut self, now: Millis, out: &mut Vec<Effect>) {
        if self.leaving.is_none() {
            self.deny_all(out);
            self.runs.start_nothing();
            let (until, end) =
                (now + self.config.grace_ms / 2, now + self.config.grace_ms + 2 * LAME_DUCK_MS);
            self.leaving = Some(Leaving::HandingOver { until, end });
            self.inventory_revision += 1;
        }
    }

    /// First others take over, then nobody is sent here, then nothing is taken, then what is in
    /// flight ends.
    pub(super) fn leave(&mut self, now: Millis, out: &mut Vec<Effect>) {
        if let Some(Leaving::HandingOver { until, end }) = self.leaving
            && (until <= now || !self.is_led(now) || !self.serves_applications())
        {
            // Nobody is sent to a host that serves nothing.
            let wait_ms = if self.runs.serving().next().is_none() { 0 } else { LAME_DUCK_MS };
            self.leaving = Some(Leaving::LameDuck { until: now + wait_ms, end });
            self.looking = None;
            self.runs.touch_all();
        }
        if let Some(Leaving::LameDuck { until, end }) = self.leaving
            && until <= now
        {
            self.runs.stop_all(out);
            self.leaving = Some(Leaving::Finishing { end });
        }
        if let Some(Leaving::Finishing { end }) = self.leaving
            && (end <= now || self.runs.actors().is_empty())
        {
            self.leaving = Some(Leaving::Left);
        }
    }

    /// Ends what is not named any more: it serves elsewhere, or nobody wants it.
    pub(super) fn hand_over(&mut self, entries: &[Entry], now: Millis, out: &mut Vec<Effect>) {
        let named: BTreeSet<&ActorId> = entries.iter().map(|entry| &entry.id).collect();
        let goes = |id: &&ActorId| !named.contains(id) && !self.manual.has(id);
        let gone: Vec<ActorId> = self.runs.targeted().iter().filter(goes).cloned().collect();
        for id in &gone {
            self.runs.set(id, None, now, out);
        }
    }

    fn serves_applications(&self) -> bool {
        let mut targets = self.runs.serving().flatten();
        targets.any(|target| matches!(target.owner, Owner::App(_)))
    }

    fn is_led(&self, now: Millis) -> bool {
        self.leader_heard.is_some_and(|heard| now.since(heard) < LED_MS)
    }
}
