//! What was started by hand refers to links and configuration as what is assigned does. A restart
//! needs these too, but nothing waits for them: what is not known yet is told when it is.

use std::collections::BTreeMap;

use wattle_types::{ActorId, Entry, Key, ManualEntry, ManualValue};

use super::Closures;
use crate::refusal::Refusal;

#[derive(Debug, Default)]
pub(super) struct ByHand {
    pub(super) entries: BTreeMap<ActorId, Entry>,
    /// Something they refer to has changed since it was written.
    pub(super) touched: bool,
}

impl Closures {
    /// Takes what was on disk of what was started by hand.
    pub(crate) fn restore_by_hand<'a>(
        &mut self,
        entries: impl Iterator<Item = (Entry, &'a ManualEntry)>,
        values: Vec<ManualValue>,
    ) -> Vec<Refusal> {
        let entries: Vec<_> = entries.collect();
        self.known.begin_links(entries.iter().map(|(entry, _)| &entry.id));
        let values = values.into_iter();
        // What has another name was written by a newer version.
        let values = values.filter_map(|value| Some((value.key.parse().ok()?, value.bytes)));
        let refusals = self.known.restore_values(values);
        self.set_by_hand(entries.into_iter());
        refusals
    }

    /// This is all that is started by hand from now on.
    pub(crate) fn set_by_hand<'a>(
        &mut self,
        entries: impl Iterator<Item = (Entry, &'a ManualEntry)>,
    ) {
        self.by_hand.entries.clear();
        for (entry, of) in entries {
            let spec = Key::Spec(entry.spec);
            let learned = self.known.learn(&spec, of.spec.encode());
            learned.expect("the name of a spec was made of its bytes");
            self.links.begin(&entry.id, self.known.has_links(&entry.id).then_some(0));
            self.links.tell(&entry.id, 0);
            for name in self.known.config_names(&entry) {
                self.configs.begin(name, self.known.has_config(name).then_some(0));
                self.configs.tell(name, 0);
            }
            self.by_hand.entries.insert(entry.id.clone(), entry);
        }
        self.tidy();
    }

    /// What a restart needs of it besides its specs.
    pub(crate) fn values_by_hand(&self) -> Vec<ManualValue> {
        let entries: Vec<Entry> = self.by_hand.entries.values().cloned().collect();
        let image = self.known.image(&entries);
        let values = self.known.beyond(&image, None).into_iter();
        let values = values.filter(|(key, _)| matches!(key, Key::Link { .. } | Key::Config(_)));
        values.map(|(key, bytes)| ManualValue { key: key.to_string(), bytes }).collect()
    }

    /// Whether that has changed since it was asked for last.
    pub(crate) const fn take_touched_by_hand(&mut self) -> bool {
        std::mem::replace(&mut self.by_hand.touched, false)
    }

    pub(super) fn is_used_by_hand(&self, key: &Key) -> bool {
        let Key::Config(name) = key else { return false };
        let mut entries = self.by_hand.entries.values();
        entries.any(|entry| self.known.config_names(entry).contains(name))
    }
}
