//! Requests of clients: queued, decided by whoever leads in the order in which they came, answered
//! once. What a controller does that does not lead is in [`standby`](super::standby).

use std::collections::VecDeque;

use wattle_types::{HostId, Key, Millis};

use super::{Brain, Stopping};
use crate::apps::{self, Answer, Command, Decision, View};
use crate::effect::{Effect, Expect, Seen, Write};
use crate::event::{RequestId, Stamp, Terms};
use crate::journal::Purpose;

/// Clients give up after two seconds, so an answer later than this is heard by nobody.
pub(super) const REQUEST_WAIT_MS: u64 = 1_500;
/// For what the asker saw before. Whoever follows the store knows it within milliseconds; who does
/// not after this time lags, or the store was begun anew, and clients are to hear of it soon.
const LAG_WAIT_MS: u64 = 1_000;
/// More at once are refused: each takes a write.
pub(super) const REQUESTS_MAX: usize = 64;
/// A request whose write met somebody else's is decided again from what is there now.
const REQUEST_TRIES: u32 = 5;
/// Until what a write met has been followed.
pub(super) const REQUEST_AGAIN_MS: u64 = 50;

pub(super) const STOPS: &str = "this controller is stopping; nothing was changed, ask again";

#[derive(Debug)]
pub(super) struct Request {
    pub(super) id: RequestId,
    pub(super) command: Command,
    pub(super) terms: Terms,
    pub(super) stamp: Stamp,
    pub(super) came_at: Millis,
    pub(super) tries: u32,
    /// How many changes the application has once the batch under way is stored.
    pub(super) change: Option<u64>,
}

impl Request {
    /// Whether nobody else is to be asked.
    pub(super) fn is_for_us_only(&self) -> bool {
        self.command.is_personal() || self.terms.is_forwarded
    }
}

impl Brain {
    pub(super) fn requested(
        &mut self,
        now: Millis,
        id: RequestId,
        command: Command,
        terms: Terms,
        stamp: Stamp,
        out: &mut Vec<Effect>,
    ) {
        let for_us_only = command.is_personal() || terms.is_forwarded;
        let refusal = if self.stopping != Stopping::No {
            Some(STOPS)
        } else if for_us_only && !self.lease.is_held() {
            Some("this controller does not lead; ask again")
        } else if REQUESTS_MAX <= self.requests.len() {
            Some("too many requests wait; ask again")
        } else {
            None
        };
        match refusal {
            Some(text) => self.reply(out, id, Answer::Unavailable(text.to_owned()), None),
            None => {
                self.requests.push_back(Request {
                    id,
                    command,
                    terms,
                    stamp,
                    came_at: now,
                    tries: 0,
                    change: None,
                });
            }
        }
    }

    /// Answers what can be answered, in the order in which it came.
    pub(super) fn answer(&mut self, now: Millis, out: &mut Vec<Effect>) {
        while self.is_current() && self.requests_from <= now {
            let seen = self.mirror.seen();
            let in_time = |request: &Request| request.terms.at_least <= seen;
            let Some(next) = self.requests.iter().position(in_time) else { break };
            if !self.requests[next].command.is_question() && !self.journal.is_idle() {
                break;
            }
            let Some(mut request) = self.requests.remove(next) else { return };
            if request.command == Command::StepDown {
                self.step_down(now, request, out);
                return;
            }
            if let Command::Forget { host, yes } = request.command {
                let answer = self.forget(now, host, yes);
                self.reply(out, request.id, answer, None);
                continue;
            }
            let view = View::new(now, &self.mirror, &self.fleet, &self.reconcile);
            let (mirror, own) = (&self.mirror, &self.lattice);
            let decided = apps::decide(
                &request.command,
                request.terms.base,
                request.stamp,
                own,
                mirror,
                &view,
            );
            match decided {
                Decision::Answer(answer) => {
                    let change = self.change_seen(&request.command, &answer);
                    self.reply(out, request.id, answer, change);
                }
                Decision::Commit(writes, answer) => {
                    request.tries += 1;
                    request.change =
                        request.command.edits_one().then(|| self.change_by(&writes)).flatten();
                    let purpose = Purpose::Request(request.id);
                    self.underway = Some((request, answer));
                    self.commit(now, purpose, writes, out);
                }
            }
        }
        self.drop_stale(now, out);
    }

