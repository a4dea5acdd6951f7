//! Guests that look for what they were not given.

use super::By::{Brief, Patient};
use super::Class::{Leak, Panic, Policy};
use super::Outcome::Says;
use super::{Case, case};

pub(super) const CASES: &[Case] = &[
    case(
        "given",
        "counts what it has without asking",
        Policy,
        Brief,
        Says("0 arguments, 0 variables, folder None, 0 preopens, 0 terminals"),
    ),
    case(
        "files",
        "opens, truncates, renames, links and removes files, with slashes at the end and dots",
        Policy,
        Brief,
        Says("0 of 12 done"),
    ),
    case(
        "tcp",
        "makes TCP sockets, binds and connects them",
        Policy,
        Brief,
        Says("access-denied, access-denied"),
    ),
    case(
        "udp",
        "makes UDP sockets, binds and connects them",
        Policy,
        Brief,
        Says("access-denied, access-denied"),
    ),
    case("names", "resolves names, one of 200 KB", Policy, Patient, Says("0 of 6 resolved")),
    case("a-thousand-sockets", "makes 1,000 sockets", Leak, Brief, Says("0 made")),
    case(
        "before-1970",
        "sets a time before 1970 and waits for one",
        Panic,
        Brief,
        Says("set: false, now is later: true"),
    ),
    case(
        "strange-keys",
        "stores under keys that would break a subject or a path",
        Policy,
        Patient,
        Says("9 of 10 kept"),
    ),
    case(
        "strange-stores",
        "opens stores by names that would be another application's",
        Policy,
        Brief,
        Says("[]"),
    ),
];
