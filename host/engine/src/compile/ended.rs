//! How a compile child ended: written by the process that waited for it, read by the host.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::str::FromStr;
use std::time::Duration;

use super::CompileError;

/// It made what was asked for.
pub(super) const MADE: i32 = 0;
/// It says on its standard error why it made nothing.
pub(super) const REFUSED: i32 = 3;
/// It did not get the threads it needs, which under a bound on memory is a want of memory.
pub(super) const SHORT: i32 = 4;
/// What Rust ends a process with that panicked.
const PANICKED: i32 = 101;

const SIGABRT: i32 = 6;
const SIGXCPU: i32 = 24;

/// What Rust says before it aborts over memory.
const OUT_OF_MEMORY: &str = "memory allocation of";

/// The end of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Exit(i32),
    Signal(i32),
    /// It was killed because its time was over.
    Late,
    /// It never began; the system's number for why.
    Unstarted(i32),
}

impl Ended {
    pub(super) fn of(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Exit(code),
            (None, Some(signal)) => Self::Signal(signal),
            (None, None) => Self::Exit(REFUSED),
        }
    }

    /// What it means, with what the child said last.
    pub(super) fn outcome(
        self,
        words: &str,
        bytes_max: u64,
        after: Duration,
    ) -> Result<(), CompileError> {
        // Behind its last words Rust says how to get more of them.
        let telling = |line: &&str| !line.is_empty() && !line.starts_with("note: ");
        let last = words.lines().map(str::trim).rev().find(telling);
        let words = last.unwrap_or("no words").to_owned();
        Err(match self {
            Self::Exit(MADE) => return Ok(()),
            Self::Exit(PANICKED) => CompileError::Panicked { words },
            Self::Exit(SHORT) => CompileError::Memory { bytes_max },
            Self::Exit(_) => CompileError::Refused { words },
            Self::Signal(SIGABRT) if words.starts_with(OUT_OF_MEMORY) => {
                CompileError::Memory { bytes_max }
            }
            Self::Signal(SIGXCPU) | Self::Late => CompileError::Late { after },
            Self::Signal(signal) => CompileError::Killed { signal, words },
            Self::Unstarted(error) => {
                CompileError::Unreachable(std::io::Error::from_raw_os_error(error))
            }
        })
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "exit {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::Late => f.write_str("late 0"),
            Self::Unstarted(error) => write!(f, "unstarted {error}"),
        }
    }
}

impl FromStr for Ended {
    type Err = ();

    fn from_str(raw: &str) -> Result<Self, ()> {
        let (how, number) = raw.split_once(' ').ok_or(())?;
        let number = number.parse().map_err(|_| ())?;
        match how {
            "exit" => Ok(Self::Exit(number)),
            "signal" => Ok(Self::Signal(number)),
            "late" => Ok(Self::Late),
            "unstarted" => Ok(Self::Unstarted(number)),
            _ => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_survives_its_text() {
        for ended in [Ended::Exit(3), Ended::Signal(9), Ended::Late, Ended::Unstarted(2)] {
            assert_eq!(ended.to_string().parse(), Ok(ended));
        }
        for wrong in ["", "exit", "exit x", "gone 1"] {
            assert_eq!(wrong.parse::<Ended>(), Err(()), "{wrong:?}");
        }
    }

    #[test]
    fn every_end_means_one_thing() {
        let code = |ended: Ended, words| {
            ended.outcome(words, 1, Duration::ZERO).map_err(|error| error.code())
        };
        assert_eq!(code(Ended::Exit(MADE), ""), Ok(()));
        let cases = [
            (Ended::Exit(REFUSED), "memory64 is off", "WT-ENGINE-COMPILE"),
            (Ended::Exit(SHORT), "", "WT-ENGINE-COMPILE-MEMORY"),
            (Ended::Exit(101), "adapt.rs:249: two memories", "WT-ENGINE-COMPILER-PANIC"),
            (Ended::Signal(6), "memory allocation of 8 bytes failed\n", "WT-ENGINE-COMPILE-MEMORY"),
            (
                Ended::Signal(6),
                "memory allocation of 8 bytes failed\nnote: run with a backtrace\n",
                "WT-ENGINE-COMPILE-MEMORY",
            ),
            (Ended::Signal(6), "assertion failed", "WT-ENGINE-COMPILER-KILLED"),
            (Ended::Signal(9), "", "WT-ENGINE-COMPILER-KILLED"),
            (Ended::Signal(11), "", "WT-ENGINE-COMPILER-KILLED"),
            (Ended::Signal(24), "", "WT-ENGINE-COMPILE-TIME"),
            (Ended::Late, "", "WT-ENGINE-COMPILE-TIME"),
            (Ended::Unstarted(2), "", "WT-ENGINE-COMPILER-GONE"),
        ];
        for (ended, words, expected) in cases {
            assert_eq!(code(ended, words), Err(expected), "{ended:?} {words:?}");
        }
    }
}
