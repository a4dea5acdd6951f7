//! Whether this controller answers the application API. It asks first: a wadm in the lattice, or
//! another controller, would otherwise answer half of the requests.

use wattle_types::Millis;

use super::Brain;
use crate::effect::{Alarm, Effect};

/// Between two questions whether somebody else answers.
const ASK_AGAIN_MS: u64 = 2_000;

/// Whether the application API is answered here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    Closed,
    /// Waiting to hear whether somebody else answers, since then.
    Asking(Millis),
    /// Somebody does; ask again then.
    Taken(Millis),
    Open,
}

impl Brain {
    pub(super) fn open_door(&mut self, now: Millis, out: &mut Vec<Effect>) {
        let ask = match self.door {
            Door::Closed => true,
            Door::Asking(since) => ASK_AGAIN_MS <= now.since(since),
            Door::Taken(again) => again <= now,
            Door::Open => false,
        };
        if ask {
            // Keeps "taken" until it is known to be free, so that the alarm is raised once.
            self.door = match self.door {
                Door::Taken(_) => Door::Taken(now + ASK_AGAIN_MS),
                _ => Door::Asking(now),
            };
            out.push(Effect::AskWhoServes);
        }
    }

    pub(super) fn answer_door(&mut self, now: Millis, taken: bool, out: &mut Vec<Effect>) {
        match (self.door, taken) {
            (Door::Asking(_) | Door::Taken(_), false) if self.lease.is_valid(now) => {
                self.door = Door::Open;
                out.push(Effect::Serve { yes: true });
            }
            (Door::Asking(_), true) => {
                self.door = Door::Taken(now + ASK_AGAIN_MS);
                out.push(Effect::Raise(Alarm::ApiTaken));
            }
            _ => {}
        }
    }

    pub(crate) fn is_api_taken(&self) -> bool {
        matches!(self.door, Door::Taken(_))
    }

    pub(super) fn close_door(&mut self, out: &mut Vec<Effect>) {
        if std::mem::replace(&mut self.door, Door::Closed) == Door::Open {
            out.push(Effect::Serve { yes: false });
        }
    }
}
