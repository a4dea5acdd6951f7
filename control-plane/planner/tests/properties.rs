//! What holds for every plan, on generated lattices.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use wattle_planner::{
    About, Desired, HostStatus, HostView, Observed, Placed, Wanted, What, check, plan,
};
use wattle_types::{
    ActorId, Digest, HostId, Labels, PublicKey, Role, Scaler, ScalerKind, SpecHash, Spread,
};

/// Few names, so that things meet.
fn id() -> impl Strategy<Value = ActorId> {
    (0..6u8).prop_map(|n| format!("a{n}").parse().unwrap())
}

fn spec() -> impl Strategy<Value = SpecHash> {
    (0..3u8).prop_map(|n| SpecHash(Digest::of(&[n])))
}

fn labels() -> impl Strategy<Value = Labels> {
    btree_map("[ab]", "[xy]", 0..3)
}

fn scaler() -> impl Strategy<Value = Scaler> {
    let spread = (labels(), 0..4u32).prop_map(|(requirements, weight)| Spread {
        name: "s".to_owned(),
        requirements,
        weight,
    });
    let kind = prop_oneof![3 => Just(ScalerKind::Spread), 1 => Just(ScalerKind::Daemon)];
    (kind, 0..9u32, vec(spread, 0..4)).prop_map(|(kind, instances, spread)| Scaler {
        kind,
        instances,
        spread,
    })
}

fn desired() -> impl Strategy<Value = Desired> {
    let what = prop_oneof![
        9 => spec().prop_map(What::Run),
        1 => Just(What::Unsupported("no".to_owned())),
    ];
    let wanted = (what, scaler()).prop_map(|(what, scaler)| Wanted { what, scaler });
    (btree_map(id(), wanted, 0..6), btree_set(id(), 0..2))
        .prop_map(|(actors, frozen)| Desired { actors, frozen })
}

fn view() -> impl Strategy<Value = HostView> {
    let status = prop_oneof![
        6 => Just(HostStatus::Ready),
        1 => Just(HostStatus::Suspect),
        1 => Just(HostStatus::Draining),
        1 => Just(HostStatus::Lost),
    ];
    let about = (labels(), 0..8u32, 0..3u32).prop_map(|(labels, capacity, reserved)| About {
        name: String::new(),
        labels,
        capacity,
        reserved,
    });
    let placed = (spec(), 1..4u32).prop_map(|(spec, count)| Placed { spec, count });
    let assigned = btree_map(id(), placed, 0..4);
    let (ready, overdue) = (btree_set(id(), 0..3), btree_set(id(), 0..2));
    let awaited = btree_set(id(), 0..4);
    (status, prop::option::weighted(0.9, about), assigned, ready, overdue, awaited).prop_map(
        |(status, about, assigned, ready, overdue, awaited)| {
            // Only a host that was not heard of is unknown, and it is not judged ready.
            let status = match (&about, status) {
                (None, HostStatus::Ready) => HostStatus::Suspect,
                (_, status) => status,
            };
            HostView { status, about, assigned, ready, overdue, awaited }
        },
    )
}

