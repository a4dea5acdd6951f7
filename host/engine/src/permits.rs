//! Admission: how many calls run at once. Nobody ever waits here.
//!
//! A call that finds no permit is refused before anything was instantiated, so its caller knows
//! that the work was not begun and may go elsewhere. Because nothing queues, calls that call each
//! other cannot wait for each other's permits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A number of permits that can change while some are out.
#[derive(Debug)]
pub struct Permits {
    limit: AtomicU32,
    taken: AtomicU32,
}

/// One permit; given back when dropped.
#[derive(Debug)]
pub struct Permit(Arc<Permits>);

impl Permits {
    pub fn new(limit: u32) -> Arc<Self> {
        Arc::new(Self { limit: limit.into(), taken: AtomicU32::new(0) })
    }

    /// A permit, or at once none.
    pub fn take(self: &Arc<Self>) -> Option<Permit> {
        let limit = self.limit.load(Ordering::Relaxed);
        // One atomic step from look to take: a check followed by an add lets calls overshoot.
        self.taken
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, |taken| {
                (taken < limit).then_some(taken + 1)
            })
            .ok()
            .map(|_| Permit(self.clone()))
    }

    /// Changes how many there are. Permits that are out stay out.
    pub fn resize(&self, limit: u32) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    pub fn limit(&self) -> u32 {
        self.limit.load(Ordering::Relaxed)
    }

    pub fn taken(&self) -> u32 {
        self.taken.load(Ordering::Relaxed)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

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
        let (first, _second) = (permits.take().unwrap(), permits.take().unwrap());
        permits.resize(1);
        drop(first);
        assert!(permits.take().is_none());
        permits.resize(2);
        assert!(permits.take().is_some());
    }

    #[test]
    fn threads_together_never_hold_more_than_the_limit() {
        const LIMIT: u32 = 3;
        let permits = Permits::new(LIMIT);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        let held = permits.take();
                        assert!(permits.taken() <= LIMIT);
                        drop(held);
                    }
                });
            }
        });
        assert_eq!(permits.taken(), 0);
    }
}
