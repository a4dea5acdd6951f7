//! A hundred storms: in each, every promise is kept.

use wattle_sim::{Options, Report, run};

fn survive(seeds: std::ops::Range<u64>) -> Vec<Report> {
    let reports: Vec<Report> = seeds.map(|seed| run(seed, &Options::default())).collect();
    for report in &reports {
        assert_eq!(report.violation, None, "\n{report}");
        assert!(1_000 <= report.steps, "{report}");
    }
    reports
}

#[test]
fn a_hundred_storms_break_no_promise() {
    survive(0..100);
}
