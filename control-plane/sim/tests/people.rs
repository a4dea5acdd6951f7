//! What people do while everything else goes wrong or nothing does: actors by hand, hosts that are
//! forgotten, controllers of two versions.

use std::collections::BTreeSet;

use wattle_sim::properties::Counts;
use wattle_sim::{Hazard, Options, run};

/// What happened in all of these, of which none breaks a promise.
fn survive(hazards: &BTreeSet<Hazard>, seeds: impl IntoIterator<Item = u64>) -> Counts {
    let mut all = Counts::default();
    for seed in seeds {
        let report = run(seed, &Options { hazards: hazards.clone(), ..Options::default() });
        assert_eq!(report.violation, None, "\n{report}");
        all.by_hand += report.counts.by_hand;
        all.forgotten += report.counts.forgotten;
        all.led_old += report.counts.led_old;
    }
    all
}

#[test]
fn what_is_started_by_hand_has_one_owner_and_stays_as_long_as_was_said() {
    let counts = survive(&[Hazard::ByHand].into(), 0..12);
    assert!(100 < counts.by_hand, "{counts:?}");
    let with_deaths =
        [Hazard::ByHand, Hazard::HostDies, Hazard::DiskFails, Hazard::CrashAtEffect, Hazard::Mute];
    assert!(100 < survive(&with_deaths.into(), 0..12).by_hand);
}

/// A host learned that an application had taken an id over just while it wrote a command for it.
#[test]
fn storm_353_with_orders_breaks_no_promise() {
    let but_losses = |hazard: &Hazard| *hazard < Hazard::LostTail || *hazard == Hazard::ByHand;
    survive(&Hazard::ALL.into_iter().filter(but_losses).collect(), [353]);
}

#[test]
fn a_host_that_is_forgotten_ends_step_by_step_and_is_a_new_one_when_it_returns() {
    let hazards = [Hazard::HostForgotten, Hazard::HostDies, Hazard::HostCut];
    let counts = survive(&hazards.into(), 0..20);
    assert!(0 < counts.forgotten, "{counts:?}");
}

/// A forgotten host was started again while the leader slept, who took the new process for the one
/// before (412); the record of an id was older than the application that the store had lost (92).
#[test]
fn storms_in_which_people_met_a_defect_break_no_promise() {
    survive(&Hazard::ALL.into(), [92, 196, 227, 412, 507]);
}

#[test]
fn a_controller_of_an_earlier_version_leads_only_until_a_later_one_has_led() {
    let hazards = [Hazard::OldVersion, Hazard::ControllerDies, Hazard::ControllerLeaves];
    let counts = survive(&hazards.into(), 0..30);
    assert!(0 < counts.led_old, "{counts:?}");
}
