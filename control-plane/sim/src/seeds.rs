//! Many seeds on many threads: how much was simulated, and the first seed that breaks a promise.

use std::collections::BTreeMap;
use std::ops::{AddAssign, Range};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

use crate::faults::Options;
use crate::findings::Finding;
use crate::report::{Report, run};

/// How much was simulated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub seeds: u64,
    /// Events that a brain or an agent was told.
    pub steps: u64,
    /// Virtual time, once for each run.
    pub virtual_ms: u64,
    /// Virtual time, once for each host of each run.
    pub host_ms: u64,
    /// Defects that are known and not repaired, each with the lowest seed that met it.
    pub findings: BTreeMap<Finding, u64>,
}

impl AddAssign<&Report> for Tally {
    fn add_assign(&mut self, report: &Report) {
        self.seeds += 1;
        self.steps += report.steps;
        self.virtual_ms += report.virtual_ms;
        self.host_ms += report.virtual_ms * report.hosts as u64;
        for finding in &report.findings {
            let lowest = self.findings.entry(*finding).or_insert(report.seed);
            *lowest = report.seed.min(*lowest);
        }
    }
}

/// Runs these seeds, each on one thread, and tells `progress` after each.
///
/// After a seed that breaks a promise only lower ones are still run, so that the one returned is
/// the lowest of all, whatever the number of threads.
pub fn search(
    seeds: Range<u64>,
    options: &Options,
    threads: usize,
    mut progress: impl FnMut(&Tally),
) -> (Tally, Option<Report>) {
    let (next, end) = (AtomicU64::new(seeds.start), AtomicU64::new(seeds.end));
    let (done, reports) = mpsc::channel();
    let work = |done: mpsc::Sender<Report>| {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if end.load(Ordering::Relaxed) <= seed {
                return;
            }
            let report = run(seed, options);
            if report.violation.is_some() {
                end.fetch_min(seed, Ordering::Relaxed);
            }
            if done.send(report).is_err() {
                return;
            }
        }
    };
    let (mut tally, mut first) = (Tally::default(), None::<Report>);
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            let done = done.clone();
            scope.spawn(|| work(done));
        }
        drop(done);
        for report in reports {
            tally += &report;
            progress(&tally);
            let is_first = first.as_ref().is_none_or(|first| report.seed < first.seed);
            if report.violation.is_some() && is_first {
                first = Some(report);
            }
        }
    });
    (tally, first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fault;

    #[test]
    fn the_first_seed_that_fails_is_the_same_for_any_number_of_threads() {
        let options = Options {
            hosts: Some(2),
            storm_ms: 20_000,
            fault: Some(Fault::NoFence),
            ..Options::default()
        };
        let [one, three] = [1, 3].map(|threads| search(0..60, &options, threads, |_| ()));
        let (first, other) = (one.1.unwrap(), three.1.unwrap());
        assert_eq!((first.seed, first.violation), (other.seed, other.violation));
        assert_eq!(one.0.seeds, first.seed + 1, "one thread runs no seed beyond it");
    }

    #[test]
    fn every_seed_of_a_range_is_run_once() {
        let options = Options { storm_ms: 1_000, ..Options::default() };
        let mut told = Vec::new();
        let (tally, first) = search(7..11, &options, 2, |tally| told.push(tally.seeds));
        assert!(first.is_none(), "{first:?}");
        assert_eq!((told, tally.seeds), (vec![1, 2, 3, 4], 4));
        assert!(tally.virtual_ms * 2 <= tally.host_ms, "{tally:?}");
    }
}
