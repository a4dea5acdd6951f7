//! How a host leaves: it says so, then it takes nothing, then what is in flight ends.

use wattle_types::Millis;

use super::Agent;
use crate::effect::Effect;

/// Between saying that a host leaves and refusing what still comes: callers that have heard it by
/// then choose another host, and lose nothing.
pub(super) const LAME_DUCK_MS: u64 = 250;

#[derive(Debug, PartialEq)]
pub(super) enum Leaving {
    /// Said so; still takes what comes.
    LameDuck {
        until: Millis,
    },
    /// Takes nothing new; ends then at the latest.
    Finishing {
        until: Millis,
    },
    Left,
}

impl Leaving {
    pub(super) const fn due(&self) -> Option<Millis> {
        match self {
            Self::LameDuck { until } | Self::Finishing { until } => Some(*until),
            Self::Left => None,
        }
    }
}

impl Agent {
    pub(super) fn on_drain(&mut self, now: Millis) {
        if self.leaving.is_none() {
            // Nobody is sent to a host that serves nothing.
            let wait_ms = if self.runs.actors().is_empty() { 0 } else { LAME_DUCK_MS };
            self.leaving = Some(Leaving::LameDuck { until: now + wait_ms });
            self.looking = None;
            self.inventory_revision += 1;
            self.runs.touch_all();
        }
    }

    /// First nobody is sent here, then nothing is taken, then what is in flight ends.
    pub(super) fn leave(&mut self, now: Millis, out: &mut Vec<Effect>) {
        match self.leaving {
            Some(Leaving::LameDuck { until }) if until <= now => {
                self.runs.stop_all(out);
                let until = now + self.config.grace_ms + LAME_DUCK_MS;
                self.leaving = Some(Leaving::Finishing { until });
            }
            _ => {}
        }
        if let Some(Leaving::Finishing { until }) = self.leaving
            && (until <= now || self.runs.actors().is_empty())
        {
            self.leaving = Some(Leaving::Left);
        }
    }
}
