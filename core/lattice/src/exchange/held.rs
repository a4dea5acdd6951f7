//! What all streams of a connection hold in memory, and may.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::window::SHARED_BYTES_MAX;

/// Counts of one connection.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// Of [`SHARED_BYTES_MAX`], what streams have reserved.
    reserved: AtomicU64,
    /// What arrived and was not taken yet.
    bytes: AtomicUsize,
    bytes_peak: AtomicUsize,
}

impl Held {
    /// Reserves up to `wanted`: what there is.
    pub(crate) fn reserve(&self, wanted: u64) -> u64 {
        let mut got = 0;
        let take = |reserved: u64| {
            got = wanted.min(SHARED_BYTES_MAX.saturating_sub(reserved));
            Some(reserved + got)
        };
        // Always changes something, if only by 0.
        let _ = self.reserved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        got
    }

    pub(crate) fn give_back(&self, reserved: u64) {
        self.reserved.fetch_sub(reserved, Ordering::Relaxed);
    }

    pub(crate) fn arrived(&self, len: usize) {
        let now = self.bytes.fetch_add(len, Ordering::Relaxed) + len;
        self.bytes_peak.fetch_max(now, Ordering::Relaxed);
    }

    pub(crate) fn taken(&self, len: usize) {
        self.bytes.fetch_sub(len, Ordering::Relaxed);
    }

    pub(crate) fn bytes(&self) -> (usize, usize) {
        (self.bytes.load(Ordering::Relaxed), self.bytes_peak.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_reserved_than_there_is() {
        let held = Held::default();
        assert_eq!(held.reserve(SHARED_BYTES_MAX - 5), SHARED_BYTES_MAX - 5);
        assert_eq!(held.reserve(10), 5);
        assert_eq!(held.reserve(10), 0);
        held.give_back(3);
        assert_eq!(held.reserve(10), 3);
    }

    #[test]
    fn what_is_held_and_the_most_that_was_are_told() {
        let held = Held::default();
        held.arrived(7);
        held.arrived(5);
        held.taken(7);
        assert_eq!(held.bytes(), (5, 12));
    }
}
