//! `wasi:logging` for guests.

use wasmtime::StoreContextMut;
use wasmtime::component::Linker;
use wattle_capability::log::{self, Source};

use crate::bindings::wasi::logging::logging::Level;
use crate::state::State;

/// Its names: components built before the package had a version import it without one.
const NAMES: [&str; 2] = ["wasi:logging/logging", "wasi:logging/logging@0.1.0-draft"];

pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    for name in NAMES {
        linker.instance(name)?.func_wrap("log", log)?;
    }
    Ok(())
}

fn log(
    mut store: StoreContextMut<'_, State>,
    (level, context, message): (Level, String, String),
) -> wasmtime::Result<()> {
    let level = match level {
        Level::Trace => log::Level::Trace,
        Level::Debug => log::Level::Debug,
        Level::Info => log::Level::Info,
        Level::Warn => log::Level::Warn,
        Level::Error => log::Level::Error,
        Level::Critical => log::Level::Critical,
    };
    store.data_mut().voice.say(Source::Logging, level, &context, &message);
    Ok(())
}
