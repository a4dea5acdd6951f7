//! What follows for every host and link: from a snapshot of the store and of the fleet to the batch
//! that makes it so.
//!
//! *Expected flow.* Desired and observed are gathered, planned, checked; hosts whose stored
//! assignment differs get a new one, each on the condition that the old one is still there.
//! *Guarantees.* A host only ever loses what something known explains: an application that says
//! so, or a plan that runs it elsewhere, and there it is ready before it ends here (or was waited
//! for, five minutes). What a lost host had runs elsewhere, at once or when its application says
//! ([`patience`]). *Caveats.* What assignments build on goes first: owners of ids, configuration,
//! links, specs; when they do not fit into one batch, assignments follow in the next.

mod assign;
mod departures;
mod gather;
mod links;
mod patience;
mod removal;

use std::collections::{BTreeMap, BTreeSet};

use wattle_planner::{Plan, check, plan};
use wattle_types::time::Millis;
use wattle_types::{ActorId, Epoch, HostId, IdRecord, Key, LatticeId, Owner, SpecHash, stored};

use crate::alarm::Alarm;
use crate::apps::Answer;
use crate::effect::{Effect, Payload, Write};
use crate::fleet::{Fleet, Phase};
use crate::mirror::{Mirror, actors};

use assign::Changes;
use departures::Departures;
pub(crate) use patience::Waits;
use removal::{Forgetting, Life, Step, Stored};

/// Without any event, so that one that was lost costs time and nothing else.
const REGULARLY_MS: u64 = 10_000;
/// After a write was refused, until what refused it has been followed.
const REFUSED_MS: u64 = 200;
/// A host that has not made its assignment durable is woken again.
const WAKE_AGAIN_MS: u64 = 5_000;
/// Below the thousand messages of a batch, and quick enough for the lease it renews.
const BATCH_MAX: usize = 500;

#[derive(Debug, Default)]
pub(crate) struct Reconcile {
    dirty: bool,
    not_before: Millis,
    ran_at: Option<Millis>,
    plan: Option<Plan>,
    removals: assign::Removals,
    departures: Departures,
    waits: Waits,
    forgetting: Forgetting,
    woken: BTreeMap<HostId, Millis>,
    raised: BTreeSet<Alarm>,
    /// What was to be written last is larger than the server takes.
    stuck: bool,
}

/// What a look at everything brought.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) alarms: Vec<Alarm>,
    /// To be committed after the lease. May be empty.
    pub(crate) writes: Vec<Write>,
}

impl Reconcile {
    /// Look again at everything.
    pub(crate) fn wake(&mut self) {
        self.dirty = true;
    }

    /// A new leader knows nothing of what it planned before.
    pub(crate) fn begin_anew(&mut self) {
        *self = Self { dirty: true, ..Self::default() };
    }

    pub(crate) fn refused(&mut self, now: Millis) {
        self.dirty = true;
        self.not_before = now + REFUSED_MS;
    }

    /// What was to be written cannot be; it may when something else has changed.
    pub(crate) fn cannot(&mut self, now: Millis) {
        self.dirty = true;
        self.stuck = true;
        self.not_before = now + REGULARLY_MS;
    }

    pub(crate) fn is_stuck(&self) -> bool {
        self.stuck
    }

    /// Whether this was so at the last look.
    pub(crate) fn raises(&self, alarm: &Alarm) -> bool {
        self.raised.contains(alarm)
    }

