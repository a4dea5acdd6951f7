//! How busy the machine is with what is not part of the story.

use std::{collections::HashMap, fs, process};

/// Processor time so far, in ticks of the kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    /// Of everybody, the idle included.
    all: u64,
    /// Of everybody but us: this process and those that it started.
    others: u64,
}

/// One process.
struct Process {
    parent: u32,
    ticks: u64,
}

impl Spent {
    pub(crate) fn now() -> Self {
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let columns = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
        // User, nice, system, idle, waiting for a disk; what follows is not of use here.
        let columns: Vec<u64> = columns.take(5).filter_map(|ticks| ticks.parse().ok()).collect();
        let busy: u64 = columns.iter().take(3).sum();
        Self { all: columns.iter().sum(), others: busy.saturating_sub(ours()) }
    }

    /// Which share of the machine others took since `earlier`.
    pub(crate) fn others_since(self, earlier: Self) -> f64 {
        let all = self.all.saturating_sub(earlier.all).max(1);
        self.others.saturating_sub(earlier.others) as f64 / all as f64
    }
}

fn ours() -> u64 {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let all: HashMap<u32, Process> = pids.filter_map(|pid| Some((pid, look_at(pid)?))).collect();
    let is_ours = |mut pid: u32| {
        // A process that ends in between may leave a gap, but no circle.
        while let Some(process) = all.get(&pid) {
            if pid == process::id() {
                return true;
            }
            pid = process.parent;
        }
        false
    };
    all.iter().filter(|(pid, _)| is_ours(**pid)).map(|(_, process)| process.ticks).sum()
}

/// Nothing, if it is gone.
fn look_at(pid: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may have blanks. Behind it: the state, the parent, and as 12th and 13th
    // the times of user and system.
    let (_, rest) = stat.rsplit_once(')')?;
    let columns: Vec<&str> = rest.split_whitespace().collect();
    let number = |n: usize| columns.get(n)?.parse::<u64>().ok();
    Some(Process { parent: u32::try_from(number(1)?).ok()?, ticks: number(11)? + number(12)? })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn what_we_do_ourselves_is_not_what_others_do() {
        let (before, spent, start) = (ours(), Spent::now(), Instant::now());
        while ours() < before + 50 {
            assert!(start.elapsed() < Duration::from_secs(20), "this process uses no time");
        }
        let after = Spent::now();
        // The kernel counts all and each by different clocks, so that some ticks may be missing.
        assert!(after.others - spent.others + 40 <= after.all - spent.all, "{spent:?} {after:?}");
    }
}
