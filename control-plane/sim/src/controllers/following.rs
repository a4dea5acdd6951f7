//! What comes to a controller from the store: answers to its requests, and everything stored.

use wattle_brain::{Content, Event, LeaseReading, Wrote};
use wattle_trust::signed::{self, Context};
use wattle_types::Key;

use super::{Request, Seen, Wanted};
use crate::faults::{Fault, happens};
use crate::network::{Process, Way, Who};
use crate::store::{Ask, Mood, Outcome, Write};
use crate::world::{Due, World};

/// Messages a follower is sent at once.
const FOLLOWED_MAX: usize = 12;

impl World {
    /// A request has come to the store.
    pub(crate) fn at_store(&mut self, request: Request) {
        let leader_needed = !matches!(request.what, Wanted::Value { .. } | Wanted::Links { .. });
        if leader_needed && !self.store.has_leader(self.now) && happens(&mut self.rng, 200) {
            // It waits for the new leader.
            let until = self.store.leaderless_until();
            return self.agenda.plan(until, Due::AtStore(Box::new(request)));
        }
        let Request { from, ask, deadline, what } = request;
        let answer = match what {
            Wanted::Lease { op } => {
                let outcome = self.put_to_store(&Ask::ReadLeader(Key::Lease));
                lease_reading(outcome)
                    .map(|reading| Due::of_brain(Event::LeaseRead { op, reading })(from, ask))
            }
            Wanted::Commit { op, writes, seen } => {
                let wrote = self.store_batch(from, writes, seen);
                wrote.map(|wrote| Due::of_brain(Event::Committed { op, wrote })(from, ask))
            }
            Wanted::Write { op, write } => {
                let wrote = self.store_one(write);
                wrote.map(|wrote| Due::of_brain(Event::Written { op, wrote })(from, ask))
            }
            Wanted::Make => {
                self.make_stream();
                None
            }
            Wanted::Value { key } => self.read_for_host(from, ask, key),
            Wanted::Links { source } => self.read_links_for_host(from, ask, source),
            Wanted::Owner { id } => self.read_owner_for_host(from, ask, id),
            Wanted::Own { id, write } => self.write_owner_for_host(from, ask, id, write),
        };
        let Some(answer) = answer else { return };
        if let Way::After(ms) = self.network.way_back(&mut self.rng, from.who)
            && self.now + ms < deadline
        {
            self.agenda.plan(self.now + ms, answer);
        }
    }

    /// None: no answer comes.
    fn store_batch(&mut self, from: Process, writes: Vec<Write>, seen: Seen) -> Option<Wrote> {
        let before = self.store.last_seq();
        let is_deposed = self.law.is_deposed(from.life, &writes);
        let count = writes.len();
        let outcome = self.put_to_store(&Ask::Batch(writes));
        if before < self.store.last_seq() {
            self.law.writer = self.knowledge(from, seen);
            self.law.accepted(self.now, from.life, self.store.since(before), &self.hosts);
            self.pump_all();
        } else if is_deposed && outcome == Outcome::Conflict {
            self.law.refused_deposed(count);
        }
        wrote(&outcome)
    }

    /// The canary of a controller, which nothing depends on.
    fn store_one(&mut self, write: Write) -> Option<Wrote> {
        let before = self.store.last_seq();
        let outcome = self.put_to_store(&Ask::Put(write));
        if before < self.store.last_seq() {
            self.pump_all();
        }
        wrote(&outcome)
    }

    /// Asks the store in whatever mood it is.
    pub(crate) fn put_to_store(&mut self, ask: &Ask) -> Outcome {
        let hazards = &self.network.hazards;
        let mood = if !self.store.has_leader(self.now) {
            Mood::Leaderless
        } else if happens(&mut self.rng, hazards.mute) {
            Mood::Mute { done: self.rng.bool() }
        } else if happens(&mut self.rng, hazards.busy) {
            Mood::Busy
        } else if happens(&mut self.rng, hazards.stale) {
            Mood::Behind(self.rng.u64(1..40))
        } else {
            Mood::Fine
        };
        self.store.ask(ask, mood)
    }

