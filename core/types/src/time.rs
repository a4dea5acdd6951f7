//! Time as state machines see it: told to them, never asked for.

use std::ops::Add;

/// Milliseconds of one process's monotonic clock. Never compared between machines, never stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Millis {
    /// How long ago `earlier` was, in milliseconds; zero if it is yet to come.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// So many milliseconds later.
impl Add<u64> for Millis {
    type Output = Self;

    fn add(self, later: u64) -> Self {
        Self(self.0.saturating_add(later))
    }
}
