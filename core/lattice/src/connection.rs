//! One process's connection to one lattice.
//!
//! Owns: waiting for NATS and coming back to it, who we are on the wire (our reply prefix), and
//! the four ways a request can fail that a caller must tell apart. Does not own what is said.
//!
//! Core NATS is at most once: a publish that was accepted may still be lost with the connection.
//! What must arrive is a request with an answer, or a write to a stream.

mod config;
mod headers;
mod message;
pub(crate) mod replies;
mod requests;
mod upkeep;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use wattle_types::{HostId, LatticeId, Token};

pub(crate) use config::random_token;
pub use config::{ConnectConfig, Credentials, Password};
pub(crate) use headers::outgoing as outgoing_headers;
pub use message::{Headers, Message, Reply, Subscription};
pub use requests::{PublishError, RequestError};
pub(crate) use upkeep::establish;
pub use upkeep::{ConnectError, ConnectionState, Notice};

use crate::exchange::Calls;
use crate::subject::hosts;
use crate::{Names, Pattern, ReplyTo, Subject};
use replies::Replies;

/// A connection to one lattice. Cheap to clone; it ends when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Connection {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    client: async_nats::Client,
    names: Names,
    who: Token,
    /// The host we are, if we are one.
    host: Option<HostId>,
    /// `wattle.<L>.rep.<who>.<session>.`
    reply_prefix: String,
    link: watch::Receiver<ConnectionState>,
    replies: Arc<Replies>,
    /// Messages that came to a subject we listen to and could not be read.
    unreadable: Arc<AtomicU64>,
    calls: Arc<Calls>,
    _reader: DropGuard,
}

impl Connection {
    /// Joins the lattice, waiting as long as it takes and saying so through `on_event`.
    ///
    /// Fails at once only for what no waiting repairs: a malformed address, credentials that
    /// cannot be read or that the server refuses. Dropping the future gives up.
    pub async fn connect(
        config: ConnectConfig,
        on_event: impl Fn(Notice) + Send + Sync + 'static,
    ) -> Result<Self, ConnectError> {
        let session = config::random_token();
        let reply_prefix = format!("wattle.{}.rep.{}", config.names.lattice(), config.who);
        let replies = Arc::new(Replies::default());
        let hopeless = replies.clone();
        let on_event = move |notice: Notice| {
            if notice == Notice::Lost {
                hopeless.lose_heads();
            }
            on_event(notice);
        };
        let (client, link) = establish(&config, &reply_prefix, None, on_event).await?;

        let listening = client.subscribe(format!("{reply_prefix}.{session}.*")).await;
        let mut incoming = listening.map_err(|_| ConnectError::Ended)?;
        let stop = CancellationToken::new();
        let reader = stop.clone();
        let hand_out = replies.clone();
        tokio::spawn(async move {
            // Ends with the connection, or when its last handle is gone.
            while let Some(Some(message)) = reader.run_until_cancelled(incoming.next()).await {
                hand_out.deliver(message);
            }
        });
        let calls = Calls::new(client.clone(), config.clone(), replies.clone(), session.as_str());
        Ok(Self {
            inner: Arc::new(Inner {
                client,
                names: config.names,
                host: hosts::read(config.who.as_str()),
                who: config.who,
                reply_prefix: format!("{reply_prefix}.{session}."),
                link,
                replies,
                unreadable: Arc::default(),
                calls,
                _reader: stop.drop_guard(),
            }),
        })
    }

    pub fn names(&self) -> &Names {
        &self.inner.names
    }

    pub fn lattice(&self) -> &LatticeId {
        self.inner.names.lattice()
    }

    /// The token under which replies reach us: a host's id, or a client's own name.
    pub fn who(&self) -> &Token {
        &self.inner.who
    }

    /// Whether we are connected now, and how often we came to be; each reconnect is a change.
    pub fn connected(&self) -> watch::Receiver<ConnectionState> {
        let mut link = self.inner.link.clone();
        // What is so now is known to whoever asks now.
        link.mark_unchanged();
        link
    }

    /// The name of the NATS server we are connected to.
    pub fn server(&self) -> String {
        self.inner.client.server_info().server_name
    }

    /// Whether that server is at least this version.
    pub fn server_is_at_least(&self, major: i64, minor: i64, patch: i64) -> bool {
        self.inner.client.is_server_compatible(major, minor, patch)
    }

    pub fn server_version(&self) -> String {
        self.inner.client.server_info().version
    }

    /// The largest message the server takes, headers included, in bytes.
    pub fn max_payload(&self) -> usize {
        self.inner.client.max_payload()
    }

