//! Following the control stream: a snapshot, then every change, for as long as one listens.
//!
//! One ephemeral consumer that pushes in stream order. Whatever breaks the order (a number
//! missing, silence longer than its heartbeats, a lost connection, a restarted server) ends that
//! consumer, and the next begins after the last message that was taken. If the stream itself was
//! replaced, what was told before is void and the snapshot is told again.
//!
//! Only those who must know everything follow: a stream has at most a thousand consumers, so
//! hosts are woken and read their own key.

mod delivery;

use std::time::Duration;

use async_nats::{HeaderMap, Message, StatusCode, Subscriber};
use bytes::Bytes;
use futures::StreamExt as _;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use wattle_tasks::{Backoff, Chain};
use wattle_types::Key;

use self::delivery::Delivery;
use super::Stored;
use crate::bucket::{Bucket, is_marker};
use crate::jetstream::{self, JetStreamError};
use crate::{ConnectionState, PublishError};

/// What a follower learns, in the order in which it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A key has this value now, or is deleted.
    Entry(Key, Stored),
    /// All that was stored up to this sequence has been told: what was told is the state.
    Complete { at: u64 },
    /// The stream is not the one it was: forget everything; the snapshot follows again.
    Replaced,
}

/// The changes of one stream. Dropping it ends the following.
#[derive(Debug)]
pub struct Follow {
    changes: mpsc::Receiver<Change>,
    stop: Option<DropGuard>,
    task: JoinHandle<()>,
}

/// Changes that wait to be read. When it is full the consumer waits, and the server with it.
const QUEUE_CAPACITY: usize = 256;

/// How often the server says that it has nothing to say.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Silence longer than this is no silence but a consumer that is gone.
const SILENCE_MAX: Duration = Duration::from_millis(12_500);

/// After so many heartbeats without a message we ask the stream whether that is right: consumers
/// have stalled after a change of leader while their heartbeats went on.
const WATCHDOG_HEARTBEATS: u32 = 6;

/// How long the server keeps a consumer nobody listens to.
const INACTIVE: Duration = Duration::from_secs(30);

impl Follow {
    pub(super) fn start(bucket: Bucket, within: Duration) -> Self {
        let (sender, changes) = mpsc::channel(QUEUE_CAPACITY);
        let stop = CancellationToken::new();
        let follower = Follower { bucket, within, sender, position: None, complete: false };
        let task = tokio::spawn(follower.run(stop.clone()));
        Self { changes, stop: Some(stop.drop_guard()), task }
    }

    /// The next change; none only after [`Follow::close`] or when the connection is closed for
    /// good. Safe to drop between changes.
    pub async fn next(&mut self) -> Option<Change> {
        self.changes.recv().await
    }

    /// Ends the following and waits until its consumer is gone.
    pub async fn close(mut self) {
        drop(self.stop.take());
        self.changes.close();
        // Fails only if the task panicked, and then it has ended as well.
        let _ = (&mut self.task).await;
    }
}

/// Which stream, and the last message of it that was told.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Position {
    /// When the stream was created: the same name created again is another stream.
    created: String,
    seq: u64,
}

struct Follower {
    bucket: Bucket,
    within: Duration,
    sender: mpsc::Sender<Change>,
    position: Option<Position>,
    complete: bool,
}

