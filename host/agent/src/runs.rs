//! The life of actors on this host: started, swapped when the new one is ready, tried again with
//! longer and longer pauses, drained.
//!
//! Each actor has at most one target. A run that serves goes on until its successor is ready, so
//! that a spec nobody can start costs no request.

mod adopt;
mod converge;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wattle_types::{ActorId, ActorSpec, LinkReport, LinkTable, Millis, Owner, SpecHash};

use crate::backoff::START;
use crate::effect::{Effect, Happening};
use crate::event::{Component, Failure, RunId};

/// What one actor should be on this host.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target {
    pub(crate) hash: SpecHash,
    pub(crate) count: u32,
    pub(crate) owner: Owner,
    /// What events of it carry. Not its spec's for what was started by hand.
    pub(crate) annotations: Arc<BTreeMap<String, String>>,
    pub(crate) links: Arc<LinkTable>,
    pub(crate) plan: Plan,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Plan {
    Run {
        spec: Arc<ActorSpec>,
        /// With the named configuration that the spec refers to.
        config: Arc<BTreeMap<String, String>>,
    },
    /// It must not be started. `read_again`: the reason was read from the lattice and may change.
    Blocked { failure: Failure, read_again: bool },
}

#[derive(Debug, Default)]
pub(crate) struct Runs {
    actors: BTreeMap<ActorId, Actor>,
    actor_of: BTreeMap<RunId, ActorId>,
    last_run: u64,
    /// Who wants to be looked at again, and when.
    retries: BTreeSet<(Millis, ActorId)>,
    /// Whose runs changed since they were last taken.
    changed: BTreeSet<ActorId>,
    grace_ms: u64,
    starts_nothing: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Actor {
    pub(crate) target: Option<Target>,
    pub(crate) runs: BTreeMap<RunId, Run>,
    pub(crate) failing: Option<Failing>,
    /// What became of its links, as it was judged last.
    pub(crate) links: Vec<LinkReport>,
}

#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) hash: SpecHash,
    pub(crate) spec: Arc<ActorSpec>,
    pub(crate) owner: Owner,
    pub(crate) annotations: Arc<BTreeMap<String, String>>,
    pub(crate) count: u32,
    pub(crate) binding: Binding,
    pub(crate) phase: Phase,
}

/// What a run is told when it serves first, and when it changes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Binding {
    pub(crate) links: Arc<LinkTable>,
    pub(crate) config: Arc<BTreeMap<String, String>>,
}

#[derive(Debug)]
pub(crate) enum Phase {
    Starting,
    Ready(Component),
    /// Takes nothing new. Holds what it was, if it ever served.
    Draining(Option<Component>),
}

/// Why the target does not run.
#[derive(Debug)]
pub(crate) struct Failing {
    pub(crate) hash: SpecHash,
    pub(crate) failure: Failure,
    failures: u32,
    retry_at: Option<Millis>,
}

impl Runs {
    pub(crate) fn new(grace_ms: u64) -> Self {
        Self { grace_ms, ..Self::default() }
    }

    pub(crate) fn actors(&self) -> &BTreeMap<ActorId, Actor> {
        &self.actors
    }

    /// Ids that should run here.
    pub(crate) fn targeted(&self) -> BTreeSet<ActorId> {
        let targeted = self.actors.iter().filter(|(_, actor)| actor.target.is_some());
        targeted.map(|(id, _)| id.clone()).collect()
    }

    pub(crate) fn target(&self, id: &ActorId) -> Option<&Target> {
        self.actors.get(id)?.target.as_ref()
    }

    /// The earliest time at which something should be tried again.
    pub(crate) fn due(&self) -> Option<Millis> {
        self.retries.first().map(|(at, _)| *at)
    }

    pub(crate) fn take_changed(&mut self) -> BTreeSet<ActorId> {
        std::mem::take(&mut self.changed)
    }

