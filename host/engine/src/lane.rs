//! The slow lane: guests that compute for long do not keep those that answer fast from a processor.
//!
//! A guest runs freely until it has used one tick of processor time. From the next tick on it runs
//! only while it holds one of a few slow permits (one less than there are processors), and goes to
//! the end of the line at every tick. Yielding alone is no fairness: the yielding task is back in
//! the run queue before a socket is looked at.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::{Store, UpdateDeadline};

use crate::limits::TICK;
use crate::usage::Usage;

/// The slow lane of one engine.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    permits: Arc<Semaphore>,
}

/// One store's place in it. Shared between the task that polls the call and the callback that
/// interrupts the guest, which run on one thread, one inside the other.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    state: Arc<Mutex<State>>,
    usage: Arc<Usage>,
}

#[derive(Debug, Default)]
struct State {
    /// Processor time of earlier polls. Ticks go on while a guest waits for the host, so counting
    /// them would send a guest that only waits to the slow lane.
    used: Duration,
    running_since: Option<Instant>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Lane {
    pub(crate) fn new(permits: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(permits)) }
    }

    /// Lets the guest in `store` be interrupted. Each of its calls must go through
    /// [`Turn::begin`] and [`Turn::drive`].
    /// Processor time is counted in `usage` too.
    pub(crate) fn enter<T>(&self, store: &mut Store<T>, usage: Arc<Usage>) -> Turn {
        let turn = Turn { state: Arc::default(), usage };
        let (permits, mine) = (self.permits.clone(), turn.clone());
        store.epoch_deadline_callback(move |_| {
            if mine.used() < TICK {
                return Ok(UpdateDeadline::Continue(1));
            }
            let (permits, mine) = (permits.clone(), mine.clone());
            let in_line = async move {
                mine.state().permit = None;
                // Even if a permit is free, others get a chance to take it.
                tokio::task::yield_now().await;
                let permit = permits.acquire_owned().await;
                mine.state().permit = Some(permit.expect("the slow lane is never closed"));
            };
            Ok(UpdateDeadline::YieldCustom(1, Box::pin(in_line)))
        });
        turn
    }
}

impl Turn {
    /// A call begins in `store`, the first or the next.
    pub(crate) fn begin<T>(&self, store: &mut Store<T>) {
        // Without a deadline a store traps at once, already in its start functions; and a deadline
        // is so many ticks from when it was set.
        store.set_epoch_deadline(1);
        self.begin_anew();
    }

    /// As [`Turn::begin`], in a store that is being driven: its next tick is on its way.
    pub(crate) fn begin_anew(&self) {
        let mut state = self.state();
        state.used = Duration::ZERO;
        state.running_since = state.running_since.map(|_| Instant::now());
    }

    /// Runs `call`, and gives its slow permit back whenever it is not running: a guest that slept
    /// or waited with a permit would stop all other slow guests. When it wakes it runs without
    /// one, but only to its next tick.
    pub(crate) async fn drive<T>(&self, call: impl Future<Output = T>) -> T {
        let mut call = pin!(call);
        poll_fn(|cx| {
            let start = Instant::now();
            self.state().running_since = Some(start);
            let polled = call.as_mut().poll(cx);
            let mut state = self.state();
            let since = state.running_since.take().unwrap_or(start);
            let now = Instant::now();
            state.used += now - since;
            self.usage.ran(now - start);
            state.permit = None;
            polled
        })
        .await
    }

    /// Processor time of the call so far, the host's part included.
    pub(crate) fn used(&self) -> Duration {
        let state = self.state();
        state.used + state.running_since.map(|since| since.elapsed()).unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }
}
