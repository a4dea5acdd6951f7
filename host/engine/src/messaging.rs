//! `wasmcloud:messaging`: what a guest says to a broker, and what it is told.

use std::time::Duration;

use tokio::time::Instant;
use wasmtime::Store;
use wasmtime::component::Linker;
use wattle_capability::messaging::Bounded;
use wattle_capability::{CallContext, Invocation, Message, Messaging, MessagingError};
use wattle_value::packed::{self, Reader, Writer};

use crate::actor::Actor;
use crate::bindings::wasmcloud::messaging::consumer;
use crate::bindings::wasmcloud::messaging::types::{self, BrokerMessage};
use crate::call::{Call, CallError};
use crate::profile::Wasi;
use crate::seat::Live;
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
        if self.loaded.linked().wasi() == Wasi::P3 {
            return self.message_concurrently(ctx, message).await;
        }
        let now = Instant::now();
        ctx.deadline = ctx.deadline.min(now + self.core.limits.execution_max);
        if ctx.deadline <= now {
            return Err(CallError::DeadlineExceeded { begun: false });
        }
        let admitted = self.admit(&ctx).await?;
        let message = into_guest(message);
        let call = Call::new(self, ctx, admitted);
        let driver = call.driver();
        let told = call.drive(async move |store: &mut Store<State>, live: &Live| {
            let told = live.told.as_ref().expect("whoever exports a handler has it");
            told.wasmcloud_messaging_handler().call_handle_message(store, &message).await
        });
        driver.drive(Box::pin(told)).await?
    }
}

impl Actor {
    /// The same by name, as any other function.
    async fn message_concurrently(
        &self,
        ctx: CallContext,
        message: Message,
    ) -> Result<Result<(), String>, CallError> {
        let linked = self.loaded.linked();
        let callee = linked.callee(HANDLER, "handle-message").ok_or(CallError::NoHandler)?;
        let mut args = Writer::new();
        args.array(1);
        args.array(3);
        args.str(message.subject.as_str());
        args.bin(&message.body);
        match &message.reply_to {
            Some(subject) => {
                args.array(1);
                args.str(subject.as_str());
            }
            None => args.nil(),
        }
        let returned = self.invoke(ctx, Invocation::new(callee, args.into_bytes())).await?;
        handled(&returned.result).map_err(|error| CallError::Trap { reason: error.to_string() })
    }
}

/// The result of a handler, `result<_, string>`.
fn handled(result: &[u8]) -> Result<Result<(), String>, packed::Error> {
    let mut result = Reader::new(result);
    let parts = result.array()?;
    match (parts, result.uint()?) {
        (2, 1) => Ok(Err(result.str()?.to_owned())),
        _ => Ok(Ok(())),
    }
}

const HANDLER: &str = "wasmcloud:messaging/handler";

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
        Bounded::new(self.actor.messaging.clone(), self.actor.limits.messaging)
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
