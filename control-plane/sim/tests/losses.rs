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