    /// Everything this host should run; what is not named should not.
    pub(crate) fn set_all(
        &mut self,
        targets: BTreeMap<ActorId, Target>,
        now: Millis,
        out: &mut Vec<Effect>,
    ) {
        let ended: Vec<ActorId> =
            self.targeted().into_iter().filter(|id| !targets.contains_key(id)).collect();
        for (id, target) in targets {
            self.set(&id, Some(target), now, out);
        }
        for id in ended {
            self.set(&id, None, now, out);
        }
    }

    /// What one actor should be. Saying the same again does nothing.
    pub(crate) fn set(
        &mut self,
        id: &ActorId,
        target: Option<Target>,
        now: Millis,
        out: &mut Vec<Effect>,
    ) {
        let actor = self.actors.entry(id.clone()).or_default();
        if actor.target != target {
            if actor.target.as_ref().is_some_and(Target::is_blocked) {
                // It failed because it was blocked, not because it was tried.
                actor.failing = None;
            }
            actor.target = target;
            self.changed.insert(id.clone());
        }
        self.converge(id, now, out);
    }

    pub(crate) fn started(
        &mut self,
        run: RunId,
        component: Component,
        now: Millis,
        out: &mut Vec<Effect>,
    ) {
        let Some((id, started)) = self.run_mut(run) else { return };
        if !matches!(started.phase, Phase::Starting) {
            return;
        }
        let scaled = started.scaled(&id, Some(component.clone()));
        let count = started.count;
        started.phase = Phase::Ready(component);
        out.push(started.bind(&id, run));
        out.push(Effect::Serve { id: id.clone(), run, count });
        out.push(Effect::Emit(Happening::Scaled(scaled)));
        self.changed.insert(id.clone());
        self.converge(&id, now, out);
    }

    pub(crate) fn start_failed(
        &mut self,
        run: RunId,
        failure: Failure,
        now: Millis,
        out: &mut Vec<Effect>,
    ) {
        let Some((id, failed)) = self.run_mut(run) else { return };
        match failed.phase {
            Phase::Starting => {
                let (of, hash) = (failed.scaled(&id, None), failed.hash);
                let error = format!("{} ({})", failure.message, failure.code);
                out.push(Effect::Emit(Happening::ScaleFailed { of, error }));
                self.fail(&id, hash, failure, now);
            }
            // It was told to stop before; this is as good an answer.
            Phase::Draining(_) => {}
            Phase::Ready(_) => return,
        }
        self.remove(&id, run);
        self.converge(&id, now, out);
    }

    pub(crate) fn stopped(&mut self, run: RunId, now: Millis, out: &mut Vec<Effect>) {
        let Some((id, stopped)) = self.run_mut(run) else { return };
        if !matches!(stopped.phase, Phase::Draining(_)) {
            // Nobody told it to.
            let hash = stopped.hash;
            let message = "it ended by itself".to_owned();
            self.fail(&id, hash, Failure { code: "WT-HOST-RUN-ENDED".to_owned(), message }, now);
        }
        self.remove(&id, run);
        self.converge(&id, now, out);
    }

    /// Tries again what is due, and returns the actors whose reason should be read again first.
    pub(crate) fn tick(&mut self, now: Millis, out: &mut Vec<Effect>) -> BTreeSet<ActorId> {
        let mut read_again = BTreeSet::new();
        while let Some((at, id)) = self.retries.first().cloned() {
            if now < at {
                break;
            }
            self.retries.remove(&(at, id.clone()));
            if self.is_blocked(&id) {
                self.count_again(&id, now);
                read_again.insert(id);
            } else {
                self.converge(&id, now, out);
            }
        }
        read_again
    }

    /// Stops a run because of what it turned out to be.
    pub(crate) fn reject(
        &mut self,
        run: RunId,
        failure: Failure,
        now: Millis,
        out: &mut Vec<Effect>,
    ) {
        let grace_ms = self.grace_ms;
        let Some((id, rejected)) = self.run_mut(run) else { return };
        if !matches!(rejected.phase, Phase::Starting) {
            return;
        }
        rejected.phase = Phase::Draining(None);
        let (of, hash) = (rejected.scaled(&id, None), rejected.hash);
        out.push(Effect::Stop { run, grace_ms });
        let error = format!("{} ({})", failure.message, failure.code);
        out.push(Effect::Emit(Happening::ScaleFailed { of, error }));
        self.fail(&id, hash, failure, now);
        self.changed.insert(id);
    }

