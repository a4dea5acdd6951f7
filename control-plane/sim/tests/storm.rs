//! A hundred storms: in each, every promise is kept. A seed that breaks one becomes a named test.

use std::collections::BTreeSet;

use wattle_sim::{Hazard, Options, UNREPAIRED, run};

/// In parts, which the test harness runs side by side; each seed still has one thread.
fn survive(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let report = run(seed, &Options::default());
        assert_eq!(report.violation, None, "\n{report}");
        assert!(1_000 <= report.steps, "a storm has a thousand steps and more: {report}");
        let is_known = report.findings.iter().all(|finding| UNREPAIRED.contains(finding));
        assert!(is_known, "{report}");
        assert!(report.settled_ms.is_some(), "{report}");
    }
}

#[test]
fn storms_0_to_24_break_no_promise() {
    survive(0..25);
}

#[test]
fn storms_25_to_49_break_no_promise() {
    survive(25..50);
}

#[test]
fn storms_50_to_74_break_no_promise() {
    survive(50..75);
}

#[test]
fn storms_75_to_99_break_no_promise() {
    survive(75..100);
}

/// A leader that had not heard of a host gave it another revision of what it had there, whatever
/// that revision required.
#[test]
fn storm_981_breaks_no_promise() {
    survive(981..982);
}

#[test]
fn the_same_seed_twice_is_the_same_run() {
    for seed in [3, 42] {
        let [first, second] = [(), ()].map(|()| run(seed, &Options::default()));
        assert_eq!(first.hash, second.hash, "seed {seed}");
        assert_eq!((first.steps, first.counts), (second.steps, second.counts));
    }
    let [one, other] = [3, 42].map(|seed| run(seed, &Options::default()).hash);
    assert_ne!(one, other);
}

/// The fence is of no use to anybody who never runs into it.
#[test]
fn a_deposed_leader_tries_to_write_and_the_store_refuses_it() {
    let options = Options { controllers: Some(2), ..Options::default() };
    let refused = (0..100).map(|seed| run(seed, &options)).find(|report| {
        assert_eq!(report.violation, None, "\n{report}");
        0 < report.counts.deposed_with_content
    });
    assert!(refused.is_some(), "in no storm a deposed leader tried to write anything");
}

#[test]
fn without_trouble_one_controller_leads_from_beginning_to_end() {
    let options = Options { hazards: BTreeSet::new(), controllers: Some(1), ..Options::default() };
    for seed in 0..5 {
        let report = run(seed, &options);
        assert_eq!(report.violation, None, "\n{report}");
        assert_eq!((report.counts.leaders, report.counts.deposed), (1, 0), "{report}");
        assert!(report.findings.is_empty(), "{report}");
        assert!(0 < report.counts.edits && 0 < report.counts.started, "{report}");
    }
}

/// Trouble is what a gap may come from; a change of mind is not.
#[test]
fn without_trouble_what_moves_is_served_all_the_time() {
    let options = Options { hazards: BTreeSet::new(), controllers: Some(1), ..Options::default() };
    let (mut moved, mut gaps) = (0, Vec::new());
    for seed in 0..30 {
        let report = run(seed, &options);
        assert_eq!(report.violation, None, "\n{report}");
        moved += report.counts.moved;
        gaps.extend((0 < report.counts.gaps).then_some((seed, report.counts.gaps)));
    }
    assert!(0 < moved, "in thirty runs nothing moved");
    assert_eq!(gaps, [], "of {moved} moves");
}

/// A server that hangs silences its hosts for three seconds, and nothing is wrong with them.
#[test]
fn a_nats_server_that_hangs_moves_nothing() {
    let options = Options { hazards: [Hazard::NodeHangs].into(), ..Options::default() };
    let mut elections = 0;
    for seed in 0..40 {
        let report = run(seed, &options);
        assert_eq!(report.violation, None, "\n{report}");
        elections += report.counts.elections;
    }
    assert!(0 < elections, "no server that hung led the stream");
}

/// Each kind of trouble alone, and all of it: what hides behind another kind shows alone.
#[test]
fn each_hazard_alone_breaks_no_promise() {
    for hazard in Hazard::ALL {
        let options = Options { hazards: [hazard].into(), ..Options::default() };
        for seed in 0..3 {
            let report = run(seed, &options);
            assert_eq!(report.violation, None, "{hazard:?}\n{report}");
        }
    }
}
