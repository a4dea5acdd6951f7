//! Guests that do not come back by themselves, or at once.

use super::By::{Brief, Patient, SlowBody};
use super::Class::{Limit, Panic};
use super::Outcome::{Fails, Late};
use super::{Case, case};

pub(super) const CASES: &[Case] = &[
    case("spin", "computes for ever", Limit, Brief, Late),
    case("spin-in-host-calls", "asks the host for the time for ever", Limit, Brief, Late),
    case("spin-on-a-ready-pollable", "polls what is ready for ever", Limit, Brief, Late),
    case("sleep-for-ages", "sleeps for 500 years", Limit, Brief, Late),
    case(
        "sleep-past-the-end-of-time",
        "waits for the last moment a clock can say",
        Panic,
        Brief,
        Late,
    ),
    case("poll-an-empty-list", "polls nothing", Panic, Brief, Fails("WT-ENGINE-TRAP")),
    case(
        "poll-one-thing-often",
        "polls a list of 100,000 times the same",
        Limit,
        Patient,
        Fails("WT-ENGINE-TRAP"),
    ),
    case(
        "wait-for-the-client",
        "reads a body that comes a byte at a time and does not end",
        Limit,
        SlowBody,
        Late,
    ),
    case("config-without-end", "reads its configuration for ever", Limit, Brief, Late),
    case("exit-well", "exits with 0 instead of answering", Panic, Brief, Fails("WT-ENGINE-EXIT")),
    case("exit-badly", "exits with 1", Panic, Brief, Fails("WT-ENGINE-EXIT")),
    case("panic", "panics", Panic, Brief, Fails("WT-ENGINE-TRAP")),
    case("recurse", "calls itself for ever", Limit, Patient, Fails("WT-ENGINE-TRAP")),
    case(
        "recurse-through-the-host",
        "calls the host at every depth of its stack",
        Limit,
        Patient,
        Fails("WT-ENGINE-TRAP"),
    ),
];
