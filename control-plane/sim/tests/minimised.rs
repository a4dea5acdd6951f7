//! A run that breaks a promise is made smaller, and written down as a test that can be pasted here.

use std::collections::BTreeSet;

use wattle_sim::minimise::{Case, minimise};
use wattle_sim::{Fault, Hazard, Options, Property, Report, run};

// As they are printed: this one was.
#[test]
fn seed_7_breaks_no_promise() {
    let options = wattle_sim::Options {
        hosts: Some(2),
        controllers: Some(1),
        storm_ms: 7500,
        hazards: [wattle_sim::Hazard::Drop, wattle_sim::Hazard::HostDies].into(),
        wishes: Some(9),
        ..wattle_sim::Options::default()
    };
    let report = wattle_sim::run(7, &options);
    assert_eq!(report.violation, None, "\n{report}");
}

// And this one, where nothing but people makes trouble.
#[test]
fn seed_8_breaks_no_promise() {
    let options = wattle_sim::Options {
        storm_ms: 7500,
        hazards: std::collections::BTreeSet::new(),
        ..wattle_sim::Options::default()
    };
    let report = wattle_sim::run(8, &options);
    assert_eq!(report.violation, None, "\n{report}");
}

#[test]
fn what_is_printed_is_a_test_that_compiles() {
    let seven = Options {
        hosts: Some(2),
        controllers: Some(1),
        storm_ms: 7_500,
        hazards: [Hazard::Drop, Hazard::HostDies].into(),
        wishes: Some(9),
        ..Options::default()
    };
    let eight = Options { storm_ms: 7_500, hazards: BTreeSet::new(), ..Options::default() };
    // But for where lines are broken, which is `cargo fmt`'s to say.
    let packed = |text: &str| text.split_whitespace().collect::<String>().replace(",]", "]");
    let this_file = packed(include_str!("minimised.rs"));
    for (seed, options) in [(7, seven), (8, eight)] {
        let text = Case { seed, options, property: Property::Converges }.test();
        assert!(this_file.contains(&packed(&text)), "this is not what stands above:\n{text}");
    }
}

#[test]
fn a_planted_bug_is_shown_by_two_hosts_at_most_and_few_hazards() {
    let options = Options { fault: Some(Fault::DiskGoesBack), ..Options::default() };
    let goes_back = |report: &Report| {
        report.violation.as_ref().is_some_and(|v| v.property == Property::NeverBack)
    };
    let report = (0..100).map(|seed| run(seed, &options)).find(goes_back);
    let report = report.expect("it is noticed in a hundred seeds");
    let case = Case::of(&report, &options);
    let smaller = minimise(&case).expect("a run is the same each time");
    assert_eq!(smaller.property, Property::NeverBack);
    let Options { hosts, hazards, storm_ms, .. } = &smaller.options;
    assert!(hosts.is_some_and(|hosts| hosts <= 2), "{smaller:?}");
    assert!(hazards.len() <= 3 && *storm_ms < options.storm_ms, "{smaller:?}");
    let again = run(smaller.seed, &smaller.options);
    assert_eq!(again.violation.map(|found| found.property), Some(smaller.property));
    assert!(smaller.test().contains("fault: Some(wattle_sim::Fault::DiskGoesBack)"));
}

#[test]
fn what_breaks_nothing_is_not_made_smaller() {
    let options = Options { storm_ms: 1_000, ..Options::default() };
    assert_eq!(minimise(&Case { seed: 1, options, property: Property::Fenced }), None);
}
