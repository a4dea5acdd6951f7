//! `wasmcloud:messaging` over the lattice's own NATS.
//!
//! *Expected flow*: the host makes one [`MessagingNats`] per connection, binds each actor to what its
//! spec lets it say, and listens for those that export a handler; what arrives is brought to the actor
//! by the host. *Guarantees*: an actor says only what its spec allows, and never anything to a subject
//! of the lattice, NATS or the 1.x clients; of the hosts that run an actor, one is given each message;
//! what waits for a slow actor is bounded in count and bytes. *Caveats*: at most once, both ways; a
//! message that two patterns of one actor match comes once for each. *Errors*: what a guest is told
//! names no connection and no server.

mod backlog;
mod grants;
mod said;
mod subscription;

use std::sync::Arc;

use wattle_capability::Messaging;
use wattle_lattice::{Connection, PublishError};
use wattle_types::{ActorId, messaging};

use grants::Grants;
use said::Voice;
pub use subscription::{Delivery, Subscription};

/// Messages a host keeps for one actor that is slower than they come, in count and in bytes; those
/// that come when it is full are dropped.
pub const BACKLOG_MAX: usize = 1_024;
pub const BACKLOG_BYTES_MAX: usize = 8 << 20;

/// Messages of all actors of one connection. Cheap to clone.
#[derive(Clone, Debug)]
pub struct MessagingNats {
    connection: Connection,
    grants: Arc<Grants>,
}

impl MessagingNats {
    /// Asks nobody.
    pub fn new(connection: Connection) -> Self {
        Self { connection, grants: Arc::default() }
    }

    /// What an actor may say: what its spec allows, and answers to messages while it handles them.
    pub fn for_actor(&self, allowed: &messaging::Messaging) -> Arc<dyn Messaging> {
        let (connection, grants) = (self.connection.clone(), self.grants.clone());
        Arc::new(Voice { connection, grants, allowed: allowed.clone() })
    }

    /// Listens to what the spec of `actor` names, with at most `at_once` messages handled at once.
    /// Asks nobody: what is said before the server hears of it is missed.
    ///
    /// # Errors
    ///
    /// Where the connection is closed for good. While it is only lost, the client listens again by
    /// itself when it is back.
    pub async fn subscribe(
        &self,
        actor: &ActorId,
        patterns: &[messaging::SubjectPattern],
        at_once: usize,
    ) -> Result<Subscription, PublishError> {
        let mut incoming = Vec::with_capacity(patterns.len());
        for pattern in patterns {
            incoming.push(self.connection.guest_subscribe(pattern, actor).await?);
        }
        Ok(Subscription::new(actor.clone(), incoming, self.grants.clone(), at_once))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_for_people_says_what_the_code_does() {
        let page = include_str!("../../../docs/limits.md");
        let mib = format!("{}MiB", BACKLOG_BYTES_MAX >> 20);
        for row in [
            format!("| messages that wait for one actor on one host | {BACKLOG_MAX} |"),
            format!("| bytes that wait for one actor on one host | {mib} |"),
        ] {
            assert!(page.contains(&row), "{row}");
        }
    }
}
