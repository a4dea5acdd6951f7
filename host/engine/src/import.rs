//! A function that a component imports and a link provides: how a guest's call of it leaves.
//!
//! The function knows only its own name and signature. Under whose authority the call is made, by
//! which link, and where that leads is read when the call is made.
//!
//! An error that only a network has becomes the error that the function declares, where its type
//! can carry it; otherwise the guest ends there, and the error's code is the outcome of its call.

use std::sync::Arc;

use wasmtime::StoreContextMut;
use wasmtime::component::Linker;
use wattle_capability::{Callee, Invocation, OutboundError};
use wattle_types::InterfaceName;
use wattle_value::{FuncType, MeshError};

use crate::packed::{self, Values};
use crate::state::State;

/// One imported function.
struct Import {
    callee: Callee,
    func: FuncType,
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
) -> wasmtime::Result<()> {
    let (interface, function) = (interface.clone(), name.into());
    let mut instance = linker.instance(&interface.to_string())?;
    let callee = Callee { interface, function, fingerprint: func.fingerprint() };
    let import = Arc::new(Import { callee, func: func.clone() });
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
        let state = store.data_mut();
        let (args, streams) = args.leave(&mut state.table)?;
        let invocation = Invocation { callee: self.callee.clone(), args, streams };
        let link = state.link_for(self.callee.interface.path());
        let (actor, ongoing) = state.caller();
        match actor.outbound.invoke(&ongoing.ctx, &link, invocation).await {
            Ok(returned) => {
                Values::arrive(returned.result, returned.streams, &mut store.data_mut().table)
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
