//! Lost hosts that are waited for, of some of what they have.

use wattle_types::Digest;

use super::notation::host;
use super::*;

const CASES: &[Case] = &[
    Case {
        name: "what is awaited counts as placed on its lost host",
        desired: &["web=2"],
        hosts: &["h0 lost 4 | web=2^", "h1 ready 4"],
        plan: "h1:\nwaits for h0: web=2\n",
    },
    Case {
        name: "what else the host had is replaced meanwhile",
        desired: &["api=1", "web=1"],
        hosts: &["h0 lost 4 | api=1 web=1^", "h1 ready 4"],
        plan: "h1: api=1\nwaits for h0: web=1\n",
    },
    Case {
        name: "a host nobody heard is waited for with all it was told",
        desired: &["web=1 zone=edge*100"],
        hosts: &["h0 lost | web=1^", "h1 ready 4 zone=edge"],
        plan: "h1:\nwaits for h0: web=1\n",
    },
    Case {
        name: "what is missing beside what is awaited is started elsewhere",
        desired: &["web=3"],
        hosts: &["h0 lost 4 | web=2^", "h1 ready 4"],
        plan: "h1: web=1\nwaits for h0: web=2\n",
    },
    Case {
        name: "what runs elsewhere already is kept there first",
        desired: &["web=1"],
        hosts: &["h0 lost 4 | web=1!^", "h1 suspect 4 | web=1"],
        plan: "h1: web=1\n",
    },
    Case {
        name: "fewer are awaited where fewer are wanted",
        desired: &["web=1"],
        hosts: &["h0 lost 4 | web=3^", "h1 ready 4"],
        plan: "h1:\nwaits for h0: web=1\n",
    },
    Case {
        name: "nothing more is awaited than there is room for",
        desired: &["web=3"],
        hosts: &["h0 lost 2 | web=3^", "h1 ready 4"],
        plan: "h1: web=1\nwaits for h0: web=2\n",
    },
    Case {
        name: "nothing is awaited where it may not be any more",
        desired: &["web=1 zone=edge*100"],
        hosts: &["h0 lost 4 zone=cloud | web=1^", "h1 ready 4 zone=edge"],
        plan: "h1: web=1\n",
    },
    Case {
        name: "what is not desired any more is not awaited",
        desired: &[],
        hosts: &["h0 lost 4 | web=1^", "h1 ready 4"],
        plan: "h1:\n",
    },
    Case {
        name: "a daemon is awaited where it was, and nobody misses more of it there",
        desired: &["agent=daemon:2"],
        hosts: &["h0 lost 4 | agent=1^", "h1 ready 4"],
        plan: "h1: agent=2\nwaits for h0: agent=1\n",
    },
    Case {
        name: "a host that is not lost is not waited for, whatever is said of it",
        desired: &["web=1 agent=1*100"],
        hosts: &["h0 draining 4 | web=1!^", "h1 ready 4 agent=1 | web=1!"],
        plan: "h0:\nh1: web=1\n",
    },
    Case {
        name: "a host that returns in time has what it had",
        desired: &["web=2"],
        hosts: &["h0 ready 4 | web=2!^", "h1 ready 4"],
        plan: "h0: web=2\nh1:\n",
    },
    Case {
        name: "what moves does not end while its new place is lost",
        desired: &["web=1 zone=edge*100"],
        hosts: &["h0 ready 9 | web=1!", "h1 lost 9 zone=edge | web=1!^"],
        plan: "h0: web=1(leaving)\nwaits for h1: web=1\n",
    },
];

#[test]
fn what_is_awaited_is_not_started_elsewhere() {
    CASES.iter().for_each(Case::check);
}

#[test]
fn a_new_revision_waits_for_the_host_that_has_the_old_one() {
    let mut wanted = desired(&["web=1"]);
    let new = SpecHash(Digest::of(b"new"));
    wanted.actors.values_mut().for_each(|actor| actor.what = What::Run(new));
    let planned = plan(&wanted, &observed(&["h0 lost 4 | web=1^", "h1 ready 4"]));
    assert_eq!(show(&planned), "h1:\nwaits for h0: web=1\n");
    let back = plan(&wanted, &observed(&["h0 ready 4 | web=1^", "h1 ready 4"]));
    assert_eq!(back.target[&host(0)][&"web".parse().unwrap()], Placed { spec: new, count: 1 });
}
