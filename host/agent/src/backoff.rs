//! How long to wait before something is tried again.

/// Starts: a missing file is seldom there a second later, and a minute is what a person waits.
pub(crate) const START: Backoff = Backoff { first_ms: 1_000, max_ms: 60_000 };
/// Reads of the store: a stale replica catches up in milliseconds, a lost one in seconds.
pub(crate) const READ: Backoff = Backoff { first_ms: 100, max_ms: 30_000 };
/// How often a replica that is behind what we were told of is asked again before the regular look
/// has to do: for about three seconds.
pub(crate) const LOOKS_MAX: u32 = 6;
/// Writes to the host's own disk.
pub(crate) const STORE: Backoff = Backoff { first_ms: 500, max_ms: 30_000 };

/// Doubles from the first delay to the longest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    first_ms: u64,
    max_ms: u64,
}

impl Backoff {
    /// The delay after `failures` failures in a row, of which there was at least one.
    pub(crate) fn delay_ms(self, failures: u32) -> u64 {
        let doublings = failures.saturating_sub(1).min(32);
        self.first_ms.saturating_mul(1 << doublings).min(self.max_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_doubles_up_to_its_limit() {
        let delays: Vec<u64> = [1, 2, 3, 6, 7, 1_000].map(|n| START.delay_ms(n)).to_vec();
        assert_eq!(delays, [1_000, 2_000, 4_000, 32_000, 60_000, 60_000]);
    }
}
