//! A call of one function of an actor, by name.
//!
//! Runs on the task of whoever asks, from the first instruction to the last, unless it turns out to
//! be slow: a call within a process is a function and not a message. Dropping the future ends the call.

use tokio::time::Instant;
use wasmtime::Store;
use wattle_capability::{CallContext, Invocation, Returned};

use crate::actor::Actor;
use crate::call::{Call, CallError};
use crate::packed::{self, Values};
use crate::profile::Wasi;
use crate::seat::Live;
use crate::state::State;

impl Actor {
    /// Calls one function.
    ///
    /// The function is that of the interface and version that fits, and it must have the signature
    /// the caller knows. Arguments that came from another host should have passed
    /// [`Loaded::check`](crate::Loaded::check). The call ends at the deadline of `ctx` or after the
    /// actor's own maximum, whichever comes first.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub async fn invoke(
        &self,
        mut ctx: CallContext,
        invocation: Invocation,
    ) -> Result<Returned, CallError> {
        let linked = self.loaded.linked();
        let export = linked.export(&invocation.callee)?;
        if linked.wasi() == Wasi::P3 {
            return self.invoke_concurrently(ctx, export, invocation).await;
        }
        let Invocation { args, streams, .. } = invocation;
        let now = Instant::now();
        ctx.deadline = ctx.deadline.min(now + self.core.limits.execution_max);
        if ctx.deadline <= now {
            return Err(CallError::DeadlineExceeded { begun: false });
        }
        let admitted = self.admit(&ctx).await?;
        let mut call = Call::new(self, ctx, admitted);
        let too_many =
            |error: wasmtime::Error| CallError::BadArguments { reason: error.to_string() };
        let table = &mut call.seat.store.data_mut().table;
        let args = Values::arrive(args, streams, export.streams, table).map_err(too_many)?;
        let driver = call.driver();
        let called = call.drive(async move |store: &mut Store<State>, live: &Live| {
            let func = live
                .instance
                .get_func(&mut *store, export.index)
                .expect("an instance has every export of its component");
            let answer = packed::call(&mut *store, func, args).await?;
            let (result, streams) = answer.leave(store)?;
            Ok(Returned { result, streams })
        });
        driver.drive(Box::pin(called)).await?
    }
}
