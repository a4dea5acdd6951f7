//! The slow lane: guests that compute for long do not keep those that answer fast from a processor.
//!
//! A guest begins among all others. Once it has used one tick of processor time, it is moved to
//! threads of its own kind: fewer than there are processors, and of a lower priority, so that the
//! system always prefers the fast ones. There it goes to the end of the line at every tick. What
//! cannot be interrupted is there too: an instruction that fills all memory, and clearing that
//! memory when the store goes.
//!
//! The first tick is free only once: an actor whose calls have used more begins in the slow lane
//! for a while. A guest that only waits does not get there.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustix::process::{getpriority_process, setpriority_process};
use rustix::thread::gettid;
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout_at;
use tracing::Instrument;
use wasmtime::{Store, UpdateDeadline};

use crate::limits::{SLOW_FOR, SLOW_NICE, TICK};
use crate::usage::Usage;

/// The slow lane of one engine.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    threads: Arc<Threads>,
}

/// Those that drive slow guests. Timers, sockets and tasks that a guest's host functions make belong
/// to the runtime that the guest came from: others may use them later.
#[derive(Debug)]
struct Threads {
    /// Taken when the engine goes.
    runtime: Option<Runtime>,
}

/// Whether an actor was slow of late. Its calls share it.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    slow_until: Mutex<Option<Instant>>,
}

/// One store's place in the lane. Shared between the task that polls the call and the callback that
/// interrupts the guest, which run on one thread, one inside the other.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    shared: Arc<Shared>,
    usage: Arc<Usage>,
}

#[derive(Debug, Default)]
struct Shared {
    clock: Mutex<Clock>,
    /// The call has used more than a tick.
    slow: AtomicBool,
}

#[derive(Debug, Default)]
struct Clock {
    /// Processor time of earlier polls. Ticks go on while a guest waits for the host, so counting
    /// them would send a guest that only waits to the slow lane.
    used: Duration,
    running_since: Option<Instant>,
    /// From when a tick was used: what the clock on the wall says is also what other programs took.
    confirmed: Option<Confirmed>,
}

/// Processor time by the clock of the thread, which is asked only of those that are suspected.
#[derive(Clone, Copy, Debug)]
struct Confirmed {
    /// Of earlier polls.
    used: Duration,
    /// What the clock said when this poll began; it is another clock on each thread.
    from: Option<Duration>,
}

/// What drives a call, here or in the slow lane.
#[derive(Clone, Debug)]
pub(crate) struct Driver {
    pub(crate) lane: Lane,
    pub(crate) turn: Turn,
    pub(crate) pace: Arc<Pace>,
    /// Nobody waits for it longer than that, even if it has not come to notice.
    pub(crate) deadline: Option<tokio::time::Instant>,
}

/// Why a call that was to be driven has no outcome.
#[derive(Debug)]
pub(crate) enum Undriven {
    /// Its deadline passed in the slow lane. It ends as soon as it is its turn there.
    Late,
    Panicked(JoinError),
}

/// A call in its own place in memory, where it stays: it is large, and handed on several times.
pub(crate) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What comes back from the slow lane.
enum Back<T> {
    Done(T),
    /// It is not slow any more: an instance that serves several calls began another.
    Fast(Boxed<T>),
}

impl Lane {
    /// `threads`: slow guests that run at once.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(crate) fn new(threads: usize) -> io::Result<Self> {
        // Without timers and sockets: see `Threads`.
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("slow-lane")
            .on_thread_start(lower_priority)
            .build()?;
        Ok(Self { threads: Arc::new(Threads { runtime: Some(runtime) }) })
    }

    fn handle(&self) -> &Handle {
        self.threads.runtime.as_ref().expect("it is taken only when the engine goes").handle()
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // The last to let go of an engine may be a task, which cannot wait for threads.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Of this thread, relative to what the process has.
fn lower_priority() {
    let myself = Some(gettid());
    let lowered = getpriority_process(myself)
        .and_then(|nice| setpriority_process(myself, nice.saturating_add(SLOW_NICE)));
    if let Err(error) = lowered {
        tracing::warn!(%error, "the slow lane has the priority of everybody");
    }
}

impl Pace {
    fn is_slow(&self) -> bool {
        self.until().is_some_and(|until| Instant::now() < until)
    }

    fn was_slow(&self) {
        *self.until() = Some(Instant::now() + SLOW_FOR);
    }

    fn until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.slow_until.lock().expect("nothing panics while it holds this lock")
    }
}

