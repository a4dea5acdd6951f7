//! Guests that no compiler of a language would make: core modules in the frame.

use super::Class::{Allocation, Glue, Leak, Limit};
use super::Outcome::{Fails, Late};
use super::{By, Case, Class, Outcome};

const TRAP: Outcome = Fails("WT-ENGINE-TRAP");
const MEMORY: Outcome = Fails("WT-ENGINE-MEMORY");
/// It was refused, and went on to its end: it traps if it was not.
const REFUSED: Outcome = Fails("WT-ENGINE-NO-ANSWER");

const fn case(id: &'static str, does: &'static str, class: Class, outcome: Outcome) -> Case {
    Case { id, does, class, by: By::Module, outcome }
}

pub(super) const CASES: &[Case] = &[
    case("trap-in-start", "traps while it is made", Limit, TRAP),
    case("spin-in-start", "computes for ever while it is made", Limit, Late),
    case("recurse-in-start", "calls itself for ever while it is made", Limit, TRAP),
    case("trap-in-post-return", "traps in what is called after it returned", Glue, TRAP),
    case("spin-in-post-return", "computes for ever after it returned", Limit, Late),
    case("call-out-in-post-return", "calls the host after it returned", Glue, TRAP),
    case("recurse-in-circles", "recurses through a table with large frames", Limit, TRAP),
    case("divide-by-zero", "divides by zero", Limit, TRAP),
    case("overflow-a-conversion", "makes an integer of no number", Limit, TRAP),
    case("call-nothing", "calls an empty place of a table", Limit, TRAP),
    case("call-another-type", "calls a function as one of another type", Limit, TRAP),
    case("read-beyond-memory", "reads as far beyond its memory as can be said", Limit, TRAP),
    case("write-beyond-memory", "writes over the end of its memory", Limit, TRAP),
    case("copy-all-memory", "copies 63 MiB by one instruction, for ever", Limit, Late),
    case("fill-all-memory", "fills 63 MiB by one instruction, for ever", Limit, Late),
    case("copy-beyond-memory", "copies 4 GiB", Limit, TRAP),
    case("fill-all-of-a-table", "fills a table of 20,000 for ever", Limit, Late),
    case("grow-a-table", "grows a table by all and by one", Allocation, REFUSED),
    case("grow-beyond-its-own-maximum", "grows beyond its own maximum", Limit, REFUSED),
    case("grow-without-end", "asks for 4 GiB for ever", Limit, Late),
    case("memory-above-the-limit", "has 80 MiB from the start", Limit, MEMORY),
    case("thirty-two-memories", "has 32 memories, and computes for ever", Allocation, Late),
    case("sixty-tables", "has 60 tables, and computes for ever", Allocation, Late),
    case("segment-beyond-memory", "has contents beyond its memory", Limit, TRAP),
    case("elements-beyond-a-table", "has contents beyond its table", Limit, TRAP),
    case("realloc-traps", "traps when the host asks where to write", Glue, TRAP),
    case("realloc-spins", "computes for ever when the host asks where to write", Glue, Late),
    case("realloc-recurses", "calls itself for ever when asked where to write", Glue, TRAP),
    case("realloc-beyond-memory", "lets the host write beyond its memory", Glue, TRAP),
    case("realloc-unaligned", "lets the host write numbers at an odd place", Glue, TRAP),
    case("realloc-grows-memory", "moves its memory when asked where to write", Glue, REFUSED),
    case("realloc-calls-out", "calls the host when asked where to write", Glue, TRAP),
    case("a-list-of-all-handles", "hands over a list of 2^32 - 1 handles", Glue, TRAP),
    case("an-unaligned-list", "hands over a list at an odd place", Glue, TRAP),
    case("a-string-beyond-memory", "hands over a string beyond its memory", Glue, TRAP),
    case("a-string-of-4-gib", "hands over a string of 2^32 - 1 bytes", Glue, TRAP),
    case("a-string-of-no-encoding", "hands over a string that is no UTF-8", Glue, TRAP),
    case("no-such-level", "hands over an enum's 255th case", Glue, TRAP),
    case("result-beyond-memory", "wants a result beyond its memory", Glue, TRAP),
    case("result-unaligned", "wants a result at an odd place", Glue, TRAP),
    case("drop-twice", "drops a handle twice", Leak, TRAP),
    case("use-after-drop", "uses a handle it dropped", Leak, TRAP),
    case("another-type", "uses a handle as one of another type", Leak, TRAP),
    case("drop-as-another-type", "drops a handle as one of another type", Leak, TRAP),
    case("a-forged-handle", "uses a handle it was not given", Leak, TRAP),
    case("handle-zero", "drops the handle that never is one", Leak, TRAP),
    case("handles-without-end", "makes handles for ever", Leak, TRAP),
];
