//! Keeps saying what became of the links of this host's actors.
//!
//! They are judged anew whenever a link changed or somebody serves something else than before. The
//! verdicts are for people, so many changes at once are judged together.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wattle_agent::{Event, RunId, judge};
use wattle_tasks::CancellationToken;
use wattle_types::{ActorId, Exports, LinkReport};

use crate::actors::Run;
use crate::mailbox::Mailbox;
use crate::router::Router;

/// Between two rounds at least.
const PAUSE: Duration = Duration::from_millis(50);
/// Of the time, a tenth at most is spent on judging.
const REST: u32 = 10;

/// Judges until `stop`.
pub(crate) async fn keep_judging(router: Arc<Router>, mailbox: Mailbox, stop: CancellationToken) {
    let mut changes = router.changes();
    let mut told: HashMap<ActorId, (RunId, Vec<LinkReport>)> = HashMap::new();
    changes.mark_changed();
    while let Some(Ok(())) = stop.run_until_cancelled(changes.changed()).await {
        let begun = Instant::now();
        let serving = router.actors.serving();
        told.retain(|_, (run, _)| serving.iter().any(|now| now.id() == *run));
        for run in serving {
            let (id, verdict) = (run.actor().id(), verdict(&router, &run));
            if told.get(id).is_some_and(|(_, before)| *before == verdict)
                || (verdict.is_empty() && !told.contains_key(id))
            {
                continue;
            }
            told.insert(id.clone(), (run.id(), verdict.clone()));
            mailbox.tell(Event::LinksJudged { id: id.clone(), reports: verdict }).await;
        }
        let pause = PAUSE.max(begun.elapsed() * REST);
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}

fn verdict(router: &Router, run: &Run) -> Vec<LinkReport> {
    let binding = router.bindings.of(run.actor().id());
    let links = binding.links();
    let mut exports: BTreeMap<&ActorId, Vec<Arc<Exports>>> = BTreeMap::new();
    for (_, _, bound) in links.iter() {
        exports.entry(&bound.target).or_insert_with(|| router.exports(&bound.target));
    }
    judge(run.imports(), &links, |target| {
        exports.get(target).into_iter().flatten().map(|exports| &**exports)
    })
}
