//! Tables: desired and hosts in a short notation, the plan as its text.
//!
//! An actor is `id=count` with spreads `label=value*weight`; a host is `name status capacity
//! labels | what it is assigned`, of which `!` is ready and `?` has been leaving for too long.

use std::collections::BTreeSet;

use wattle_types::{Digest, Labels, PublicKey, Role, Scaler, ScalerKind, Spread};

use super::*;
use crate::check::{Broken, check};
use crate::input::{About, Wanted};

struct Case {
    name: &'static str,
    desired: &'static [&'static str],
    hosts: &'static [&'static str],
    plan: &'static str,
}

const CASES: &[Case] = &[
    Case {
        name: "spreads over hosts, the roomiest first",
        desired: &["web=3"],
        hosts: &["h0 ready 4", "h1 ready 5"],
        plan: "h0: web=1\nh1: web=2\n",
    },
    Case {
        name: "the lowest id wins a tie",
        desired: &["web=1"],
        hosts: &["h0 ready 4", "h1 ready 4"],
        plan: "h0: web=1\nh1:\n",
    },
    Case {
        name: "leaves what runs where it is",
        desired: &["web=2"],
        hosts: &["h0 ready 4", "h1 ready 4 | web=2"],
        plan: "h0:\nh1: web=2\n",
    },
    Case {
        name: "a newcomer displaces nobody",
        desired: &["a=1", "b=1"],
        hosts: &["h0 ready 1 | b=1"],
        plan: "h0: b=1\nnot placed: a=1: no room for 1 more: h0 is full (room for 1)\n",
    },
    Case {
        name: "stops evenly when there is too much",
        desired: &["web=2"],
        hosts: &["h0 ready 4 | web=2", "h1 ready 4 | web=2"],
        plan: "h0: web=1\nh1: web=1\n",
    },
    Case {
        name: "stops first where it is not ready",
        desired: &["web=1"],
        hosts: &["h0 ready 4 | web=1", "h1 ready 4 | web=1!"],
        plan: "h0:\nh1: web=1\n",
    },
    Case {
        name: "what is not desired is told to end, in so many words",
        desired: &[],
        hosts: &["h0 ready 4 | web=2", "h1 ready 4"],
        plan: "h0:\nh1:\n",
    },
    Case {
        name: "empties a draining host",
        desired: &["web=1"],
        hosts: &["h0 draining 4 | web=1!", "h1 ready 4 | web=1!"],
        plan: "h0:\nh1: web=1\n",
    },
    Case {
        name: "replaces what a lost host ran, and says nothing to it",
        desired: &["web=2"],
        hosts: &["h0 lost 4 | web=2", "h1 ready 4"],
        plan: "h1: web=2\n",
    },
    Case {
        name: "a suspect host keeps what it has",
        desired: &["web=2"],
        hosts: &["h0 suspect 4 | web=2", "h1 ready 4"],
        plan: "h0: web=2\nh1:\n",
    },
    Case {
        name: "a suspect host gets nothing new",
        desired: &["web=2"],
        hosts: &["h0 suspect 4 | web=1"],
        plan: "h0: web=1\nnot placed: web=1: no room for 1 more: h0 is silent\n",
    },
    Case {
        name: "a host nobody heard yet keeps what it has, whatever is required",
        desired: &["web=1 zone=edge*100", "api=1"],
        hosts: &["h0 unheard | web=1", "h1 ready 4"],
        plan: "h0: web=1\nh1: api=1\n",
    },
    Case {
        name: "a host that returns does not double what replaced it",
        desired: &["web=1"],
        hosts: &["h0 ready 4 | web=1!", "h1 ready 4 | web=1!"],
        plan: "h0: web=1\nh1:\n",
    },
    Case {
        name: "splits by weight over labels",
        desired: &["web=10 zone=cloud*80 zone=edge*20"],
        hosts: &["h0 ready 9 zone=cloud", "h1 ready 9 zone=edge"],
        plan: "h0: web=8\nh1: web=2\n",
    },
    Case {
        name: "moves what its requirements no longer allow",
        desired: &["web=1 zone=edge*100"],
        hosts: &["h0 ready 9 zone=cloud | web=1!", "h1 ready 9 zone=edge | web=1!"],
        plan: "h0:\nh1: web=1\n",
    },
    Case {
        name: "names the requirement that no host has",
        desired: &["web=1 zone=edge*100"],
        hosts: &["h0 ready 9 zone=cloud", "h1 ready 9"],
        plan: "h0:\nh1:\nnot placed: web=1: no host has zone=edge (spread s0): h0 has zone=cloud, h1 has no zone\n",
    },
    Case {
        name: "says so when nobody has joined",
        desired: &["web=2"],
        hosts: &[],
        plan: "not placed: web=2: no host has joined the lattice; start one\n",
    },
    Case {
        name: "says which matching hosts do not count",
        desired: &["web=1 zone=edge*100"],
        hosts: &["h0 lost 9 zone=edge", "h1 ready 0 zone=edge", "h2 ready 9"],
        plan: "h1:\nh2:\nnot placed: web=1: no room for 1 more (spread s0): h0 is lost, h1 takes no instances\n",
    },
    Case {
        name: "places what fits and counts the rest",
        desired: &["web=5"],
        hosts: &["h0 ready 2", "h1 ready 1"],
        plan: "h0: web=2\nh1: web=1\nnot placed: web=2: no room for 2 more: h0 is full (room for 2), h1 is full (room for 1)\n",
    },
    Case {
        name: "a daemon runs on every host that matches",
        desired: &["agent=daemon:2 zone=edge*100"],
        hosts: &["h0 ready 4 zone=edge", "h1 ready 4", "h2 ready 1 zone=edge"],
        plan: "h0: agent=2\nh1:\nh2: agent=1\nnot placed: agent=1: no room for 1 more (spread s0): h2 is full (room for 1)\n",
    },
    Case {
        name: "a daemon no host matches is explained",
        desired: &["agent=daemon:1 zone=edge*100"],
        hosts: &["h0 ready 4"],
        plan: "h0:\nnot placed: agent=1: no host has zone=edge (spread s0): h0 has no zone\n",
    },
    Case {
        name: "overlapping spreads do not push each other about",
        desired: &["web=2 zone=a*100 disk=ssd*100"],
        hosts: &["h0 ready 1 zone=a disk=ssd", "h1 ready 1 zone=a"],
        plan: "h0: web=1\nh1: web=1\n",
    },
    Case {
        name: "an unsupported part does not hold up the others",
        desired: &["kv=unsupported", "web=1"],
        hosts: &["h0 ready 4"],
        plan: "h0: web=1\nnot placed: kv=1: not in this version\n",
    },
    Case {
        name: "what belongs to an unreadable application stays",
        desired: &["ghost=frozen", "web=3"],
        hosts: &["h0 ready 3 | ghost=2", "h1 draining 3 | ghost=1"],
        plan: "h0: ghost=2 web=1\nh1: ghost=1\nnot placed: web=2: no room for 2 more: h0 is full (room for 3), h1 is draining\n",
    },
    Case {
        name: "what moves stays until its new place is ready",
        desired: &["web=1 zone=edge*100"],
        hosts: &["h0 ready 9 zone=cloud | web=1!", "h1 ready 9 zone=edge"],
        plan: "h0: web=1(leaving)\nh1: web=1\n",
    },
    Case {
        name: "what was told to move stays while its new place only has it",
        desired: &["web=1 zone=edge*100"],
        hosts: &["h0 ready 9 zone=cloud | web=1!", "h1 ready 9 zone=edge | web=1"],
        plan: "h0: web=1(leaving)\nh1: web=1\n",
    },
    Case {
        name: "what a draining host had stays there as long",
        desired: &["web=2"],
        hosts: &["h0 draining 4 | web=2!", "h1 ready 4"],
        plan: "h0: web=2(leaving)\nh1: web=2\n",
    },
    Case {
        name: "every new place is waited for",
        desired: &["web=2 zone=edge*100"],
        hosts: &[
            "h0 ready 9 | web=2!",
            "h1 ready 1 zone=edge | web=1!",
            "h2 ready 1 zone=edge | web=1",
        ],
        plan: "h0: web=2(leaving)\nh1: web=1\nh2: web=1\n",
    },
    Case {
        name: "a new place that never becomes ready is not waited for for ever",
        desired: &["web=1 zone=edge*100"],
        hosts: &["h0 ready 9 zone=cloud | web=1!?", "h1 ready 9 zone=edge | web=1"],
        plan: "h0:\nh1: web=1\n",
    },
    Case {
        name: "a new place that is lost is replaced, and what leaves waits for the other",
        desired: &["web=1 zone=edge*100"],
        hosts: &["h0 ready 9 | web=1!", "h1 lost 9 zone=edge | web=1", "h2 ready 9 zone=edge"],
        plan: "h0: web=1(leaving)\nh2: web=1\n",
    },
    Case {
        name: "what lost its only new place goes at once",
        desired: &["web=1 zone=edge*100"],
        hosts: &["h0 ready 9 | web=1!", "h1 lost 9 zone=edge | web=1"],
        plan: "h0:\nnot placed: web=1: no room for 1 more (spread s0): h1 is lost\n",
    },
    Case {
        name: "a silent new place is not waited for where another serves",
        desired: &["web=2 zone=edge*100"],
        hosts: &[
            "h0 ready 9 | web=2!",
            "h1 suspect 9 zone=edge | web=1",
            "h2 ready 9 zone=edge | web=1!",
        ],
        plan: "h0:\nh1: web=1\nh2: web=1\n",
    },
    Case {
        name: "silent new places alone do not end what serves",
        desired: &["web=1 zone=edge*100"],
        hosts: &["h0 ready 9 | web=1!", "h1 suspect 9 zone=edge | web=1"],
        plan: "h0: web=1(leaving)\nh1: web=1\n",
    },
    Case {
        name: "what is not desired any more goes at once, also during a move",
        desired: &["api=1"],
        hosts: &["h0 ready 9 | web=1!", "h1 ready 9 | web=1 api=1"],
        plan: "h0:\nh1: api=1\n",
    },
    Case {
        name: "what should run nowhere goes at once, also during a move",
        desired: &["web=0"],
        hosts: &["h0 ready 9 | web=1!", "h1 ready 9 | web=1"],
        plan: "h0:\nh1:\n",
    },
    Case {
        name: "a daemon stays until the hosts it is for now have it ready",
        desired: &["agent=daemon:1 zone=edge*100"],
        hosts: &[
            "h0 ready 4 | agent=1!",
            "h1 ready 4 zone=edge | agent=1!",
            "h2 ready 4 zone=edge",
        ],
        plan: "h0: agent=1(leaving)\nh1: agent=1\nh2: agent=1\n",
    },
    Case {
        name: "a daemon leaves a host when all others are ready",
        desired: &["agent=daemon:1 zone=edge*100"],
        hosts: &["h0 ready 4 | agent=1!", "h1 ready 4 zone=edge | agent=1!"],
        plan: "h0:\nh1: agent=1\n",
    },
    Case {
        name: "what stays somewhere shrinks there at once, what moves away does not",
        desired: &["web=2 zone=a*50 zone=b*50"],
        hosts: &["h0 ready 9 zone=a | web=4!", "h1 ready 9 zone=b", "h2 ready 9 | web=2!"],
        plan: "h0: web=1\nh1: web=1\nh2: web=2(leaving)\n",
    },
    Case {
        name: "what leaves takes room",
        desired: &["web=1 zone=edge*100", "api=1 zone=cloud*100"],
        hosts: &["h0 ready 1 zone=cloud | web=1!", "h1 ready 1 zone=edge"],
        plan: "h0: web=1(leaving)\nh1: web=1\nnot placed: api=1: no room for 1 more (spread s0): h0 is full (room for 1)\n",
    },
    Case {
        name: "what need not wait gives its room to others in the same plan",
        desired: &["web=1 zone=edge*100", "api=1 zone=cloud*100"],
        hosts: &["h0 ready 1 zone=cloud | web=1!", "h1 ready 1 zone=edge | web=1!"],
        plan: "h0: api=1\nh1: web=1\n",
    },
    Case {
        name: "what has a place nowhere does not end what moves into its room",
        desired: &["api=2 zone=moon*100", "web=1 zone=edge*100"],
        hosts: &["h0 ready 1 | web=1!", "h1 ready 1 zone=edge | api=1!"],
        plan: "h0: web=1(leaving)\nh1: web=1\nnot placed: api=2: no host has zone=moon (spread s0): h0 has no zone, h1 has zone=edge\n",
    },
    Case {
        name: "two that trade places on full hosts do not wait for each other",
        desired: &["web=1 zone=edge*100", "api=1 zone=cloud*100"],
        hosts: &["h0 ready 1 zone=cloud | web=1!", "h1 ready 1 zone=edge | api=1!"],
        plan: "h0: api=1\nh1: web=1\n",
    },
];

