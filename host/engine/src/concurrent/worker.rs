//! The task of one instance: makes it, drives it, watches it from outside, and settles what is left
//! when it ends.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::task::Poll;

use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep_until};
use wattle_types::Span;

use super::board::{Errand, Outlook};
use super::crew::{Crew, Worker};
use super::serve;
use crate::actor::{Admitted, Core};
use crate::call::{CallError, classify};
use crate::lane::Driver;
use crate::limits::RETRY_AFTER;
use crate::load::Loaded;
use crate::permits::Permits;
use crate::seat::Seat;
use crate::usage::Gone;

/// What a worker's task is given.
pub(super) struct Hire {
    pub(super) loaded: Arc<Loaded>,
    pub(super) core: Arc<Core>,
    pub(super) crew: Weak<Crew>,
    pub(super) worker: Arc<Worker>,
    /// Calls, by their number on the board.
    pub(super) given: mpsc::UnboundedReceiver<u64>,
    pub(super) serves: u32,
    /// How long it may wait for a call; none if it serves only one.
    pub(super) idle_ms: Option<Span>,
    pub(super) places: Arc<Permits>,
}

/// How an instance came to its end.
#[derive(Debug)]
enum End {
    /// By itself, with nothing left to do.
    Served(Gone),
    /// What was left in it is wanted by nobody.
    Dropped,
    Failed(wasmtime::Error),
}

pub(super) fn start(hire: Hire) {
    let turn = hire.worker.turn.clone();
    let lane = hire.loaded.engine.lane.clone();
    // Those who wait know their deadlines themselves.
    let driver = Driver { lane, turn, pace: hire.core.pace.clone(), deadline: None };
    // A panic was settled where it happened.
    tokio::spawn(async move { driver.drive(Box::pin(hire.run())).await });
}

impl Hire {
    async fn run(mut self) {
        let (worker, crew) = (self.worker.clone(), self.crew.clone());
        // Also when the task is aborted or panics: nobody may wait for it in vain.
        let _settled = Settled { worker: worker.clone(), crew };
        let Some(first) = self.given.recv().await else { return };
        let Some(ongoing) = worker.board.make_for(first) else { return };
        let turn = worker.turn.clone();
        let mut seat = Seat::new(&self.loaded, &self.core, ongoing, turn.clone(), self.serves);
        let end = {
            let serving = pin!(serve::run(&mut self, first, &mut seat));
            watched(&worker, turn.drive(serving)).await
        };
        let errands = worker.board.clear();
        let (gone, cause) = match end {
            End::Served(why) => (why, None),
            End::Dropped => (Gone::Abandoned, None),
            End::Failed(error) => {
                let why = classify(&error, seat.store.data());
                (Gone::after(&why), Some((why, error)))
            }
        };
        seat.retire(gone);
        // Whoever reads an answer learns that it failed before its stream ends with the store.
        let held = settle(errands, cause.as_ref(), &self.core);
        drop(seat);
        drop(held);
    }
}

/// Tells those who wait what became of their calls. Their permits are free only when the store is
/// gone.
fn settle(
    errands: Vec<Errand>,
    cause: Option<&(CallError, wasmtime::Error)>,
    actor: &Core,
) -> Vec<Admitted> {
    let begun = errands.iter().filter(|errand| errand.is_begun()).count();
    let settle = |errand: Errand| {
        let error = match cause {
            _ if !errand.is_begun() => {
                CallError::Overloaded { what: "instance", retry_after: RETRY_AFTER }
            }
            // Whose fault it was is known only of one who was alone.
            Some((why, _)) if begun == 1 => why.clone(),
            Some((why, _)) => CallError::Lost { reason: why.to_string() },
            None => CallError::GivenUp,
        };
        tracing::warn!(actor = %actor.id, code = error.code(), %error, "call failed");
        errand.fail(error, cause.map(|(_, cause)| cause))
    };
    errands.into_iter().map(settle).collect()
}

/// Drives an instance until it ends or nobody wants it any more.
///
/// Watches from outside: a guest that computes, or waits in a host function that blocks its store,
/// keeps everything inside from being polled, timers too.
async fn watched(worker: &Worker, serving: impl Future<Output = wasmtime::Result<Gone>>) -> End {
    let mut serving = pin!(serving);
    let mut alarm: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|cx| {
        worker.is_polled.store(true, Ordering::Relaxed);
        let polled = serving.as_mut().poll(cx);
        worker.is_polled.store(false, Ordering::Relaxed);
        if let Poll::Ready(served) = polled {
            return Poll::Ready(served.map_or_else(End::Failed, End::Served));
        }
        loop {
            let next = match worker.board.look(Instant::now(), cx) {
                Outlook::Over => return Poll::Ready(End::Dropped),
                Outlook::Fine(None) => return Poll::Pending,
                Outlook::Fine(Some(next)) => next,
            };
            let alarm = alarm.get_or_insert_with(|| Box::pin(sleep_until(next)));
            if alarm.deadline() != next {
                alarm.as_mut().reset(next);
            }
            if alarm.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await
}

/// Dismisses the worker, whatever became of it.
struct Settled {
    worker: Arc<Worker>,
    crew: Weak<Crew>,
}

impl Drop for Settled {
    fn drop(&mut self) {
        if let Some(crew) = self.crew.upgrade() {
            crew.dismiss(&self.worker);
        }
        for errand in self.worker.board.clear() {
            let reason = "the task of an instance ended".to_owned();
            errand.fail(CallError::Internal { reason }, None);
        }
    }
}
