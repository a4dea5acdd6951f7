//! `wasi:config` for guests, under each of its names: what the actor was told when the call began.

use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

use crate::bindings::wasi::config::store::Error;
use crate::state::State;

/// Its names: the interface was `runtime` first, and each draft is a version of its own. All have
/// the same two functions.
const NAMES: [&str; 3] = [
    "wasi:config/runtime@0.2.0-draft",
    "wasi:config/store@0.2.0-draft",
    "wasi:config/store@0.2.0-rc.1",
];

pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    for name in NAMES {
        let mut interface = linker.instance(name)?;
        interface.func_wrap("get", |store: StoreContextMut<'_, State>, (key,): (String,)| {
            let value = store.data().config.get(&key).cloned();
            Ok((Ok::<_, Error>(value),))
        })?;
        interface.func_wrap("get-all", |store: StoreContextMut<'_, State>, (): ()| {
            let all = store.data().config.iter();
            let all: Vec<_> = all.map(|(key, value)| (key.clone(), value.clone())).collect();
            Ok((Ok::<_, Error>(all),))
        })?;
    }
    Ok(())
}
