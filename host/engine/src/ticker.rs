//! Counts epochs: one OS thread for all engines, never a tokio task, because a guest that keeps
//! every worker busy would keep the ticker from running too.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use wasmtime::{Engine, EngineWeak};

use crate::limits::TICK;

/// What counts the epochs of the engines it was given.
#[derive(Clone, Default)]
pub(crate) struct Ticker(Arc<Mutex<Vec<EngineWeak>>>);

impl Ticker {
    /// Starts the thread, for `engine` and those that come later. It ends by itself, within a tick,
    /// once nothing uses any of them.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub(crate) fn start(engine: &Engine) -> io::Result<Self> {
        let ticker = Self::default();
        ticker.count(engine);
        let counted = ticker.clone();
        let tick = move || {
            while counted.tick() {
                thread::sleep(TICK);
            }
        };
        thread::Builder::new().name("epochs".to_owned()).spawn(tick)?;
        Ok(ticker)
    }

    pub(crate) fn count(&self, engine: &Engine) {
        self.engines().push(engine.weak());
    }

    /// Whether there is anything left to count.
    fn tick(&self) -> bool {
        let mut engines = self.engines();
        engines.retain(|engine| match engine.upgrade() {
            Some(engine) => {
                engine.increment_epoch();
                true
            }
            None => false,
        });
        !engines.is_empty()
    }

    fn engines(&self) -> MutexGuard<'_, Vec<EngineWeak>> {
        self.0.lock().expect("nothing panics while it holds this lock")
    }
}