    /// How many messages could not be read so far: foreign or malformed subjects.
    pub fn unreadable(&self) -> u64 {
        self.inner.unreadable.load(Ordering::Relaxed)
    }

    /// Frames of calls that belonged to no call we know of, and frames that could not be read.
    pub fn frames_passed_over(&self) -> (u64, u64) {
        self.inner.calls.passed_over()
    }

    /// How many bytes of streams arrived and were not read yet, and the most that ever were.
    pub fn bytes_held(&self) -> (usize, usize) {
        self.inner.calls.held.bytes()
    }

    /// The host we are, if we are one.
    pub(crate) fn host(&self) -> Option<HostId> {
        self.inner.host
    }

    pub(crate) fn calls(&self) -> &Arc<Calls> {
        &self.inner.calls
    }

    /// Listens. Messages wait in a queue of 65,536; what exceeds it is dropped by the client and
    /// reported as [`Notice::SlowConsumer`], so listeners of state must ask for it again then.
    pub async fn subscribe(&self, pattern: &Pattern) -> Result<Subscription, PublishError> {
        if matches!(pattern, Pattern::CallsTo { .. } | Pattern::AnyCalls) {
            // Who takes calls must hear their frames.
            self.inner.calls.bulk().await?;
        }
        let group = pattern.queue_group(&self.inner.names);
        let text = self.inner.names.pattern(pattern);
        let listening = match group {
            Some(group) => self.inner.client.queue_subscribe(text, group).await,
            None => self.inner.client.subscribe(text).await,
        };
        let incoming = listening.map_err(|_| PublishError::Closed)?;
        Ok(Subscription::new(incoming, self.inner.names.clone(), self.inner.unreadable.clone()))
    }

    /// Listens as one of a group, to a subject that is not one of the lattice's.
    pub(crate) async fn subscribe_raw(
        &self,
        text: String,
        group: String,
    ) -> Result<async_nats::Subscriber, PublishError> {
        let listening = self.inner.client.queue_subscribe(text, group).await;
        listening.map_err(|_| PublishError::Closed)
    }

    /// A subject of our own that nobody else knows yet, and what is said to it.
    pub(crate) async fn own_subject(
        &self,
    ) -> Result<(String, async_nats::Subscriber), PublishError> {
        let place = self.inner.replies.expect_one();
        // One token more than a reply has, so that it is not taken for one.
        let subject = format!("{}.stream", self.reply_subject(place.number()));
        let incoming = self.inner.client.subscribe(subject.clone()).await;
        Ok((subject, incoming.map_err(|_| PublishError::Closed)?))
    }

    /// Says something to whoever listens. `Ok` means it was handed to the connection, no more.
    pub async fn publish(&self, subject: &Subject, payload: Bytes) -> Result<(), PublishError> {
        let subject = self.inner.names.subject(subject);
        self.publish_raw(subject, None, headers::outgoing(), payload).await
    }

    /// Answers a request.
    pub async fn respond(&self, to: &ReplyTo, payload: Bytes) -> Result<(), PublishError> {
        self.publish_raw(to.clone().into_subject(), None, headers::outgoing(), payload).await
    }

    /// As [`Connection::respond`], with headers.
    pub async fn respond_with(
        &self,
        to: &ReplyTo,
        extra: &[(&'static str, String)],
        payload: Bytes,
    ) -> Result<(), PublishError> {
        let mut headers = headers::outgoing();
        for (name, value) in extra {
            headers.insert(*name, value.as_str());
        }
        self.publish_raw(to.clone().into_subject(), None, headers, payload).await
    }

    /// Waits until the server has taken everything said so far, subscriptions included.
    pub async fn flush(&self, within: Duration) -> Result<(), RequestError> {
        let pending = self.inner.replies.expect_one();
        let to_ourselves = self.reply_subject(pending.number());
        let said = self.publish_raw(to_ourselves, None, async_nats::HeaderMap::new(), Bytes::new());
        tokio::time::timeout(within, async {
            said.await?;
            pending.message().await.map(drop)
        })
        .await
        .map_err(|_| RequestError::TimedOut { within })?
    }

    /// Leaves: subscriptions end, what was said is flushed, the connection closes.
    pub async fn drain(&self, within: Duration) -> Result<(), RequestError> {
        let mut link = self.connected();
        tokio::time::timeout(within, async {
            if let Some(bulk) = self.inner.calls.opened() {
                bulk.client().drain().await.map_err(|_| RequestError::Closed)?;
            }
            self.inner.client.drain().await.map_err(|_| RequestError::Closed)?;
            link.wait_for(|link| link.closed).await.map_err(|_| RequestError::Closed)?;
            Ok(())
        })
        .await
        .map_err(|_| RequestError::TimedOut { within })?
    }
}
