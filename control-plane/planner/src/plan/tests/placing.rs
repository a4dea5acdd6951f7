//! Where things go, what stays, and what is said of that which has no place.

use wattle_types::Digest;

use super::notation::host;
use super::*;

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
        name: "a host nobody heard yet does not get another revision of what it has there",
        desired: &["web=1 zone=edge*100", "api=1"],
        hosts: &["h0 unheard | web=1~", "h1 ready 4 zone=edge"],
        plan: "h0: web=1(leaving)\nh1: api=1 web=1\n",
    },
    Case {
        name: "nor does what it has stay once its next revision serves where it may be",
        desired: &["web=1 zone=edge*100"],
        hosts: &["h0 unheard | web=1~", "h1 ready 4 zone=edge | web=1!"],
        plan: "h0:\nh1: web=1\n",
    },
    Case {
        name: "where nothing is required, a host nobody heard yet gets the next revision",
        desired: &["web=1"],
        hosts: &["h0 unheard | web=1~", "h1 ready 4"],
        plan: "h0: web=1\nh1:\n",
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
];

#[test]
fn what_is_placed_stays_placed() {
    CASES.iter().for_each(Case::check);
}

#[test]
fn a_new_revision_goes_where_the_old_one_runs() {
    let mut wanted = desired(&["web=1"]);
    let new = SpecHash(Digest::of(b"new"));
    wanted.actors.values_mut().for_each(|actor| actor.what = What::Run(new));
    let planned = plan(&wanted, &observed(&["h0 ready 4", "h1 ready 4 | web=1"]));
    assert_eq!(planned.target[&host(1)][&"web".parse().unwrap()], Placed { spec: new, count: 1 });
}
