//! What one compile child is told, as arguments: between processes of one and the same program, so
//! its form may change with every build.

use std::time::Duration;

use crate::engine_id::EngineId;

/// One component to compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) engine: EngineId,
    pub(super) threads: usize,
    pub(super) memory_bytes_max: u64,
    pub(super) time_max: Duration,
}

impl Task {
    pub(super) fn to_words(self) -> [String; 4] {
        [
            self.engine.to_string(),
            self.threads.to_string(),
            self.memory_bytes_max.to_string(),
            self.time_max.as_millis().to_string(),
        ]
    }

    pub(super) fn of_words(words: &[impl AsRef<str>]) -> Option<Self> {
        let [engine, threads, memory, time] = words else { return None };
        Some(Self {
            engine: engine.as_ref().parse().ok()?,
            threads: threads.as_ref().parse().ok()?,
            memory_bytes_max: memory.as_ref().parse().ok()?,
            time_max: Duration::from_millis(time.as_ref().parse().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_survives_its_words() {
        let engine = "48.0.8/p2-server/2/pulley64/portable".parse().unwrap();
        let time_max = Duration::from_millis(1_500);
        let task = Task { engine, threads: 3, memory_bytes_max: 1 << 30, time_max };
        assert_eq!(Task::of_words(&task.to_words()), Some(task));
        for wrong in [&[][..], &["48.0.8/p2-server/2/pulley64/portable", "x", "1", "1"]] {
            assert_eq!(Task::of_words(wrong), None, "{wrong:?}");
        }
    }
}
