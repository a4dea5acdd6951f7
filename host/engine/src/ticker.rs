//! Counts epochs: one OS thread per engine, never a tokio task, because a guest that keeps every
//! worker busy would keep the ticker from running too.

use std::thread;

use wasmtime::Engine;

use crate::limits::TICK;

/// Starts the thread. It ends by itself, within a tick, once nothing uses the engine any more.
///
/// # Errors
///
/// When the system gives no thread.
pub(crate) fn start(engine: &Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    let tick = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    };
    thread::Builder::new().name("epochs".to_owned()).spawn(tick).map(drop)
}
