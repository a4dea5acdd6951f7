//! Commands by hand, in the order in which they came for each id: who owns it is found out, what
//! they change goes to the disk, then it is done and answered.
//!
//! *Guarantees.* What was answered survives a restart, if it is not of a session. Of an id that an
//! application owns nothing is changed. *Caveats.* A host that cannot reach the lattice starts
//! what it held before, and nothing else.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use wattle_types::{ActorId, AppName, Key, Millis};

use super::Agent;
use crate::command::{Answer, Command, Denial, RequestId};
use crate::effect::Effect;
use crate::event::{OwnerReading, Reading};
use crate::manual::Decision;
use crate::ownership::Standing;

/// More than a manager sends at once; whoever waits longer asks again.
const WAITING_MAX: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Orders {
    of: BTreeMap<ActorId, VecDeque<(RequestId, Command)>>,
    waiting: usize,
    /// Whose first command waits until it is known who owns the id.
    claiming: BTreeSet<ActorId>,
    /// Whose first command waits for the disk only.
    ready: VecDeque<ActorId>,
    /// Whose first command is being written, and what is answered then.
    writing: Option<(ActorId, String)>,
}

impl Orders {
    /// Whether it is the first of its id.
    fn push(&mut self, request: RequestId, command: Command) -> bool {
        let of = self.of.entry(command.id().clone()).or_default();
        of.push_back((request, command));
        self.waiting += 1;
        of.len() == 1
    }

    fn first(&self, id: &ActorId) -> Option<&Command> {
        Some(&self.of.get(id)?.front()?.1)
    }

    fn pop(&mut self, id: &ActorId) -> Option<(RequestId, Command)> {
        let of = self.of.get_mut(id)?;
        let first = of.pop_front()?;
        if of.is_empty() {
            self.of.remove(id);
        }
        self.waiting -= 1;
        Some(first)
    }
}

impl Agent {
    pub(super) fn on_commanded(
        &mut self,
        request: RequestId,
        command: Command,
        out: &mut Vec<Effect>,
    ) {
        let waiting = self.orders.waiting;
        let denial = match () {
            () if self.leaving.is_some() => Some(Denial::Leaving),
            () if WAITING_MAX <= waiting => Some(Denial::Busy { waiting }),
            () => None,
        };
        let id = command.id().clone();
        match denial {
            Some(denial) => {
                out.push(Effect::Answer { request, answer: Answer::Denied(denial) });
            }
            None if self.orders.push(request, command) => self.begin(&id, out),
            None => {}
        }
    }

    /// Nothing is begun any more. What is being written is written.
    pub(super) fn deny_all(&mut self, out: &mut Vec<Effect>) {
        for id in std::mem::take(&mut self.orders.claiming) {
            // Nobody will be there to see what came of it.
            self.manual.note_released(&id);
        }
        self.orders.ready.clear();
        let writing = self.orders.writing.as_ref().map(|(id, _)| id.clone());
        let ids: Vec<ActorId> = self.orders.of.keys().cloned().collect();
        for id in ids {
            let kept = if writing.as_ref() == Some(&id) { self.orders.pop(&id) } else { None };
            while self.orders.first(&id).is_some() {
                self.deny(&id, Denial::Leaving, out);
            }
            if let Some((request, command)) = kept {
                self.orders.push(request, command);
            }
        }
    }

    /// Finds out whether the first command of an id may be carried out.
    fn begin(&mut self, id: &ActorId, out: &mut Vec<Effect>) {
        while let Some(command) = self.orders.first(id) {
            let starts = match command {
                Command::Start(start) if start.count != 0 => Some(start.life),
                _ => None,
            };
            if let Some(app) = self.owning_app(id) {
                self.deny(id, Denial::OfApplication { id: id.clone(), app }, out);
                continue;
            }
            match starts.filter(|_| !self.manual.has(id)) {
                Some(life) => {
                    self.orders.claiming.insert(id.clone());
                    self.ownership.claim(id, life, out);
                }
                None => self.orders.ready.push_back(id.clone()),
            }
            return;
        }
    }

    /// The application that is known to own an id: by its record, or by our assignment.
    fn owning_app(&self, id: &ActorId) -> Option<AppName> {
        if let Some(app) = self.manual.taken_by(id) {
            return Some(app.clone());
        }
        let entry = self.closures.entry(id).filter(|_| !self.manual.has(id))?;
        self.closures.app_of(entry).cloned()
    }

    pub(super) fn on_owner_read(
        &mut self,
        id: &ActorId,
        reading: OwnerReading,
        unix_s: u64,
        now: Millis,
        out: &mut Vec<Effect>,
    ) {
        let standing = self.ownership.read(id, &reading, unix_s, now, out);
        if let (Some(Standing::Taken(_)), OwnerReading::Record { bytes, seq }) =
            (&standing, reading)
        {
            // An assignment may wait for this.
            self.on_value(&Key::Id(id.clone()), Reading::Value { bytes, seq }, now, out);
        }
        self.on_standing(id, standing, now, out);
    }

