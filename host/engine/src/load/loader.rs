//! What an engine has loaded, and who is loading now.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use tokio::sync::OwnedMutexGuard;
use wattle_types::Digest;

use super::Loaded;
use crate::cache::Cache;
use crate::compile::Compilers;

/// What loading needs, and what came of it.
#[derive(Debug)]
pub(crate) struct Loader {
    pub(super) cache: Option<Cache>,
    pub(super) component_bytes_max: usize,
    pub(crate) compilers: Compilers,
    in_use: Mutex<HashMap<Digest, Weak<Loaded>>>,
    turns: Mutex<HashMap<Digest, Weak<tokio::sync::Mutex<()>>>>,
}

impl Loader {
    pub(crate) fn new(
        cache: Option<Cache>,
        component_bytes_max: usize,
        compilers: Compilers,
    ) -> Self {
        let (in_use, turns) = Default::default();
        Self { cache, component_bytes_max, compilers, in_use, turns }
    }

    /// The component with this digest, if an actor uses it.
    pub(super) fn get(&self, digest: Digest) -> Option<Arc<Loaded>> {
        held(&self.in_use).get(&digest).and_then(Weak::upgrade)
    }

    /// Whether an actor uses a component with this content.
    pub(super) fn uses(&self, source: Digest) -> bool {
        let in_use = held(&self.in_use);
        in_use.values().filter_map(Weak::upgrade).any(|loaded| loaded.claims.hash == source)
    }

    /// Keeps `loaded`, or gives back what another load of the same component kept meanwhile.
    pub(super) fn keep(&self, loaded: Loaded) -> Arc<Loaded> {
        let mut in_use = held(&self.in_use);
        in_use.retain(|_, loaded| loaded.strong_count() != 0);
        if let Some(first) = in_use.get(&loaded.digest).and_then(Weak::upgrade) {
            return first;
        }
        let loaded = Arc::new(loaded);
        in_use.insert(loaded.digest, Arc::downgrade(&loaded));
        loaded
    }

    /// The turn to load what has this content: the same is never compiled twice at once, and whoever
    /// comes next finds it in the cache. If the one before gives up, the next one begins anew.
    pub(super) async fn turn(&self, source: Digest) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = held(&self.turns);
            turns.retain(|_, turn| turn.strong_count() != 0);
            let turn = turns.get(&source).and_then(Weak::upgrade).unwrap_or_default();
            turns.insert(source, Arc::downgrade(&turn));
            turn
        };
        turn.lock_owned().await
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while it holds this lock")
}
