//! Many hosts: what is right for six must be so for a thousand, and in a time that can be waited for.

use std::collections::BTreeSet;

use wattle_sim::{Options, run};

#[test]
fn a_thousand_and_one_hosts_are_led_without_trouble() {
    let options = Options {
        hosts: Some(1_001),
        controllers: Some(2),
        storm_ms: 12_000,
        hazards: BTreeSet::new(),
        ..Options::default()
    };
    let report = run(1, &options);
    assert_eq!(report.violation, None, "\n{report}");
    assert_eq!(report.counts.gaps, 0, "{report}");
    assert!(1_001 <= report.counts.followed, "each host follows something: {:?}", report.counts);
    assert!(report.settled_ms.is_some(), "{report}");
}

#[test]
fn two_hundred_hosts_come_through_storms() {
    for seed in 0..3 {
        let options = Options { hosts: Some(200), storm_ms: 15_000, ..Options::default() };
        let report = run(seed, &options);
        assert_eq!(report.violation, None, "\n{report}");
        assert!(report.settled_ms.is_some(), "{report}");
    }
}