    /// Says again that something runs, and tries at once what waits to be tried again: somebody
    /// asked for it, and waits to hear of it.
    pub(crate) fn again(&mut self, id: &ActorId, now: Millis, out: &mut Vec<Effect>) {
        let Some(actor) = self.actors.get_mut(id) else { return };
        let Some(target) = &actor.target else { return };
        let is_current = |run: &&Run| run.hash == target.hash && run.is_ready();
        match actor.runs.values().find(is_current) {
            Some(run) => {
                let scaled = run.scaled(id, run.component().cloned());
                out.push(Effect::Emit(Happening::Scaled(scaled)));
            }
            None if !target.is_blocked() => {
                actor.failing = None;
                self.converge(id, now, out);
            }
            None => {}
        }
    }

    /// What an actor is, as its image was asked for.
    pub(crate) fn image_of(&self, id: &ActorId) -> Option<String> {
        match &self.target(id)?.plan {
            Plan::Run { spec, .. } => Some(spec.image.clone()),
            Plan::Blocked { .. } => None,
        }
    }

    /// From now on events of an actor carry this.
    pub(crate) fn annotate(&mut self, id: &ActorId, annotations: &BTreeMap<String, String>) {
        let annotations = Arc::new(annotations.clone());
        for run in self.actors.get_mut(id).into_iter().flat_map(|actor| actor.runs.values_mut()) {
            run.annotations = Arc::clone(&annotations);
        }
    }

    /// What became of the links of an actor.
    pub(crate) fn judged(&mut self, id: &ActorId, reports: Vec<LinkReport>) {
        if let Some(actor) = self.actors.get_mut(id)
            && actor.links != reports
        {
            actor.links = reports;
            self.changed.insert(id.clone());
        }
    }

    /// The targets of what serves.
    pub(crate) fn serving(&self) -> impl Iterator<Item = Option<&Target>> {
        let ready = self.actors.values().filter(|actor| actor.runs.values().any(Run::is_ready));
        ready.map(|actor| actor.target.as_ref())
    }

    /// From now on, whatever it is told: what serves or is being started goes on.
    pub(crate) fn start_nothing(&mut self) {
        self.starts_nothing = true;
        self.retries.clear();
    }

    /// Ends everything.
    pub(crate) fn stop_all(&mut self, out: &mut Vec<Effect>) {
        let ids: Vec<ActorId> = self.actors.keys().cloned().collect();
        for id in ids {
            self.halt(&id, out);
        }
    }

    /// Something about all of them is said differently from now on.
    pub(crate) fn touch_all(&mut self) {
        self.changed.extend(self.actors.keys().cloned());
    }

    pub(crate) fn actor_of(&self, run: RunId) -> Option<&ActorId> {
        self.actor_of.get(&run)
    }

    fn run_mut(&mut self, run: RunId) -> Option<(ActorId, &mut Run)> {
        let id = self.actor_of.get(&run)?.clone();
        let run = self.actors.get_mut(&id)?.runs.get_mut(&run)?;
        Some((id, run))
    }

    fn remove(&mut self, id: &ActorId, run: RunId) {
        self.actor_of.remove(&run);
        if let Some(actor) = self.actors.get_mut(id) {
            actor.runs.remove(&run);
        }
        self.changed.insert(id.clone());
    }

    fn is_blocked(&self, id: &ActorId) -> bool {
        self.target(id).is_some_and(Target::is_blocked)
    }
}

impl Target {
    pub(crate) const fn is_blocked(&self) -> bool {
        matches!(self.plan, Plan::Blocked { .. })
    }
}
