//! Moves into room that others leave: who waits for whom, and what ends when all would.

use super::*;

const CASES: &[Case] = &[
    Case {
        name: "what moves where another still leaves stays until that has left",
        desired: &["api=1 zone=moon*100", "web=1 zone=edge*100"],
        hosts: &[
            "h0 ready 1 zone=cloud | web=1!",
            "h1 ready 1 zone=edge | api=1!",
            "h2 ready 1 zone=moon",
        ],
        plan: "h0: web=1(leaving)\nh1: api=1(leaving)\nh2: api=1\nnot placed: web=1: no room for 1 more (spread s0): h1 is full (room for 1)\n",
    },
    Case {
        name: "what waits for room gets it when it is left",
        desired: &["api=1 zone=moon*100", "new=1", "web=1 zone=edge*100"],
        hosts: &[
            "h0 ready 1 zone=cloud | web=1!",
            "h1 ready 1 zone=edge | api=1!",
            "h2 ready 1 zone=moon | api=1!",
        ],
        plan: "h0: web=1(leaving)\nh1: web=1\nh2: api=1\nnot placed: new=1: no room for 1 more: h0 is full (room for 1), h1 is full (room for 1), h2 is full (room for 1)\n",
    },
    Case {
        name: "what waited for room for too long goes",
        desired: &["api=1 zone=moon*100", "web=1 zone=edge*100"],
        hosts: &[
            "h0 ready 1 zone=cloud | web=1!?",
            "h1 ready 1 zone=edge | api=1!",
            "h2 ready 1 zone=moon | api=1",
        ],
        plan: "h0:\nh1: api=1(leaving)\nh2: api=1\nnot placed: web=1: no room for 1 more (spread s0): h1 is full (room for 1)\n",
    },
    Case {
        name: "two that trade places on full hosts begin where one of them serves elsewhere, too",
        desired: &["api=1 zone=cloud*100", "web=1 zone=edge*100"],
        hosts: &[
            "h0 ready 1 zone=cloud | web=1!",
            "h1 ready 1 zone=cloud | web=1!",
            "h2 ready 1 zone=edge | api=1!",
        ],
        plan: "h0: api=1\nh1: web=1(leaving)\nh2: api=1(leaving)\nnot placed: web=1: no room for 1 more (spread s0): h2 is full (room for 1)\n",
    },
    Case {
        name: "of what leaves two hosts the one that is not ready gives its room",
        desired: &["api=1 zone=cloud*100", "web=1 zone=edge*100"],
        hosts: &[
            "h0 ready 1 zone=cloud | web=1!",
            "h1 ready 1 zone=cloud | web=1",
            "h2 ready 1 zone=edge | api=1!",
        ],
        plan: "h0: web=1(leaving)\nh1: api=1\nh2: api=1(leaving)\nnot placed: web=1: no room for 1 more (spread s0): h2 is full (room for 1)\n",
    },
    Case {
        name: "of what is not known to serve one is kept as well",
        desired: &["api=1 zone=cloud*100", "web=1 zone=edge*100"],
        hosts: &[
            "h0 ready 1 zone=cloud | web=1",
            "h1 ready 1 zone=cloud | web=1",
            "h2 ready 1 zone=edge | api=1",
        ],
        plan: "h0: api=1\nh1: web=1(leaving)\nh2: api=1(leaving)\nnot placed: web=1: no room for 1 more (spread s0): h2 is full (room for 1)\n",
    },
    Case {
        name: "of what leaves one host only an instance gives its room",
        desired: &["api=1 zone=cloud*100", "web=1 zone=edge*100"],
        hosts: &["h0 ready 3 zone=cloud | web=3!", "h1 ready 1 zone=edge | api=1!"],
        plan: "h0: api=1 web=2(leaving)\nh1: api=1(leaving)\nnot placed: web=1: no room for 1 more (spread s0): h1 is full (room for 1)\n",
    },
    Case {
        name: "two that trade places on full hosts do not wait for each other",
        desired: &["web=1 zone=edge*100", "api=1 zone=cloud*100"],
        hosts: &["h0 ready 1 zone=cloud | web=1!", "h1 ready 1 zone=edge | api=1!"],
        plan: "h0: api=1\nh1: web=1\n",
    },
    Case {
        name: "what finds no place behind two that trade places goes",
        desired: &["api=1 zone=moon*100", "db=1 zone=edge*100", "web=1 zone=edge*100"],
        hosts: &[
            "h0 ready 1 zone=cloud | web=1!",
            "h1 ready 1 zone=edge | api=1!",
            "h2 ready 1 zone=moon | db=1!",
        ],
        plan: "h0:\nh1: db=1\nh2: api=1\nnot placed: web=1: no room for 1 more (spread s0): h1 is full (room for 1)\n",
    },
    Case {
        name: "what waits behind two that trade places stays",
        desired: &["api=1 zone=moon*100", "db=1 zone=edge*100", "web=1 zone=edge*100"],
        hosts: &[
            "h0 ready 1 zone=cloud | web=1!",
            "h1 ready 2 zone=edge | api=2!",
            "h2 ready 1 zone=moon | db=1!",
        ],
        plan: "h0: web=1(leaving)\nh1: api=1(leaving) db=1\nh2: db=1(leaving)\nnot placed: api=1: no room for 1 more (spread s0): h2 is full (room for 1)\nnot placed: web=1: no room for 1 more (spread s0): h1 is full (room for 2)\n",
    },
];

#[test]
fn what_moves_where_others_leave_ends_only_when_nothing_else_helps() {
    CASES.iter().for_each(Case::check);
}

/// The last of the plans in which these come to where they belong, each of them serving somewhere
/// in each.
fn moves_without_a_gap(wanted: &[&str], hosts: &[&str]) -> String {
    let (wanted, mut seen) = (desired(wanted), observed(hosts));
    let ids: Vec<ActorId> = wanted.actors.keys().cloned().collect();
    let mut steps = Vec::new();
    for _ in 0..8 {
        let plan = plan(&wanted, &seen);
        assert_eq!(check(&plan, &wanted, &seen), Ok(()));
        for id in &ids {
            let serves = |(host, view): (&HostId, &HostView)| {
                view.ready.contains(id) && plan.target[host].contains_key(id)
            };
            assert!(seen.iter().any(serves), "{id} serves nowhere:\n{}", show(&plan));
        }
        apply(&plan, &mut seen);
        for view in seen.values_mut() {
            view.ready = view.assigned.keys().cloned().collect();
        }
        steps.push(show(&plan));
    }
    steps.pop().unwrap()
}

#[test]
fn two_that_trade_places_serve_all_the_time() {
    let wanted = ["api=2 zone=cloud*100", "web=daemon:2 zone=edge*100"];
    let end = moves_without_a_gap(
        &wanted,
        &[
            "h0 ready 2 zone=cloud | web=2!",
            "h1 ready 2 zone=cloud | web=2!",
            "h2 ready 2 zone=edge | api=2!",
        ],
    );
    assert_eq!(end, "h0: api=2\nh1:\nh2: web=2\n");
    let one_host_each = ["h0 ready 2 zone=cloud | web=2!", "h1 ready 2 zone=edge | api=2!"];
    assert_eq!(moves_without_a_gap(&wanted, &one_host_each), "h0: api=2\nh1: web=2\n");
    let one_has_more = ["h0 ready 2 zone=cloud | web=2!", "h1 ready 1 zone=edge | api=1!"];
    let end = moves_without_a_gap(&["api=2 zone=cloud*100", "web=1 zone=edge*100"], &one_has_more);
    assert_eq!(end, "h0: api=2\nh1: web=1\n");
}
