//! What was measured, and how it is shown.

use std::time::Duration;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Figure {
    pub(super) what: String,
    pub(super) wattle: String,
    /// The same of the peer, where there is one.
    pub(super) peer: String,
    pub(super) goal: String,
    pub(super) missed: bool,
    /// How it was measured, as a command a person can run.
    pub(super) command: String,
}

/// As it stands in `docs/benchmarks.md`.
pub(super) fn table(figures: &[Figure]) -> String {
    let head =
        "| figure | wattle | peer | goal | | command |\n| --- | --- | --- | --- | --- | --- |\n";
    let rows = figures.iter().map(|figure| {
        let Figure { what, wattle, peer, goal, missed, command } = figure;
        let verdict = match (goal.is_empty(), missed) {
            (true, _) => "",
            (false, false) => "met",
            (false, true) => "missed",
        };
        format!("| {what} | {wattle} | {peer} | {goal} | {verdict} | `{command}` |\n")
    });
    head.to_owned() + &rows.collect::<String>()
}

/// The smallest value that at least this part of them does not exceed.
pub(super) fn percentile(values: &[Duration], part: f64) -> Duration {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = (part * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or_default()
}

/// The middle one of some rounds.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

pub(super) fn millis(duration: Duration) -> String {
    format!("{:.0} ms", duration.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<Duration> = (1..=20).rev().map(Duration::from_secs).collect();
        for (part, seconds) in [(0.0, 1), (0.5, 10), (0.95, 19), (0.99, 20), (1.0, 20)] {
            assert_eq!(percentile(&values, part), Duration::from_secs(seconds), "{part}");
        }
        assert_eq!(percentile(&[], 0.5), Duration::ZERO);
    }

    #[test]
    fn a_goal_that_was_missed_is_said_in_the_table() {
        let figure = |goal: &str, missed| Figure {
            what: "memory".to_owned(),
            wattle: "70 MB".to_owned(),
            peer: String::new(),
            goal: goal.to_owned(),
            missed,
            command: "cargo xtask bench size".to_owned(),
        };
        let row = |goal, missed| table(&[figure(goal, missed)]).lines().last().unwrap().to_owned();
        assert!(row("under 60 MB", true).contains("| missed |"));
        assert!(row("under 80 MB", false).contains("| met |"));
        assert!(row("", false).contains("|  |  | `cargo"));
    }
}
