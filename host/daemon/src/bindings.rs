//! Where the links of each actor of this host lead now.
//!
//! Links change while an actor runs, so they are read anew by each of its calls; all runs of an
//! actor share them. What is bound before a run starts waits here for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use arc_swap::{ArcSwap, Guard};
use wattle_types::{ActorId, LinkTable};

/// All actors of this host, by a lock that is held for one look.
#[derive(Debug, Default)]
pub(crate) struct Bindings(Mutex<HashMap<ActorId, Arc<Binding>>>);

/// One actor.
#[derive(Debug, Default)]
pub(crate) struct Binding(ArcSwap<LinkTable>);

impl Bindings {
    /// What an actor is bound to, now and in future.
    pub(crate) fn of(&self, actor: &ActorId) -> Arc<Binding> {
        self.lock().entry(actor.clone()).or_default().clone()
    }

    pub(crate) fn bind(&self, actor: &ActorId, links: Arc<LinkTable>) {
        self.of(actor).0.store(links);
    }

    /// Forgets an actor unless something of it is left.
    pub(crate) fn tidy(&self, actor: &ActorId) {
        let mut all = self.lock();
        if all.get(actor).is_some_and(|binding| Arc::strong_count(binding) == 1) {
            all.remove(actor);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ActorId, Arc<Binding>>> {
        self.0.lock().expect("nothing panics while it holds this lock")
    }
}

impl Binding {
    pub(crate) fn links(&self) -> Guard<Arc<LinkTable>> {
        self.0.load()
    }
}

#[cfg(test)]
mod tests {
    use wattle_types::{LinkRecord, LinkTarget, Owner};

    use super::*;

    fn links() -> Arc<LinkTable> {
        let target = LinkTarget {
            target: "db".parse().unwrap(),
            interfaces: ["store".parse().unwrap()].into(),
            idempotent: false,
            source_config: Vec::new(),
            target_config: Vec::new(),
        };
        let [namespace, package] = ["acme", "data"].map(|word| word.parse().unwrap());
        let source = "web".parse().unwrap();
        let name = Default::default();
        let record = LinkRecord::new(source, namespace, package, name, target, Owner::Manual);
        Arc::new(LinkTable::of(&[record]))
    }

    #[test]
    fn what_was_bound_early_waits_and_what_nothing_is_left_of_is_forgotten() {
        let bindings = Bindings::default();
        let web: ActorId = "web".parse().unwrap();
        bindings.bind(&web, links());
        let run = bindings.of(&web);
        assert_eq!(**run.links(), *links());
        bindings.tidy(&web);
        bindings.bind(&web, Arc::default());
        assert!(run.links().is_empty(), "a run that is left is bound anew");
        bindings.bind(&web, links());
        drop(run);
        bindings.tidy(&web);
        assert!(bindings.of(&web).links().is_empty());
    }
}
