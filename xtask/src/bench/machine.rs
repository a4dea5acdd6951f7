//! What a figure is worth depends on where it was measured.

use std::{fs, thread};

use anyhow::Result;

use crate::{place::Places, run};

/// Processor, memory, kernel and compiler, on one line each.
pub(super) fn facts(places: &Places) -> Result<String> {
    let cores = thread::available_parallelism()?;
    let processor =
        field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let memory = field("/proc/meminfo", "MemTotal").and_then(|memory| kilobytes(&memory));
    let memory =
        memory.map_or_else(|| "unknown".to_owned(), |kb| format!("{:.0} GB", kb as f64 / 1e6));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let compiler = run::output(
        std::process::Command::new("rustc").current_dir(&places.root).arg("--version"),
    )?;
    Ok(format!(
        "Machine: {processor}, {cores} threads, {memory} of memory, Linux {}, {}.",
        kernel.trim(),
        compiler.trim()
    ))
}

/// The value of a line `name : value`.
pub(super) fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let value =
        text.lines().find_map(|line| line.split_once(':').filter(|(key, _)| key.trim() == name));
    value.map(|(_, value)| value.trim().to_owned())
}

/// Reads `12345 kB`.
pub(super) fn kilobytes(value: &str) -> Option<u64> {
    value.strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_kilobytes() {
        for (value, expected) in
            [("  123 kB", Some(123)), ("0 kB", Some(0)), ("12 MB", None), ("kB", None)]
        {
            assert_eq!(kilobytes(value), expected, "{value:?}");
        }
        assert!(field("/proc/self/status", "VmRSS").and_then(|rss| kilobytes(&rss)).is_some());
    }
}
