//! The check of plans finds what is wrong with one.

use wattle_types::Digest;

use super::notation::host;
use super::*;
use crate::check::Broken;

#[test]
fn a_broken_plan_is_not_passed() {
    let wanted = desired(&["web=2 zone=a*100"]);
    let seen =
        observed(&["h0 ready 1 zone=a", "h1 lost 4 zone=a", "h2 suspect 4 zone=a", "h3 ready 9"]);
    let web: ActorId = "web".parse().unwrap();
    let spec = SpecHash(Digest::of(b"web"));
    let good = plan(&wanted, &seen);
    assert_eq!(check(&good, &wanted, &seen), Ok(()));
    let leave = |plan: &mut Plan, at: u8, id: &ActorId| {
        plan.leaving.entry(host(at)).or_default().insert(id.clone());
    };
    let broken = |change: &dyn Fn(&mut Plan)| {
        let mut plan = good.clone();
        change(&mut plan);
        check(&plan, &wanted, &seen)
    };
    let put = |plan: &mut Plan, at: u8, id: &ActorId, count: u32| {
        plan.target.entry(host(at)).or_default().insert(id.clone(), Placed { spec, count });
    };
    let cases = [
        (
            broken(&|plan| {
                put(plan, 3, &web, 1);
                leave(plan, 3, &web);
            }),
            Broken::LeavesWrongly { host: host(3), id: web.clone() },
        ),
        (
            broken(&|plan| leave(plan, 3, &web)),
            Broken::LeavesWrongly { host: host(3), id: web.clone() },
        ),
        (
            broken(&|plan| put(plan, 0, &web, 2)),
            Broken::AboveCapacity { host: host(0), room: 1, planned: 2 },
        ),
        (broken(&|plan| put(plan, 1, &web, 1)), Broken::Unreachable(host(1))),
        (
            broken(&|plan| put(plan, 2, &web, 1)),
            Broken::StartsWhereNothingMay { host: host(2), id: web.clone() },
        ),
        (
            broken(&|plan| put(plan, 3, &web, 1)),
            Broken::RequirementViolated { host: host(3), id: web.clone() },
        ),
        (
            broken(&|plan| put(plan, 0, &"other".parse().unwrap(), 1)),
            Broken::NotDesired { host: host(0), id: "other".parse().unwrap() },
        ),
        (
            broken(&|plan| plan.unplaced.clear()),
            Broken::WrongSum { id: web.clone(), instances: 2, placed: 1, missing: 0 },
        ),
        (
            // Nobody asked for that.
            broken(&|plan| drop(plan.awaited.insert(host(1), [(web.clone(), 1)].into()))),
            Broken::AwaitedWrongly { host: host(1), id: web.clone() },
        ),
        (
            broken(&|plan| {
                plan.target.remove(&host(3));
            }),
            Broken::Forgotten(host(3)),
        ),
    ];
    for (found, expected) in cases {
        assert_eq!(found, Err(expected));
    }
}
