//! What follows once the fate of a batch is known.

use wattle_types::time::Millis;
use wattle_types::{Epoch, Key};

use super::requests::REQUEST_AGAIN_MS;
use super::{Brain, Stopping};
use crate::alarm::Alarm;
use crate::apps::Answer;
use crate::effect::Effect;
use crate::journal::{Purpose, Settled};

impl Brain {
    /// A batch is stored, or will never be.
    pub(super) fn settle(&mut self, now: Millis, settled: Option<Settled>, out: &mut Vec<Effect>) {
        match settled {
            None => {}
            Some(Settled::Stored { purpose, lease, lease_seq, keys, sent_at }) => {
                self.confirmed(lease.epoch, out);
                self.lease.held(lease, lease_seq, sent_at);
                self.mirror.expect(lease_seq + keys.len() as u64);
                self.renewed_at = sent_at;
                self.stored(now, purpose, &keys, lease_seq + 1, out);
            }
            Some(Settled::Refused { purpose: Purpose::Request(_) | Purpose::Yield }) => {
                self.reconcile.refused(now);
                self.requests_from = now + REQUEST_AGAIN_MS;
                self.decide_again(out);
            }
            Some(Settled::Refused { .. }) => self.reconcile.refused(now),
            Some(Settled::TooLarge { purpose: Purpose::Request(_) }) => {
                if let Some((request, _)) = self.underway.take() {
                    let text = "this exceeds what the NATS server takes in one message; raise its \
                                max_payload or make the manifest smaller";
                    self.reply(out, request.id, Answer::Refused(text.to_owned()), None);
                }
            }
            Some(Settled::TooLarge { .. }) => {
                out.push(Effect::Raise(Alarm::TooLarge));
                self.reconcile.cannot(now);
            }
            Some(Settled::NotTaken { purpose }) => self.not_taken(now, &purpose, out),
            Some(Settled::Lost { purpose }) => {
                let epoch = self.lease.epoch();
                self.lease.lost(now);
                self.mirror.forget_barrier();
                self.lose(&purpose, epoch, out);
            }
        }
    }

    /// The store has this epoch now. Only then is it kept, and only then is it true that the
    /// store was behind: whoever was overtaken saw a lease that was old, not one that was lost.
    fn confirmed(&mut self, epoch: Epoch, out: &mut Vec<Effect>) {
        if let Some((lease, known)) = self.behind.take() {
            out.push(Effect::Raise(Alarm::StateLost { lease, known }));
        }
        if self.remembered < epoch {
            self.remembered = epoch;
            out.push(Effect::RememberEpoch { epoch });
        }
    }

    fn stored(
        &mut self,
        now: Millis,
        purpose: Purpose,
        keys: &[Key],
        first_seq: u64,
        out: &mut Vec<Effect>,
    ) {
        match purpose {
            Purpose::TakeOver => {
                let epoch = self.lease.epoch();
                out.push(Effect::Raise(Alarm::LeadershipTaken { epoch }));
                self.reconcile.begin_anew();
                self.lease_followed = self.follows_own_lease();
                self.announced_at = None;
            }
            Purpose::Renew => {}
            Purpose::StepDown => {
                self.stopping = Stopping::Done;
                out.push(Effect::Stopped);
            }
            Purpose::Request(_) => {
                if let Some((request, answer)) = self.underway.take() {
                    self.reply(out, request.id, answer, request.change);
                }
            }
            Purpose::Yield => {
                if let Some((request, answer)) = self.underway.take() {
                    self.reply(out, request.id, answer, request.change);
                }
                let epoch = self.lease.epoch();
                self.lease.yielded(now);
                self.lose(&purpose, epoch, out);
            }
            Purpose::Reconcile => out.extend(self.reconcile.stored(now, keys, first_seq)),
        }
    }

    /// Somebody else has the lease that we hold, as was followed. Where sequences are given again
    /// because the store has lost something, ours may hold by chance, and nobody but the lease
    /// itself says so.
    pub(super) fn yield_to_other(&mut self, now: Millis, out: &mut Vec<Effect>) {
        let found = self.mirror.lease.as_ref().and_then(|at| at.value.as_ref());
        let (own, epoch) = (self.lease.identity().boot, self.lease.epoch());
        let is_other = found.is_some_and(|lease| lease.boot != own && epoch <= lease.epoch);
        if !is_other || !self.lease.is_held() {
            return;
        }
        let purpose = self.journal.abandon().unwrap_or(Purpose::Renew);
        self.settle(now, Some(Settled::Lost { purpose }), out);
    }

    pub(super) fn lose(&mut self, purpose: &Purpose, epoch: Epoch, out: &mut Vec<Effect>) {
        if let Some((request, _)) = self.underway.take() {
            // Another attempt of it may still have arrived before the lease went.
            let text =
                "this controller no longer leads; whether the change was stored is not known";
            self.reply(out, request.id, Answer::Unknown(text.to_owned()), None);
        }
        // The others are for whoever leads next.
        for request in self.take_requests(super::requests::Request::is_for_us_only) {
            let text = "this controller no longer leads; ask again";
            self.reply(out, request.id, Answer::Unavailable(text.to_owned()), None);
        }
        if *purpose != Purpose::TakeOver {
            out.push(Effect::Raise(Alarm::LeadershipLost { epoch }));
        }
    }
}
