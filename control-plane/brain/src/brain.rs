//! The parts together: which event goes to whom, and in which order things are done.

mod door;
mod keeping;
pub(crate) mod outlet;
mod requests;
mod settling;
mod standby;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use wattle_types::time::Millis;
use wattle_types::{Epoch, HostId, Key, LatticeId};

use crate::alarm::Alarm;
use crate::apps::Answer;
use crate::canary::Canary;
use crate::dice::Dice;
use crate::effect::{Effect, Expect, Kept};
use crate::event::{Event, LeaseReading, OpId, RequestId};
use crate::fleet::{Fleet, Judging};
use crate::journal::{Journal, Purpose};
use crate::lease::{Identity, Lease, Move, RENEW_MS};
use crate::marks::Marks;
use crate::mirror::Mirror;
use crate::reconcile::Reconcile;
use crate::report::Standing;
use door::Door;
use outlet::Outlet;
use requests::Request;
use standby::Forwarding;

#[derive(Clone, Debug)]
pub struct Config {
    pub lattice: LatticeId,
    pub identity: Identity,
    /// The highest epoch kept on disk by [`Effect::RememberEpoch`].
    pub epoch_known: Epoch,
    /// What the export on disk says to have been seen.
    pub marks: Marks,
}

/// One controller's mind.
#[derive(Debug)]
pub struct Brain {
    lattice: LatticeId,
    dice: Dice,
    pub(crate) lease: Lease,
    journal: Journal,
    pub(crate) mirror: Mirror,
    /// Followed, and not known to be the whole state yet, or disputed.
    to_keep: Vec<Kept>,
    pub(crate) fleet: Fleet,
    pub(crate) reconcile: Reconcile,
    pub(crate) canary: Canary,
    /// Alarms that were raised.
    pub(crate) standing: Standing,
    /// Batches that met somebody else's.
    pub(crate) batches_refused: u64,
    requests: VecDeque<Request>,
    /// The request whose batch is under way, and its answer once that is stored.
    underway: Option<(Request, Answer)>,
    /// Requests that whoever leads was asked to answer.
    forwarded: BTreeMap<RequestId, Forwarding>,
    /// The lease that was followed last is ours, and it was followed since the follower began.
    lease_followed: bool,
    door: Door,
    pub(crate) outlet: Outlet,
    announced_at: Option<Millis>,
    renewed_at: Millis,
    /// No request is decided before: what made the last one fail is still on its way here.
    requests_from: Millis,
    /// Hosts whose claims were already complained of.
    implausible: BTreeSet<HostId>,
    stopping: Stopping,
    /// The epoch that the lease had, and the one that was known, when the write under way began:
    /// if that write is stored, the store has lost something.
    behind: Option<(Epoch, Epoch)>,
    /// The highest epoch that is on disk.
    remembered: Epoch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopping {
    No,
    Asked,
    Done,
}

impl Brain {
    pub fn new(config: Config) -> Self {
        let canary = Canary::new(config.identity.holder.clone(), config.identity.boot);
        Self {
            lattice: config.lattice,
            dice: Dice::default(),
            lease: Lease::new(config.identity, config.epoch_known),
            journal: Journal::default(),
            mirror: Mirror::holding_to(config.marks),
            to_keep: Vec::new(),
            fleet: Fleet::default(),
            reconcile: Reconcile::default(),
            canary,
            standing: Standing::default(),
            batches_refused: 0,
            requests: VecDeque::new(),
            underway: None,
            forwarded: BTreeMap::new(),
            lease_followed: false,
            door: Door::default(),
            outlet: Outlet::default(),
            announced_at: None,
            renewed_at: Millis(0),
            requests_from: Millis(0),
            implausible: BTreeSet::new(),
            stopping: Stopping::No,
            behind: None,
            remembered: config.epoch_known,
        }
    }

    /// Takes an event, and says what is to be done.
    pub fn step(&mut self, now: Millis, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.stopping != Stopping::Done {
            self.take(now, event, &mut effects);
            self.advance(now, &mut effects);
        }
        self.standing.note(now, &effects);
        effects
    }

    /// Whether this controller decides now.
    pub fn is_leading(&self, now: Millis) -> bool {
        self.lease.is_valid(now)
    }

    pub fn epoch(&self) -> Epoch {
        self.lease.epoch()
    }

