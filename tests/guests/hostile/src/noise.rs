//! Guests that say too much, or what should not be shown.

use std::io::Write as _;

use wasip2::cli::stdout;

use crate::bindings::wasi::logging::logging::{self, Level};

pub(crate) fn log_without_end() {
    loop {
        logging::log(Level::Critical, "flood", "flooding and flooding and flooding");
    }
}

pub(crate) fn stdout_without_end() {
    loop {
        println!("flooding and flooding and flooding");
    }
}

pub(crate) fn stderr_without_end() {
    loop {
        eprintln!("flooding and flooding and flooding");
    }
}

/// One line that never ends.
pub(crate) fn stdout_without_lines() {
    let mut out = std::io::stdout().lock();
    loop {
        out.write_all(&[b'x'; 4096]).expect("somebody listens");
        out.flush().expect("somebody listens");
    }
}

pub(crate) fn empty_writes_to_stdout() {
    let out = stdout::get_stdout();
    loop {
        out.write(&[]).expect("somebody listens");
    }
}

pub(crate) fn a_line_of_1_mib() -> &'static str {
    logging::log(Level::Info, "flood", &"x".repeat(1 << 20));
    "logged"
}

pub(crate) fn a_line_of_8_mib() -> &'static str {
    logging::log(Level::Info, "flood", &"x".repeat(8 << 20));
    "logged"
}

/// What would repaint a terminal, or look like a line of somebody else.
pub(crate) fn escapes() -> &'static str {
    let said = "\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\u{8}\u{8}red\r\nERROR forged: a second line";
    logging::log(Level::Info, said, said);
    println!("{said}");
    eprintln!("{said}");
    "logged"
}
