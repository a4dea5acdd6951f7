//! What an actor is told of a call it made. Pure, but for handing streams on.

use wattle_capability::call::HOP_MAX;
use wattle_capability::{OutboundError, Returned};
use wattle_engine::CallError;
use wattle_lattice::Connection;
use wattle_lattice::call::{CallReply, NotBegun, Outcome, ReplyBody};
use wattle_types::{ActorId, InterfaceName};

use crate::answer::Trouble;
use crate::router::Answer;
use crate::streams;

/// The code of an answer of another kind than was asked for.
pub(crate) const REPLY: &str = "WT-HOST-REPLY";

/// The code of a callee that ran out of time.
pub(crate) const DEADLINE: &str = "WT-ENGINE-DEADLINE";

/// The answer of another host.
pub(crate) fn of_answer(
    answer: Answer,
    connection: Option<&Connection>,
    target: &ActorId,
    interface: InterfaceName,
) -> Result<Returned, OutboundError> {
    let Answer { reply, streams, from } = answer;
    match (reply, connection) {
        (CallReply { outcome: Outcome::Ok(ReplyBody::Value(result)), .. }, Some(connection)) => {
            let streams = streams
                .into_iter()
                .map(|content| streams::incoming(content, connection, from))
                .collect();
            Ok(Returned { result, streams })
        }
        (reply, _) => Err(of_outcome(reply.outcome, target, interface)),
    }
}

/// Why there is no value.
fn of_outcome(outcome: Outcome, target: &ActorId, interface: InterfaceName) -> OutboundError {
    let target = || target.to_string();
    match outcome {
        Outcome::Ok(_) => {
            let message = format!("{} answered with something else than a value", target());
            OutboundError::Failed { code: REPLY.to_owned(), message }
        }
        Outcome::Failed { code, .. } if code == DEADLINE => OutboundError::DeadlineExceeded,
        Outcome::Failed { code, message } => OutboundError::Failed { code, message },
        Outcome::Unknown { message } => OutboundError::Unknown(message),
        Outcome::NotBegun { reason, message, .. } => match reason {
            NotBegun::Overloaded => OutboundError::Overloaded { target: target() },
            NotBegun::DeadlineExceeded => OutboundError::DeadlineExceeded,
            NotBegun::TooManyHops => OutboundError::TooDeep { max: HOP_MAX },
            NotBegun::NotAllowed => OutboundError::Denied { target: target() },
            NotBegun::Malformed => OutboundError::Invalid(message),
            NotBegun::NoSuchFunction | NotBegun::WrongSignature => {
                OutboundError::Unlinked { interface, reason: format!("{}: {message}", target()) }
            }
            NotBegun::Draining
            | NotBegun::NoSuchActor
            | NotBegun::WrongRevision
            | NotBegun::Fenced
            | NotBegun::Unreachable
            | NotBegun::Other => OutboundError::Unreachable { target: target() },
        },
    }
}

/// A callee on this host.
pub(crate) fn of_error(
    error: &CallError,
    target: &ActorId,
    interface: InterfaceName,
) -> OutboundError {
    of_outcome(crate::admission::refusal(error).outcome, target, interface)
}

/// A callee of HTTP, wherever it was.
pub(crate) fn of_trouble(trouble: Trouble, target: &ActorId) -> OutboundError {
    let target = target.to_string();
    match trouble {
        Trouble::Overloaded => OutboundError::Overloaded { target },
        Trouble::NoRoute | Trouble::NobodyServes => OutboundError::Unreachable { target },
        Trouble::DeadlineExceeded => OutboundError::DeadlineExceeded,
        Trouble::NotAllowed => OutboundError::Denied { target },
        Trouble::BadRequest(why) => OutboundError::Invalid(why),
        Trouble::Upgrade => OutboundError::Invalid("an upgrade cannot be carried".to_owned()),
        Trouble::TooLarge { max } => {
            OutboundError::Invalid(format!("a request has at most {max} bytes"))
        }
        Trouble::Unknown => OutboundError::Unknown("there was no answer".to_owned()),
        Trouble::Failed { code } => {
            OutboundError::Failed { code, message: format!("{target} failed") }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(outcome: Outcome) -> OutboundError {
        of_outcome(outcome, &"b".parse().unwrap(), "x:y/z".parse().unwrap())
    }

    #[test]
    fn an_actor_is_told_the_errors_that_only_a_mesh_has() {
        let target = || "b".to_owned();
        let not_begun = |reason| CallReply::not_begun(reason, "why").outcome;
        let interface: InterfaceName = "x:y/z".parse().unwrap();
        let unlinked = || OutboundError::Unlinked {
            interface: interface.clone(),
            reason: "b: why".to_owned(),
        };
        let unreachable = || OutboundError::Unreachable { target: target() };
        let cases = [
            (not_begun(NotBegun::Overloaded), OutboundError::Overloaded { target: target() }),
            (not_begun(NotBegun::Unreachable), unreachable()),
            (not_begun(NotBegun::NoSuchActor), unreachable()),
            (not_begun(NotBegun::Draining), unreachable()),
            (not_begun(NotBegun::DeadlineExceeded), OutboundError::DeadlineExceeded),
            (not_begun(NotBegun::TooManyHops), OutboundError::TooDeep { max: HOP_MAX }),
            (not_begun(NotBegun::NotAllowed), OutboundError::Denied { target: target() }),
            (not_begun(NotBegun::Malformed), OutboundError::Invalid("why".to_owned())),
            (not_begun(NotBegun::NoSuchFunction), unlinked()),
            (not_begun(NotBegun::WrongSignature), unlinked()),
            (
                Outcome::Unknown { message: "lost".to_owned() },
                OutboundError::Unknown("lost".to_owned()),
            ),
            (CallReply::failed(DEADLINE, "late").outcome, OutboundError::DeadlineExceeded),
            (
                CallReply::failed("WT-ENGINE-TRAP", "trapped").outcome,
                OutboundError::Failed {
                    code: "WT-ENGINE-TRAP".to_owned(),
                    message: "trapped".to_owned(),
                },
            ),
        ];
        for (outcome, expected) in cases {
            assert_eq!(told(outcome.clone()), expected, "{outcome:?}");
        }
    }

    #[test]
    fn a_callee_here_and_one_elsewhere_fail_alike() {
        let (target, interface) = ("b".parse().unwrap(), "x:y/z".parse::<InterfaceName>().unwrap());
        let errors = [
            CallError::Overloaded { what: "actor", retry_after: CallError::RETRY_AFTER },
            CallError::DeadlineExceeded { begun: false },
            CallError::NoSuchFunction,
            CallError::WrongSignature,
            CallError::BadArguments { reason: "x".to_owned() },
            CallError::Trap { reason: "x".to_owned() },
        ];
        for error in errors {
            let elsewhere = told(crate::admission::refusal(&error).outcome);
            assert_eq!(of_error(&error, &target, interface.clone()), elsewhere);
        }
    }
}
