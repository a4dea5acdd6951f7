//! Bugs planted in the world: a simulator that does not notice them would not notice ours.

use wattle_sim::{Fault, Options, Property, Report, run};

/// The first of a hundred seeds that shows it as what it is. Some seeds show only what follows.
fn caught(fault: Fault, property: Property) -> Report {
    let options = Options { fault: Some(fault), ..Options::default() };
    let shows = |report: &Report| report.violation.as_ref().is_some_and(|v| v.property == property);
    let found = (0..100).map(|seed| run(seed, &options)).find(shows);
    found.unwrap_or_else(|| panic!("{fault:?} is not noticed as {property:?} in a hundred seeds"))
}

#[track_caller]
fn breaks(fault: Fault, property: Property) {
    caught(fault, property);
}

#[test]
fn a_store_without_conditions_is_noticed() {
    breaks(Fault::NoConditions, Property::Fenced);
}

#[test]
fn a_store_that_takes_a_deposed_leaders_batch_is_noticed() {
    breaks(Fault::NoFence, Property::Fenced);
}

#[test]
fn a_batch_that_is_stored_in_part_is_noticed() {
    breaks(Fault::TornBatches, Property::Fenced);
}

#[test]
fn a_change_that_is_acknowledged_and_lost_is_noticed() {
    breaks(Fault::AcknowledgedAndLost, Property::Kept);
}

#[test]
fn links_that_are_acknowledged_and_lost_are_noticed() {
    breaks(Fault::LinksLost, Property::Converges);
}

#[test]
fn a_host_whose_disk_goes_back_is_noticed() {
    breaks(Fault::DiskGoesBack, Property::NeverBack);
}

#[test]
fn a_host_that_starts_what_is_not_assigned_is_noticed() {
    breaks(Fault::StartsUnassigned, Property::OnlyAssigned);
}

#[test]
fn a_host_that_does_not_stop_what_it_should_is_noticed() {
    breaks(Fault::NeverStops, Property::Converges);
}

#[test]
fn beats_in_the_name_of_a_dead_host_are_noticed() {
    breaks(Fault::ForgedBeats, Property::Converges);
}

#[test]
fn assignments_of_another_host_are_noticed() {
    breaks(Fault::OthersAssignment, Property::NoFalseAlarm);
}

#[test]
fn specs_with_other_content_are_noticed() {
    breaks(Fault::SwappedSpecs, Property::NoFalseAlarm);
}

#[test]
fn a_report_names_the_seed_and_tells_what_happened_last() {
    let report = caught(Fault::NoFence, Property::Fenced);
    let text = report.to_string();
    assert!(
        text.lines().last().is_some_and(|last| last.contains(&format!("seed {}:", report.seed)))
    );
    assert!(text.contains("commit OpId("), "{text}");
}
