//! The attacks, and what must come of each. `README.md` of the guests shows the same as a table.

use std::fmt;

use crate::bombs::Bomb;

mod again;
mod calls;
mod endless;
mod files;
mod framing;
mod greedy;
mod modern;
mod modules;
mod noise;
mod outgoing;
mod sealed;

/// One attack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// Also the path of the request, the name of the module or of the function.
    pub(crate) id: &'static str,
    pub(crate) does: &'static str,
    pub(crate) class: Class,
    pub(crate) by: By,
    pub(crate) outcome: Outcome,
}

/// The classes of defects in other hosts that the attacks were taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Strings, lists, handles and numbers as they pass between guest and host.
    Glue,
    /// The host allocates what a guest says.
    Allocation,
    /// Handles, descriptors, connections, tasks that are left.
    Leak,
    /// Time and memory that no limit saw.
    Limit,
    /// What was not granted.
    Policy,
    /// What an embedder did not think of, and panics.
    Panic,
    /// HTTP that is not what it says.
    Framing,
    /// What is said to people.
    Noise,
    /// Parts of WebAssembly that most escapes needed.
    Feature,
    /// Files that cost more to look at than to send.
    Compile,
}

/// Who attacks, and how it is brought to it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum By {
    /// A request to the component that does what the path says, which has a second.
    Brief,
    /// The same with ten seconds, for what ends by itself however busy the machine is.
    Patient,
    /// A request with a body that goes on and on, a byte at a time.
    SlowBody,
    /// A request with a body of 4 MiB.
    LargeBody,
    /// A request to a component that may ask one server, for this path of that server, and has ten
    /// seconds.
    Asker(&'static str),
    /// The same, with a second.
    Caller(&'static str),
    /// The same, and all it may have under way is soon taken.
    Flood(&'static str),
    /// The same, for one attack that counts what it has under way.
    Crowd(&'static str),
    /// A request to one of two components that are linked to each other.
    Circle,
    /// A request to the component whose instances serve more than one call, one after another. It
    /// has a second.
    Again,
    /// A request to the component of WASI 0.3, which has a second.
    Modern,
    /// The same with ten seconds.
    ModernPatient,
    /// A request to the component of WASI 0.3 whose instances serve several calls at once, which has
    /// a second.
    Together,
    /// A request to a component made of `modules/<id>.wat`.
    Module,
    /// A call of the function of `answers.wat`.
    Callee,
    /// Not at all: its file is refused.
    File(fn() -> Bomb),
}

/// What must come of it, within the time it has.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    /// It was refused what it wanted, went on, and says this.
    Says(&'static str),
    /// It ends, and whoever asked is told this code.
    Fails(&'static str),
    /// It ends at its deadline.
    Late,
    /// The answer begins, and ends in an error in the middle.
    Cut,
    /// An answer with this status and so many bytes.
    Whole(u16, u64),
    /// It does not run at all; the code is in the status of its application.
    Refused(&'static str),
}

const fn case(
    id: &'static str,
    does: &'static str,
    class: Class,
    by: By,
    outcome: Outcome,
) -> Case {
    Case { id, does, class, by, outcome }
}

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    let groups: [&'static [Case]; 11] = [
        endless::CASES,
        greedy::CASES,
        framing::CASES,
        outgoing::CASES,
        noise::CASES,
        sealed::CASES,
        again::CASES,
        modern::CASES,
        modules::CASES,
        calls::CASES,
        files::CASES,
    ];
    groups.into_iter().flatten()
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Glue => "glue of the component model",
            Self::Allocation => "host allocation sized by the guest",
            Self::Leak => "handles, descriptors and tasks",
            Self::Limit => "limits bypassed",
            Self::Policy => "policy bypass",
            Self::Panic => "host panic",
            Self::Framing => "HTTP framing",
            Self::Noise => "noise",
            Self::Feature => "features",
            Self::Compile => "costly files",
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Says(text) => write!(f, "goes on: {text}"),
            Self::Fails(code) => write!(f, "`{code}`"),
            Self::Late => f.write_str("ends at its deadline"),
            Self::Cut => f.write_str("the answer is cut"),
            Self::Whole(status, bytes) => write!(f, "an answer of {status} with {bytes} bytes"),
            Self::Refused(code) => write!(f, "not run: `{code}`"),
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Brief | Self::Patient | Self::SlowBody | Self::LargeBody => "hostile",
            Self::Asker(_) | Self::Caller(_) | Self::Flood(_) | Self::Crowd(_) | Self::Circle => {
                "hostile"
            }
            Self::Again => "hostile, again",
            Self::Modern | Self::ModernPatient => "hostile-p3",
            Self::Together => "hostile-p3, together",
            Self::Module => "modules",
            Self::Callee => "answers.wat",
            Self::File(_) => "a file",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn there_are_many_and_each_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = all().map(|case| case.id).collect();
        assert_eq!(names.len(), all().count());
        assert!(60 <= names.len(), "{}", names.len());
    }
}
