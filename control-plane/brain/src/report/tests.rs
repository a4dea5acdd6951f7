use wattle_types::{Key, stored};

use crate::Alarm;
use crate::testing::{World, manifest};

#[test]
fn a_report_names_who_leads_and_what_is_wrong() {
    let mut world = World::leading(2);
    world.put_and_deploy("shop", "v1", &[("web", "")]);
    world.run(6_000);
    let report = world.brain.report(world.now);
    assert!(report.leads && report.canary.well && report.alarms.is_empty(), "{report:?}");
    assert_eq!((report.name.as_str(), report.holder.as_deref()), ("c1", Some("c1")));
    assert_eq!((report.epoch, report.hosts.ready), (world.lease().epoch, 2));
    assert!(report.wrote <= report.followed && report.followed == world.last_seq);
    world.intrude(Key::App("shop".parse().unwrap()), b"garbage".to_vec());
    world.run(1_000);
    let report = world.brain.report(world.now);
    assert_eq!(report.alarms.len(), 1, "{report:?}");
    let alarm = Alarm::AppUnreadable { app: "shop".parse().unwrap() };
    assert_eq!(report.alarms[0].message, alarm.to_string());
    assert!(report.alarms[0].for_ms <= 1_000);
}

#[test]
fn a_canary_that_is_not_stored_is_told() {
    let mut world = World::leading(0);
    world.run(10_000);
    assert!(world.brain.report(world.now).canary.well);
    world.wedged = true;
    world.run(16_000);
    let report = world.brain.report(world.now);
    assert!(!report.canary.well, "{report:?}");
    assert!(report.canary.ok_ms_ago.is_some_and(|ago| 15_000 <= ago), "{report:?}");
    world.run(30_000);
    assert_eq!(world.alarms.iter().filter(|alarm| **alarm == Alarm::StoreWedged).count(), 1);
    assert!(world.brain.alarms(world.now).any(|(alarm, _)| *alarm == Alarm::StoreWedged));
    world.wedged = false;
    world.run(3_000);
    let report = world.brain.report(world.now);
    assert!(report.canary.well && report.alarms.is_empty(), "{report:?}");
}

#[test]
fn a_canary_goes_on_after_what_somebody_else_did_to_its_key() {
    let mut world = World::leading(0);
    world.run(6_000);
    world.remove(Key::Canary("c1".parse().unwrap()));
    world.run(20_000);
    assert!(world.brain.report(world.now).canary.ok_ms_ago.is_some_and(|ago| ago <= 5_000));
}

#[test]
fn an_alarm_ends_when_its_cause_does() {
    let mut world = World::leading(1);
    world.put_and_deploy("shop", "v1", &[("web", "")]);
    world.run(2_000);
    let key = Key::App("shop".parse().unwrap());
    let head = world.store[&key].1.clone();
    world.intrude(key.clone(), b"garbage".to_vec());
    world.run(2_000);
    assert_eq!(world.brain.report(world.now).alarms.len(), 1);
    world.intrude(key, head);
    world.run(2_000);
    assert_eq!(world.brain.report(world.now).alarms, []);
    // And begins anew when it is there again.
    world.refuses = Some("no space left".to_owned());
    world.put(&manifest("blog", "v1", &[("post", "")]));
    assert_eq!(world.brain.report(world.now).alarms.len(), 1);
    world.refuses = None;
    world.run(3_000);
    assert_eq!(world.brain.report(world.now).alarms, []);
}

#[test]
fn who_does_not_lead_reports_who_does() {
    let mut world = World::new();
    let mut lease = wattle_types::Lease::vacant();
    lease.holder = Some("c2".to_owned());
    lease.epoch = wattle_types::Epoch(4);
    for beat in 0..10 {
        lease.beat = beat;
        world.intrude(Key::Lease, stored::encode(&lease));
        world.run(1_000);
    }
    let report = world.brain.report(world.now);
    assert!(!report.leads && report.canary.well, "{report:?}");
    assert_eq!((report.holder.as_deref(), report.epoch), (Some("c2"), wattle_types::Epoch(4)));
}
