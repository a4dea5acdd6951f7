//! Pauses between attempts: doubling, bounded, with full jitter.

use std::time::Duration;

/// Full jitter (a random part of the pause, not the pause itself), or a thousand hosts that lost
/// the same server come back in the same millisecond.
#[derive(Clone, Debug)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    ceiling: Duration,
}

impl Backoff {
    pub fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, ceiling: min }
    }

    /// How long to wait before the next attempt: between `min` and a ceiling that doubles each
    /// time up to `max`.
    pub fn pause(&mut self) -> Duration {
        let span = self.ceiling.saturating_sub(self.min);
        let pause = self.min + span.mul_f64(fastrand::f64());
        self.ceiling = (self.ceiling * 2).min(self.max);
        pause
    }

    /// After a success.
    pub fn reset(&mut self) {
        self.ceiling = self.min;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_start_again_after_a_success() {
        let (min, max) = (Duration::from_millis(100), Duration::from_secs(1));
        let mut backoff = Backoff::new(min, max);
        assert_eq!(backoff.pause(), min);
        for _ in 0..20 {
            let pause = backoff.pause();
            assert!(min <= pause && pause <= max, "{pause:?}");
        }
        assert_eq!(backoff.ceiling, max);
        backoff.reset();
        assert_eq!(backoff.pause(), min);
    }
}
