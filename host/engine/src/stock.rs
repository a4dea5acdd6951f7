//! Instances of one actor that wait for their next call.
//!
//! The one used last is used next: it is warm, and those beyond what is needed grow old. A task
//! lets them go; it runs only while any wait.

use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use wattle_types::{InstancePolicy, Reuse};

use crate::actor::{Actor, Core};
use crate::permits::{Permit, Permits};
use crate::seat::Seat;
use crate::state::Ongoing;
use crate::usage::Gone;

/// What one actor keeps between calls.
pub(crate) struct Stock {
    /// None: every call has an instance of its own.
    reuse: Option<Reuse>,
    /// Of the whole engine: a waiting instance takes a slot of the pool.
    places: Arc<Permits>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    seats: Vec<Waiting>,
    /// A task looks after them.
    attended: bool,
}

/// Dropped in this order: a place is free only when the instance in it is gone.
struct Waiting {
    seat: Seat,
    until: Instant,
    _place: Permit,
}

impl Stock {
    pub(crate) fn new(policy: InstancePolicy, places: Arc<Permits>) -> Arc<Self> {
        Arc::new(Self { reuse: policy.reuse(), places, kept: Mutex::default() })
    }

    /// A seat for a call: one that waits here, or a new one.
    pub(crate) fn take(&self, actor: &Actor, ongoing: &Arc<Ongoing>) -> Seat {
        let Some(reuse) = self.reuse else {
            return Seat::new(&actor.loaded, &actor.core, ongoing.clone(), actor.turn(), 1);
        };
        let waiting = self.kept().seats.pop();
        match waiting {
            Some(Waiting { mut seat, .. }) => {
                actor.core.usage.reused();
                seat.begin(ongoing.clone());
                seat
            }
            None => {
                let serves = reuse.requests.draw(fastrand::u32(..));
                Seat::new(&actor.loaded, &actor.core, ongoing.clone(), actor.turn(), serves)
            }
        }
    }

    /// Keeps a seat whose call ended well, if it may serve another and there is a place for it.
    pub(crate) fn put(self: &Arc<Self>, actor: &Core, mut seat: Seat) {
        let Some(reuse) = self.reuse else { return seat.retire(Gone::Served) };
        if let Err(why) = seat.judge(actor) {
            tracing::debug!(actor = %actor.id, ?why, "an instance is not used again");
            return seat.retire(why);
        }
        let Some(place) = self.places.take(seat.slots) else { return seat.retire(Gone::Idle) };
        let idle = Duration::from_millis(reuse.idle_ms.draw(fastrand::u32(..)).into());
        let waiting = Waiting { seat, until: Instant::now() + idle, _place: place };
        let mut kept = self.kept();
        kept.seats.push(waiting);
        if !kept.attended {
            kept.attended = true;
            drop(kept);
            tokio::spawn(attend(Arc::downgrade(self)));
        }
    }

    /// Lets all of them go; calls that run go on.
    pub(crate) fn clear(&self, why: Gone) {
        let gone = std::mem::take(&mut self.kept().seats);
        for mut waiting in gone {
            waiting.seat.retire(why);
        }
    }

    /// Lets those go that have waited for too long, and says when to look again.
    fn let_go(&self, now: Instant) -> Option<Instant> {
        let mut kept = self.kept();
        let gone: Vec<Waiting> =
            kept.seats.extract_if(.., |waiting| waiting.until <= now).collect();
        let next = kept.seats.iter().map(|waiting| waiting.until).min();
        kept.attended = next.is_some();
        drop(kept);
        // Giving memory back takes time, in which others may want the lock.
        for mut waiting in gone {
            waiting.seat.retire(Gone::Idle);
        }
        next
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("nothing panics while it holds this lock")
    }
}

impl Drop for Stock {
    fn drop(&mut self) {
        self.clear(Gone::Stopped);
    }
}

async fn attend(stock: Weak<Stock>) {
    let mut next = Instant::now();
    loop {
        sleep_until(next).await;
        let Some(stock) = stock.upgrade() else { return };
        match stock.let_go(Instant::now()) {
            Some(at) => next = at,
            None => return,
        }
    }
}
