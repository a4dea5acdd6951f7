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

/// One permit, or as many as one call needs; given back when dropped.
#[derive(Debug)]
pub struct Permit {
    of: Arc<Permits>,
    count: u32,
}

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

    /// `count` permits, or at once none. Whoever needs more than there are gets all of them.
    pub fn take(self: &Arc<Self>, count: u32) -> Option<Permit> {
        let count = self.at_most(count);
        match self.free.try_acquire_many(count) {
            Ok(permit) => {
                permit.forget();
                Some(self.out(count))
            }
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => None,
        }
    }

    /// As [`take`](Self::take), if they are free by `until`; at once none if as many wait already as
    /// there are permits: by then that many calls have to end first.
    ///
    /// May be dropped at any time; the place in the line and the permits go to the next.
    pub async fn wait(self: &Arc<Self>, count: u32, until: Instant) -> Option<Permit> {
        if let Some(permit) = self.take(count) {
            return Some(permit);
        }
        let _place = self.line_up()?;
        let count = self.at_most(count);
        let permit = timeout_at(until, self.free.acquire_many(count)).await.ok()?.ok()?;
        permit.forget();
        Some(self.out(count))
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

    fn at_most(&self, count: u32) -> u32 {
        // Of none there is none to be had.
        count.min(self.limit().max(1))
    }

    /// Calls that stand in line.
    pub fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    fn out(self: &Arc<Self>, count: u32) -> Permit {
        self.taken.fetch_add(count, Ordering::Relaxed);
        Permit { of: self.clone(), count }
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
        self.of.taken.fetch_sub(self.count, Ordering::Relaxed);
        (0..self.count).for_each(|_| self.of.one_more());
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
        let held = permits.take(1).unwrap();
        assert!(permits.take(1).is_none());
        drop(held);
        assert!(permits.take(1).is_some());
    }

    #[test]
    fn fewer_permits_refuse_new_calls_and_leave_running_ones_alone() {
        let permits = Permits::new(2);
        let (first, second) = (permits.take(1).unwrap(), permits.take(1).unwrap());
        permits.resize(1);
        drop(first);
        assert!(permits.take(1).is_none());
        permits.resize(2);
        let third = permits.take(1);
        assert!(third.is_some());
        drop((second, third));
        assert_eq!(permits.taken(), 0);
        let all: Vec<_> = std::iter::from_fn(|| permits.take(1)).collect();
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn who_needs_many_gets_them_together_and_never_more_than_there_are() {
        let permits = Permits::new(3);
        let one = permits.take(1);
        assert!(permits.take(3).is_none());
        let two = permits.take(2).unwrap();
        assert_eq!(permits.taken(), 3);
        drop((one, two));
        let all = permits.take(16);
        assert!(all.is_some() && permits.take(1).is_none());
        drop(all);
        assert_eq!(permits.taken(), 0);
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
                        let permit = permits.take(1);
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
        let held = permits.take(1).unwrap();
        let waiter = tokio::spawn({
            let permits = permits.clone();
            async move { permits.wait(1, soon()).await }
        });
        while permits.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        drop(held);
        assert!(permits.take(1).is_none());
        assert!(waiter.await.unwrap().is_some());
        assert_eq!((permits.waiting(), permits.taken()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn the_line_is_as_long_as_there_are_permits_and_nobody_waits_longer_than_told() {
        let permits = Permits::new(2);
        let _held = (permits.take(1), permits.take(1));
        let start = Instant::now();
        let third = async {
            // The line is full, so the answer comes before any time has passed.
            assert!(permits.wait(1, soon()).await.is_none());
            assert_eq!(start.elapsed(), Duration::ZERO);
        };
        let (first, second, ()) =
            tokio::join!(permits.wait(1, soon()), permits.wait(1, soon()), third);
        assert!(first.is_none() && second.is_none());
        assert!(Duration::from_millis(100) <= start.elapsed());
        assert_eq!(permits.waiting(), 0);
    }
}