    pub(crate) fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }

    pub(crate) const fn waits(&self) -> &Waits {
        &self.waits
    }

    pub(crate) fn is_due(&self, now: Millis) -> bool {
        let regularly = self.ran_at.is_none_or(|ran| REGULARLY_MS <= now.since(ran));
        let waited = self.waits.first().is_some_and(|until| until <= now);
        self.not_before <= now && (self.dirty || regularly || waited)
    }

    /// Plans, and says what to write under `epoch`. Only with a current mirror, a settled fleet
    /// and nothing under way.
    pub(crate) fn run(
        &mut self,
        now: Millis,
        lattice: &LatticeId,
        epoch: Epoch,
        mirror: &Mirror,
        fleet: &Fleet,
    ) -> Outcome {
        self.dirty = false;
        self.ran_at = Some(now);
        let mut alarms = BTreeSet::new();
        let (desired, patience) = gather::desired(mirror, &mut alarms);
        self.end_forgetting(now, mirror, fleet);
        let mut observed =
            gather::observed(now, &desired, mirror, fleet, &self.departures, &patience);
        observed.retain(|host, _| !self.forgetting.has(host));
        let plan = plan(&desired, &observed);
        self.waits = Waits::of(&plan, &patience, fleet);
        if let Err(broken) = check(&plan, &desired, &observed) {
            alarms.insert(Alarm::PlanBroken { message: broken.to_string() });
            return Outcome { alarms: self.raise(alarms), writes: Vec::new() };
        }
        self.departures.note(now, &plan, &observed);
        let changes = Changes { now, lattice, epoch, mirror, fleet, desired: &desired };
        let mut assignments = changes.assignments(&plan, &mut self.removals, &mut alarms);
        let forgetting: Vec<HostId> = self.forgetting.hosts().copied().collect();
        for host in &forgetting {
            match next_step(now, host, mirror, fleet) {
                Step::Empty => assignments.push(changes.empty(host)),
                Step::Delete => {
                    self.forgetting.deletes(*host, fleet.hosts().get(host));
                    let (key, expect) = (Key::Assign(*host), mirror.expect_assignment(host));
                    assignments.push(Write { key, payload: Payload::Gone, expect });
                }
                Step::Wait(_) | Step::Done => {}
            }
        }
        let mut writes = missing_ids(mirror);
        writes.extend(links::writes(mirror, fleet));
        writes.extend(missing_specs(mirror, &plan));
        self.plan = Some(plan);
        if BATCH_MAX < writes.len() + assignments.len() {
            // The rest follows once these are stored: an assignment never refers to nothing.
            self.dirty = true;
            if writes.is_empty() {
                writes = assignments;
            }
            writes.truncate(BATCH_MAX);
        } else {
            writes.extend(assignments);
        }
        Outcome { alarms: self.raise(alarms), writes }
    }

    /// A person wants a host forgotten. Says what came of it so far.
    pub(crate) fn forget(
        &mut self,
        now: Millis,
        id: HostId,
        yes: bool,
        mirror: &Mirror,
        fleet: &Fleet,
    ) -> Answer {
        let (host, next) = (fleet.hosts().get(&id), next_step(now, &id, mirror, fleet));
        if next == Step::Done {
            self.forgetting.done(&id);
            let was_known = mirror.assignments.contains_key(&id) && host.is_some();
            return match self.forgetting.is_told(&id) || was_known {
                true => Answer::Forgotten { host: id },
                false => Answer::NotFound(format!("there is no host {id}")),
            };
        }
        let is_lost = Life::of(host, false) == Life::Lost;
        if !is_lost && !yes && !self.forgetting.has(&id) {
            return Answer::Refused(format!(
                "host {id} is alive, or not known to be lost yet; stop it first and wait, or end \
                 what it runs with --yes"
            ));
        }
        self.forgetting.begin(id);
        Answer::Underway(match next {
            Step::Wait(what) => format!("waits for {what}"),
            _ => "it is being told to run nothing".to_owned(),
        })
    }

    /// Those whose key is gone are forgotten, whether anybody asks or not: if they return, they are
    /// new hosts.
    fn end_forgetting(&mut self, now: Millis, mirror: &Mirror, fleet: &Fleet) {
        let is_done = |host: &&HostId| next_step(now, host, mirror, fleet) == Step::Done;
        let done: Vec<HostId> = self.forgetting.hosts().filter(is_done).copied().collect();
        for host in done {
            self.forgetting.done(&host);
        }
        self.forgetting.welcome(fleet.hosts());
    }

    /// Only what was not so at the last look.
    fn raise(&mut self, alarms: BTreeSet<Alarm>) -> Vec<Alarm> {
        let new = alarms.difference(&self.raised).cloned().collect();
        self.raised = alarms;
        new
    }

    /// These keys are stored; the first of them with sequence `first_seq`, and so on. Whoever
    /// follows one of them is told.
    pub(crate) fn stored(&mut self, now: Millis, keys: &[Key], first_seq: u64) -> Vec<Effect> {
        self.stuck = false;
        let mut effects: Vec<Effect> = Vec::new();
        for (key, at_least) in keys.iter().zip(first_seq..) {
            match key {
                Key::Assign(host) => {
                    self.woken.insert(*host, now);
                    effects.push(Effect::Wake { host: *host, at_least });
                }
                Key::Config(name) => {
                    effects.push(Effect::TellConfig { name: name.clone(), at_least });
                }
                Key::Link { source, .. } => {
                    // All links of a source are read at once, and they stand together.
                    let same = |told: &mut Effect| matches!(told, Effect::TellLinks { source: last, .. } if last == source);
                    effects.pop_if(same);
                    effects.push(Effect::TellLinks { source: source.clone(), at_least });
                }
                _ => {}
            }
        }
        effects
    }

    /// Wakes again whoever beats and has not taken over its assignment.
    pub(crate) fn wake_laggards(
        &mut self,
        now: Millis,
        mirror: &Mirror,
        fleet: &Fleet,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (id, host) in fleet.hosts() {
            let Some(beat) = host.beat.as_ref().filter(|_| host.phase == Phase::Alive) else {
                continue;
            };
            let Some(at) = mirror.assignments.get(id) else { continue };
            let behind = at.value.as_ref().is_some_and(|told| {
                beat.applied.is_none_or(|applied| applied.generation < told.assignment.generation)
            });
            let woken = self.woken.get(id);
            if behind && woken.is_none_or(|woken| WAKE_AGAIN_MS <= now.since(*woken)) {
                self.woken.insert(*id, now);
                effects.push(Effect::Wake { host: *id, at_least: at.seq });
            }
        }
        effects
    }
}

