//! Requests of clients between controllers: one that does not lead hands them to the one that
//! does, and passes its answer back.

use std::collections::BTreeMap;

use wattle_brain::apps::{Answer, Command};
use wattle_brain::{Event, Forwarded, RequestId, Seen, Server, Stamp, Terms};
use wattle_types::Token;

use crate::faults::happens;
use crate::network::{Process, Way, Who};
use crate::world::{Due, World};

#[derive(Debug, Default)]
pub(crate) struct Forwards {
    /// By the number that the leader knows: who handed it on, and what they call it.
    handed: BTreeMap<RequestId, (Process, u64, RequestId)>,
    /// What leaders answered.
    brought: BTreeMap<RequestId, (Answer, Seen)>,
}

impl World {
    /// Who answers when a controller asks who serves. Every controller that does is one of the
    /// group, and there is nobody else.
    pub(super) fn ask_who_serves(&mut self, process: Process) {
        let serves = |index: &usize| {
            let run = self.controllers[*index].running.as_ref();
            let gone = self.network.is_known_cut(Who::Controller(*index), self.now);
            !gone && run.is_some_and(|run| run.serves)
        };
        let group: Vec<usize> = (0..self.controllers.len()).filter(serves).collect();
        let who = if self.network.is_cut(process.who) {
            Server::NotAsked
        } else if group.is_empty() {
            Server::Nobody
        } else {
            let index = group[self.rng.usize(..group.len())];
            let hangs = self.network.is_cut(Who::Controller(index));
            if hangs { Server::Silent } else { Server::Ours }
        };
        let within = if who == Server::Silent { 1_000..1_001 } else { 1..20 };
        self.later(within, Due::Brain(process, Event::ServedBy { who }));
    }

    pub(super) fn forward(
        &mut self,
        process: Process,
        original: RequestId,
        (to, boot): (&Token, u64),
        within_ms: u64,
    ) {
        let Some((command, at_least)) = self.operator.asked(original) else { return };
        let end = |outcome| Event::Forwarded { request: original, outcome };
        let ask = self.number();
        self.begin_ask(process, ask);
        let late = Due::BrainAnswer(process, ask, end(Forwarded::Silent));
        self.agenda.plan(self.now + within_ms, late);
        let lost = happens(&mut self.rng, self.network.hazards.drop);
        if lost || self.network.is_cut(process.who) {
            return;
        }
        let named = |index: &usize| to.as_str() == format!("c{index}");
        let index = (0..self.controllers.len()).find(named);
        let ms = self.network.delay(&mut self.rng);
        let listens = |index: &usize| {
            let gone = self.network.is_known_cut(Who::Controller(*index), self.now);
            !gone && self.controllers[*index].running.is_some()
        };
        let Some(index) = index.filter(listens) else {
            let nobody = Due::BrainAnswer(process, ask, end(Forwarded::Nobody));
            return self.agenda.plan(self.now + ms, nobody);
        };
        // A later process of that name is not whom it is for, and one that is cut off hears nothing.
        if self.network.is_cut(Who::Controller(index))
            || self.controllers[index].run(boot).is_none()
        {
            return;
        }
        let request = self.operator.number();
        self.forwards.handed.insert(request, (process, ask, original));
        let at =
            Stamp { unix_ms: 1_700_000_000_000 + self.now, random: self.rng.u128(..), by: None };
        let terms = Terms { at_least, is_forwarded: true, ..Terms::default() };
        let event = Event::Requested { request, command, terms, at };
        let leader = Process { who: Who::Controller(index), life: boot };
        self.agenda.plan(self.now + ms, Due::Brain(leader, event));
    }

    /// A controller answers a client, or another controller.
    pub(super) fn reply(&mut self, request: RequestId, answer: Answer, seen: Seen) {
        let Some((from, ask, original)) = self.forwards.handed.remove(&request) else {
            return self.told(request, &answer, seen);
        };
        if let Way::After(ms) = self.network.way_back(&mut self.rng, from.who) {
            self.forwards.brought.insert(original, (answer, seen));
            let event = Event::Forwarded { request: original, outcome: Forwarded::Answered };
            self.agenda.plan(self.now + ms, Due::BrainAnswer(from, ask, event));
        }
    }

    pub(super) fn pass_on(&mut self, request: RequestId) {
        if let Some((answer, seen)) = self.forwards.brought.remove(&request) {
            self.told(request, &answer, seen);
        }
    }

    /// A client has an answer.
    fn told(&mut self, request: RequestId, answer: &Answer, seen: Seen) {
        if let Some((command, at_least)) = self.operator.answered(request, answer, seen) {
            self.law.answered(self.now, &command, answer);
            if let Command::Forget { host, yes } = &command {
                self.told_of_removal(host, *yes, answer);
            }
            self.law.read(self.now, &command, answer, at_least, seen.sequence);
            if matches!(answer, Answer::Deployed { .. } | Answer::Put { .. }) {
                self.look_at_once();
            }
        }
    }
}
