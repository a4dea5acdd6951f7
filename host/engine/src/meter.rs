//! What one call may take of memory, tables and instances.

use wasmtime::ResourceLimiter;

use crate::limits;

/// Counts over all memories of a store: a bound per memory could be multiplied by having many.
#[derive(Debug)]
pub(crate) struct Meter {
    memory_bytes_max: usize,
    memory_bytes: usize,
    refused: Option<Refused>,
}

/// A growth that was not granted. A guest that cannot go on without it usually traps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) wanted: usize,
    pub(crate) limit: usize,
}

impl Meter {
    pub(crate) fn new(memory_bytes_max: usize) -> Self {
        Self { memory_bytes_max, memory_bytes: 0, refused: None }
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
        let limit = self.memory_bytes_max;
        let wanted = self.memory_bytes.saturating_add(desired.saturating_sub(current));
        if limit < wanted {
            self.refused = Some(Refused { wanted, limit });
            return Ok(false);
        }
        self.memory_bytes = wanted;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= limits::TABLE_ELEMENTS_MAX)
    }

    fn instances(&self) -> usize {
        limits::INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        limits::TABLES_MAX
    }

    fn memories(&self) -> usize {
        limits::MEMORIES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_small_memories_count_together() {
        let mut meter = Meter::new(100);
        assert!(meter.memory_growing(0, 60, None).unwrap());
        assert!(!meter.memory_growing(0, 60, None).unwrap());
        assert_eq!(meter.refused(), Some(Refused { wanted: 120, limit: 100 }));
        assert!(meter.memory_growing(60, 100, None).unwrap());
        assert!(!meter.memory_growing(0, 1, None).unwrap());
    }
}
