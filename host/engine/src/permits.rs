//! Admission: how many calls run at once, and who may wait for how long to be one of them.
//!
//! A call from outside may stand in a short line: without one, bursts that a host could serve a
//! moment later are refused. The line is bounded in places and in time; whoever finds it full is
//! refused at once and whoever was there first is served first, so what is served under overload
//! was waited for only briefly and its caller is still there. A call made by a call never waits:
//! callers that hold all permits would wait for each other.
//!
//! A call that gets no permit is refused before anything was instantiated, so its caller knows that
//! the work was not begun and may go elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::{Semaphore, TryAcquireError};
use tokio::time::{Instant, timeout_at};

/// A number of permits that can change while some are out.
#[derive(Debug)]
pub struct Permits {
    free: Semaphore,
    limit: AtomicU32,
    taken: AtomicU32,
    waiting: AtomicU32,
    /// Permits that are out and are not to come back, because there are fewer now.
    surplus: AtomicU32,
}

/// One permit; given back when dropped.
#[derive(Debug)]
pub struct Permit(Arc<Permits>);

/// A place in the line; given back when dropped.
struct Place<'a>(&'a Permits);

impl Permits {
    pub fn new(limit: u32) -> Arc<Self> {
        Arc::new(Self {
            free: Semaphore::new(limit as usize),
            limit: limit.into(),
            taken: AtomicU32::new(0),
            waiting: AtomicU32::new(0),
            surplus: AtomicU32::new(0),
        })
    }

    /// A permit, or at once none.
    pub fn take(self: &Arc<Self>) -> Option<Permit> {
        match self.free.try_acquire() {
            Ok(permit) => {
                permit.forget();
                Some(self.out())
            }
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => None,
        }
    }

    /// A permit, if one is free by `until`; at once none if as many wait already as there are
    /// permits: by then that many calls have to end first.
    ///
    /// May be dropped at any time; the place in the line and the permit go to the next.
    pub async fn wait(self: &Arc<Self>, until: Instant) -> Option<Permit> {
        if let Some(permit) = self.take() {
            return Some(permit);
        }
        let _place = self.line_up()?;
        let permit = timeout_at(until, self.free.acquire()).await.ok()?.ok()?;
        permit.forget();
        Some(self.out())
    }

    /// Changes how many there are. Permits that are out stay out.
    pub fn resize(&self, limit: u32) {
        let before = self.limit.swap(limit, Ordering::AcqRel);
        if before <= limit {
            (before..limit).for_each(|_| self.one_more());
        } else {
            let fewer = before - limit;
            let forgotten = self.free.forget_permits(fewer as usize) as u32;
            self.surplus.fetch_add(fewer - forgotten, Ordering::AcqRel);
        }
    }

    pub fn limit(&self) -> u32 {
        self.limit.load(Ordering::Relaxed)
    }

    pub fn taken(&self) -> u32 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Calls that stand in line.
    pub fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    fn out(self: &Arc<Self>) -> Permit {
        self.taken.fetch_add(1, Ordering::Relaxed);
        Permit(self.clone())
    }

    fn line_up(&self) -> Option<Place<'_>> {
        let places = self.limit();
        // One atomic step from look to take: a check followed by an add lets calls overshoot.
        self.waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
                (waiting < places).then_some(waiting + 1)
            })
            .ok()
            .map(|_| Place(self))
    }

    /// One permit to whoever is first in line, unless there is one too many.
    fn one_more(&self) {
        let paid = self
            .surplus
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |surplus| surplus.checked_sub(1));
        if paid.is_err() {
            self.free.add_permits(1);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
        self.0.one_more();
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(100)
    }

    #[test]
    fn a_permit_comes_back_when_its_call_ends() {
        let permits = Permits::new(1);
        let held = permits.take().unwrap();
        assert!(permits.take().is_none());
        drop(held);
        assert!(permits.take().is_some());
    }

    #[test]
    fn fewer_permits_refuse_new_calls_and_leave_running_ones_alone() {
        let permits = Permits::new(2);
        let (first, second) = (permits.take().unwrap(), permits.take().unwrap());
        permits.resize(1);
        drop(first);
        assert!(permits.take().is_none());
        permits.resize(2);
        let third = permits.take();
        assert!(third.is_some());
        drop((second, third));
        assert_eq!(permits.taken(), 0);
        let all: Vec<_> = std::iter::from_fn(|| permits.take()).collect();
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn threads_together_never_hold_more_than_the_limit() {
        const LIMIT: u32 = 3;
        let permits = Permits::new(LIMIT);
        let held = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        let permit = permits.take();
                        if permit.is_some() {
                            assert!(held.fetch_add(1, Ordering::SeqCst) < LIMIT);
                            held.fetch_sub(1, Ordering::SeqCst);
                        }
                        drop(permit);
                    }
                });
            }
        });
        assert_eq!(permits.taken(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_gets_the_next_permit_and_whoever_comes_later_does_not() {
        let permits = Permits::new(1);
        let held = permits.take().unwrap();
        let waiter = tokio::spawn({
            let permits = permits.clone();
            async move { permits.wait(soon()).await }
        });
        while permits.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        drop(held);
        assert!(permits.take().is_none());
        assert!(waiter.await.unwrap().is_some());
        assert_eq!((permits.waiting(), permits.taken()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn the_line_is_as_long_as_there_are_permits_and_nobody_waits_longer_than_told() {
        let permits = Permits::new(2);
        let _held = (permits.take(), permits.take());
        let start = Instant::now();
        let third = async {
            // The line is full, so the answer comes before any time has passed.
            assert!(permits.wait(soon()).await.is_none());
            assert_eq!(start.elapsed(), Duration::ZERO);
        };
        let (first, second, ()) = tokio::join!(permits.wait(soon()), permits.wait(soon()), third);
        assert!(first.is_none() && second.is_none());
        assert!(Duration::from_millis(100) <= start.elapsed());
        assert_eq!(permits.waiting(), 0);
    }
}