fn next_step(now: Millis, id: &HostId, mirror: &Mirror, fleet: &Fleet) -> Step {
    let host = fleet.hosts().get(id);
    let is_cloned = host.is_some_and(|host| host.is_cloned(now));
    removal::step(Stored::of(mirror.assignments.get(id)), Life::of(host, is_cloned))
}

/// Owners that the store has lost, of ids that are deployed: without its record nobody could say
/// that an actor may end once its application does not want it any more.
fn missing_ids(mirror: &Mirror) -> Vec<Write> {
    let mut missing = BTreeMap::new();
    for (app, head) in mirror.heads.iter().filter_map(|(app, at)| Some((app, at.value.as_ref()?))) {
        let components =
            mirror.deployed(head).into_iter().flat_map(|of| &of.application.components);
        let lacks =
            |id: &ActorId| mirror.ids.get(id).is_none_or(|at| at.value.is_none() && !at.unreadable);
        for component in components.filter(|component| lacks(&component.id)) {
            let id = component.id.clone();
            let record = IdRecord::new(id.clone(), Owner::App(app.clone()), head.changed_unix_s);
            missing.entry(id).or_insert(record);
        }
    }
    let write = |(id, record): (ActorId, IdRecord)| Write {
        expect: mirror.expect_id(&id),
        key: Key::Id(id),
        payload: Payload::Plain(stored::encode(&record)),
    };
    missing.into_iter().map(write).collect()
}

/// Specs the plan refers to that are not in the store yet.
fn missing_specs(mirror: &Mirror, plan: &Plan) -> Vec<Write> {
    let placed = plan.target.values().flat_map(BTreeMap::values).map(|placed| placed.spec);
    let wanted: BTreeSet<SpecHash> = placed.filter(|hash| !mirror.specs.contains(hash)).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let heads = mirror.heads.values().filter_map(|at| at.value.as_ref());
    let deployed = heads.filter_map(|head| mirror.deployed(head));
    let specs: BTreeMap<SpecHash, Vec<u8>> = deployed
        .flat_map(|stated| actors(&stated.application))
        .map(|(_, spec)| spec.encode())
        .map(|bytes| (wattle_types::ActorSpec::hash_of(&bytes), bytes))
        .filter(|(hash, _)| wanted.contains(hash))
        .collect();
    specs
        .into_iter()
        .map(|(hash, bytes)| Write {
            key: Key::Spec(hash),
            payload: Payload::Plain(bytes),
            expect: mirror.expect_spec(&hash),
        })
        .collect()
}

#[cfg(test)]
mod tests;
