//! What the benchmarks measure: one instance made, called and dropped, without HTTP around it; and
//! what it is made with.

use wattle_capability::CallContext;

use crate::actor::Actor;
use crate::call::{Call, CallError};
use crate::profile::{self, AddressSpace, Profile, Wasi};

/// Makes an instance of the actor with every limit set, and drops it.
///
/// # Errors
///
/// As [`Actor::http`].
pub async fn instantiate_and_drop(actor: &Actor, ctx: CallContext) -> Result<(), CallError> {
    let admitted = actor.admit(&ctx).await?;
    Call::new(actor, ctx, admitted).drive(async |_, _| Ok(())).await
}

/// Makes an instance, calls its export `greet: func(name: string) -> string`, and drops it.
///
/// # Errors
///
/// As [`Actor::http`]; [`CallError::Trap`] where the component has no such export.
pub async fn greet(actor: &Actor, ctx: CallContext, name: &str) -> Result<String, CallError> {
    let admitted = actor.admit(&ctx).await?;
    let call = Call::new(actor, ctx, admitted);
    call.drive(async |store, live| {
        let greet = live.instance.get_typed_func::<(&str,), (String,)>(&mut *store, "greet")?;
        greet.call_async(store, (name,)).await.map(|(greeting,)| greeting)
    })
    .await
}

/// The same of `nothing: func()`.
///
/// # Errors
///
/// As [`greet`].
pub async fn nothing(actor: &Actor, ctx: CallContext) -> Result<(), CallError> {
    let admitted = actor.admit(&ctx).await?;
    let call = Call::new(actor, ctx, admitted);
    call.drive(async |store, live| {
        let nothing = live.instance.get_typed_func::<(), ()>(&mut *store, "nothing")?;
        nothing.call_async(store, ()).await
    })
    .await
}

/// wasmtime's settings for components of WASI 0.2 in a pool of `slots` instances: what a benchmark
/// changes one by one, to tell what each costs.
///
/// # Errors
///
/// Where this processor is none that wasmtime knows.
pub fn settings(space: AddressSpace, slots: u32) -> wasmtime::Result<wasmtime::Config> {
    Profile { wasi: Wasi::P2, space }.config(slots)
}

/// The pool of those settings.
pub fn pool(slots: u32) -> wasmtime::PoolingAllocationConfig {
    profile::pool(slots)
}
