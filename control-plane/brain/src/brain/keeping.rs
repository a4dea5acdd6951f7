//! What of the store is kept on this controller's own disk: all that people wrote.
//!
//! Every controller keeps it, so that two of them are two copies. A store that has lost something
//! must not take it from the export as well: while any application is lost, only what cannot
//! be older than what is kept goes there, which is heads that follow, and manifests. Of those, one
//! that the newest head seen names otherwise waits for a head that does not: a store that was begun
//! anew counts revisions from one again.

use wattle_types::{Digest, Key};

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
        let (held, mut entries): (Vec<Kept>, Vec<Kept>) =
            std::mem::take(&mut self.to_keep).into_iter().partition(|kept| self.is_disputed(kept));
        self.to_keep = held;
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

    fn is_disputed(&self, kept: &Kept) -> bool {
        let Key::Manifest(app, revision) = &kept.key else { return false };
        let digest = kept.bytes.as_deref().map(Digest::of);
        self.mirror.marks().get(app).is_some_and(|mark| mark.contradicts(*revision, digest))
    }
}
