//! Requests of clients: queued, decided in the order in which they came, answered once.

use wattle_types::{Key, Millis};

use super::{Brain, Stopping};
use crate::apps::{self, Answer, Base, Command, Decision, View};
use crate::effect::{Effect, Expect, Seen, Write};
use crate::event::{RequestId, Stamp};
use crate::journal::Purpose;

/// Clients give up after two seconds, so an answer later than this is heard by nobody.
const REQUEST_WAIT_MS: u64 = 1_500;
/// More at once are refused: each takes a write.
const REQUESTS_MAX: usize = 64;
/// A request whose write met somebody else's is decided again from what is there now.
const REQUEST_TRIES: u32 = 5;
/// Until what a write met has been followed.
pub(super) const REQUEST_AGAIN_MS: u64 = 50;

#[derive(Debug)]
pub(super) struct Request {
    pub(super) id: RequestId,
    pub(super) command: Command,
    pub(super) base: Option<Base>,
    pub(super) stamp: Stamp,
    pub(super) came_at: Millis,
    pub(super) tries: u32,
    /// How many changes the application has once the batch under way is stored.
    pub(super) change: Option<u64>,
}

impl Brain {
    pub(super) fn requested(
        &mut self,
        now: Millis,
        id: RequestId,
        command: Command,
        base: Option<Base>,
        stamp: Stamp,
        out: &mut Vec<Effect>,
    ) {
        let refusal = if !self.lease.is_held() || self.stopping != Stopping::No {
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
                    base,
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
        while self.mirror.is_current() && self.requests_from <= now {
            let Some(next) = self.requests.front() else { return };
            if !next.command.is_question() && !self.journal.is_idle() {
                break;
            }
            let Some(mut request) = self.requests.pop_front() else { return };
            if request.command == Command::StepDown {
                self.step_down(now, request, out);
                return;
            }
            let plan = self.reconcile.plan();
            let view = View::new(&self.mirror, &self.fleet, plan);
            let (mirror, own) = (&self.mirror, &self.lattice);
            let decided =
                apps::decide(&request.command, request.base, request.stamp, own, mirror, &view);
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

    pub(super) fn drop_stale(&mut self, now: Millis, out: &mut Vec<Effect>) {
        while self.requests.front().is_some_and(|next| REQUEST_WAIT_MS < now.since(next.came_at)) {
            let Some(request) = self.requests.pop_front() else { return };
            let answer = Answer::Unavailable(self.unreachable());
            self.reply(out, request.id, answer, None);
        }
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
    fn change_seen(&self, command: &Command, answer: &Answer) -> Option<u64> {
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
