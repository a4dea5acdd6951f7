//! What a person started is what an application asks for: it becomes the application's, and nothing
//! of it is started anew.

use std::sync::Arc;

use wattle_types::{ActorId, ActorSpec};

use super::{Phase, Plan, Runs, Target};
use crate::effect::Effect;

impl Runs {
    /// Gives what serves to the owner of the target, if that asks for the same. Where it asks for
    /// something else, that is started beside it and takes its place.
    pub(super) fn adopt(&mut self, id: &ActorId, target: &Target, out: &mut Vec<Effect>) {
        let Plan::Run { spec, .. } = &target.plan else { return };
        let Some(actor) = self.actors.get_mut(id) else { return };
        if target.owner.is_by_hand() || actor.runs.values().any(|run| run.hash == target.hash) {
            return;
        }
        let mut runs = actor.runs.iter_mut();
        let found = runs.find(|(_, run)| run.owner.is_by_hand() && is_the_same(&run.spec, spec));
        let Some((run_id, run)) = found else { return };
        let Phase::Ready(component) = &run.phase else { return };
        (run.hash, run.spec) = (target.hash, Arc::clone(spec));
        let (run, digest) = (*run_id, component.digest);
        let (id, hash, spec) = (id.clone(), target.hash, Arc::clone(spec));
        self.changed.insert(id.clone());
        out.push(Effect::Adopt { id, run, hash, spec, digest });
    }
}

/// Whether a run of one is as good as a run of the other: they differ only in whose they are, and
/// in what a run is told while it runs.
fn is_the_same(one: &ActorSpec, other: &ActorSpec) -> bool {
    let rest = |spec: &ActorSpec| ActorSpec {
        app: None,
        component: None,
        config: Default::default(),
        config_from: Vec::new(),
        routes: Vec::new(),
        annotations: Default::default(),
        ..spec.clone()
    };
    rest(one) == rest(other)
}
