//! Answers that are not what they say.

use super::By::{Brief, Patient};
use super::Class::{Allocation, Framing, Leak, Limit, Panic};
use super::Outcome::{Cut, Fails, Says, Whole};
use super::{Case, case};

pub(super) const CASES: &[Case] = &[
    case("no-answer", "returns without an answer", Panic, Brief, Fails("WT-ENGINE-NO-ANSWER")),
    case(
        "outparam-dropped",
        "drops its chance to answer",
        Panic,
        Brief,
        Fails("WT-ENGINE-NO-ANSWER"),
    ),
    case(
        "answers-with-an-error",
        "answers with an error full of escapes",
        Panic,
        Brief,
        Fails("WT-ENGINE-ANSWERED"),
    ),
    case("body-never-begun", "answers, and never asks for the body", Framing, Brief, Whole(200, 0)),
    case(
        "body-never-finished",
        "writes half a body and returns with it in its hands",
        Leak,
        Brief,
        Cut,
    ),
    case("body-dropped", "writes half a body and drops it", Framing, Brief, Cut),
    case("body-without-end", "writes its body for ever", Limit, Brief, Cut),
    case("empty-writes-without-end", "writes nothing to its body for ever", Allocation, Brief, Cut),
    case("all-zeroes-to-the-body", "writes 2^64 - 1 zeroes to its body", Allocation, Brief, Cut),
    case("a-write-of-10-mib", "writes 10 MiB without asking", Allocation, Patient, Cut),
    case("64-mib", "answers with 64 MiB", Allocation, Patient, Whole(200, 64 << 20)),
    case("length-too-long", "declares 100 bytes and sends 5", Framing, Brief, Cut),
    case(
        "length-too-short",
        "declares 5 bytes and sends an answer of its own after them",
        Framing,
        Brief,
        Whole(200, 5),
    ),
    case("length-twice", "declares 5 and 6 bytes", Framing, Brief, Fails("WT-ENGINE-TRAP")),
    case("length-negative", "declares -5 bytes", Framing, Brief, Fails("WT-ENGINE-TRAP")),
    case(
        "length-of-words",
        "declares five bytes, in a word",
        Framing,
        Brief,
        Fails("WT-ENGINE-TRAP"),
    ),
    case("body-of-a-204", "sends a body after a 204", Framing, Brief, Whole(204, 0)),
    case("body-of-a-304", "sends a body after a 304", Framing, Brief, Whole(304, 0)),
    case("status-101", "changes the protocol", Framing, Brief, Fails("WT-")),
    case("no-such-status", "answers with 0, 1, 99, 1000 and 65535", Panic, Brief, Says("[]")),
    case(
        "split-headers",
        "sets headers with line ends, blanks and zeroes in name and value",
        Framing,
        Brief,
        Says("0 values, 0 names, false"),
    ),
    case("forbidden-headers", "sets headers that are the connection's", Framing, Brief, Says("[]")),
    case("a-thousand-headers", "answers with 1,000 headers", Allocation, Patient, Fails("WT-")),
    case(
        "escapes-in-a-header",
        "sets a header with an escape sequence",
        Framing,
        Brief,
        Says("false"),
    ),
    case("trap-in-the-body", "traps in the middle of its body", Framing, Brief, Cut),
    case("exit-in-the-body", "exits with 0 in the middle of its body", Framing, Brief, Cut),
    case("spin-in-the-body", "computes for ever in the middle of its body", Framing, Brief, Cut),
    case("spin-after-the-answer", "computes for ever after its answer", Limit, Brief, Cut),
];
