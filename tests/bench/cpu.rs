//! The processor time of this thread: what waits, or runs on other threads, does not count.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

pub(crate) fn time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(now.tv_sec).expect("CPU time is not negative");
    let nanos = u32::try_from(now.tv_nsec).expect("a second has fewer nanoseconds");
    Duration::new(seconds, nanos)
}
