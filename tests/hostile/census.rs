//! What a process has, by what the kernel says.

use std::{fs, time::Duration};

use wattle_tests::{Look, wait_until};

/// One look at a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Census {
    /// In bytes.
    pub(crate) resident: u64,
    pub(crate) descriptors: usize,
    pub(crate) threads: usize,
}

impl Census {
    /// # Panics
    ///
    /// If there is no such process, or it has ended and nobody has noticed.
    pub(crate) fn of(pid: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))
            .unwrap_or_else(|error| panic!("the host is gone: {error}"));
        let value = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.map(|line| line.trim_start_matches(':').trim().to_owned()).unwrap_or_default()
        };
        assert!(!value("State").starts_with('Z'), "the host has ended:\n{status}");
        let kib: u64 = value("VmRSS").trim_end_matches(" kB").parse().expect("memory in kB");
        let list = |what: &str| fs::read_dir(format!("/proc/{pid}/{what}")).expect("it is alive");
        Self { resident: kib << 10, descriptors: list("fd").count(), threads: list("task").count() }
    }

    /// From now on the peak of its memory is counted anew.
    pub(crate) fn forget_peak(pid: u32) {
        // 5 is what the kernel calls it.
        fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("it is ours");
    }

    /// Waits until a process has no more than this of anything.
    pub(crate) async fn until_within(pid: u32, most: Self, within: Duration) {
        wait_until(&format!("the host has no more than {most:?}"), within, async || {
            let now = Self::of(pid);
            let met = now.resident <= most.resident
                && now.descriptors <= most.descriptors
                && now.threads <= most.threads;
            Look::some(met.then_some(()), || format!("{now:?}"))
        })
        .await;
    }
}