fn observed() -> impl Strategy<Value = Observed> {
    vec(view(), 0..6).prop_map(|hosts| {
        let key = |index: u8| HostId::try_from(PublicKey::new(Role::Server, [index; 32])).unwrap();
        (0..).map(key).zip(hosts).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_plan_keeps_its_promises(desired in desired(), observed in observed()) {
        let plan = plan(&desired, &observed);
        prop_assert_eq!(check(&plan, &desired, &observed), Ok(()), "\n{}", plan);
    }

    #[test]
    fn a_plan_applied_is_a_fixed_point(desired in desired(), observed in observed()) {
        let mut observed = observed;
        let first = plan(&desired, &observed);
        for (id, target) in &first.target {
            observed.get_mut(id).unwrap().assigned = target.clone();
        }
        prop_assert_eq!(plan(&desired, &observed), first);
    }

    #[test]
    fn nothing_is_missing_while_a_host_that_matches_has_room(
        desired in desired(),
        observed in observed(),
    ) {
        let plan = plan(&desired, &observed);
        for id in plan.unplaced.keys() {
            let wanted = &desired.actors[id];
            if matches!(wanted.what, What::Unsupported(_)) || wanted.scaler.kind == ScalerKind::Daemon {
                continue;
            }
            // With at most one spread any free place that matches would have done.
            let requirements = match &wanted.scaler.spread[..] {
                [] => Labels::new(),
                [only] => only.requirements.clone(),
                _ => continue,
            };
            for (host, view) in &observed {
                let Some(about) = &view.about else { continue };
                let matches = requirements.iter().all(|(k, v)| about.labels.get(k) == Some(v));
                if matches && view.status == HostStatus::Ready {
                    let used: u32 = plan.target[host].values().map(|placed| placed.count).sum();
                    prop_assert!(about.capacity.saturating_sub(about.reserved) <= used, "{}", plan);
                }
            }
        }
    }

    #[test]
    fn what_may_stay_is_not_moved(desired in desired(), observed in observed()) {
        // One actor alone with room for everything it has: no host loses it while another gains.
        let Some((id, wanted)) = desired.actors.iter().next() else { return Ok(()) };
        let alone = Desired {
            actors: BTreeMap::from([(id.clone(), Wanted {
                what: wanted.what.clone(),
                scaler: Scaler { spread: Vec::new(), kind: ScalerKind::Spread, ..wanted.scaler.clone() },
            })]),
            ..Desired::default()
        };
        let plan = plan(&alone, &observed);
        let count = |placed: Option<&Placed>| placed.map_or(0, |placed| placed.count);
        let (mut gained, mut given_up) = (0, 0);
        for (host, target) in &plan.target {
            let view = &observed[host];
            let (before, after) = (count(view.assigned.get(id)), count(target.get(id)));
            let room = view.about.as_ref().map_or(u32::MAX, |about| about.capacity.saturating_sub(about.reserved));
            gained += after.saturating_sub(before);
            if matches!(view.status, HostStatus::Ready | HostStatus::Suspect) {
                given_up += before.min(room).saturating_sub(after);
            }
        }
        for (host, view) in observed.iter().filter(|(_, view)| view.status == HostStatus::Lost) {
            let before = count(view.assigned.get(id).filter(|_| view.awaited.contains(id)));
            let after = plan.awaited.get(host).and_then(|awaited| awaited.get(id)).copied();
            let room = view.about.as_ref().map_or(u32::MAX, |about| about.capacity.saturating_sub(about.reserved));
            given_up += before.min(room).saturating_sub(after.unwrap_or(0));
        }
        prop_assert!(gained == 0 || given_up == 0, "{}", plan);
    }

    #[test]
    fn what_moves_stays_until_its_new_places_are_ready(desired in desired(), observed in observed()) {
        // One actor alone: nobody else wants the room.
        let Some((id, wanted)) = desired.actors.iter().next() else { return Ok(()) };
        let alone = Desired {
            actors: BTreeMap::from([(id.clone(), wanted.clone())]),
            ..Desired::default()
        };
        let plan = plan(&alone, &observed);
        let places: Vec<&HostView> = plan
            .target
            .iter()
            .filter(|(host, target)| target.contains_key(id) && !plan.leaves(host, id))
            .map(|(host, _)| &observed[host])
            .collect();
        let awaited = |view: &&&HostView| view.status == HostStatus::Ready && !view.ready.contains(id);
        let waits = places.iter().find(awaited).is_some();
        // What is only awaited on lost hosts serves nowhere, and what leaves waits with it.
        let awaited = plan.awaited.values().any(|awaited| awaited.contains_key(id));
        let settled =
            places.iter().all(|view| view.ready.contains(id)) && !(places.is_empty() && awaited);
        for (host, target) in &plan.target {
            let view = &observed[host];
            let room = view.about.as_ref().is_none_or(|about| about.reserved < about.capacity);
            if waits && room && view.assigned.contains_key(id) && !view.overdue.contains(id) {
                prop_assert!(target.contains_key(id), "{}", plan);
            }
        }
        prop_assert!(!settled || plan.leaving.is_empty(), "{}", plan);
    }
}
