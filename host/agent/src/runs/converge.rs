//! From what one actor's runs are towards its target. Level-triggered: it looks at everything
//! each time, so it does not matter which event it came after.

use std::sync::Arc;

use wattle_types::{ActorId, ActorSpec, Millis, SpecHash};

use super::{Binding, Failing, Phase, Plan, Run, Runs, START, Target};
use crate::effect::{Effect, Happening, Scaled};
use crate::event::{Component, Failure, RunId};

/// Why a run ends, as far as others are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Nothing runs under its id here any more.
    Alone,
    /// Another run serves in its place.
    Replaced,
    WithHost,
}

impl Runs {
    pub(super) fn converge(&mut self, id: &ActorId, now: Millis, out: &mut Vec<Effect>) {
        let Some(actor) = self.actors.get_mut(id) else { return };
        match actor.target.clone() {
            None => self.end(id, Ending::Alone, out),
            Some(target) => self.converge_to(id, &target, now, out),
        }
    }

    /// Ends an actor because the whole host leaves, which is said once for all of them.
    pub(super) fn halt(&mut self, id: &ActorId, out: &mut Vec<Effect>) {
        if let Some(actor) = self.actors.get_mut(id) {
            actor.target = None;
        }
        self.end(id, Ending::WithHost, out);
    }

    fn end(&mut self, id: &ActorId, ending: Ending, out: &mut Vec<Effect>) {
        self.stop_where(id, |_| true, ending, out);
        if let Some(actor) = self.actors.get_mut(id) {
            actor.failing = None;
            if actor.runs.is_empty() {
                self.actors.remove(id);
                self.changed.insert(id.clone());
            }
        }
    }

    fn converge_to(&mut self, id: &ActorId, target: &Target, now: Millis, out: &mut Vec<Effect>) {
        self.adopt(id, target, out);
        self.bind(id, target, out);
        // A start that is no longer wanted; what serves is kept until its successor is ready.
        let outdated = |run: &Run| run.hash != target.hash;
        self.stop_where(
            id,
            |run| outdated(run) && matches!(run.phase, Phase::Starting),
            Ending::Replaced,
            out,
        );
        let Plan::Run { spec, config } = &target.plan else {
            return self.stay_blocked(id, target, now);
        };
        let Some(actor) = self.actors.get_mut(id) else { return };
        if actor.failing.as_ref().is_some_and(|failing| failing.hash != target.hash) {
            actor.failing = None;
        }
        let current = actor
            .runs
            .iter_mut()
            .find(|(_, run)| run.hash == target.hash && !matches!(run.phase, Phase::Draining(_)));
        match current {
            Some((run_id, run)) => {
                let (run_id, ready) = (*run_id, run.is_ready());
                run.owner = target.owner.clone();
                run.annotations = Arc::clone(&target.annotations);
                if run.count != target.count {
                    run.count = target.count;
                    if ready {
                        let count = run.count;
                        out.push(Effect::Serve { id: id.clone(), run: run_id, count });
                        let scaled = run.scaled(id, run.component().cloned());
                        out.push(Effect::Emit(Happening::Scaled(scaled)));
                    }
                    self.changed.insert(id.clone());
                }
                if ready {
                    actor.failing = None;
                    self.stop_where(id, outdated, Ending::Replaced, out);
                }
            }
            None if self.starts_nothing => {}
            None => {
                let waits = actor.failing.as_ref().and_then(|failing| failing.retry_at);
                match waits {
                    Some(at) if now < at => {
                        self.retries.insert((at, id.clone()));
                    }
                    _ => {
                        let (links, config) = (Arc::clone(&target.links), Arc::clone(config));
                        self.start(id, target, Arc::clone(spec), Binding { links, config }, out);
                    }
                }
            }
        }
    }

    /// Links are the actor's, whichever revision of it runs, and hold for calls under way.
    /// Configuration is a revision's: an outdated one keeps what it had last.
    fn bind(&mut self, id: &ActorId, target: &Target, out: &mut Vec<Effect>) {
        let Some(actor) = self.actors.get_mut(id) else { return };
        for (run_id, run) in &mut actor.runs {
            let config = match &target.plan {
                Plan::Run { config, .. } if run.hash == target.hash => config,
                _ => &run.binding.config,
            };
            let (links, config) = (Arc::clone(&target.links), Arc::clone(config));
            let binding = Binding { links, config };
            if run.binding != binding {
                run.binding = binding;
                if run.component().is_some() {
                    out.push(run.bind(id, *run_id));
                }
            }
        }
    }