#[test]
fn a_move_is_three_plans_and_the_fourth_changes_nothing() {
    let wanted = desired(&["web=1 zone=edge*100"]);
    let mut seen = observed(&["h0 ready 4 | web=1!", "h1 ready 4 zone=edge"]);
    let look = |seen: &mut Observed| {
        let plan = plan(&wanted, seen);
        assert_eq!(check(&plan, &wanted, seen), Ok(()));
        apply(&plan, seen);
        show(&plan)
    };
    let (moving, moved) = ("h0: web=1(leaving)\nh1: web=1\n", "h0:\nh1: web=1\n");
    assert_eq!(look(&mut seen), moving);
    assert_eq!(look(&mut seen), moving, "nothing is known of the new place yet");
    seen.get_mut(&host(1)).unwrap().ready.insert("web".parse().unwrap());
    assert_eq!(look(&mut seen), moved);
    assert_eq!(look(&mut seen), moved);
}

#[test]
fn what_leaves_keeps_its_revision() {
    let mut wanted = desired(&["web=1 zone=edge*100"]);
    let new = SpecHash(Digest::of(b"new"));
    wanted.actors.values_mut().for_each(|actor| actor.what = What::Run(new));
    let seen = observed(&["h0 ready 4 | web=1!", "h1 ready 4 zone=edge"]);
    let planned = plan(&wanted, &seen);
    let (web, old) = ("web".parse().unwrap(), SpecHash(Digest::of(b"web")));
    assert_eq!(planned.target[&host(0)][&web], Placed { spec: old, count: 1 });
    assert_eq!(planned.target[&host(1)][&web], Placed { spec: new, count: 1 });
    assert_eq!(check(&planned, &wanted, &seen), Ok(()));
}

