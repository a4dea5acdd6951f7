//! What one actor takes on this host: counters that calls touch and people read.
//!
//! Each is one atomic number, so that counting costs nanoseconds and nobody waits. They are read
//! one after another: a reader may see a call in one and not yet in the next.
//!
//! What begins is a guard, [`UnderWay`] of a call and [`Made`] of an instance, so that what is
//! dropped in the middle is counted too: whoever drops an answer ends its call.

mod reason;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use wattle_types::{CallCounts, InstanceCounts, Load, UsageReport};

use crate::call::CallError;
use reason::TrapReason;

pub(crate) use reason::Gone;

/// The counters of one actor, shared by its calls.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    begun: AtomicU64,
    done: AtomicU64,
    failed: AtomicU64,
    abandoned: AtomicU64,
    refused: AtomicU64,
    late: AtomicU64,
    memory_bytes: AtomicU64,
    memory_bytes_peak: AtomicU64,
    processor_ns: AtomicU64,
    traps: [AtomicU64; TrapReason::ALL.len()],
    live: AtomicU64,
    made: AtomicU64,
    reused: AtomicU64,
    gone: [AtomicU64; Gone::ALL.len()],
}

/// A call that was admitted. Dropped without an end, its caller gave it up.
#[must_use]
#[derive(Debug)]
pub(crate) struct UnderWay(Option<Arc<Usage>>);

/// An instance that was made. Dropped without a reason, the call it served was given up.
#[must_use]
#[derive(Debug)]
pub(crate) struct Made {
    usage: Arc<Usage>,
    reason: Gone,
}

impl Usage {
    /// A call was admitted.
    pub(crate) fn begin(self: &Arc<Self>) -> UnderWay {
        add(&self.begun, 1);
        UnderWay(Some(self.clone()))
    }

    /// A call was not admitted, or not begun for another reason.
    pub(crate) fn not_begun(&self, error: &CallError) {
        match error {
            CallError::Overloaded { .. } => add(&self.refused, 1),
            CallError::DeadlineExceeded { .. } => add(&self.late, 1),
            _ => {}
        }
    }

    /// A call used the processor for so long.
    pub(crate) fn ran(&self, processor: Duration) {
        add(&self.processor_ns, u64::try_from(processor.as_nanos()).unwrap_or(u64::MAX));
    }

    /// An instance that had `before` bytes of linear memory has `now` bytes.
    pub(crate) fn memory(&self, before: usize, now: usize) {
        // Wraps around zero and back: what one instance adds it takes away again.
        add(&self.memory_bytes, (now as u64).wrapping_sub(before as u64));
        if before < now {
            self.memory_bytes_peak.fetch_max(now as u64, Ordering::Relaxed);
        }
    }

    /// An instance was made.
    pub(crate) fn made(self: &Arc<Self>) -> Made {
        add(&self.made, 1);
        add(&self.live, 1);
        Made { usage: self.clone(), reason: Gone::Abandoned }
    }

    /// An instance serves another call.
    pub(crate) fn reused(&self) {
        add(&self.reused, 1);
    }

    /// For people; `load` is what the actor's permits say.
    pub(crate) fn report(&self, load: Load) -> UsageReport {
        UsageReport {
            load,
            calls: CallCounts {
                begun: get(&self.begun),
                done: get(&self.done),
                failed: get(&self.failed),
                abandoned: get(&self.abandoned),
                refused: get(&self.refused),
                late: get(&self.late),
            },
            memory_bytes: get(&self.memory_bytes),
            memory_bytes_peak: get(&self.memory_bytes_peak),
            processor_us: get(&self.processor_ns) / 1_000,
            traps: counts(TrapReason::ALL.map(TrapReason::as_str), &self.traps),
            instances: InstanceCounts {
                live: get(&self.live),
                made: get(&self.made),
                reused: get(&self.reused),
                retired: counts(Gone::ALL.map(Gone::as_str), &self.gone),
            },
        }
    }
}

fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// Those that are not zero, by name.
fn counts<const N: usize>(names: [&str; N], counters: &[AtomicU64; N]) -> BTreeMap<String, u64> {
    let counted =
        names.into_iter().zip(counters).map(|(name, count)| (name.to_owned(), get(count)));
    counted.filter(|(_, count)| *count != 0).collect()
}

