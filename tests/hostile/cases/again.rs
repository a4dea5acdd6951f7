//! Guests that leave something for the next call of their instance.

use super::By::Again;
use super::Class::{Leak, Limit};
use super::Outcome::{Cut, Fails, Late, Says};
use super::{Case, case};

pub(super) const CASES: &[Case] = &[
    case(
        "hoard-handles",
        "leaves 100 handles in its instance",
        Leak,
        Again,
        Says("at most 200 handles"),
    ),
    case("hoard-memory", "takes 8 MiB more in each call", Limit, Again, Says("less than 60 MiB")),
    case("mark-and-trap", "leaves a mark and traps", Leak, Again, Fails("WT-ENGINE-TRAP")),
    case("mark-and-exit", "leaves a mark and exits", Leak, Again, Fails("WT-ENGINE-EXIT")),
    case("mark-and-spin", "leaves a mark and computes for ever", Leak, Again, Late),
    case(
        "say-nothing-again",
        "does not answer, in an instance that goes on",
        Leak,
        Again,
        Fails("WT-ENGINE-NO-ANSWER"),
    ),
    case("half-a-body-again", "keeps half a body in its hands", Leak, Again, Cut),
    case("marks-of-others", "looks for such marks", Leak, Again, Says("clean")),
];