#[test]
fn plans() {
    for case in CASES {
        let (desired, observed) = (desired(case.desired), observed(case.hosts));
        let plan = plan(&desired, &observed);
        assert_eq!(show(&plan), case.plan, "{}", case.name);
        assert_eq!(check(&plan, &desired, &observed), Ok(()), "{}", case.name);
    }
}

#[test]
fn an_applied_plan_plans_to_itself() {
    for case in CASES {
        let (desired, mut observed) = (desired(case.desired), observed(case.hosts));
        let first = plan(&desired, &observed);
        apply(&first, &mut observed);
        assert_eq!(plan(&desired, &observed), first, "{}", case.name);
    }
}

#[test]
fn a_new_revision_goes_where_the_old_one_runs() {
    let mut wanted = desired(&["web=1"]);
    let new = SpecHash(Digest::of(b"new"));
    wanted.actors.values_mut().for_each(|actor| actor.what = What::Run(new));
    let planned = plan(&wanted, &observed(&["h0 ready 4", "h1 ready 4 | web=1"]));
    assert_eq!(planned.target[&host(1)][&"web".parse().unwrap()], Placed { spec: new, count: 1 });
}

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

fn host(index: u8) -> HostId {
    HostId::try_from(PublicKey::new(Role::Server, [index; 32])).unwrap()
}

