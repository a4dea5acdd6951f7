//! What the controller listens to all the time: the store, beats, and its own link.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use wattle_brain::{Content, Event};
use wattle_lattice::{
    Change, Connection, ConnectionState, Pattern, PublishError, Store, Stored, Subject, wire,
};
use wattle_tasks::{Chain, Tasks};
use wattle_trust::signed::{self, Context};
use wattle_types::{Beat, Key, PublicKey};

use crate::mind::Letter;

/// A beat is at most 256 bytes; later versions may say more.
const BEAT_BYTES_MAX: usize = 4_096;

#[derive(Clone)]
pub(crate) struct Ears {
    pub(crate) connection: Connection,
    pub(crate) store: Store,
    /// Whose assignments and heads in the store are believed.
    pub(crate) believed: BTreeSet<PublicKey>,
    pub(crate) mailbox: mpsc::Sender<Letter>,
    /// Asks for the store to be followed from its beginning.
    pub(crate) follow_anew: Arc<Notify>,
}

impl Ears {
    /// Begins to listen. All of it is essential: a controller that hears half decides wrongly.
    pub(crate) async fn listen(self, tasks: &Tasks) -> Result<(), PublishError> {
        let mut beats = self.connection.subscribe(&Pattern::Beats).await?;
        let ears = self.clone();
        tasks.spawn_essential("hear beats", |stop| async move {
            while let Some(Some(message)) = stop.run_until_cancelled(beats.next()).await {
                if let Some(beat) = read_beat(&message.subject, &message.payload) {
                    // The next one says the same, only newer.
                    if ears.mailbox.try_send(Letter::Event(Event::Beat(beat))).is_err() {
                        debug!("a beat was dropped");
                    }
                }
            }
        });
        let ears = self.clone();
        tasks.spawn_essential("watch the link", |stop| async move { ears.watch_link(&stop).await });
        tasks.spawn_essential("follow the store", |stop| async move { self.follow(&stop).await });
        Ok(())
    }

    async fn tell(&self, event: Event) -> bool {
        self.mailbox.send(Letter::Event(event)).await.is_ok()
    }

    /// Every connection that was made anew is told, also one that broke and came back unseen.
    async fn watch_link(&self, stop: &CancellationToken) {
        let mut link = self.connection.connected();
        let mut told = ConnectionState::default();
        loop {
            let state = *link.borrow_and_update();
            if state.closed {
                return;
            }
            let lost = told.up && (!state.up || told.connects != state.connects);
            if lost && !self.tell(Event::Disconnected).await {
                return;
            }
            let made = state.up && (!told.up || told.connects != state.connects);
            if made && !self.tell(Event::Connected).await {
                return;
            }
            told = state;
            match stop.run_until_cancelled(link.changed()).await {
                Some(Ok(())) => {}
                Some(Err(_)) | None => return,
            }
        }
    }

    async fn follow(&self, stop: &CancellationToken) {
        let mut follow = self.store.follow();
        loop {
            let change = tokio::select! {
                () = stop.cancelled() => break,
                () = self.follow_anew.notified() => {
                    follow.close().await;
                    follow = self.store.follow();
                    Some(Change::Replaced)
                }
                change = follow.next() => change,
            };
            let Some(change) = change else { break };
            let event = match change {
                Change::Replaced => Event::FollowReset,
                Change::Complete { at } => Event::FollowedAll { seq: at },
                Change::Entry(key, stored) => {
                    let content = self.content(&key, &stored);
                    Event::Followed { key, seq: stored.seq, content }
                }
            };
            if !self.tell(event).await {
                return;
            }
        }
        follow.close().await;
    }

    /// The value, out of its signature where it has one.
    fn content(&self, key: &Key, stored: &Stored) -> Content {
        let Some(bytes) = stored.value() else { return Content::Gone };
        let context = match key {
            Key::Assign(_) => Context::Assignment,
            Key::App(_) => Context::Head,
            _ => return Content::Value(bytes.to_vec()),
        };
        let opened = match signed::open(bytes) {
            Ok(sealed) => sealed.verify(context, &self.believed).map(<[u8]>::to_vec),
            // As heads were before they were signed; what it is worth is for the brain to say.
            Err(signed::Error::Malformed(_)) => return Content::Unsigned(bytes.to_vec()),
            Err(error) => Err(error),
        };
        match opened {
            Ok(body) => Content::Value(body),
            Err(error) => {
                warn!(error = %Chain(&error), %key, "a stored value is not believed");
                Content::Unreadable
            }
        }
    }
}

/// A beat, if it is the sender's own: the subject is what NATS lets a host speak under.
fn read_beat(subject: &Subject, payload: &[u8]) -> Option<Beat> {
    let Subject::Beat { host } = subject else { return None };
    match wire::decode::<Beat>("a beat", payload, BEAT_BYTES_MAX) {
        Ok(beat) if beat.host == *host => Some(beat),
        Ok(beat) => {
            warn!(%host, claimed = %beat.host, "a beat under another host's subject");
            None
        }
        Err(error) => {
            debug!(error = %Chain(&error), %host, "a beat could not be read");
            None
        }
    }
}
