//! The clock of a process: begins anywhere, goes a little too fast or too slow, and may jump ahead.

use fastrand::Rng;
use wattle_types::Millis;

use crate::faults::happens;

/// Quartz in a machine is off by less, in millionths.
const DRIFT_MAX: i64 = 500;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// What it is ahead of ours.
    ahead: u64,
    drift: i64,
}

impl Clock {
    pub(crate) fn new(rng: &mut Rng, drifts: u32) -> Self {
        let ahead = rng.u64(..1_000_000_000);
        let drift = rng.i64(-DRIFT_MAX..=DRIFT_MAX);
        Self { ahead, drift: if happens(rng, drifts) { drift } else { 0 } }
    }

    pub(crate) fn at(&self, now: u64) -> Millis {
        let off = i64::try_from(now).unwrap_or(i64::MAX).saturating_mul(self.drift) / 1_000_000;
        Millis((now + self.ahead).saturating_add_signed(off))
    }

    pub(crate) const fn jump(&mut self, ms: u64) {
        self.ahead += ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_drifts_is_off_by_a_little_more_each_hour_and_never_goes_back() {
        let mut clock = Clock { ahead: 1_000, drift: -500 };
        assert_eq!(clock.at(0), Millis(1_000));
        assert_eq!(clock.at(3_600_000), Millis(3_599_200));
        assert!((0..5_000).all(|now| clock.at(now) <= clock.at(now + 1)));
        clock.jump(10);
        assert_eq!(clock.at(0), Millis(1_010));
    }
}
