//! Code that is looked for while its component is still being judged.
//!
//! Hashing what somebody signed and authenticating what this host compiled of it take about as long,
//! and neither needs the other. *Guarantees.* What a file says of itself is believed no further than
//! to find code in this host's own cache: nothing is made or removed because of it. What is found is
//! used only if the component is verified, and has this very content.

use bytes::Bytes;
use tokio::task::JoinHandle;
use wasmtime::component::Component;
use wattle_trust::claims;

use crate::cache::Key;
use crate::engine::{Engine, Shared};
use crate::shape::Shape;

/// What is being looked for. Dropped, it is forgotten.
#[derive(Debug)]
pub struct Early(JoinHandle<Option<(Key, Component)>>);

impl Early {
    /// The code under `key`, if that is what was looked for and found.
    pub(super) async fn code(self, key: Key) -> Option<Component> {
        let (found, component) = self.0.await.ok()??;
        (found == key).then_some(component)
    }
}

impl Engine {
    /// Begins to look for the code of a component that nobody has verified yet, unless it is in use.
    ///
    /// # Panics
    /// Outside a runtime of tokio.
    pub fn look_early(&self, file: Bytes) -> Early {
        let shared = self.shared.clone();
        Early(tokio::task::spawn_blocking(move || shared.early(&file)))
    }
}

impl Shared {
    fn early(&self, file: &[u8]) -> Option<(Key, Component)> {
        let source = claims::inspect(file).ok()??.hash;
        if self.loader.uses(source) {
            return None;
        }
        let runtime = self.runtimes.made(Shape::of(file).ok()?.wasi())?;
        let key = Key { source, engine: runtime.own };
        Some((key, self.loader.cache.as_ref()?.load(&runtime.wasmtime, key).ok()?))
    }
}
