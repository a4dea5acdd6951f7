//! How a task tells what it does: one line per step, with the time since the start.

use std::{
    fmt::Display,
    io::{IsTerminal, Write, stdout},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

/// Long enough not to be noise in a log, short enough that nobody thinks it hangs.
const TICK: Duration = Duration::from_secs(10);

/// A story that began at some moment. Lines go to standard output; colours only to a terminal.
#[derive(Debug)]
pub(crate) struct Story {
    start: Instant,
    coloured: bool,
}

impl Story {
    pub(crate) fn begin() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { start: Instant::now(), coloured: wanted && stdout().is_terminal() }
    }

    /// A step that was done or is being done.
    pub(crate) fn step(&self, text: impl Display) {
        self.print(&self.paint("2", format_args!("{}", stamp(self.start.elapsed()))), &text);
    }

    /// What went as it should.
    pub(crate) fn good(&self, text: impl Display) {
        self.print(&self.paint("32", format_args!("{}", stamp(self.start.elapsed()))), &text);
    }

    /// Something the person should look at.
    pub(crate) fn bad(&self, text: impl Display) {
        self.print(&self.paint("31", format_args!("{}", stamp(self.start.elapsed()))), &text);
    }

    /// Belongs to the step above it.
    pub(crate) fn detail(&self, text: impl Display) {
        self.print(&" ".repeat(stamp(Duration::ZERO).len()), &text);
    }

    /// Text that should stand out, such as a URL.
    pub(crate) fn strong(&self, text: impl Display) -> String {
        self.paint("1", format_args!("{text}"))
    }

    /// Runs `work` and says every few seconds that it still runs.
    pub(crate) fn waiting<T>(&self, what: &str, work: impl FnOnce() -> T) -> T {
        thread::scope(|scope| {
            let (done, finished) = mpsc::channel::<()>();
            scope.spawn(move || {
                let start = Instant::now();
                while finished.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                    self.detail(format_args!("... {what}, {} s so far", start.elapsed().as_secs()));
                }
            });
            let result = work();
            drop(done);
            result
        })
    }

    fn print(&self, margin: &str, text: &dyn Display) {
        // Whoever closed our output does not read any more; the work goes on.
        let _ = writeln!(stdout().lock(), "{margin}  {text}");
    }

    fn paint(&self, code: &str, text: std::fmt::Arguments<'_>) -> String {
        if self.coloured { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
}

/// `  12.3 s`, always of the same width below a quarter of an hour.
fn stamp(elapsed: Duration) -> String {
    format!("{:>6.1} s", elapsed.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_stand_in_one_column() {
        for (millis, expected) in [(0, "   0.0 s"), (12_340, "  12.3 s"), (899_900, " 899.9 s")] {
            assert_eq!(stamp(Duration::from_millis(millis)), expected);
        }
    }

    #[test]
    fn a_story_that_is_not_told_to_a_terminal_has_no_colours() {
        let story = Story { start: Instant::now(), coloured: false };
        assert_eq!(story.strong("http://localhost"), "http://localhost");
    }
}