/// Why one consumer ended and another must begin.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("could not set up the consumer")]
    SetUp(#[source] JetStreamError),
    #[error("could not listen")]
    Listen(#[source] PublishError),
    #[error("a message is missing")]
    Gap,
    #[error("silent for longer than its heartbeats")]
    Silent,
    #[error("the connection was lost")]
    Disconnected,
    #[error("the stream has more than its consumer sent")]
    Stalled,
    #[error("the server ended the consumer: {0}")]
    Ended(StatusCode),
    /// Nobody reads the changes any more.
    #[error("nobody listens")]
    Unwanted,
    #[error("the connection is closed")]
    Closed,
}

/// One consumer on the server, and what it sends us.
struct Consumer {
    name: String,
    incoming: Subscriber,
    /// What happened to the connection since this consumer was set up.
    link: watch::Receiver<ConnectionState>,
    /// How many messages the consumer has sent so far.
    delivered: u64,
    /// How many heartbeats came since the last message.
    quiet: u32,
}

#[derive(Deserialize)]
struct StreamInfo {
    created: String,
    state: StreamState,
}

#[derive(Deserialize)]
struct StreamState {
    last_seq: u64,
}

#[derive(Deserialize)]
struct ConsumerInfo {
    name: String,
    num_pending: u64,
}

impl Follower {
    async fn run(mut self, stop: CancellationToken) {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
        loop {
            let told_before = self.position.clone();
            let broken = self.consume(&stop).await;
            match &broken {
                Broken::Unwanted | Broken::Closed => return,
                // No pause repairs a refusal, but a person may.
                Broken::SetUp(refused @ JetStreamError::Refused { .. }) => {
                    tracing::warn!(error = %Chain(refused), "cannot follow the control stream");
                }
                reason => tracing::debug!(reason = %Chain(reason), "following again"),
            }
            if self.position != told_before {
                backoff.reset();
            }
            if stop.run_until_cancelled(tokio::time::sleep(backoff.pause())).await.is_none() {
                return;
            }
        }
    }

    /// Follows with one consumer until it breaks, and removes it.
    async fn consume(&mut self, stop: &CancellationToken) -> Broken {
        let set_up = stop.run_until_cancelled(self.set_up());
        let mut consumer = match set_up.await {
            None => return Broken::Unwanted,
            Some(Err(broken)) => return broken,
            Some(Ok(consumer)) => consumer,
        };
        let broken = loop {
            match stop.run_until_cancelled(self.step(&mut consumer)).await {
                None => break Broken::Unwanted,
                Some(Err(broken)) => break broken,
                Some(Ok(())) => {}
            }
        };
        // If this is lost, the server does the same after a while.
        let tail = format!("CONSUMER.DELETE.{}.{}", self.bucket.stream(), consumer.name);
        let connection = self.bucket.connection();
        let _ = jetstream::ask::<Value>(connection, &tail, &json!({}), self.within).await;
        broken
    }

    async fn set_up(&mut self) -> Result<Consumer, Broken> {
        let connection = self.bucket.connection().clone();
        let mut link = connection.connected();
        let up = link.wait_for(|link| link.up || link.closed).await.map(|link| link.up);
        if !up.unwrap_or(false) {
            return Err(Broken::Closed);
        }
        let stream = self.stream_info().await?;
        let replaced = self.position.as_ref().is_some_and(|position| {
            position.created != stream.created || stream.state.last_seq < position.seq
        });
        if replaced {
            tracing::warn!(stream = self.bucket.stream(), "the control stream was replaced");
            self.position = None;
            self.complete = false;
            self.tell(Change::Replaced).await?;
        }

        let (deliver, incoming) = connection.own_subject().await.map_err(Broken::Listen)?;
        let policy = match &self.position {
            None => json!({ "deliver_policy": "last_per_subject" }),
            Some(position) => json!({
                "deliver_policy": "by_start_sequence",
                "opt_start_seq": position.seq + 1,
            }),
        };
        let mut config = json!({
            "deliver_subject": deliver,
            "filter_subject": self.bucket.subject(">"),
            "ack_policy": "none",
            "max_deliver": 1,
            "replay_policy": "instant",
            "idle_heartbeat": nanos(HEARTBEAT),
            "flow_control": true,
            "inactive_threshold": nanos(INACTIVE),
            "mem_storage": true,
            "num_replicas": 1,
        });
        if let (Some(config), Value::Object(policy)) = (config.as_object_mut(), policy) {
            config.extend(policy);
        }
        let stream_name = self.bucket.stream();
        let body = json!({ "stream_name": stream_name, "config": config });
        let tail = format!("CONSUMER.CREATE.{stream_name}");
        let info: ConsumerInfo =
            jetstream::ask(&connection, &tail, &body, self.within).await.map_err(Broken::SetUp)?;
        let position = self.position.get_or_insert(Position { created: stream.created, seq: 0 });
        if info.num_pending == 0 {
            // Nothing is left of what was stored up to here, and no message will say so.
            position.seq = position.seq.max(stream.state.last_seq);
            let at = position.seq;
            self.tell_complete(at).await?;
        }
        Ok(Consumer { name: info.name, incoming, link, delivered: 0, quiet: 0 })
    }

    async fn stream_info(&self) -> Result<StreamInfo, Broken> {
        self.bucket.info(&json!({}), self.within).await.map_err(Broken::SetUp)
    }

    /// Waits for one message and takes it.
    async fn step(&mut self, consumer: &mut Consumer) -> Result<(), Broken> {
        let message = tokio::select! {
            biased;
            // What was sent before the connection broke is taken before that is noticed.
            message = consumer.incoming.next() => message.ok_or(Broken::Closed)?,
            _ = consumer.link.changed() => return Err(Broken::Disconnected),
            () = tokio::time::sleep(SILENCE_MAX) => return Err(Broken::Silent),
        };
        match message.status {
            None => {
                consumer.quiet = 0;
                self.take(consumer, message).await
            }
            Some(StatusCode::IDLE_HEARTBEAT) => self.hear(consumer, message).await,
            Some(status) => Err(Broken::Ended(status)),
        }
    }

    /// A heartbeat, or the server asking whether we have taken what it sent.
    async fn hear(&self, consumer: &mut Consumer, message: Message) -> Result<(), Broken> {
        let stalled = header(&message, "Nats-Consumer-Stalled");
        if let Some(asked) = message.reply.as_deref().or(stalled) {
            let (asked, headers, nothing) = (asked.to_owned(), HeaderMap::new(), Bytes::new());
            let said = self.bucket.connection().publish_raw(asked, None, headers, nothing);
            return said.await.map_err(Broken::Listen);
        }
        let sent = header(&message, "Nats-Last-Consumer").and_then(|raw| raw.parse::<u64>().ok());
        if sent.is_some_and(|sent| sent != consumer.delivered) {
            return Err(Broken::Gap);
        }
        consumer.quiet += 1;
        if consumer.quiet.is_multiple_of(WATCHDOG_HEARTBEATS) {
            let stored = self.stream_info().await?.state.last_seq;
            let told = self.position.as_ref().map_or(0, |position| position.seq);
            if told < stored {
                return Err(Broken::Stalled);
            }
        }
        Ok(())
    }

    async fn take(&mut self, consumer: &mut Consumer, message: Message) -> Result<(), Broken> {
        let delivery = message.reply.as_deref().and_then(Delivery::read).ok_or(Broken::Gap)?;
        if delivery.consumer_seq != consumer.delivered + 1 {
            return Err(Broken::Gap);
        }
        consumer.delivered = delivery.consumer_seq;
        let stored = Stored {
            deleted: is_marker(message.headers.as_ref()),
            bytes: message.payload,
            seq: delivery.stream_seq,
        };
        match self.bucket.key(&message.subject).map(str::parse::<Key>) {
            Some(Ok(key)) => self.tell(Change::Entry(key, stored)).await?,
            _ => tracing::warn!(subject = %message.subject, "not a key of ours; passed over"),
        }
        // Only now: what was not told must be sent again.
        if let Some(position) = &mut self.position {
            position.seq = delivery.stream_seq;
        }
        if delivery.pending == 0 {
            self.tell_complete(delivery.stream_seq).await?;
        }
        Ok(())
    }

    async fn tell_complete(&mut self, at: u64) -> Result<(), Broken> {
        if self.complete {
            return Ok(());
        }
        self.complete = true;
        self.tell(Change::Complete { at }).await
    }

    async fn tell(&self, change: Change) -> Result<(), Broken> {
        self.sender.send(change).await.map_err(|_| Broken::Unwanted)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn header<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    message.headers.as_ref()?.get(name).map(|value| value.as_str())
}
