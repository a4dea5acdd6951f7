//! Guests that say too much.

use super::By::{Brief, Patient};
use super::Class::{Allocation, Noise};
use super::Outcome::{Fails, Late, Says};
use super::{Case, case};

pub(super) const CASES: &[Case] = &[
    case("log-without-end", "logs for ever", Noise, Brief, Late),
    case("stdout-without-end", "writes lines to standard output for ever", Noise, Brief, Late),
    case("stderr-without-end", "writes lines to standard error for ever", Noise, Brief, Late),
    case("stdout-without-lines", "writes one line that does not end", Allocation, Brief, Late),
    case(
        "empty-writes-to-stdout",
        "writes nothing to standard output for ever",
        Allocation,
        Brief,
        Late,
    ),
    case("a-line-of-1-mib", "logs a line of 1 MiB", Noise, Patient, Says("logged")),
    case("a-line-of-8-mib", "logs a line of 8 MiB", Allocation, Patient, Fails("WT-ENGINE-TRAP")),
    case(
        "escapes",
        "says what would repaint a terminal or look like a line of the host",
        Noise,
        Brief,
        Says("logged"),
    ),
];
