//! What follows from asking another host. Pure.
//!
//! A call is repeated if it was certainly not begun, or if its link says that it may be done
//! twice. Repeating what was refused for want of room makes load, so it is paid from the actor's
//! budget ([`crate::budget`]); repeating what another host must do anyway, because the first is
//! gone or does not have the actor, makes none.

use wattle_lattice::RequestError;
use wattle_lattice::call::{CallReply, NotBegun, Outcome};

/// Hosts that are asked for one call, the first included.
pub(crate) const TRIES_MAX: u8 = 3;

/// What became of asking one host.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Asked {
    Answered(CallReply),
    NotAnswered(RequestError),
    /// The host was there and is not any more.
    Lost,
}

/// After one host was asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Next {
    Done(CallReply),
    /// Another host may do it. `instead` is the answer if there is no other.
    Elsewhere {
        mark: Mark,
        /// Only if the actor's budget has a try left.
        paid: bool,
        instead: CallReply,
    },
}

/// What is to be noted of the host that was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Nothing,
    /// Nobody answered there.
    Suspect,
    /// It does not serve this actor.
    Refused,
}

pub(crate) fn next(asked: Asked, idempotent: bool) -> Next {
    let unreachable = |message: String| CallReply::not_begun(NotBegun::Unreachable, message);
    let twice = |mark, instead| match idempotent {
        true => Next::Elsewhere { mark, paid: true, instead },
        false => Next::Done(instead),
    };
    match asked {
        Asked::Answered(reply) => match reply.outcome {
            Outcome::NotBegun { reason, .. } if reason.worth_trying_elsewhere() => {
                let (mark, paid) = match reason {
                    NotBegun::Draining
                    | NotBegun::NoSuchActor
                    | NotBegun::WrongRevision
                    | NotBegun::Fenced => (Mark::Refused, false),
                    // It serves the actor in a revision that does not fit this caller.
                    NotBegun::NoSuchFunction | NotBegun::WrongSignature => (Mark::Nothing, false),
                    _ => (Mark::Nothing, true),
                };
                Next::Elsewhere { mark, paid, instead: reply }
            }
            Outcome::Unknown { .. } => twice(Mark::Nothing, reply),
            _ => Next::Done(reply),
        },
        Asked::Lost => twice(Mark::Suspect, unknown("the host was lost meanwhile".to_owned())),
        Asked::NotAnswered(error) => match error {
            RequestError::NoResponders => {
                let instead = unreachable(error.to_string());
                Next::Elsewhere { mark: Mark::Suspect, paid: false, instead }
            }
            // Nobody can be asked at all, or nobody this.
            RequestError::Closed => Next::Done(unreachable(error.to_string())),
            RequestError::TooLarge { .. } | RequestError::Invalid { .. } => {
                Next::Done(CallReply::not_begun(NotBegun::Malformed, error.to_string()))
            }
            // All the time there was is over.
            RequestError::TimedOut { .. } => Next::Done(unknown(error.to_string())),
            RequestError::Lost | RequestError::Unreadable { .. } => {
                twice(Mark::Nothing, unknown(error.to_string()))
            }
        },
    }
}

/// It may have been done.
pub(crate) const fn unknown(message: String) -> CallReply {
    CallReply { outcome: Outcome::Unknown { message }, revision: None, load: None }
}

/// Whether a host that was asked and says nothing is still there.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Silence {
    not_there: u8,
}

/// Once may be a host that is just reconnecting.
const NOT_THERE_MAX: u8 = 2;

impl Silence {
    /// Takes what became of a probe; `true` once it is certain that no answer will come.
    pub(crate) fn probed(&mut self, nobody_there: bool) -> bool {
        self.not_there = if nobody_there { self.not_there + 1 } else { 0 };
        NOT_THERE_MAX <= self.not_there
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use wattle_lattice::call::ReplyBody;

    use super::*;

    /// For a call that must not be done twice, then for one that may: what is noted of the host,
    /// and whether the next try is paid for; nothing where there is no next.
    type After = Option<(Mark, bool)>;

    fn after(asked: &Asked, idempotent: bool) -> After {
        match next(asked.clone(), idempotent) {
            Next::Elsewhere { mark, paid, .. } => Some((mark, paid)),
            Next::Done(_) => None,
        }
    }

    #[test]
    fn a_call_is_repeated_only_if_it_was_not_begun_or_may_be_done_twice() {
        use Asked::{Answered, Lost, NotAnswered};
        let within = Duration::from_secs(1);
        let refused = |reason| Answered(CallReply::not_begun(reason, ""));
        let (done, free, corrected) =
            (None, Some((Mark::Nothing, false)), Some((Mark::Refused, false)));
        let (suspect, paid) = (Some((Mark::Suspect, false)), Some((Mark::Nothing, true)));
        let ok = CallReply::ok(ReplyBody::Value(Bytes::new()));
        let cases: Vec<(&str, Asked, After, After)> = vec![
            ("an answer", Answered(ok), done, done),
            ("a failure", Answered(CallReply::failed("X", "trapped")), done, done),
            ("nobody knows", Answered(unknown(String::new())), done, paid),
            ("lost", Lost, done, Some((Mark::Suspect, true))),
            ("no answer", NotAnswered(RequestError::TimedOut { within }), done, done),
            ("no connection", NotAnswered(RequestError::Closed), done, done),
            ("the connection was lost", NotAnswered(RequestError::Lost), done, paid),
            ("too large", NotAnswered(RequestError::TooLarge { len: 2, max: 1 }), done, done),
            ("nobody there", NotAnswered(RequestError::NoResponders), suspect, suspect),
            ("overloaded", refused(NotBegun::Overloaded), paid, paid),
            ("draining", refused(NotBegun::Draining), corrected, corrected),
            ("not there", refused(NotBegun::NoSuchActor), corrected, corrected),
            ("another revision", refused(NotBegun::WrongRevision), corrected, corrected),
            ("no such function", refused(NotBegun::NoSuchFunction), free, free),
            ("another signature", refused(NotBegun::WrongSignature), free, free),
            ("not allowed", refused(NotBegun::NotAllowed), done, done),
            ("malformed", refused(NotBegun::Malformed), done, done),
            ("out of time", refused(NotBegun::DeadlineExceeded), done, done),
            ("a loop", refused(NotBegun::TooManyHops), done, done),
        ];
        for (name, asked, once, twice) in cases {
            assert_eq!(after(&asked, false), once, "{name}, once");
            assert_eq!(after(&asked, true), twice, "{name}, twice");
        }
    }

    #[test]
    fn a_host_is_lost_when_nobody_is_there_twice_in_a_row() {
        let mut silence = Silence::default();
        let probes = [true, false, true, true];
        let lost: Vec<bool> = probes.into_iter().map(|nobody| silence.probed(nobody)).collect();
        assert_eq!(lost, [false, false, false, true]);
    }
}
