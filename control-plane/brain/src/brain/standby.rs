//! Requests that come to a controller that does not lead.
//!
//! *Expected flow.* What the store answers is answered here, once the store was followed as far as
//! the asker has seen it. Everything else, changes and how applications are, is handed on to the
//! leader, once, and its answer passed back. *Guarantees.* What was handed on is never handed on
//! again: whoever gets it leads, or says that it does not. *Caveats.* Who leads is known from
//! the lease as it was followed, so a leader that has just died is still asked. *Errors.* Without a
//! leader a change waits for one as long as its asker does; then nothing was changed, and the
//! answer says so. Where the leader does not answer, nobody knows whether it made the change.

use std::collections::VecDeque;

use wattle_types::{Millis, Token};

use super::Brain;
use super::requests::{REQUEST_WAIT_MS, REQUESTS_MAX, Request};
use crate::apps::{self, Answer, Decision, View};
use crate::effect::Effect;
use crate::event::{Forwarded, RequestId};

/// The leader answers what it can within [`REQUEST_WAIT_MS`]; its answer has a way to go.
const FORWARD_MS: u64 = REQUEST_WAIT_MS + 200;
/// Beyond that, whoever was to say what came of it does not.
const FORWARD_LOST_MS: u64 = 500;

/// A request that the leader was asked to answer.
#[derive(Debug)]
pub(super) struct Forwarding {
    request: Request,
    to: Token,
    at: Millis,
}

/// What is done with a request.
enum Course {
    Wait,
    Answer,
    Forward { to: Token, boot: u64 },
}

impl Brain {
    pub(super) fn answer_as_standby(&mut self, now: Millis, out: &mut Vec<Effect>) {
        if self.mirror.is_complete() {
            let mut waiting = VecDeque::new();
            for request in std::mem::take(&mut self.requests) {
                match self.course(&request) {
                    Course::Wait => waiting.push_back(request),
                    Course::Answer => self.answer_from_store(&request, &self.leaderless(), out),
                    Course::Forward { to, boot } => self.forward(now, request, to, boot, out),
                }
            }
            self.requests = waiting;
        }
        self.drop_stale(now, out);
    }

    fn course(&self, request: &Request) -> Course {
        let lags = self.mirror.seen() < request.terms.at_least;
        let here = if lags { Course::Wait } else { Course::Answer };
        if request.command.is_of_store() {
            return here;
        }
        // Held and not valid: either it is renewed in a moment, or another takes it.
        if self.lease.is_held() || REQUESTS_MAX <= self.forwarded.len() {
            return Course::Wait;
        }
        match self.leader_to_ask() {
            Some((to, boot)) => Course::Forward { to, boot },
            None if request.command.is_question() => here,
            None => Course::Wait,
        }
    }

    /// The leader, unless it cannot be told from this controller by its name.
    fn leader_to_ask(&self) -> Option<(Token, u64)> {
        let own = &self.lease.identity().holder;
        self.mirror.leader().filter(|(name, _)| name != own)
    }

    fn forward(
        &mut self,
        now: Millis,
        request: Request,
        to: Token,
        boot: u64,
        out: &mut Vec<Effect>,
    ) {
        let waited_ms = now.since(request.came_at);
        let within_ms = FORWARD_MS.saturating_sub(waited_ms);
        out.push(Effect::Forward { request: request.id, to: to.clone(), boot, within_ms });
        self.forwarded.insert(request.id, Forwarding { request, to, at: now });
    }

    /// The leader was asked, and this came of it.
    pub(super) fn forwarded(&mut self, id: RequestId, outcome: Forwarded, out: &mut Vec<Effect>) {
        let Some(Forwarding { request, to, .. }) = self.forwarded.remove(&id) else { return };
        let lags = self.mirror.seen() < request.terms.at_least;
        let answer = match outcome {
            Forwarded::Answered => return out.push(Effect::PassOn { request: id }),
            Forwarded::Nobody | Forwarded::Silent
                if request.command.is_question() && self.mirror.is_complete() && !lags =>
            {
                let why = format!("{to}, which leads, does not answer; {WHAT_HELPS}");
                return self.answer_from_store(&request, &why, out);
            }
            Forwarded::Silent if !request.command.is_question() => Answer::Unknown(format!(
                "{to}, which leads, did not answer in time; whether the change was made is not \
                 known: look at the application before you ask again"
            )),
            Forwarded::Nobody | Forwarded::Silent => Answer::Unavailable(format!(
                "{to}, which leads, does not answer; {WHAT_HELPS}; nothing was changed, ask again"
            )),
        };
        self.reply(out, id, answer, None);
    }

    /// Forgets what nobody tells anything of.
    pub(super) fn drop_forwarded(&mut self, now: Millis, out: &mut Vec<Effect>) {
        let is_lost = |of: &Forwarding| FORWARD_MS + FORWARD_LOST_MS < now.since(of.at);
        let lost = self.forwarded.iter().filter(|(_, of)| is_lost(of));
        let lost: Vec<RequestId> = lost.map(|(id, _)| *id).collect();
        for id in lost {
            self.forwarded(id, Forwarded::Silent, out);
        }
    }

    /// Answers from the store alone; how applications are is not known, for that reason.
    fn answer_from_store(&self, request: &Request, unknown: &str, out: &mut Vec<Effect>) {
        let view = View::without_lead(&self.mirror, &self.fleet, unknown);
        let Request { id, command, terms, stamp, .. } = request;
        let decided = apps::decide(command, terms.base, *stamp, &self.lattice, &self.mirror, &view);
        let answer = match decided {
            Decision::Answer(answer) => answer,
            Decision::Commit(..) => Answer::Unavailable(self.leaderless()),
        };
        let change = self.change_seen(command, &answer);
        self.reply(out, *id, answer, change);
    }

    /// Why nobody can be asked who leads.
    pub(super) fn leaderless(&self) -> String {
        match self.mirror.leader() {
            Some((name, _)) if name == self.lease.identity().holder => format!(
                "the lease is held by an earlier process called {name}, or by another of the same \
                 name, which each controller must have for itself; {WHAT_HELPS}"
            ),
            _ => format!("no controller leads now; {WHAT_HELPS}"),
        }
    }
}

const WHAT_HELPS: &str = "another takes over within seconds, and if none does, `wattle controller \
                          status` shows why; what runs goes on";

#[cfg(test)]
mod tests;
