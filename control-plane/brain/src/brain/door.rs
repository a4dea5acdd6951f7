//! Whether this controller answers the application API. Every controller does that knows the whole
//! store, whether it leads or not; all of ours share what is asked, in one queue group.
//!
//! A wadm in the lattice is in the same group and would answer its share from a store of its own. So
//! it is asked first who answers, and again for as long as this controller does. A question goes to
//! one of the group, whoever that is: only many alike answers say that there is no other server.

use wattle_types::Millis;

use super::requests::REQUEST_WAIT_MS;
use super::{Brain, Stopping};
use crate::alarm::Alarm;
use crate::effect::Effect;
use crate::event::Server;

/// A question without any answer after so long was lost.
const LOST_MS: u64 = 2_000;
/// Between two questions while another server answers.
const TAKEN_AGAIN_MS: u64 = 2_000;
/// Between two questions that could not be asked.
const NOT_ASKED_AGAIN_MS: u64 = 500;
/// Between two looks for a server that came later.
const LOOK_AGAIN_MS: u64 = 30_000;
/// A look ends with answers of this weight and none of another server: one of two servers is met by
/// all but one of 256 looks.
const LOOK_WEIGHT: u32 = 8;
const OURS_WEIGHT: u32 = 1;
/// Who is silent three times hangs: it has its share of what is asked until NATS notices, and is
/// no reason to answer nobody.
const SILENT_WEIGHT: u32 = 3;

/// The door to the application API.
#[derive(Debug, Default)]
pub(super) struct Door {
    state: State,
    /// When the question was asked that has no answer yet.
    asked_at: Option<Millis>,
    /// The next one is not asked before.
    next_at: Millis,
    /// Of the answers of this look.
    weight: u32,
    /// Since when the store is not known as a whole, while the door is open.
    incomplete_since: Option<Millis>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    /// Another server answers.
    Taken,
    Open,
}

impl Door {
    fn ask(&mut self, now: Millis) -> Option<Effect> {
        let waits = self.asked_at.is_some_and(|at| now.since(at) < LOST_MS);
        if waits || now < self.next_at {
            return None;
        }
        self.asked_at = Some(now);
        Some(Effect::AskWhoServes)
    }

    /// Counts an answer that is not another server's. `true` when the look is over.
    fn look(&mut self, now: Millis, weight: u32) -> bool {
        self.weight += weight;
        if LOOK_WEIGHT <= self.weight {
            (self.weight, self.next_at) = (0, now + LOOK_AGAIN_MS);
            return true;
        }
        self.next_at = now;
        false
    }

    fn opened(&mut self, now: Millis) -> Effect {
        *self = Self { state: State::Open, next_at: now + LOOK_AGAIN_MS, ..Self::default() };
        Effect::Serve { yes: true }
    }
}

impl Brain {
    /// Opens, keeps or closes the door.
    pub(super) fn tend_door(&mut self, now: Millis, out: &mut Vec<Effect>) {
        let complete = self.mirror.is_complete();
        let since = &mut self.door.incomplete_since;
        *since = if complete { None } else { since.or(Some(now)) };
        // A follower that begins anew has everything in a moment; one that does not must not keep
        // its share of what is asked.
        let complete_soon = since.is_none_or(|since| now.since(since) < REQUEST_WAIT_MS);
        // Who is too old to lead may not understand what is stored.
        let may = self.stopping == Stopping::No && !self.lease.is_too_old();
        if !may || !complete_soon {
            self.close_door(out);
        } else if complete {
            out.extend(self.door.ask(now));
        }
    }

    /// The answer to a question who serves.
    pub(super) fn served_by(&mut self, now: Millis, who: Server, out: &mut Vec<Effect>) {
        let door = &mut self.door;
        if door.asked_at.take().is_none() {
            return;
        }
        match (door.state, who) {
            (_, Server::NotAsked) => door.next_at = now + NOT_ASKED_AGAIN_MS,
            (was, Server::Another) => {
                let next_at = now + TAKEN_AGAIN_MS;
                *door = Door { state: State::Taken, next_at, ..Door::default() };
                if was == State::Open {
                    out.push(Effect::Serve { yes: false });
                }
                if was != State::Taken {
                    out.push(Effect::Raise(Alarm::ApiTaken));
                }
            }
            // Not even this controller, if it should: then it is to listen again.
            (_, Server::Nobody) => out.push(door.opened(now)),
            (state, Server::Ours | Server::Silent) => {
                let weight = if who == Server::Ours { OURS_WEIGHT } else { SILENT_WEIGHT };
                if door.look(now, weight) && state != State::Open {
                    out.push(door.opened(now));
                }
            }
        }
    }

    pub(crate) fn is_api_taken(&self) -> bool {
        self.door.state == State::Taken
    }

    pub(super) fn close_door(&mut self, out: &mut Vec<Effect>) {
        if std::mem::take(&mut self.door).state == State::Open {
            out.push(Effect::Serve { yes: false });
        }
    }
}