    fn take(&mut self, now: Millis, event: Event, out: &mut Vec<Effect>) {
        match event {
            Event::Tick { random } => {
                self.dice.seed(random);
                let judging = match () {
                    () if self.lease.is_valid(now) => Judging::All,
                    () if self.lease.is_held() => Judging::Gone,
                    () => Judging::Nobody,
                };
                out.extend(self.fleet.tick(now, judging));
                out.extend(self.canary.look(now).map(Effect::Raise));
                let mut standing = std::mem::take(&mut self.standing);
                standing.retain(|alarm| self.holds(now, alarm));
                self.standing = standing;
            }
            Event::Connected => {
                self.fleet.connected(now);
                self.canary.connected(now);
            }
            Event::Disconnected => {
                self.fleet.disconnected();
                self.canary.disconnected();
            }
            Event::FollowReset => {
                self.mirror.reset();
                self.to_keep.clear();
                self.canary.reset();
                // It may be another store that is followed next.
                self.lease_followed = false;
            }
            Event::Followed { key, seq, content } => {
                self.followed(now, key, seq, &content, out);
            }
            Event::FollowedAll { seq } => {
                self.mirror.followed_all(seq);
                self.keep_all(out);
                self.reconcile.wake();
            }
            Event::LeaseRead { op, reading } => self.lease_read(now, op, &reading, out),
            Event::Committed { op, wrote } => {
                self.sent(now, &wrote, out);
                let settled = self.journal.wrote(now, op, &wrote, &mut self.dice);
                self.settle(now, settled, out);
            }
            Event::Written { op, wrote } => self.canary.written(now, op, &wrote),
            Event::Beat(beat) => {
                let (host, epoch) = (beat.host, beat.epoch_max);
                if !self.lease.hear_epoch(epoch) && self.implausible.insert(host) {
                    out.push(Effect::Raise(Alarm::EpochImplausible { host, epoch }));
                }
                out.extend(self.fleet.beat(now, beat).map(Effect::Raise));
            }
            Event::Inventoried { host, inventory } => self.fleet.inventoried(&host, inventory),
            Event::Probed { host, reply } => self.fleet.probed(now, &host, reply),
            Event::ServedBy { who } => self.served_by(now, who, out),
            Event::Requested { request, command, terms, at } => {
                self.requested(now, request, command, terms, at, out);
            }
            Event::Forwarded { request, outcome } => {
                self.forwarded(request, outcome, out);
            }
            Event::Stop => self.stop(out),
        }
    }

    fn followed(
        &mut self,
        now: Millis,
        key: Key,
        seq: u64,
        content: &crate::Content,
        out: &mut Vec<Effect>,
    ) {
        let host = match &key {
            Key::Assign(host) => Some(*host),
            _ => None,
        };
        self.canary.followed(&key, seq);
        let is_lease = key == Key::Lease;
        if self.mirror.follow(key.clone(), seq, content) {
            self.keep(key, seq, content, out);
            self.reconcile.wake();
        }
        if is_lease {
            self.lease_followed = self.follows_own_lease();
            self.yield_to_other(now, out);
        }
        if is_lease && self.mirror.is_leaderless() {
            self.lease.vacated(now);
        }
        if let Some(told) = host.and_then(|host| self.mirror.assignments.get(&host)?.value.as_ref())
        {
            // Signed, so no host can make this up.
            let (host, epoch) = (told.assignment.host, told.assignment.epoch);
            self.lease.hear_epoch(epoch);
            self.fleet.expect(now, host);
        } else if let Some(host) = host.filter(|_| *content == crate::Content::Gone) {
            self.fleet.forget(&host);
        }
    }

    fn lease_read(&mut self, now: Millis, op: OpId, reading: &LeaseReading, out: &mut Vec<Effect>) {
        if let Some(wanted) = self.lease.read(now, op, reading, &mut self.dice) {
            let own = self.lease.identity().version.clone();
            out.push(Effect::Raise(Alarm::TooOld { own, wanted }));
        }
        self.found(now, reading, out);
        let settled = self.journal.read(now, op, reading, &mut self.dice);
        self.settle(now, settled, out);
    }

    fn advance(&mut self, now: Millis, out: &mut Vec<Effect>) {
        out.extend(self.journal.tick(now));
        let op = self.journal.next_op();
        out.extend(self.canary.tick(now, op));
        if self.stopping == Stopping::Asked {
            self.leave(now, out);
            return;
        }
        self.stand(now, out);
        self.tend_door(now, out);
        self.drop_forwarded(now, out);
        if !self.lease.is_valid(now) {
            self.answer_as_standby(now, out);
            self.renew(now, out);
            return;
        }
        self.announce(now, out);
        self.answer(now, out);
        self.reconcile(now, out);
        self.renew(now, out);
    }

