//! `wasmcloud:messaging`: what a guest says to a broker, and what it is told.

use std::time::Duration;

use tokio::time::Instant;
use wasmtime::component::Linker;
use wattle_capability::messaging::{Bounded, Limits};
use wattle_capability::{CallContext, Message, Messaging, MessagingError};

use crate::actor::Actor;
use crate::bindings::wasmcloud::messaging::consumer;
use crate::bindings::wasmcloud::messaging::types::{self, BrokerMessage};
use crate::call::{Call, CallError};
use crate::state::{HasView, State, View};

pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    types::add_to_linker::<_, HasView>(linker, State::view)?;
    consumer::add_to_linker::<_, HasView>(linker, State::view)
}

impl Actor {
    /// Tells the actor one message, in a fresh instance, on the caller's own task: dropping the
    /// future ends the call. It ends at the deadline of `ctx` or after the actor's own maximum,
    /// whichever comes first.
    ///
    /// The inner result is what the handler said of it.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub async fn message(
        &self,
        mut ctx: CallContext,
        message: Message,
    ) -> Result<Result<(), String>, CallError> {
        if !self.loaded.exports_messaging() {
            return Err(CallError::NoHandler);
        }
        let now = Instant::now();
        ctx.deadline = ctx.deadline.min(now + self.core.limits.execution_max);
        if ctx.deadline <= now {
            return Err(CallError::DeadlineExceeded { begun: false });
        }
        let admitted = self.admit(&ctx).await?;
        let message = into_guest(message);
        let call = Call::new(self, ctx, admitted);
        call.drive(async |store, live| {
            let told = live.told.as_ref().expect("whoever exports a handler has it");
            told.wasmcloud_messaging_handler().call_handle_message(store, &message).await
        })
        .await
    }
}

impl types::Host for View<'_> {}

impl consumer::Host for View<'_> {
    async fn request(
        &mut self,
        subject: String,
        body: Vec<u8>,
        timeout_ms: u32,
    ) -> wasmtime::Result<Result<BrokerMessage, String>> {
        let within = Duration::from_millis(timeout_ms.into());
        let answer = self.broker().request(self.ctx, &subject, body.into(), within).await;
        Ok(answer.map(into_guest).map_err(told))
    }

    async fn publish(&mut self, message: BrokerMessage) -> wasmtime::Result<Result<(), String>> {
        let BrokerMessage { subject, body, reply_to } = message;
        let message = Message { subject, body: body.into(), reply_to };
        Ok(self.broker().publish(self.ctx, message).await.map_err(told))
    }
}

impl View<'_> {
    fn broker(&self) -> Bounded {
        Bounded::new(self.actor.messaging.clone(), Limits::default())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn told(error: MessagingError) -> String {
    error.to_string()
}

fn into_guest(message: Message) -> BrokerMessage {
    let Message { subject, body, reply_to } = message;
    BrokerMessage { subject, body: body.into(), reply_to }
}
