//! Runs in which the store loses what it acknowledged: whoever knows of it says so, it comes back
//! from an export, and nothing that runs ends for it.

use std::collections::BTreeSet;

use wattle_sim::properties::Counts;
use wattle_sim::{Hazard, Options, run};

const LOSSES: [Hazard; 3] = [Hazard::LostTail, Hazard::OldBackup, Hazard::StreamDeleted];

/// What happened in all of these, of which none breaks a promise.
fn survive(hazards: &BTreeSet<Hazard>, seeds: std::ops::Range<u64>) -> Counts {
    let mut all = Counts::default();
    for seed in seeds {
        let report = run(seed, &Options { hazards: hazards.clone(), ..Options::default() });
        assert_eq!(report.violation, None, "\n{report}");
        all.losses += report.counts.losses;
        all.restored += report.counts.restored;
        all.unreadable += report.counts.unreadable;
    }
    all
}

#[test]
fn what_each_loss_takes_comes_back() {
    for hazard in LOSSES {
        let counts = survive(&[hazard].into(), 0..12);
        assert!(0 < counts.losses && 0 < counts.restored, "{hazard:?}: {counts:?}");
    }
}

#[test]
fn what_runs_of_an_application_that_nobody_can_read_goes_on_running() {
    let counts = survive(&[Hazard::HeadUnreadable].into(), 0..12);
    assert!(0 < counts.unreadable, "no head was ever unreadable");
    let with_deaths = [Hazard::HeadUnreadable, Hazard::HostDies, Hazard::ControllerDies];
    let counts = survive(&with_deaths.into(), 0..12);
    assert!(0 < counts.unreadable, "no head was ever unreadable");
}

/// A store that loses what it acknowledged, beneath two controllers that leave and two hosts.
/// What each of these seeds once showed:
/// a leader that decided before it had followed its own lease (220),
/// an export that replaced what was changed since without force (238),
/// what leaves a full host and went before its next place was ready (241),
/// what an undeployed application runs while nobody believes its head (309),
/// links of an id that another application has by now (362),
/// a head that was put right where it had been right (456),
/// a lease that another store gave the very sequence of (579),
/// an id whose owner no export had (1592).
#[test]
fn seeds_that_lost_something_once_break_no_promise() {
    let hazards = [
        Hazard::ControllerLeaves,
        Hazard::NodeDies,
        Hazard::LostTail,
        Hazard::OldBackup,
        Hazard::StreamDeleted,
        Hazard::HeadUnreadable,
    ];
    let options = Options {
        hosts: Some(2),
        controllers: Some(2),
        hazards: hazards.into(),
        ..Options::default()
    };
    for seed in [220, 238, 241, 309, 362, 456, 579, 1592] {
        let report = run(seed, &options);
        assert_eq!(report.violation, None, "\n{report}");
    }
}
