//! What will happen, in the order of virtual time; what was planned first comes first.

use std::collections::BTreeMap;

#[derive(Debug)]
pub(crate) struct Agenda<T> {
    entries: BTreeMap<(u64, u64), T>,
    planned: u64,
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), planned: 0 }
    }
}

impl<T> Agenda<T> {
    pub(crate) fn plan(&mut self, at: u64, what: T) {
        self.planned += 1;
        self.entries.insert((at, self.planned), what);
    }

    /// The next thing before `end`, and when.
    pub(crate) fn next(&mut self, end: u64) -> Option<(u64, T)> {
        let entry = self.entries.first_entry()?;
        let at = entry.key().0;
        (at < end).then(|| (at, entry.remove()))
    }
}
