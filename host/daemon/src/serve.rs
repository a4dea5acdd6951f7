//! Keeps the serve table: hears what hosts announce, asks when something was missed, and tells
//! those who ask.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use wattle_lattice::{Connection, Message, Subject, Subscription, wire};
use wattle_tasks::CancellationToken;
use wattle_types::{HostId, ServeDelta, stored};

use crate::mailbox::Mailbox;
use crate::router::Router;

/// No announcement is larger than the largest message NATS is set to carry.
const ANNOUNCEMENT_BYTES_MAX: usize = 8 << 20;
/// How long answers are collected. Who answers later is heard by its next announcement.
const ASK_WITHIN: Duration = Duration::from_millis(500);
const HOSTS_MAX: usize = 10_000;
/// Between two rounds of asking: all hosts answer each.
const ASK_PAUSE: Duration = Duration::from_secs(1);

/// The table's side of this host's membership. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct ServeTable {
    own: HostId,
    router: Arc<Router>,
    mailbox: Mailbox,
    connection: Connection,
}

impl ServeTable {
    pub(crate) fn new(
        own: HostId,
        router: Arc<Router>,
        mailbox: Mailbox,
        connection: Connection,
    ) -> Self {
        Self { own, router, mailbox, connection }
    }

    /// Everything may have changed unheard.
    pub(crate) fn ask_everyone(&self) {
        self.router.ask.notify_one();
    }

    /// Hears what hosts announce, until `stop`.
    pub(crate) async fn hear(self, mut announcements: Subscription, stop: CancellationToken) {
        while let Some(Some(message)) = stop.run_until_cancelled(announcements.next()).await {
            let Subject::Serve { host } = &message.subject else { continue };
            // Our own table has it already.
            if *host != self.own && self.take(&message.payload, Some(host)) {
                self.ask_everyone();
            }
        }
    }

    /// Asks everyone whenever something was missed, until `stop`.
    pub(crate) async fn keep_whole(self, stop: CancellationToken) {
        while stop.run_until_cancelled(self.router.ask.notified()).await.is_some() {
            let asked =
                self.connection.gather(&Subject::AskServe, Bytes::new(), ASK_WITHIN, HOSTS_MAX);
            match asked.await {
                Ok(replies) => {
                    for reply in replies {
                        self.take(&reply.payload, None);
                    }
                }
                Err(error) => tracing::debug!(%error, "hosts were not asked what they serve"),
            }
            if stop.run_until_cancelled(tokio::time::sleep(ASK_PAUSE)).await.is_none() {
                return;
            }
        }
    }

    /// Tells those who ask, until `stop`.
    pub(crate) async fn tell(self, mut asked: Subscription, stop: CancellationToken) {
        while let Some(Some(message)) = stop.run_until_cancelled(asked.next()).await {
            let Message { reply: Some(to), .. } = message else { continue };
            let Some(serves) = self.mailbox.serves().await else { return };
            if let Err(error) = self.connection.respond(&to, stored::encode(&serves).into()).await {
                tracing::warn!(%error, "could not say what this host serves");
            }
        }
    }

    /// `true`: something before it was missed.
    fn take(&self, payload: &[u8], said_by: Option<&HostId>) -> bool {
        let delta: ServeDelta =
            match wire::decode("an announcement", payload, ANNOUNCEMENT_BYTES_MAX) {
                Ok(delta) => delta,
                Err(error) => {
                    tracing::warn!(%error, "announcement passed over");
                    return false;
                }
            };
        // What a host may publish is pinned by its subject; what it says of another is not its
        // to say.
        if said_by.is_some_and(|host| *host != delta.host) {
            tracing::warn!(host = %delta.host, "announced by another host; passed over");
            return false;
        }
        delta.host != self.own && self.router.hear(delta)
    }
}