    /// As a candidate: watch the lease, and take it when it is free.
    fn stand(&mut self, now: Millis, out: &mut Vec<Effect>) {
        if !self.journal.is_idle() || !self.outlet.is_open(now) {
            return;
        }
        let op = self.journal.next_op();
        match self.lease.tick(now, op) {
            None => {}
            Some(Move::Read) => out.push(Effect::ReadLease { op }),
            Some(Move::Take { lease, seq, lost }) => {
                self.behind = lost.map(|stored| (stored, self.lease.epoch_known()));
                let expect = Expect::of(seq);
                out.push(self.journal.begin(now, Purpose::TakeOver, lease, expect, Vec::new()));
            }
        }
    }

    fn stop(&mut self, out: &mut Vec<Effect>) {
        self.stopping = Stopping::Asked;
        self.close_door(out);
        for request in std::mem::take(&mut self.requests) {
            self.reply(out, request.id, Answer::Unavailable(requests::STOPS.to_owned()), None);
        }
    }

    fn leave(&mut self, now: Millis, out: &mut Vec<Effect>) {
        if !self.journal.is_idle() || !self.outlet.is_open(now) {
            return;
        }
        match self.lease.renewed() {
            Some((mut lease, seq)) if self.lease.is_held() => {
                lease.holder = None;
                let expect = Expect::Seq(seq);
                out.push(self.journal.begin(now, Purpose::StepDown, lease, expect, Vec::new()));
            }
            _ => {
                self.stopping = Stopping::Done;
                out.push(Effect::Stopped);
            }
        }
    }

    fn renew(&mut self, now: Millis, out: &mut Vec<Effect>) {
        let due = RENEW_MS <= now.since(self.renewed_at);
        let free = self.journal.is_idle() && self.outlet.is_open(now);
        if due && self.lease.is_held() && free {
            self.commit(now, Purpose::Renew, Vec::new(), out);
        }
    }

    /// Begins a batch under our lease.
    fn commit(
        &mut self,
        now: Millis,
        purpose: Purpose,
        writes: Vec<crate::Write>,
        out: &mut Vec<Effect>,
    ) {
        let Some((lease, seq)) = self.lease.renewed() else { return };
        let epoch = self.lease.epoch();
        self.behind = (epoch < lease.epoch).then(|| (epoch, self.lease.epoch_known()));
        out.push(self.journal.begin(now, purpose, lease, Expect::Seq(seq), writes));
    }

    /// Whether what is known of the store is what our lease is in. A store that has lost something
    /// gives sequences again: only the lease itself shows that it is the store that was followed.
    fn is_current(&self) -> bool {
        self.lease_followed && self.mirror.is_current()
    }

    /// Whether the lease that was followed last is ours.
    fn follows_own_lease(&self) -> bool {
        let own = self.lease.identity();
        let leader = self.mirror.leader();
        leader.is_some_and(|(name, boot)| name == own.holder && boot == own.boot)
    }

    fn announce(&mut self, now: Millis, out: &mut Vec<Effect>) {
        if self.announced_at.is_none_or(|at| RENEW_MS <= now.since(at)) {
            self.announced_at = Some(now);
            out.push(Effect::Announce { epoch: self.lease.epoch() });
            out.extend(self.reconcile.wake_laggards(now, &self.mirror, &self.fleet));
        }
    }

    fn reconcile(&mut self, now: Millis, out: &mut Vec<Effect>) {
        if self.fleet.take_changed() {
            self.reconcile.wake();
        }
        let free = self.journal.is_idle() && self.outlet.is_open(now);
        let ready = self.is_current() && self.fleet.is_settled(now) && free;
        if !ready || !self.reconcile.is_due(now) {
            return;
        }
        let epoch = self.lease.renewed().map_or(self.lease.epoch(), |(lease, _)| lease.epoch);
        let outcome = self.reconcile.run(now, &self.lattice, epoch, &self.mirror, &self.fleet);
        out.extend(outcome.alarms.into_iter().map(Effect::Raise));
        if !outcome.writes.is_empty() {
            self.commit(now, Purpose::Reconcile, outcome.writes, out);
        }
    }
}

/// Whom a driver or a test can ask about.
impl Brain {
    /// The hosts that are counted on, for people.
    pub fn hosts_alive(&self, now: Millis) -> Vec<HostId> {
        let hosts = self.fleet.hosts().iter();
        let ready = hosts.filter(|(_, host)| host.status(now) == wattle_planner::HostStatus::Ready);
        ready.map(|(id, _)| *id).collect()
    }
}

#[cfg(test)]
mod tests;
