//! Messages from a broker to the actors of this host, and what these may say to it.
//!
//! An actor may start before this host has joined: until then it hears nothing, and what it says
//! is refused. Each run listens for itself, in one group with all runs of its actor, so that of
//! two that overlap one is given each message. A run that is stopped takes nothing new and
//! finishes what had come for it.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use wattle_capability::{CallContext, Message, Messaging, MessagingError};
use wattle_engine::CallError;
use wattle_engine::limits::EXECUTION_CEILING;
use wattle_messaging_nats::{Delivery, MessagingNats};
use wattle_tasks::CancellationToken;
use wattle_types::{Messaging as Allowed, SubjectPattern};

use crate::actors::Run;
use crate::router::Router;
use crate::spy::Side;

/// Messages that one run handles at once. What comes meanwhile waits in its bounded backlog.
pub(crate) const AT_ONCE: usize = 64;
/// Between tries to hand a message to an actor that is busy with something else.
const PAUSE: Duration = Duration::from_millis(100);

/// The broker, as far as this host has joined. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    router: Weak<Router>,
    back_end: Arc<OnceLock<MessagingNats>>,
}

impl Post {
    pub(crate) fn new(router: &Arc<Router>) -> Self {
        Self { router: Arc::downgrade(router), back_end: Arc::default() }
    }

    /// What an actor may say.
    pub(crate) fn voice(&self, allowed: &Allowed) -> Arc<dyn Messaging> {
        let (post, allowed) = (self.clone(), allowed.clone());
        Arc::new(Voice { post, allowed, back_end: OnceLock::new() })
    }

    /// Brings a run what its actor listens to, until `stop`; then what had come before.
    pub(crate) async fn bring(
        self,
        run: Arc<Run>,
        patterns: Vec<SubjectPattern>,
        stop: CancellationToken,
    ) {
        let _counts_as_in_flight = run.in_flight();
        let Some(router) = self.router.upgrade() else { return };
        let Some(connection) = stop.run_until_cancelled(router.joined()).await else { return };
        let back_end = self.back_end.get_or_init(|| MessagingNats::new(connection.clone()));
        let actor = run.actor().id().clone();
        let mut messages = match back_end.subscribe(&actor, &patterns, AT_ONCE).await {
            Ok(messages) => messages,
            Err(error) => return tracing::warn!(%actor, %error, "it hears nothing"),
        };
        let handled = TaskTracker::new();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled(), if !handled.is_closed() => {
                    messages.drain();
                    handled.close();
                }
                delivery = messages.next() => match delivery {
                    Some(delivery) => {
                        let (router, run) = (router.clone(), run.clone());
                        handled.spawn(hand_over(router, run, delivery));
                    }
                    None => break,
                },
            }
        }
        handled.close();
        handled.wait().await;
    }

    fn back_end(&self) -> Option<&MessagingNats> {
        let connection = || self.router.upgrade()?.lattice().cloned();
        match self.back_end.get() {
            Some(back_end) => Some(back_end),
            None => connection()
                .map(|connection| self.back_end.get_or_init(|| MessagingNats::new(connection))),
        }
    }
}

/// One message to one run, in a fresh instance. While there is no room for it, it was not begun.
async fn hand_over(router: Arc<Router>, run: Arc<Run>, delivery: Delivery) {
    let message = &delivery.message;
    let deadline = Instant::now() + EXECUTION_CEILING;
    let actor = run.actor().id().clone();
    let trace = delivery.trace.clone();
    let ctx = CallContext { trace, ..CallContext::outside(actor, deadline) };
    let span = tracing::info_span!("message", actor = %ctx.actor, subject = message.subject);
    ctx.trace.adopt(&span);
    let what = || (format!("message {}", message.subject), message.body.len() as u64);
    let sighting = router.spy.look(&ctx, Side::Both, what);
    let told = async {
        loop {
            match run.actor().message(ctx.clone(), message.clone()).await {
                Err(CallError::Overloaded { .. }) if Instant::now() + PAUSE < deadline => {
                    sleep(PAUSE.mul_f64(0.5 + fastrand::f64())).await;
                }
                told => return told,
            }
        }
    };
    let told = told.instrument(span).await;
    if let Some(sighting) = sighting {
        sighting.told(&told);
    }
    match told {
        Ok(Ok(())) => {}
        Ok(Err(said)) => tracing::warn!(actor = %ctx.actor, said, "a message was not handled"),
        Err(error) => {
            let (actor, code) = (&ctx.actor, error.code());
            tracing::warn!(%actor, code, %error, "a message was not handled");
        }
    }
}

/// What one actor says, once there is somebody to say it to.
struct Voice {
    post: Post,
    allowed: Allowed,
    back_end: OnceLock<Arc<dyn Messaging>>,
}

impl Voice {
    fn back_end(&self) -> Result<&Arc<dyn Messaging>, MessagingError> {
        if let Some(back_end) = self.back_end.get() {
            return Ok(back_end);
        }
        let back_end = self.post.back_end().ok_or(MessagingError::Unavailable)?;
        Ok(self.back_end.get_or_init(|| back_end.for_actor(&self.allowed)))
    }
}

#[async_trait]
impl Messaging for Voice {
    async fn publish(&self, ctx: &CallContext, message: Message) -> Result<(), MessagingError> {
        self.back_end()?.publish(ctx, message).await
    }

    async fn request(
        &self,
        ctx: &CallContext,
        subject: &str,
        body: Bytes,
        within: Duration,
    ) -> Result<Message, MessagingError> {
        self.back_end()?.request(ctx, subject, body, within).await
    }
}
