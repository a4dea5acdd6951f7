//! Rounds of several sides in turn, so that a noisy minute harms all of them alike.

use anyhow::{Result, ensure};

use super::{Bench, figure::median, load::Round};

/// The rounds of one side; the middle one speaks for all.
#[derive(Clone, Debug, Default)]
pub(super) struct Rounds(Vec<Round>);

impl Rounds {
    pub(super) fn push(&mut self, round: Round) {
        self.0.push(round);
    }

    /// Requests per second.
    pub(super) fn rate(&self) -> f64 {
        self.median(|round| round.per_second)
    }

    pub(super) fn p50_us(&self) -> f64 {
        self.median(|round| round.p50.as_secs_f64() * 1e6)
    }

    pub(super) fn p99_us(&self) -> f64 {
        self.median(|round| round.p99.as_secs_f64() * 1e6)
    }

    fn median(&self, value: fn(&Round) -> f64) -> f64 {
        median(&self.0.iter().map(value).collect::<Vec<_>>())
    }
}

impl FromIterator<Round> for Rounds {
    fn from_iter<T: IntoIterator<Item = Round>>(rounds: T) -> Self {
        Self(rounds.into_iter().collect())
    }
}

/// Measures each side in each round, after one that does not count.
pub(super) fn alternate<const SIDES: usize>(
    bench: &Bench<'_>,
    names: [&str; SIDES],
    rounds: usize,
    mut round: impl FnMut(usize) -> Result<Round>,
) -> Result<[Rounds; SIDES]> {
    let mut all = [const { Rounds(Vec::new()) }; SIDES];
    for number in 0..=rounds {
        for (side, name) in names.into_iter().enumerate() {
            ensure!(!bench.interrupt.was_asked(), "interrupted");
            let one = round(side)?;
            if number == 0 {
                continue;
            }
            bench.story.detail(format_args!(
                "round {number}: {name:<24} {:>7.0} per second, p50 {:.3} ms, p99 {:.3} ms",
                one.per_second,
                one.p50.as_secs_f64() * 1e3,
                one.p99.as_secs_f64() * 1e3
            ));
            all[side].push(one);
        }
    }
    Ok(all)
}
