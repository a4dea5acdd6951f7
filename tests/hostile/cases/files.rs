//! Files that never become guests.

use super::Class::{Compile, Feature, Limit};
use super::Outcome::Refused;
use super::{By, Case, Class, Outcome};
use crate::bombs::{self, Bomb};

const COMPILE: Outcome = Refused("WT-ENGINE-COMPILE");

const fn case(
    id: &'static str,
    does: &'static str,
    class: Class,
    file: fn() -> Bomb,
    outcome: Outcome,
) -> Case {
    Case { id, does, class, by: By::File(file), outcome }
}

pub(super) const CASES: &[Case] = &[
    case(
        "ten-thousand-sections",
        "has 10,000 sections",
        Compile,
        bombs::ten_thousand_sections,
        Refused("WT-TRUST-TOO-MANY-SECTIONS"),
    ),
    case(
        "a-thousand-deep",
        "has components in components, 1,000 deep",
        Compile,
        bombs::a_thousand_deep,
        Refused("WT-TRUST-TOO-DEEP"),
    ),
    case(
        "a-section-of-1-gib",
        "says that a section has 1 GiB",
        Compile,
        bombs::a_section_of_1_gib,
        Refused("WT-TRUST-SECTION-TOO-LARGE"),
    ),
    case(
        "seventy-mib",
        "has 70 MiB of nothing",
        Compile,
        bombs::seventy_mib,
        Refused("WT-HOST-TOO-LARGE"),
    ),
    case(
        "types-doubled",
        "has a type of 2^40 parts in 400 bytes",
        Compile,
        bombs::types_doubled,
        COMPILE,
    ),
    case(
        "an-import-of-many-parts",
        "imports a function of 2^17 parts",
        Compile,
        bombs::an_import_of_many_parts,
        Refused("WT-ENGINE-UNLINKABLE"),
    ),
    case(
        "instances-doubled",
        "is made of 2^30 instances in a kilobyte",
        Compile,
        bombs::instances_doubled,
        Refused("WT-ENGINE-COMPILE-MEMORY"),
    ),
    case(
        "many-functions",
        "has 900,000 functions in 4 MB",
        Compile,
        bombs::many_functions,
        Refused("WT-ENGINE-COMPILE-MEMORY"),
    ),
    case("a-jump-to-many", "jumps to 100,000 places", Compile, bombs::a_jump_to_many, COMPILE),
    case("many-locals", "has 50,001 locals", Compile, bombs::many_locals, COMPILE),
    case("memory-of-4-gib", "has 4 GiB from the start", Limit, bombs::memory_of_4_gib, COMPILE),
    case("table-of-20001", "has a table of 20,001", Limit, bombs::table_of_20001, COMPILE),
    case("memories-33", "has 33 memories", Limit, bombs::memories_33, COMPILE),
    case("instances-65", "has 65 core instances", Limit, bombs::instances_65, COMPILE),
    case("gc", "uses garbage collection", Feature, bombs::gc, COMPILE),
    case("exceptions", "uses exceptions", Feature, bombs::exceptions, COMPILE),
    case("threads", "shares its memory", Feature, bombs::threads, COMPILE),
    case("memory64", "has a memory of 64 bits", Feature, bombs::memory64, COMPILE),
];
