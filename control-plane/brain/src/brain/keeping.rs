//! What of the store is kept on this controller's own disk: all that people wrote.
//!
//! Every controller keeps it, so that two of them are two copies. A store that has lost something
//! must not take it from the export as well: while any application is lost, only what cannot
//! be older than what is kept goes there, which is heads that follow and manifests.

use wattle_types::Key;

use super::Brain;
use crate::effect::{Effect, Kept};
use crate::event::Content;

impl Brain {
    /// Takes note of what was followed just now, and is newer than what was known.
    pub(super) fn keep(&mut self, key: Key, seq: u64, content: &Content, out: &mut Vec<Effect>) {
        let bytes = match content {
            Content::Value(bytes) | Content::Unsigned(bytes) => Some(bytes.clone()),
            Content::Gone => None,
            Content::Unreadable => return,
        };
        let is_kept = match &key {
            // Nobody deletes a head, and one that is not believed is worse than the last one.
            Key::App(name) => self.mirror.heads.get(name).is_some_and(|at| at.value.is_some()),
            Key::Manifest(..) | Key::Id(_) | Key::Link { .. } | Key::Config(_) => true,
            Key::Lease | Key::Spec(_) | Key::Assign(_) | Key::Canary(_) => false,
        };
        if !is_kept {
            return;
        }
        self.to_keep.push(Kept { key, seq, bytes });
        if self.mirror.is_complete() {
            self.keep_all(out);
        }
    }

    /// What was followed is the state.
    pub(super) fn keep_all(&mut self, out: &mut Vec<Effect>) {
        let mut entries = std::mem::take(&mut self.to_keep);
        if !self.mirror.lost.is_empty() {
            entries.retain(|kept| match kept.key {
                Key::App(_) => true,
                Key::Manifest(..) => kept.bytes.is_some(),
                _ => false,
            });
        }
        if !entries.is_empty() {
            out.push(Effect::Keep { entries });
        }
    }
}
