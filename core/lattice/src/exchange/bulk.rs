//! The second connection of a process to its lattice: the one on which contents travel, so that
//! they do not stand before small calls, and on which all frames are heard.
//!
//! Made when a call first needs it, or when one begins to take calls.

use std::sync::{Arc, Weak};
use std::time::Duration;

use async_nats::{Client, Subscriber};
use futures::StreamExt as _;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::call::PING_AFTER;
use super::calls::Calls;
use crate::connection::{ConnectError, ConnectionState, Notice, establish};

/// Frames that wait to be written: 4 MiB of contents, and whoever sends more waits.
const QUEUE_MAX: usize = 64;

/// How long the server may take to confirm a subscription before it is asked again.
const CONFIRM_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Bulk {
    pub(super) client: Client,
    link: watch::Receiver<ConnectionState>,
    _reader: DropGuard,
}

impl Bulk {
    pub(super) async fn open(calls: &Arc<Calls>) -> Result<Self, ConnectError> {
        let mut config = calls.config.clone();
        config.name = format!("{} streams", config.name);
        let told = Arc::downgrade(calls);
        let on_event = move |notice: Notice| {
            tracing::debug!(?notice, "second connection");
            let reason = match notice {
                Notice::Lost => "the connection was lost",
                Notice::SlowConsumer => "more arrived than could be taken",
                _ => return,
            };
            if let Some(calls) = told.upgrade() {
                calls.lose_all(reason);
            }
        };
        let prefix = format!("wattle.{}.rep.{}", config.names.lattice(), config.who);
        let (client, link) = establish(&config, &prefix, Some(QUEUE_MAX), on_event).await?;
        let frames = client.subscribe(format!("{prefix}.*.*.s"));
        let mut frames = frames.await.map_err(|_| ConnectError::Ended)?;
        confirm(calls, &client, &mut frames).await?;

        let stop = CancellationToken::new();
        tokio::spawn(hear(Arc::downgrade(calls), frames, stop.clone()));
        Ok(Self { client, link, _reader: stop.drop_guard() })
    }

    pub(super) fn is_up(&self) -> bool {
        self.link.borrow().up
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }
}

/// Waits until the server has taken the subscription. Calls are numbered from 1, so nothing of 0
/// is anybody's.
async fn confirm(
    calls: &Arc<Calls>,
    client: &Client,
    frames: &mut Subscriber,
) -> Result<(), ConnectError> {
    let own = calls.frames_of(&calls.name_of(0));
    loop {
        let said = client.publish(own.clone(), bytes::Bytes::new()).await;
        said.map_err(|_| ConnectError::Ended)?;
        let heard = async {
            loop {
                match frames.next().await {
                    None => return Err(ConnectError::Ended),
                    Some(message) if message.subject == own => return Ok(()),
                    Some(early) => calls.hear(early),
                }
            }
        };
        if let Ok(heard) = tokio::time::timeout(CONFIRM_WITHIN, heard).await {
            return heard;
        }
    }
}

/// Ends with the connection, or when its last handle is gone.
async fn hear(calls: Weak<Calls>, mut frames: Subscriber, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(PING_AFTER / 2);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            message = frames.next() => match (message, calls.upgrade()) {
                (Some(message), Some(calls)) => calls.hear(message),
                _ => return,
            },
            _ = ticks.tick() => match calls.upgrade() {
                Some(calls) => calls.tick(),
                None => return,
            },
        }
    }
}