fn apply(plan: &Plan, observed: &mut Observed) {
    for (id, target) in &plan.target {
        observed.get_mut(id).unwrap().assigned.clone_from(target);
    }
}

/// The plan with the hosts' short names.
fn show(plan: &Plan) -> String {
    (0..10).fold(plan.to_string(), |text, index| {
        text.replace(&host(index).to_string(), &format!("h{index}"))
    })
}

fn desired(actors: &[&str]) -> Desired {
    let mut desired = Desired::default();
    for actor in actors {
        let mut words = actor.split(' ');
        let (id, count) = words.next().unwrap().split_once('=').unwrap();
        let id: ActorId = id.parse().unwrap();
        let what = match count {
            "frozen" => {
                desired.frozen.insert(id);
                continue;
            }
            "unsupported" => What::Unsupported("not in this version".to_owned()),
            _ => What::Run(SpecHash(Digest::of(id.as_str().as_bytes()))),
        };
        let (kind, instances) = match count.strip_prefix("daemon:") {
            Some(count) => (ScalerKind::Daemon, count.parse().unwrap()),
            None => (ScalerKind::Spread, count.parse().unwrap_or(1)),
        };
        let spread = words
            .enumerate()
            .map(|(index, word)| {
                let (label, weight) = word.split_once('*').unwrap();
                let requirements = labels(label);
                let weight = weight.parse().unwrap();
                Spread { name: format!("s{index}"), requirements, weight }
            })
            .collect();
        let scaler = Scaler { kind, instances, spread };
        desired.actors.insert(id, Wanted { what, scaler });
    }
    desired
}

