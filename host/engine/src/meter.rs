//! What one call may take of memory, tables and instances.

use std::sync::Arc;

use wasmtime::ResourceLimiter;

use crate::grant::ActorLimits;
use crate::usage::Usage;

/// Counts over all memories of a store: a bound per memory could be multiplied by having many.
#[derive(Debug)]
pub(crate) struct Meter {
    limits: ActorLimits,
    memory_bytes: usize,
    usage: Arc<Usage>,
    refused: Option<Refused>,
}

/// A growth that was not granted. A guest that cannot go on without it usually traps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) wanted: usize,
    pub(crate) limit: usize,
}

impl Meter {
    /// Counts in `usage` too.
    pub(crate) fn new(limits: ActorLimits, usage: Arc<Usage>) -> Self {
        Self { limits, memory_bytes: 0, usage, refused: None }
    }

    /// Another call begins in the same memory.
    pub(crate) fn begin(&mut self) {
        self.refused = None;
    }

    /// All memories together, in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// The last growth of memory that was refused, if any was.
    pub(crate) fn refused(&self) -> Option<Refused> {
        self.refused
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let limit = self.limits.memory_bytes_max;
        let wanted = self.memory_bytes.saturating_add(desired.saturating_sub(current));
        if limit < wanted {
            self.refused = Some(Refused { wanted, limit });
            return Ok(false);
        }
        self.usage.memory(self.memory_bytes, wanted);
        self.memory_bytes = wanted;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= self.limits.table_elements_max)
    }

    fn instances(&self) -> usize {
        self.limits.instances_max
    }

    fn tables(&self) -> usize {
        self.limits.tables_max
    }

    fn memories(&self) -> usize {
        self.limits.memories_max
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.usage.memory(self.memory_bytes, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_small_memories_count_together() {
        let limits = ActorLimits { memory_bytes_max: 100, ..ActorLimits::default() };
        let mut meter = Meter::new(limits, Arc::default());
        assert!(meter.memory_growing(0, 60, None).unwrap());
        assert!(!meter.memory_growing(0, 60, None).unwrap());
        assert_eq!(meter.refused(), Some(Refused { wanted: 120, limit: 100 }));
        assert!(meter.memory_growing(60, 100, None).unwrap());
        assert!(!meter.memory_growing(0, 1, None).unwrap());
    }
}
