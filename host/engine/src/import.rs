//! A function that a component imports and a link provides: how a guest's call of it leaves.
//!
//! The function knows only its own name and signature. Under whose authority the call is made, by
//! which link, and where that leads is read when the call is made.
//!
//! An error that only a network has becomes the error that the function declares, where its type
//! can carry it; otherwise the guest ends there, and the error's code is the outcome of its call.

use std::sync::Arc;

use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;
use wasmtime::component::{Accessor, Linker, ResourceTable};
use wasmtime::{AsContextMut, StoreContextMut};
use wattle_capability::{Callee, Invocation, OutboundError, Returned};
use wattle_types::{InterfaceName, LinkName};
use wattle_value::{FuncType, MeshError};

use crate::packed::{self, Values};
use crate::profile::Wasi;
use crate::signature::Streams;
use crate::state::{Acting, State};
use crate::{concurrent, flow};

/// One imported function.
struct Import {
    callee: Callee,
    func: FuncType,
    /// Of its result.
    streams: Streams,
    /// Of the component that imports it.
    wasi: Wasi,
}

/// A call did not come about, and the guest could not be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Unanswered {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

/// What it called did not answer in time.
pub(crate) const DEADLINE: &str = "WT-ENGINE-CALLEE-DEADLINE";

/// Lets `linker` provide one function by whatever the actor's links lead to.
pub(crate) fn define(
    linker: &mut Linker<State>,
    interface: &InterfaceName,
    name: &str,
    func: &FuncType,
    wasi: Wasi,
) -> wasmtime::Result<()> {
    let (interface, function) = (interface.clone(), name.into());
    let mut instance = linker.instance(&interface.to_string())?;
    let callee = Callee { interface, function, fingerprint: func.fingerprint() };
    let streams = Streams::of(&func.result);
    let import = Arc::new(Import { callee, func: func.clone(), streams, wasi });
    if func.is_async {
        return packed::provide_concurrently(&mut instance, name, func, move |accessor, args| {
            let import = import.clone();
            Box::pin(async move { import.call_concurrently(accessor, args).await })
        });
    }
    packed::provide(&mut instance, name, func, move |store, args| {
        let import = import.clone();
        Box::pin(async move { import.call(store, args).await })
    })
}

impl Import {
    async fn call(
        &self,
        mut store: StoreContextMut<'_, State>,
        args: Values,
    ) -> wasmtime::Result<Values> {
        let (args, streams) = args.leave(&mut store)?;
        let invocation = Invocation { callee: self.callee.clone(), args, streams };
        let state = store.data();
        let link = state.link_for(self.callee.interface.path());
        let acting = state.acting().clone();
        let called = match self.wasi {
            Wasi::P2 => acting.actor.outbound.invoke(&acting.ongoing.ctx, &link, invocation).await,
            Wasi::P3 => elsewhere(acting, link, invocation).await,
        };
        self.returned(called, &mut store.data_mut().table)
    }

    /// Beside other calls of the same store.
    async fn call_concurrently(
        &self,
        accessor: &Accessor<State>,
        args: Values,
    ) -> wasmtime::Result<Values> {
        let (acting, link, args, streams) = accessor.with(|mut store| {
            let acting = concurrent::acting(store.as_context_mut())?;
            let (args, streams) = args.leave(&mut store)?;
            let link = store.data_mut().link_for(self.callee.interface.path());
            wasmtime::error::Ok((acting, link, args, streams))
        })?;
        let Some(acting) = acting else { return self.failed(&nobody(&self.callee)) };
        let cut = |body| flow::written_by(body, acting.ongoing.clone());
        let streams = streams.into_iter().map(cut).collect();
        let invocation = Invocation { callee: self.callee.clone(), args, streams };
        let called = elsewhere(acting, link, invocation).await;
        accessor.with(|mut store| self.returned(called, &mut store.data_mut().table))
    }

    fn returned(
        &self,
        called: Result<Returned, OutboundError>,
        table: &mut ResourceTable,
    ) -> wasmtime::Result<Values> {
        match called {
            Ok(Returned { result, streams }) => {
                Values::arrive(result, streams, self.streams, table)
            }
            Err(error) => self.failed(&error),
        }
    }

    fn failed(&self, error: &OutboundError) -> wasmtime::Result<Values> {
        let (kind, code) = kind(error);
        let message = error.to_string();
        match self.func.mesh_error(kind, &message) {
            Some(result) => Ok(Values::plain(result)),
            None => {
                let Callee { interface, function, .. } = &self.callee;
                let message = format!("{interface}.{function}: {message}");
                Err(Unanswered { code, message }.into())
            }
        }
    }
}

/// Makes a call on a task of its own: a store of WASI 0.3 cannot be polled within another.
async fn elsewhere(
    acting: Acting,
    link: LinkName,
    invocation: Invocation,
) -> Result<Returned, OutboundError> {
    let Acting { actor, ongoing } = acting;
    let call = async move { actor.outbound.invoke(&ongoing.ctx, &link, invocation).await };
    let task = AbortOnDropHandle::new(tokio::spawn(call.in_current_span()));
    task.await.unwrap_or_else(|error| Err(OutboundError::Unknown(error.to_string())))
}

/// A task that goes on after the call it came from is over has nobody to act for.
fn nobody(callee: &Callee) -> OutboundError {
    let reason = "the call it would be made for is over".to_owned();
    OutboundError::Unlinked { interface: callee.interface.clone(), reason }
}

/// What a guest is told, and the code where it cannot be told. What failed while it was done has
/// been begun, so of its effects nothing is known either.
fn kind(error: &OutboundError) -> (MeshError, &'static str) {
    match error {
        OutboundError::Overloaded { .. } => (MeshError::Overloaded, "WT-ENGINE-CALLEE-OVERLOADED"),
        OutboundError::DeadlineExceeded => (MeshError::DeadlineExceeded, DEADLINE),
        OutboundError::Failed { .. } => (MeshError::Unknown, "WT-ENGINE-CALLEE-FAILED"),
        OutboundError::Unknown(_) => (MeshError::Unknown, "WT-ENGINE-CALLEE-UNKNOWN"),
        OutboundError::TooDeep { .. } => (MeshError::Unreachable, "WT-ENGINE-TOO-DEEP"),
        // Denied, not there, not linked, not to be sent: none of them was begun.
        _ => (MeshError::Unreachable, "WT-ENGINE-CALLEE-UNREACHABLE"),
    }
}