    /// Gives the lease back. Nothing is decided until it is known what became of that.
    fn step_down(&mut self, now: Millis, mut request: Request, out: &mut Vec<Effect>) {
        let Some((mut lease, seq)) = self.lease.renewed() else { return };
        lease.holder = None;
        request.tries += 1;
        self.underway = Some((request, Answer::SteppedDown { epoch: lease.epoch }));
        let expect = Expect::Seq(seq);
        out.push(self.journal.begin(now, Purpose::Yield, lease, expect, Vec::new()));
    }

    /// Begins to forget a host, or says how far that has come.
    fn forget(&mut self, now: Millis, host: HostId, yes: bool) -> Answer {
        let answer = self.reconcile.forget(now, host, yes, &self.mirror, &self.fleet);
        self.reconcile.wake();
        answer
    }

    /// Nothing waits for longer than its asker does.
    pub(super) fn drop_stale(&mut self, now: Millis, out: &mut Vec<Effect>) {
        let seen = self.mirror.seen();
        let is_stale = |request: &Request| {
            let lags = seen < request.terms.at_least;
            let within_ms = if lags { LAG_WAIT_MS } else { REQUEST_WAIT_MS };
            within_ms < now.since(request.came_at)
        };
        for request in self.take_requests(is_stale) {
            let answer = Answer::Unavailable(self.why_not(&request));
            self.reply(out, request.id, answer, None);
        }
    }

    /// Those that wait and are such, out of the queue.
    pub(super) fn take_requests(&mut self, such: impl Fn(&Request) -> bool) -> VecDeque<Request> {
        let waiting = std::mem::take(&mut self.requests);
        let (taken, left) = waiting.into_iter().partition(|request| such(request));
        self.requests = left;
        taken
    }

    /// Why a request was not decided in time.
    fn why_not(&self, request: &Request) -> String {
        let (seen, wanted) = (self.mirror.seen(), request.terms.at_least);
        if seen < wanted && self.mirror.is_complete() {
            return format!(
                "this controller lags: it has followed the store up to {seen}, and what was seen \
                 before goes up to {wanted}; ask again"
            );
        }
        if self.lease.is_held() || !self.mirror.is_complete() {
            return self.unreachable();
        }
        format!("{}; nothing was changed, ask again", self.leaderless())
    }

    /// The write met somebody else's. What that was arrives in a moment.
    pub(super) fn decide_again(&mut self, out: &mut Vec<Effect>) {
        let Some((request, _)) = self.underway.take() else { return };
        if request.tries < REQUEST_TRIES {
            self.requests.push_front(request);
        } else {
            let text = "somebody else keeps changing this; nothing was changed, ask again";
            self.reply(out, request.id, Answer::Unavailable(text.to_owned()), None);
        }
    }

    /// Answers; `change` is what the application has now of which it was asked.
    pub(super) fn reply(
        &self,
        out: &mut Vec<Effect>,
        request: RequestId,
        answer: Answer,
        change: Option<u64>,
    ) {
        let sequence = self.mirror.seen().max(self.mirror.barrier());
        let seen = Seen { sequence, change };
        out.push(Effect::Reply { request, answer: Box::new(answer), seen });
    }

    /// How many changes the application has that was asked about.
    pub(super) fn change_seen(&self, command: &Command, answer: &Answer) -> Option<u64> {
        if let Answer::Conflict { change, .. } = answer {
            return Some(*change);
        }
        Some(self.mirror.heads.get(command.app()?)?.value.as_ref()?.change)
    }

    /// How many changes the application has once these writes are stored.
    fn change_by(&self, writes: &[Write]) -> Option<u64> {
        let name = writes.iter().find_map(|write| match &write.key {
            Key::App(name) => Some(name),
            _ => None,
        })?;
        let head = self.mirror.heads.get(name).and_then(|at| at.value.as_ref());
        Some(head.map_or(0, |head| head.change) + 1)
    }
}
