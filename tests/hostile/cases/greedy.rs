//! Guests that want memory, of their own or of the host's.

use super::By::{Brief, LargeBody, Patient};
use super::Class::{Allocation, Leak, Limit};
use super::Outcome::{Fails, Late, Says};
use super::{Case, Outcome, case};

const TRAP: Outcome = Fails("WT-ENGINE-TRAP");
const MEMORY: Outcome = Fails("WT-ENGINE-MEMORY");

pub(super) const CASES: &[Case] = &[
    case("grow-to-4-gib", "grows its memory to 4 GiB at once", Limit, Brief, Says("refused")),
    case(
        "grow-page-by-page",
        "grows its memory while it is let, and uses it",
        Limit,
        Patient,
        Says("64 MiB"),
    ),
    case("allocate-small", "allocates 24 bytes for ever", Limit, Patient, MEMORY),
    case(
        "allocate-all-and-use-it",
        "uses nearly all the memory it may have",
        Limit,
        Patient,
        Says("62914560"),
    ),
    case("a-million-fields", "makes a million `fields` and keeps them", Leak, Brief, TRAP),
    case(
        "a-hundred-thousand-pollables",
        "makes 100,000 pollables and keeps them",
        Leak,
        Brief,
        TRAP,
    ),
    case("fields-made-and-dropped", "makes and drops `fields` for ever", Leak, Brief, Late),
    case("all-random-bytes", "asks for 2^64 - 1 random bytes", Allocation, Brief, TRAP),
    case(
        "all-insecure-random-bytes",
        "asks for 2^64 - 1 bytes of the cheaper randomness",
        Allocation,
        Brief,
        TRAP,
    ),
    case("random-without-end", "asks for 64 KiB of random bytes for ever", Limit, Brief, Late),
    case(
        "all-zeroes-to-stdout",
        "writes 2^64 - 1 zeroes to standard output",
        Allocation,
        Brief,
        TRAP,
    ),
    case(
        "all-of-stdin",
        "reads 2^64 - 1 bytes of standard input",
        Allocation,
        Brief,
        Says("closed"),
    ),
    case(
        "all-of-the-request",
        "reads 2^64 - 1 bytes of a body of 4 MiB",
        Allocation,
        LargeBody,
        Says("4194304 bytes"),
    ),
    case("headers-without-end", "appends headers for ever", Allocation, Brief, TRAP),
    case("a-header-of-10-mib", "appends a header of 10 MiB", Allocation, Patient, TRAP),
    case("a-path-of-8-mib", "asks for a path of 8 MiB", Allocation, Patient, TRAP),
    case("a-method-of-1-mib", "asks by a method of 1 MiB", Allocation, Patient, Says("Ok")),
    case(
        "a-value-of-2-mib",
        "stores a value of 2 MiB",
        Allocation,
        Patient,
        Says("at most 1044480 bytes"),
    ),
    case("a-value-of-8-mib", "stores a value of 8 MiB", Allocation, Patient, TRAP),
    case("a-million-keys", "asks for a million keys at once", Allocation, Patient, TRAP),
    case(
        "a-thousand-keys",
        "asks for a thousand keys at once",
        Allocation,
        Patient,
        Says("at most 100 entries"),
    ),
    case("two-thousand-buckets", "opens a store 2,000 times", Leak, Patient, TRAP),
    case("count-without-end", "counts in a store for ever", Limit, Brief, Late),
];
