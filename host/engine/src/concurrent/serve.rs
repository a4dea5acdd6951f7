//! What runs inside a store: takes calls from the board, begins them in the instance, and answers.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, Sleep, sleep_until};
use wasmtime::component::Accessor;

use super::calls;
use super::worker::Hire;
use crate::actor::Admitted;
use crate::lane::Turn;
use crate::permits::Permit;
use crate::seat::{Live, Seat, Tally};
use crate::state::State;
use crate::usage::Gone;

/// Serves until the instance has served enough, is not wanted any more, or fails.
pub(super) async fn run(hire: &mut Hire, first: u64, seat: &mut Seat) -> wasmtime::Result<Gone> {
    let turn = seat.turn.clone();
    let (store, live, tally) = seat.live(hire.loaded.linked()).await?;
    store
        .run_concurrent(async |accessor| {
            let calls = FuturesUnordered::new();
            let mut inside =
                Inside { hire, accessor, live, tally, turn, calls, held: None, rest: None };
            inside.begin(first);
            poll_fn(|cx| inside.poll(cx)).await
        })
        .await?
}

type Call<'a> = Pin<Box<dyn Future<Output = wasmtime::Result<u64>> + Send + 'a>>;

struct Inside<'a> {
    hire: &'a mut Hire,
    accessor: &'a Accessor<State>,
    live: &'a Live,
    tally: &'a mut Tally,
    turn: Turn,
    calls: FuturesUnordered<Call<'a>>,
    /// Of the last call: what it left running still takes its place.
    held: Option<Admitted>,
    rest: Option<Rest>,
}

/// Waits for the next call.
struct Rest {
    until: Pin<Box<Sleep>>,
    _place: Permit,
}

impl<'a> Inside<'a> {
    fn begin(&mut self, id: u64) {
        let worker = &self.hire.worker;
        self.rest = None;
        let Some(begun) = worker.board.begin(id) else { return worker.done() };
        if 0 < self.tally.begin() {
            self.hire.core.usage.reused();
        }
        self.turn.begin_anew();
        let board = worker.board.clone();
        let (accessor, live) = (self.accessor, self.live);
        self.calls.push(Box::pin(async move {
            calls::run(accessor, live, &board, id, begun).await?;
            Ok(id)
        }));
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<wasmtime::Result<Gone>> {
        loop {
            match self.calls.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(id))) => {
                    if let Some(mut errand) = self.hire.worker.board.end(id) {
                        errand.admitted.done();
                        self.held = Some(errand.admitted);
                    }
                    self.hire.worker.done();
                    continue;
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                Poll::Ready(None) | Poll::Pending => {}
            }
            if !self.hire.worker.board.is_spoilt()
                && let Poll::Ready(Some(id)) = self.hire.given.poll_recv(cx)
            {
                self.begin(id);
                continue;
            }
            if !self.calls.is_empty() || self.accessor.poll_no_interesting_tasks(cx).is_pending() {
                return Poll::Pending;
            }
            return self.poll_rest(cx);
        }
    }

    /// Nothing runs: either the instance may wait for another call, or it is done.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<wasmtime::Result<Gone>> {
        let worker = &self.hire.worker;
        if worker.board.is_spoilt() {
            // What was given to it and not begun is told so.
            return Poll::Ready(Ok(Gone::Abandoned));
        }
        if self.rest.is_none() {
            let (tally, core) = (&mut *self.tally, &self.hire.core);
            let judged = self.accessor.with(|mut store| tally.judge(store.data_mut(), core));
            let idle_ms = match (judged, self.hire.idle_ms) {
                (Ok(()), Some(idle_ms)) => idle_ms,
                (why, _) => return self.end(why.err().unwrap_or(Gone::Served)),
            };
            let Some(place) = self.hire.places.take(self.hire.loaded.linked().slots) else {
                return self.end(Gone::Idle);
            };
            let idle = Duration::from_millis(idle_ms.draw(fastrand::u32(..)).into());
            let until = Box::pin(sleep_until(Instant::now() + idle));
            self.rest = Some(Rest { until, _place: place });
            self.held = None;
            worker.board.rest();
        }
        if !worker.is_open() {
            return self.end(Gone::Stopped);
        }
        let rest = self.rest.as_mut().expect("it has just been made");
        match rest.until.as_mut().poll(cx) {
            Poll::Ready(()) => self.end(Gone::Idle),
            Poll::Pending => Poll::Pending,
        }
    }

    /// The end, unless a call was given meanwhile; that wakes this task.
    fn end(&mut self, why: Gone) -> Poll<wasmtime::Result<Gone>> {
        match self.hire.worker.close_if_idle() {
            true => Poll::Ready(Ok(why)),
            false => Poll::Pending,
        }
    }
}