    pub(crate) fn pump_all(&mut self) {
        for index in 0..self.controllers.len() {
            if let Some(process) = self.controller_process(index) {
                let ms = self.network.delay(&mut self.rng);
                self.agenda.plan(self.now + ms, Due::Pump(process));
            }
        }
    }

    pub(crate) fn pump(&mut self, process: Process) {
        for _ in 0..FOLLOWED_MAX {
            if self.network.is_cut(process.who) {
                return;
            }
            let now = self.now;
            let losses = self.store.losses();
            let Some((_, run)) = self.controller_run(process) else { return };
            if now < run.stalls_until {
                let until = run.stalls_until;
                return self.agenda.plan(until, Due::Pump(process));
            }
            if run.losses != losses {
                // What it followed is gone with the server that it followed it from.
                return self.reset_follower(process);
            }
            if self.store.is_deleted() {
                return;
            }
            let Some((_, run)) = self.controller_run(process) else { return };
            let (position, complete) = (run.position, run.complete);
            let next = self.store.next_after(position).cloned();
            let Some((_, run)) = self.controller_run(process) else { return };
            let event = match next {
                Some(message) => {
                    run.position = message.seq;
                    let content = self.content(&message.key, message.value);
                    Event::Followed { key: message.key, seq: message.seq, content }
                }
                None if complete => return,
                None => {
                    run.complete = true;
                    Event::FollowedAll { seq: position }
                }
            };
            self.tell_brain(process, event);
        }
        self.later(1..50, Due::Pump(process));
    }

    /// As the driver hands it on: what is signed only if it is signed by one of us.
    fn content(&self, key: &Key, value: Option<Vec<u8>>) -> Content {
        match (key, value) {
            (_, None) => Content::Gone,
            (Key::Assign(_), Some(sealed)) => self.opened(Context::Assignment, sealed),
            (Key::App(_), Some(sealed)) => self.opened(Context::Head, sealed),
            (_, Some(bytes)) => Content::Value(bytes),
        }
    }

    fn opened(&self, context: Context, sealed: Vec<u8>) -> Content {
        let Ok(signed) = signed::open(&sealed) else { return Content::Unsigned(sealed) };
        let body = signed.verify(context, &self.trusted).map(<[u8]>::to_vec);
        body.map_or(Content::Unreadable, Content::Value)
    }

    /// The follower must begin anew.
    pub(crate) fn reset_follower(&mut self, process: Process) {
        let losses = self.store.losses();
        let Some((_, run)) = self.controller_run(process) else { return };
        (run.position, run.complete, run.losses) = (0, false, losses);
        self.tell_brain(process, Event::FollowReset);
        self.later(1..3_000, Due::Pump(process));
    }

    pub(crate) fn is_forged(&self) -> bool {
        self.fault == Some(Fault::ForgedBeats)
    }

    /// Which controllers answer clients now.
    pub(crate) fn serving(&self) -> Vec<usize> {
        let serves = |index: &usize| {
            let run = self.controllers[*index].running.as_ref();
            !self.network.is_cut(Who::Controller(*index)) && run.is_some_and(|run| run.serves)
        };
        (0..self.controllers.len()).filter(serves).collect()
    }
}

/// None: no answer comes.
fn wrote(outcome: &Outcome) -> Option<Wrote> {
    match outcome {
        Outcome::Stored { last_seq } => Some(Wrote::Ok { last_seq: *last_seq }),
        Outcome::Conflict => Some(Wrote::Conflict),
        Outcome::InFlight => Some(Wrote::InFlight),
        Outcome::TooMany => Some(Wrote::TooLarge),
        Outcome::Nobody => Some(Wrote::Nobody),
        _ => None,
    }
}

fn lease_reading(outcome: Outcome) -> Option<LeaseReading> {
    match outcome {
        Outcome::Found { seq, value } => Some(LeaseReading::Found { seq, bytes: value }),
        // A deleted lease still has a sequence, which whoever takes it must expect.
        Outcome::Marker { seq } => Some(LeaseReading::Found { seq, bytes: Vec::new() }),
        Outcome::Nothing => Some(LeaseReading::Absent),
        Outcome::Nobody => Some(LeaseReading::NoStream),
        _ => None,
    }
}