impl Driver {
    /// Drives `call` to its end, wherever it belongs. Dropping the future ends the call, in the slow
    /// lane as soon as it is its turn.
    ///
    /// # Errors
    ///
    /// See [`Undriven`].
    pub(crate) async fn drive<T: Send + 'static>(&self, mut call: Boxed<T>) -> Result<T, Undriven> {
        loop {
            if !self.pace.is_slow()
                && let Some(done) = self.until_slow(&mut call).await
            {
                return Ok(done);
            }
            let driver = self.clone();
            let (slowly, home) = (self.lane.handle(), Handle::current());
            let task = slowly.spawn(driver.until_fast(call, home).in_current_span());
            match self.waited(EndsWithUs(task)).await? {
                Back::Done(done) => return Ok(done),
                Back::Fast(again) => call = again,
            }
        }
    }

    /// None if it does not belong here any more.
    async fn until_slow<T>(&self, call: &mut Boxed<T>) -> Option<T> {
        poll_fn(|cx| match call.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if self.turn.is_slow() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    async fn waited<T: Send + 'static>(&self, mut task: EndsWithUs<T>) -> Result<T, Undriven> {
        let Some(deadline) = self.deadline else { return task.await.map_err(Undriven::Panicked) };
        match timeout_at(deadline, &mut task).await {
            Ok(ended) => ended.map_err(Undriven::Panicked),
            Err(_) => {
                // It has the same deadline, and says what became of it to those who count.
                tokio::spawn(async move { task.await.map(drop) });
                Err(Undriven::Late)
            }
        }
    }

    /// On a thread of the slow lane.
    async fn until_fast<T>(self, mut call: Boxed<T>, home: Handle) -> Back<T> {
        let mut used = Duration::ZERO;
        let done = poll_fn(|cx| {
            let before = processor_time();
            let polled = {
                let _home = home.enter();
                call.as_mut().poll(cx)
            };
            used += processor_time().saturating_sub(before);
            if TICK <= used {
                used = Duration::ZERO;
                self.pace.was_slow();
            }
            match polled {
                Poll::Ready(done) => Poll::Ready(Some(done)),
                Poll::Pending if !self.turn.is_slow() && !self.pace.is_slow() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        match done {
            Some(done) => Back::Done(done),
            None => Back::Fast(call),
        }
    }
}

/// A task that nobody needs when nobody waits for it.
struct EndsWithUs<T>(JoinHandle<T>);

impl<T> Future for EndsWithUs<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for EndsWithUs<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Clock {
    /// A poll begins.
    fn begin(&mut self, start: Instant) {
        self.running_since = Some(start);
        if let Some(confirmed) = &mut self.confirmed {
            confirmed.from = Some(processor_time());
        }
    }
}

impl Confirmed {
    fn now(self) -> Duration {
        let of_this_poll = self.from.map(|from| processor_time().saturating_sub(from));
        self.used + of_this_poll.unwrap_or_default()
    }
}

/// Of this thread.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

impl Turn {
    /// Processor time is counted in `usage` too.
    pub(crate) fn new(usage: Arc<Usage>) -> Self {
        Self { shared: Arc::default(), usage }
    }

    /// Lets the guest in `store` be interrupted. Each of its calls must go through [`Turn::begin`]
    /// and [`Turn::drive`].
    pub(crate) fn enter<T>(&self, store: &mut Store<T>) {
        let mine = self.clone();
        store.epoch_deadline_callback(move |_| {
            if mine.used() < TICK {
                return Ok(UpdateDeadline::Continue(1));
            }
            mine.confirm();
            Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
        });
    }

    /// A call begins in `store`, the first or the next.
    pub(crate) fn begin<T>(&self, store: &mut Store<T>) {
        // Without a deadline a store traps at once, already in its start functions; and a deadline
        // is so many ticks from when it was set.
        store.set_epoch_deadline(1);
        self.begin_anew();
    }

    /// As [`Turn::begin`], in a store that is being driven: its next tick is on its way.
    pub(crate) fn begin_anew(&self) {
        let mut clock = self.clock();
        let running_since = clock.running_since.map(|_| Instant::now());
        *clock = Clock { running_since, ..Clock::default() };
        self.shared.slow.store(false, Ordering::Relaxed);
    }

    /// Runs `call`, and counts its time.
    pub(crate) async fn drive<T>(&self, mut call: Pin<&mut impl Future<Output = T>>) -> T {
        poll_fn(|cx| {
            let start = Instant::now();
            self.clock().begin(start);
            let polled = call.as_mut().poll(cx);
            let mut clock = self.clock();
            let since = clock.running_since.take().unwrap_or(start);
            let now = Instant::now();
            clock.used += now - since;
            if let Some(confirmed) = &mut clock.confirmed {
                *confirmed = Confirmed { used: confirmed.now(), from: None };
            }
            self.usage.ran(now - start);
            polled
        })
        .await
    }

    /// Processor time of the call so far, the host's part included.
    pub(crate) fn used(&self) -> Duration {
        let clock = self.clock();
        clock.used + clock.running_since.map(|since| since.elapsed()).unwrap_or_default()
    }

    /// At a tick of a call that has used one by the clock on the wall.
    fn confirm(&self) {
        let mut clock = self.clock();
        let suspected = Confirmed { used: Duration::ZERO, from: Some(processor_time()) };
        let confirmed = clock.confirmed.get_or_insert(suspected);
        if TICK <= confirmed.now() {
            self.shared.slow.store(true, Ordering::Relaxed);
        }
    }

    /// The call that began last, or those that still run beside it, used more than a tick.
    pub(crate) fn is_slow(&self) -> bool {
        self.shared.slow.load(Ordering::Relaxed)
    }

    fn clock(&self) -> MutexGuard<'_, Clock> {
        self.shared.clock.lock().expect("nothing panics while it holds this lock")
    }
}
