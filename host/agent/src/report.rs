//! What a host says of each of its actors in the inventory.

use std::collections::BTreeMap;

use wattle_types::{ActorId, ActorReport, ActorState};

use crate::event::Failure;
use crate::judge;
use crate::runs::{Actor, Phase, Plan, Run, Target};

/// All runs, and every target that has none.
pub(crate) fn actors(actors: &BTreeMap<ActorId, Actor>) -> Vec<ActorReport> {
    let mut reports = Vec::new();
    for (id, actor) in actors {
        let failing = actor.failing.as_ref();
        reports.extend(actor.runs.values().map(|run| {
            // While it is tried again its reason stays visible, or status would flicker.
            let failing = failing.filter(|failing| failing.hash == run.hash);
            of_run(id, actor, run, failing.map(|failing| &failing.failure))
        }));
        let current = |target: &Target| {
            actor
                .runs
                .values()
                .any(|run| run.hash == target.hash && !matches!(run.phase, Phase::Draining(_)))
        };
        if let (Some(target), Some(failing)) = (&actor.target, failing)
            && !current(target)
        {
            reports.push(of_failure(id, target, &failing.failure));
        }
    }
    reports
}

fn of_run(id: &ActorId, actor: &Actor, run: &Run, failure: Option<&Failure>) -> ActorReport {
    let component = run.component();
    // They were judged for what serves.
    let (links, missing_links) = match &run.phase {
        Phase::Ready(component) => {
            (actor.links.clone(), judge::missing(&component.imports, &run.binding.links))
        }
        Phase::Starting | Phase::Draining(_) => Default::default(),
    };
    ActorReport {
        id: id.clone(),
        image: run.spec.image.clone(),
        name: component.and_then(|component| component.name.clone()),
        spec: run.hash,
        count: run.count,
        owner: run.owner.clone(),
        annotations: (*run.annotations).clone(),
        digest: component.map(|component| component.digest),
        revision: component.and_then(|component| component.revision),
        links,
        missing_links,
        state: match (&run.phase, failure) {
            (Phase::Starting, Some(failure)) => failed(failure),
            (Phase::Starting, None) => ActorState::Starting,
            (Phase::Ready(_), _) => ActorState::Ready,
            (Phase::Draining(_), _) => ActorState::Draining,
        },
    }
}

fn of_failure(id: &ActorId, target: &Target, failure: &Failure) -> ActorReport {
    let spec = match &target.plan {
        Plan::Run { spec, .. } => Some(spec),
        Plan::Blocked { .. } => None,
    };
    ActorReport {
        id: id.clone(),
        image: spec.map(|spec| spec.image.clone()).unwrap_or_default(),
        name: None,
        spec: target.hash,
        count: target.count,
        owner: target.owner.clone(),
        annotations: (*target.annotations).clone(),
        digest: None,
        revision: None,
        links: Vec::new(),
        missing_links: Vec::new(),
        state: failed(failure),
    }
}

fn failed(failure: &Failure) -> ActorState {
    ActorState::Failed { code: failure.code.clone(), message: failure.message.clone() }
}