    fn start(
        &mut self,
        id: &ActorId,
        target: &Target,
        spec: Arc<ActorSpec>,
        binding: Binding,
        out: &mut Vec<Effect>,
    ) {
        self.last_run += 1;
        let run = RunId(self.last_run);
        let (hash, count) = (target.hash, target.count);
        let started = Run {
            hash,
            spec: Arc::clone(&spec),
            owner: target.owner.clone(),
            annotations: Arc::clone(&target.annotations),
            count,
            binding,
            phase: Phase::Starting,
        };
        self.actors.entry(id.clone()).or_default().runs.insert(run, started);
        self.actor_of.insert(run, id.clone());
        self.changed.insert(id.clone());
        out.push(Effect::Start { run, id: id.clone(), hash, spec, count });
    }

    /// Stops the runs that `which` picks.
    fn stop_where(
        &mut self,
        id: &ActorId,
        which: impl Fn(&Run) -> bool,
        ending: Ending,
        out: &mut Vec<Effect>,
    ) {
        let grace_ms = self.grace_ms;
        let Some(actor) = self.actors.get_mut(id) else { return };
        for (run_id, run) in &mut actor.runs {
            if matches!(run.phase, Phase::Draining(_)) || !which(run) {
                continue;
            }
            let served = run.component().cloned();
            if ending == Ending::Alone && served.is_some() {
                let ended = Scaled { count: 0, ..run.scaled(id, served.clone()) };
                out.push(Effect::Emit(Happening::Scaled(ended)));
            }
            run.phase = Phase::Draining(served);
            out.push(Effect::Stop { run: *run_id, grace_ms });
            self.changed.insert(id.clone());
        }
    }

    fn stay_blocked(&mut self, id: &ActorId, target: &Target, now: Millis) {
        let Plan::Blocked { failure, read_again } = &target.plan else { return };
        let Some(actor) = self.actors.get_mut(id) else { return };
        let same = |failing: &Failing| failing.hash == target.hash && failing.failure == *failure;
        if actor.failing.as_ref().is_some_and(same) {
            return;
        }
        let retry_at = read_again.then(|| now + START.delay_ms(1));
        let (hash, failure) = (target.hash, failure.clone());
        actor.failing = Some(Failing { hash, failure, failures: 1, retry_at });
        self.retries.extend(retry_at.map(|at| (at, id.clone())));
        self.changed.insert(id.clone());
    }

    /// Notes one more failure of this spec, and when to try again.
    pub(super) fn fail(&mut self, id: &ActorId, hash: SpecHash, failure: Failure, now: Millis) {
        let Some(actor) = self.actors.get_mut(id) else { return };
        let before = actor.failing.as_ref().filter(|failing| failing.hash == hash);
        let failures = before.map_or(0, |failing| failing.failures).saturating_add(1);
        let retry_at = Some(now + START.delay_ms(failures));
        actor.failing = Some(Failing { hash, failure, failures, retry_at });
        self.changed.insert(id.clone());
    }

    /// One more look at what blocks an actor is under way; the next one after a longer pause.
    pub(super) fn count_again(&mut self, id: &ActorId, now: Millis) {
        let failing = self.actors.get_mut(id).and_then(|actor| actor.failing.as_mut());
        if let Some(failing) = failing {
            failing.failures = failing.failures.saturating_add(1);
            let at = now + START.delay_ms(failing.failures);
            failing.retry_at = Some(at);
            self.retries.insert((at, id.clone()));
        }
    }
}

impl Run {
    pub(super) const fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready(_))
    }

    /// What serves or served, unless it never came so far.
    pub(crate) fn component(&self) -> Option<&Component> {
        match &self.phase {
            Phase::Starting => None,
            Phase::Ready(component) => Some(component),
            Phase::Draining(component) => component.as_ref(),
        }
    }

    pub(super) fn bind(&self, id: &ActorId, run: RunId) -> Effect {
        let Binding { links, config } = self.binding.clone();
        Effect::Bind { id: id.clone(), run, links, config }
    }

    pub(super) fn scaled(&self, id: &ActorId, component: Option<Component>) -> Scaled {
        Scaled {
            id: id.clone(),
            image: self.spec.image.clone(),
            count: self.count,
            annotations: (*self.annotations).clone(),
            component,
        }
    }
}
