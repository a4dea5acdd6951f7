//! What people and scripts read: results on standard output, everything else on standard error.

#[cfg(feature = "operate")]
mod results;

use std::fmt;
use std::io::{self, Write};

#[cfg(feature = "operate")]
pub(crate) use results::{Format, OutputArgs, bytes, line, table};

/// One line for the person: progress, warnings, what went wrong.
pub(crate) fn complain(text: impl fmt::Display) {
    // Without a standard error there is nobody to tell.
    let _ = writeln!(io::stderr(), "{text}");
}