    pub(super) fn on_owner_written(
        &mut self,
        id: &ActorId,
        stored: bool,
        now: Millis,
        out: &mut Vec<Effect>,
    ) {
        let standing = self.ownership.written(id, stored, out);
        self.on_standing(id, standing, now, out);
    }

    fn on_standing(
        &mut self,
        id: &ActorId,
        standing: Option<Standing>,
        now: Millis,
        out: &mut Vec<Effect>,
    ) {
        let Some(standing) = standing else { return };
        let (own, runs) = (id.clone(), self.manual.has(id));
        let verdict = match standing {
            Standing::Released => return self.manual.is_released(id),
            // It was this host's, and is until the record says otherwise.
            Standing::Held | Standing::OutOfReach { held: true, .. } => Ok(()),
            Standing::Taken(app) => {
                self.manual.is_released(id);
                self.manual.take_over(id, app.clone(), now);
                Err(Denial::OfApplication { id: own, app })
            }
            Standing::Unreadable => Err(Denial::Unreadable { id: own }),
            Standing::Contended => Err(Denial::Contended { id: own }),
            Standing::OutOfReach { .. } => Err(Denial::OutOfReach { id: own }),
        };
        let denied = verdict.is_err();
        if self.orders.claiming.remove(id) {
            match verdict {
                Ok(()) => self.orders.ready.push_back(id.clone()),
                Err(denial) => {
                    self.deny(id, denial, out);
                    self.begin(id, out);
                }
            }
        }
        let is_wanted = runs || self.orders.claiming.contains(id);
        if denied && !is_wanted && self.ownership.forgo(id, out) {
            self.manual.note_released(id);
        }
    }

    /// Writes what the next command changes, or what changed by itself.
    pub(super) fn write_manual(&mut self, now: Millis, out: &mut Vec<Effect>) {
        if self.closures.take_touched_by_hand() {
            self.manual.look_at(&self.closures.values_by_hand());
        }
        while self.manual.is_free(now) {
            let Some(id) = self.orders.ready.pop_front() else {
                if self.manual.is_touched() {
                    out.push(self.manual.write(None, self.closures.values_by_hand()));
                }
                return;
            };
            let Some(command) = self.orders.first(&id) else { continue };
            // An assignment may have come meanwhile.
            let denied = self.owning_app(&id);
            let denied = denied.map(|app| Denial::OfApplication { id: id.clone(), app });
            match denied.map_or_else(|| self.manual.decide(command), Decision::Denied) {
                Decision::Denied(denial) => self.deny(&id, denial, out),
                Decision::Outdated => {
                    let answer = Answer::Done { message: String::new() };
                    let first = self.orders.pop(&id);
                    out.extend(first.map(|(request, _)| Effect::Answer { request, answer }));
                }
                // Of what is not on disk as it is nothing may be said to be so.
                Decision::Same(_) if self.manual.is_touched() => {
                    self.orders.ready.push_front(id);
                    out.push(self.manual.write(None, self.closures.values_by_hand()));
                    return;
                }
                Decision::Same(message) => self.finish(&id, message, now, out),
                Decision::Change(change, message) => {
                    self.orders.writing = Some((id, message));
                    out.push(self.manual.write(Some(change), self.closures.values_by_hand()));
                    return;
                }
            }
            self.begin(&id, out);
        }
    }

    pub(super) fn on_manual_stored(&mut self, number: u64, now: Millis, out: &mut Vec<Effect>) {
        let Some(Some(change)) = self.manual.written(number) else { return };
        let Some((id, message)) = self.orders.writing.take() else { return };
        self.closures.set_by_hand(self.manual.specs());
        self.adopt();
        match &change.entry {
            None => self.ownership.release(&id, out),
            Some(entry) => self.ownership.keep(&id, entry.life),
        }
        self.finish(&id, message, now, out);
        self.begin(&id, out);
    }

    pub(super) fn on_manual_store_failed(
        &mut self,
        number: u64,
        reason: String,
        now: Millis,
        out: &mut Vec<Effect>,
    ) {
        let Some(Some(_)) = self.manual.failed(number, now) else { return };
        let Some((id, _)) = self.orders.writing.take() else { return };
        self.deny(&id, Denial::NotStored { reason }, out);
        self.begin(&id, out);
        let is_wanted = self.manual.has(&id) || self.orders.claiming.contains(&id);
        if !is_wanted && self.ownership.forgo(&id, out) {
            self.manual.note_released(&id);
        }
    }

    /// Does what the first command of an id says, which is on disk, and answers it.
    fn finish(&mut self, id: &ActorId, message: String, now: Millis, out: &mut Vec<Effect>) {
        let Some((request, command)) = self.orders.pop(id) else { return };
        if self.leaving.is_none() {
            self.carry_out(id, &command, now, out);
        }
        out.push(Effect::Answer { request, answer: Answer::Done { message } });
    }

    /// Answers the first command of an id; the next one becomes the first.
    fn deny(&mut self, id: &ActorId, denial: Denial, out: &mut Vec<Effect>) {
        if let Some((request, _)) = self.orders.pop(id) {
            out.push(Effect::Answer { request, answer: Answer::Denied(denial) });
        }
    }
}