impl UnderWay {
    /// The guest came to the end of the call.
    pub(crate) fn done(&mut self) {
        if let Some(usage) = self.0.take() {
            add(&usage.done, 1);
        }
    }

    /// The call has no good end; `cause` is what wasmtime said, if it was wasmtime.
    pub(crate) fn failed(&mut self, error: &CallError, cause: Option<&wasmtime::Error>) {
        let Some(usage) = self.0.take() else { return };
        if !error.begun() {
            // Admitted, and then there was no slot for it after all.
            usage.not_begun(error);
            return;
        }
        add(&usage.failed, 1);
        if matches!(error, CallError::DeadlineExceeded { .. }) {
            add(&usage.late, 1);
        }
        if let Some(reason) = TrapReason::of(error, cause) {
            add(&usage.traps[reason as usize], 1);
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(usage) = &self.0 {
            add(&usage.abandoned, 1);
        }
    }
}

impl Made {
    /// What is said when it is dropped; the last word counts.
    pub(crate) fn retire(&mut self, reason: Gone) {
        self.reason = reason;
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        self.usage.live.fetch_sub(1, Ordering::Relaxed);
        add(&self.usage.gone[self.reason as usize], 1);
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::Trap;

    use super::*;

    fn report(usage: &Usage) -> UsageReport {
        usage.report(Load::default())
    }

    fn trapped() -> CallError {
        CallError::Trap { reason: "x".to_owned() }
    }

    #[test]
    fn every_call_that_is_begun_is_counted_once_more_when_it_ends() {
        let usage = Arc::new(Usage::default());
        usage.begin().done();
        usage.begin().failed(&trapped(), Some(&Trap::StackOverflow.into()));
        usage.begin().failed(&CallError::DeadlineExceeded { begun: true }, None);
        usage.begin().failed(&CallError::NoAnswer, None);
        drop(usage.begin());
        let under_way = usage.begin();
        let (done, failed, abandoned, late) = (1, 3, 1, 1);
        let calls = CallCounts { begun: 6, done, failed, abandoned, refused: 0, late };
        assert_eq!(report(&usage).calls, calls);
        assert_eq!(report(&usage).traps, BTreeMap::from([("stack-overflow".to_owned(), 1)]));
        drop(under_way);
    }

    #[test]
    fn what_is_not_begun_counts_only_as_what_kept_it_from_it() {
        let usage = Arc::new(Usage::default());
        let overloaded =
            CallError::Overloaded { what: "actor", retry_after: CallError::RETRY_AFTER };
        usage.not_begun(&overloaded);
        usage.not_begun(&CallError::DeadlineExceeded { begun: false });
        usage.not_begun(&CallError::NotHttp);
        usage.begin().failed(&overloaded, None);
        let calls = report(&usage).calls;
        assert_eq!((calls.refused, calls.late, calls.failed, calls.abandoned), (2, 1, 0, 0));
    }

    #[test]
    fn memory_is_summed_over_instances_and_its_peak_is_that_of_one() {
        let usage = Usage::default();
        usage.memory(0, 100);
        usage.memory(0, 50);
        usage.memory(50, 70);
        let report_now = report(&usage);
        assert_eq!((report_now.memory_bytes, report_now.memory_bytes_peak), (170, 100));
        usage.memory(100, 0);
        usage.memory(70, 0);
        assert_eq!((report(&usage).memory_bytes, report(&usage).memory_bytes_peak), (0, 100));
    }

    #[test]
    fn an_instance_is_live_until_it_is_dropped_and_gone_for_one_reason() {
        let usage = Arc::new(Usage::default());
        let (mut first, second) = (usage.made(), usage.made());
        usage.reused();
        first.retire(Gone::Served);
        first.retire(Gone::after(&trapped()));
        drop(first);
        let instances = report(&usage).instances;
        assert_eq!((instances.made, instances.live, instances.reused), (2, 1, 1));
        assert_eq!(instances.retired, BTreeMap::from([("trap".to_owned(), 1)]));
        drop(second);
        assert_eq!(report(&usage).instances.retired["abandoned"], 1);
    }

    #[test]
    fn processor_time_adds_up() {
        let usage = Usage::default();
        usage.ran(Duration::from_micros(1_500));
        usage.ran(Duration::from_micros(500));
        assert_eq!(report(&usage).processor_us, 2_000);
    }
}
