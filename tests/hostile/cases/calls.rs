//! Callees that answer with what is not of the type they declare, or take arguments badly.

use super::Class::{Allocation, Glue, Limit};
use super::Outcome::{Fails, Late, Says};
use super::{By, Case, Class, Outcome};

const TRAP: Outcome = Fails("WT-ENGINE-TRAP");

const fn case(id: &'static str, does: &'static str, class: Class, outcome: Outcome) -> Case {
    Case { id, does, class, by: By::Callee, outcome }
}

pub(super) const CASES: &[Case] = &[
    case("good", "answers well, so that the others are seen to be at fault", Glue, Says("")),
    case("all-of-memory", "answers with a list of 2^32 - 1 bytes", Allocation, TRAP),
    case("list-beyond-memory", "answers with a list beyond its memory", Glue, TRAP),
    case("string-beyond-memory", "answers with a string beyond its memory", Glue, TRAP),
    case("string-of-no-encoding", "answers with a string that is no UTF-8", Glue, TRAP),
    case("string-of-half-a-pair", "answers with UTF-16 at an odd place", Glue, TRAP),
    case("unaligned-list", "answers with numbers at an odd place", Glue, TRAP),
    case("unaligned-result", "has its result at an odd place", Glue, TRAP),
    case("result-beyond-memory-of-a-call", "has its result beyond its memory", Glue, TRAP),
    case("neither-some-nor-none", "answers with an option's 7th case", Glue, TRAP),
    case("neither-fine-nor-failed", "answers with a result's 2nd case", Glue, TRAP),
    case("half-a-letter", "answers with half of a surrogate pair", Glue, TRAP),
    case("thirty-one-mib", "answers with 31 MiB", Allocation, TRAP),
    case(
        "a-million-times-the-same",
        "answers with a million strings in the same place, 1 GiB of them",
        Allocation,
        TRAP,
    ),
    case("then-traps", "traps after its result was read", Glue, TRAP),
    case("then-spins", "computes for ever after its result was read", Limit, Late),
    case("then-calls-out", "calls the host after its result was read", Glue, TRAP),
    case("take", "takes an argument well", Glue, Says("")),
    case("take-and-trap", "traps when an argument comes", Glue, TRAP),
    case("take-and-spin", "computes for ever when an argument comes", Limit, Late),
    case("take-beyond-memory", "takes an argument beyond its memory", Glue, TRAP),
    case("take-unaligned", "takes an argument at an odd place", Glue, TRAP),
    case("take-and-call-out", "calls the host when an argument comes", Glue, TRAP),
];