fn observed(hosts: &[&str]) -> Observed {
    let mut observed = Observed::new();
    for (index, line) in hosts.iter().enumerate() {
        let (about, runs) = line.split_once('|').unwrap_or((line, ""));
        let words: Vec<&str> = about.split_whitespace().collect();
        let status = match words[1] {
            "ready" => HostStatus::Ready,
            "suspect" | "unheard" => HostStatus::Suspect,
            "draining" => HostStatus::Draining,
            _ => HostStatus::Lost,
        };
        let about = words.get(2).map(|capacity| About {
            name: words[0].to_owned(),
            labels: labels(&words[3..].join(" ")),
            capacity: capacity.parse().unwrap(),
            reserved: 0,
        });
        let (mut assigned, mut ready) = (BTreeMap::new(), BTreeSet::new());
        let mut overdue = BTreeSet::new();
        for run in runs.split_whitespace() {
            let (id, count) = run.split_once('=').unwrap();
            let parsed: ActorId = id.parse().unwrap();
            if count.contains('!') {
                ready.insert(parsed.clone());
            }
            if count.contains('?') {
                overdue.insert(parsed.clone());
            }
            let count = count.trim_end_matches(['!', '?']).parse().unwrap();
            let spec = SpecHash(Digest::of(id.as_bytes()));
            assigned.insert(parsed, Placed { spec, count });
        }
        let view = HostView { status, about, assigned, ready, overdue };
        observed.insert(host(u8::try_from(index).unwrap()), view);
    }
    observed
}

fn labels(text: &str) -> Labels {
    let pair = |word: &str| {
        let (key, value) = word.split_once('=').unwrap();
        (key.to_owned(), value.to_owned())
    };
    text.split_whitespace().map(pair).collect()
}
