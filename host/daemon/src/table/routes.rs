//! Which routes somebody announces, and which are remembered for a while after the last did.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;

use wattle_types::{ActorId, HttpRoute, Millis};

#[derive(Debug, Default)]
pub(super) struct Routes(BTreeMap<(HttpRoute, ActorId), Announced>);

#[derive(Debug)]
enum Announced {
    /// So many hosts.
    By(usize),
    NotAnyMore {
        until: Millis,
    },
}

impl Routes {
    pub(super) fn iter(&self) -> impl Iterator<Item = (HttpRoute, ActorId)> {
        self.0.keys().cloned()
    }

    /// `true` if it was not known before.
    pub(super) fn announce(&mut self, route: HttpRoute, actor: ActorId) -> bool {
        match self.0.entry((route, actor)) {
            Slot::Vacant(slot) => {
                slot.insert(Announced::By(1));
                true
            }
            Slot::Occupied(mut slot) => {
                let by = match slot.get() {
                    Announced::By(count) => count + 1,
                    Announced::NotAnyMore { .. } => 1,
                };
                slot.insert(Announced::By(by));
                false
            }
        }
    }

    pub(super) fn withdraw(&mut self, route: HttpRoute, actor: ActorId, known_until: Millis) {
        if let Some(announced) = self.0.get_mut(&(route, actor)) {
            *announced = match announced {
                Announced::By(count) if 1 < *count => Announced::By(*count - 1),
                Announced::By(_) => Announced::NotAnyMore { until: known_until },
                Announced::NotAnyMore { until } => Announced::NotAnyMore { until: *until },
            };
        }
    }

    /// Forgets what nobody announces any more and was remembered long enough. `true` if there
    /// was any.
    pub(super) fn sweep(&mut self, now: Millis) -> bool {
        let before = self.0.len();
        self.0.retain(|_, announced| match announced {
            Announced::By(_) => true,
            Announced::NotAnyMore { until } => now <= *until,
        });
        self.0.len() != before
    }
}
