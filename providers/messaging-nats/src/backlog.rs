//! What waits for an actor that is slower than its messages come.

use std::collections::VecDeque;

/// A line with a bound in count and in bytes. When it is full, the newest is dropped: those that came
/// first have waited longest, and nobody was promised anything.
#[derive(Debug)]
pub(crate) struct Backlog<T> {
    waiting: VecDeque<(T, usize)>,
    bytes: usize,
    len_max: usize,
    bytes_max: usize,
    dropped: u64,
}

impl<T> Backlog<T> {
    pub(crate) fn new(len_max: usize, bytes_max: usize) -> Self {
        Self { waiting: VecDeque::new(), bytes: 0, len_max, bytes_max, dropped: 0 }
    }

    /// Whether there was room.
    pub(crate) fn push(&mut self, item: T, bytes: usize) -> bool {
        let fits = self.waiting.len() < self.len_max && bytes <= self.bytes_max - self.bytes;
        if fits {
            self.waiting.push_back((item, bytes));
            self.bytes += bytes;
        } else {
            self.dropped += 1;
        }
        fits
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        let (item, bytes) = self.waiting.pop_front()?;
        self.bytes -= bytes;
        Some(item)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_is_dropped_and_counted_and_the_order_is_kept() {
        let mut backlog = Backlog::new(3, 10);
        assert!(backlog.push('a', 4) && backlog.push('b', 6));
        assert!(!backlog.push('c', 1), "no bytes are left");
        assert!(backlog.push('d', 0));
        assert!(!backlog.push('e', 0), "no place is left");
        assert_eq!(backlog.dropped(), 2);
        assert_eq!((backlog.pop(), backlog.pop()), (Some('a'), Some('b')));
        assert!(backlog.push('f', 10), "what was taken gives its room back");
        assert!(!backlog.push('g', usize::MAX));
        assert_eq!((backlog.pop(), backlog.pop(), backlog.pop()), (Some('d'), Some('f'), None));
        assert!(backlog.is_empty());
    }
}
