//! Which instance a call goes to.
//!
//! First one that has room and is not on a processor now, the one used last before others: it
//! answers at once. Then a new one, as long as there are fewer than processors; then whichever has
//! room.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use tokio::sync::mpsc;
use wattle_types::{InstancePolicy, Reuse};

use super::Watch;
use super::board::{Board, Errand};
use super::worker::{self, Hire};
use crate::actor::Actor;
use crate::lane::Turn;
use crate::permits::Permits;

/// The instances of one actor that take more calls.
pub(crate) struct Crew {
    /// None: an instance for each call.
    reuse: Option<Reuse>,
    /// Calls at once in one instance.
    calls: u32,
    /// For instances that wait, of the whole engine.
    places: Arc<Permits>,
    processors: usize,
    workers: Mutex<Vec<Arc<Worker>>>,
}

/// One instance, seen from outside.
pub(super) struct Worker {
    pub(super) board: Arc<Board>,
    pub(super) is_polled: AtomicBool,
    pub(super) turn: Turn,
    calls: mpsc::UnboundedSender<u64>,
    duty: Mutex<Duty>,
}

/// What one instance has taken on.
#[derive(Clone, Copy, Debug)]
struct Duty {
    /// Calls it was given, and how many it may be given in all.
    given: u32,
    serves: u32,
    /// Those that are not over.
    running: u32,
    /// At once.
    calls: u32,
    open: bool,
}

impl Duty {
    fn has_room(&self) -> bool {
        self.open && self.running < self.calls && self.given < self.serves
    }
}

impl Crew {
    /// `one_at_a_time`: its component may block its store.
    pub(crate) fn new(
        policy: InstancePolicy,
        one_at_a_time: bool,
        places: Arc<Permits>,
    ) -> Arc<Self> {
        let calls = match policy {
            InstancePolicy::Concurrent { calls, .. } if !one_at_a_time => calls,
            _ => 1,
        };
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let workers = Mutex::default();
        Arc::new(Self { reuse: policy.reuse(), calls, places, processors, workers })
    }

    /// Gives a call to an instance, which is made if none has room.
    pub(super) fn hand_over(self: &Arc<Self>, actor: &Actor, mut errand: Errand) -> Watch {
        loop {
            let worker = self.worker(actor);
            match worker.give(errand) {
                Ok(watch) => return watch,
                // It has just come to a bad end.
                Err(back) => errand = *back,
            }
        }
    }

    /// A worker with room, in which a place is taken.
    fn worker(self: &Arc<Self>, actor: &Actor) -> Arc<Worker> {
        let Some(reuse) = self.reuse else { return self.hire(actor, 1) };
        let mut workers = self.workers();
        if let Some(worker) = self.choose(&workers) {
            return worker;
        }
        let worker = self.hire(actor, reuse.requests.draw(fastrand::u32(..)));
        workers.push(worker.clone());
        worker
    }

    fn choose(&self, workers: &[Arc<Worker>]) -> Option<Arc<Worker>> {
        // What is given to one that computes waits for that, and may be lost with it.
        let quick = || workers.iter().filter(|worker| !worker.turn.is_slow());
        let last_first = || quick().rev();
        let is_free = |worker: &&Arc<Worker>| !worker.is_polled.load(Ordering::Relaxed);
        let chosen = last_first().find(|worker| is_free(worker) && worker.takes_one());
        if chosen.is_none() && quick().count() < self.processors {
            return None;
        }
        chosen.or_else(|| last_first().find(|worker| worker.takes_one())).cloned()
    }

    fn hire(self: &Arc<Self>, actor: &Actor, serves: u32) -> Arc<Worker> {
        let (to, given) = mpsc::unbounded_channel();
        let duty = Duty { given: 1, serves, running: 1, calls: self.calls, open: true };
        let worker = Arc::new(Worker {
            board: Arc::default(),
            is_polled: AtomicBool::new(false),
            turn: actor.turn(),
            calls: to,
            duty: Mutex::new(duty),
        });
        worker::start(Hire {
            loaded: actor.loaded.clone(),
            core: actor.core.clone(),
            crew: Arc::downgrade(self),
            worker: worker.clone(),
            given,
            serves,
            idle_ms: self.reuse.map(|reuse| reuse.idle_ms),
            places: self.places.clone(),
        });
        worker
    }

    /// Nothing more is given to this instance.
    pub(super) fn dismiss(&self, worker: &Arc<Worker>) {
        worker.close();
        self.workers().retain(|other| !Arc::ptr_eq(other, worker));
    }

    /// Lets all instances end with what they have begun.
    pub(crate) fn clear(&self) {
        for worker in std::mem::take(&mut *self.workers()) {
            worker.retire();
        }
    }

    fn workers(&self) -> MutexGuard<'_, Vec<Arc<Worker>>> {
        self.workers.lock().expect("nothing panics while it holds this lock")
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Worker {
    /// Takes a place for a call, if there is one.
    fn takes_one(&self) -> bool {
        let mut duty = self.duty();
        let room = duty.has_room();
        if room {
            duty.given += 1;
            duty.running += 1;
        }
        room
    }

    /// Brings the call for which a place was taken, unless the instance has ended.
    fn give(&self, errand: Errand) -> Result<Watch, Box<Errand>> {
        let ongoing = errand.ongoing.clone();
        let id = self.board.put(errand)?;
        // If the task has just ended, the board is cleared after this.
        let _ = self.calls.send(id);
        Ok(Watch::new(self.board.clone(), id, ongoing))
    }

    /// A call is over.
    pub(super) fn done(&self) {
        self.duty().running -= 1;
    }

    /// Whether it will be given more calls.
    pub(super) fn is_open(&self) -> bool {
        let duty = self.duty();
        duty.open && duty.given < duty.serves
    }

    /// Nothing more is given to it, and it need not wait for more.
    fn retire(&self) {
        self.close();
        self.board.nudge();
    }

    fn close(&self) {
        self.duty().open = false;
    }

    /// Closes it if nothing was given to it meanwhile.
    pub(super) fn close_if_idle(&self) -> bool {
        let mut duty = self.duty();
        let idle = duty.running == 0;
        duty.open &= !idle;
        idle
    }

    fn duty(&self) -> MutexGuard<'_, Duty> {
        self.duty.lock().expect("nothing panics while it holds this lock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_has_room_while_it_is_open_and_within_both_its_numbers() {
        let fresh = Duty { given: 1, serves: 3, running: 1, calls: 2, open: true };
        let cases = [
            ("one of two", fresh, true),
            ("two of two", Duty { running: 2, ..fresh }, false),
            ("its last call was given", Duty { given: 3, running: 0, ..fresh }, false),
            ("closed", Duty { open: false, ..fresh }, false),
        ];
        for (name, duty, room) in cases {
            assert_eq!(duty.has_room(), room, "{name}");
        }
    }
}
