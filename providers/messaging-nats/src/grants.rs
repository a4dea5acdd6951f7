//! Which inboxes actors may answer to, because they are handling a message that came from there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use wattle_lattice::ReplyTo;
use wattle_types::ActorId;

/// Bounded by what the actors handle at once.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    open: Mutex<HashMap<(ActorId, String), Open>>,
}

#[derive(Debug)]
struct Open {
    to: ReplyTo,
    /// Messages from there that are being handled.
    messages: usize,
}

/// The right of one actor to answer one message; over when dropped.
#[derive(Debug)]
pub(crate) struct Grant {
    grants: Arc<Grants>,
    key: (ActorId, String),
}

impl Grants {
    /// `subject` is what the actor is told of `to`.
    pub(crate) fn grant(self: &Arc<Self>, actor: &ActorId, subject: &str, to: ReplyTo) -> Grant {
        let key = (actor.clone(), subject.to_owned());
        let mut open = self.open();
        open.entry(key.clone()).or_insert(Open { to, messages: 0 }).messages += 1;
        drop(open);
        Grant { grants: self.clone(), key }
    }

    /// Where `actor` may answer to as `subject`, if it may.
    pub(crate) fn find(&self, actor: &ActorId, subject: &str) -> Option<ReplyTo> {
        let key = (actor.clone(), subject.to_owned());
        self.open().get(&key).map(|open| open.to.clone())
    }

    fn open(&self) -> MutexGuard<'_, HashMap<(ActorId, String), Open>> {
        self.open.lock().expect("nothing panics while it holds this lock")
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        let mut open = self.grants.open();
        if let Some(found) = open.get_mut(&self.key) {
            found.messages -= 1;
            if found.messages == 0 {
                open.remove(&self.key);
            }
        }
    }
}
