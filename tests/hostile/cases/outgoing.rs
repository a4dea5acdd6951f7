//! Guests that ask others.

use super::By::{Asker, Brief, Caller, Circle, Crowd, Flood};
use super::Class::{Framing, Leak, Limit, Panic, Policy};
use super::Outcome::{Cut, Fails, Late, Says};
use super::{Case, case};

pub(super) const CASES: &[Case] = &[
    case(
        "ask",
        "asks a server that its manifest does not name",
        Policy,
        Brief,
        Says("HttpRequestDenied"),
    ),
    case(
        "ask-strangely",
        "asks loopback, link-local and metadata addresses in 19 spellings",
        Policy,
        Asker("/"),
        Says("0 of 19 answered"),
    ),
    case(
        "wait-no-time",
        "asks with each of the three waits as zero",
        Panic,
        Asker("/answer"),
        Says("ConfigurationError, ConfigurationError, ConfigurationError"),
    ),
    case(
        "wait-for-ages",
        "asks with each of the three waits as 2^64 - 1 ns",
        Panic,
        Asker("/answer"),
        Says("200, 200, 200"),
    ),
    case(
        "ten-thousand-at-once",
        "asks 10,000 times and keeps every answer that is to come",
        Leak,
        Flood("/never"),
        Fails("WT-ENGINE-TRAP"),
    ),
    case(
        "asked-and-given-up-without-end",
        "asks and gives up at once, for ever",
        Leak,
        Flood("/never"),
        Late,
    ),
    case(
        "thirty-three-at-once",
        "asks once more than it may at a time",
        Limit,
        Crowd("/never"),
        Says("ConnectionLimitReached"),
    ),
    case(
        "read-slowly",
        "passes on an answer that comes a byte at a time and does not end",
        Limit,
        Caller("/drip"),
        Cut,
    ),
    case(
        "body-never-sent",
        "waits for the answer to a body of which it keeps the end",
        Leak,
        Caller("/count"),
        Late,
    ),
    case(
        "sends-less-than-declared",
        "declares 100 bytes and sends 5",
        Framing,
        Asker("/count"),
        Says("finished: false, answered: false"),
    ),
    case(
        "in-a-circle",
        "asks another, who asks it, for the same, and so on",
        Limit,
        Circle,
        Says("LoopDetected"),
    ),
];
