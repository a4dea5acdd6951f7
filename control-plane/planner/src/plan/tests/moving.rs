//! Moves: what leaves, how long it stays, and what does not wait.

use wattle_types::Digest;

use super::notation::host;
use super::*;

const CASES: &[Case] = &[
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
        name: "what moves gets its new place before another grows into it",
        desired: &["api=3", "web=1 zone=edge*100"],
        hosts: &["h0 ready 1 | web=1!", "h1 ready 2 zone=edge | api=1!"],
        plan: "h0: web=1(leaving)\nh1: api=1 web=1\nnot placed: api=2: no room for 2 more: h0 is full (room for 1), h1 is full (room for 2)\n",
    },
];

#[test]
fn what_moves_stays_until_it_is_not_needed_any_more() {
    CASES.iter().for_each(Case::check);
}

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
