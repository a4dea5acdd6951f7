//! What follows from asking another host, and what a callee says of its own failures. Pure.
//!
//! A call is repeated only if it was certainly not begun.

use wattle_engine::CallError;
use wattle_lattice::RequestError;
use wattle_lattice::call::{CallReply, CallRequest, NotBegun, Outcome};
use wattle_types::{ActorId, SpecHash};

/// Hosts that are asked for one call, the first included. More would turn one overloaded actor
/// into the load of many hosts.
pub(crate) const TRIES_MAX: u8 = 3;

/// After one host was asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Next {
    Done(CallReply),
    /// Not begun there; another may do it. `instead` is the answer if there is no other.
    Elsewhere {
        mark: Mark,
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

pub(crate) fn next(asked: Result<CallReply, RequestError>) -> Next {
    let instead = |message: String| CallReply::not_begun(NotBegun::Unreachable, message);
    match asked {
        Ok(reply) => match reply.outcome {
            Outcome::NotBegun { reason, .. } if reason.worth_trying_elsewhere() => {
                let mark = match reason {
                    NotBegun::Draining
                    | NotBegun::NoSuchActor
                    | NotBegun::WrongRevision
                    | NotBegun::Fenced => Mark::Refused,
                    _ => Mark::Nothing,
                };
                Next::Elsewhere { mark, instead: reply }
            }
            _ => Next::Done(reply),
        },
        Err(error @ RequestError::NoResponders) => {
            Next::Elsewhere { mark: Mark::Suspect, instead: instead(error.to_string()) }
        }
        // Nobody can be asked at all.
        Err(error @ (RequestError::Closed | RequestError::TooLarge { .. })) => {
            Next::Done(instead(error.to_string()))
        }
        Err(error @ RequestError::TimedOut { .. }) => Next::Done(unknown(error.to_string())),
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

/// Whether a call that arrived may be begun here, as far as its envelope says.
pub(crate) fn admit(
    call: &CallRequest,
    addressed: &ActorId,
    serving: Option<SpecHash>,
) -> Result<(), CallReply> {
    let refuse = |reason, message: &str| Err(CallReply::not_begun(reason, message));
    if call.actor != *addressed {
        return refuse(NotBegun::Malformed, "the subject names another actor than the call");
    }
    if wattle_capability::call::HOP_MAX < call.hop {
        return refuse(NotBegun::TooManyHops, "too many calls led to this one");
    }
    if call.remaining_ms == 0 {
        return refuse(NotBegun::DeadlineExceeded, "no time is left");
    }
    let Some(revision) = serving else {
        return refuse(NotBegun::NoSuchActor, "this host does not serve the actor");
    };
    if call.revision.is_some_and(|wanted| wanted != revision) {
        return refuse(NotBegun::WrongRevision, "this host serves another revision");
    }
    // Whoever says these needs them kept, and this version cannot keep them.
    if call.fence != 0 {
        return refuse(NotBegun::Fenced, "this host does not serve fenced actors");
    }
    if !call.instance.is_empty() {
        return refuse(NotBegun::NotAllowed, "this host does not serve actors with instance keys");
    }
    Ok(())
}

/// What the caller is told about a call that failed here.
pub(crate) fn refusal(error: &CallError) -> CallReply {
    let message = error.to_string();
    let reason = match error {
        CallError::Overloaded { .. } => {
            let retry_after_ms = u64::try_from(CallError::RETRY_AFTER.as_millis()).ok();
            let reason = NotBegun::Overloaded;
            let outcome = Outcome::NotBegun { reason, message, retry_after_ms };
            return CallReply { outcome, revision: None, load: None };
        }
        CallError::DeadlineExceeded { begun: false } => NotBegun::DeadlineExceeded,
        CallError::BadRequest { .. } => NotBegun::Malformed,
        _ => return CallReply::failed(error.code(), message),
    };
    CallReply::not_begun(reason, message)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use wattle_lattice::call::{CallBody, Caller, HttpRequest, HttpResponse, ReplyBody, Trace};
    use wattle_types::Digest;

    use super::*;

    fn ok() -> CallReply {
        let (parts, ()) = http::Response::new(()).into_parts();
        CallReply::ok(ReplyBody::Http(HttpResponse::new(&parts, Bytes::new())))
    }

    #[test]
    fn a_call_is_repeated_only_if_it_was_certainly_not_begun() {
        let not_begun = |reason| Ok(CallReply::not_begun(reason, ""));
        let unknown = Outcome::Unknown { message: String::new() };
        let unknown = CallReply { outcome: unknown, revision: None, load: None };
        let within = Duration::from_secs(1);
        let cases: Vec<(&str, Result<CallReply, RequestError>, Option<Mark>)> = vec![
            ("an answer", Ok(ok()), None),
            ("a failure", Ok(CallReply::failed("X", "trapped")), None),
            ("unknown to the callee", Ok(unknown), None),
            ("no answer", Err(RequestError::TimedOut { within }), None),
            ("no connection", Err(RequestError::Closed), None),
            ("too large", Err(RequestError::TooLarge { len: 2, max: 1 }), None),
            ("nobody there", Err(RequestError::NoResponders), Some(Mark::Suspect)),
            ("overloaded", not_begun(NotBegun::Overloaded), Some(Mark::Nothing)),
            ("draining", not_begun(NotBegun::Draining), Some(Mark::Refused)),
            ("not there", not_begun(NotBegun::NoSuchActor), Some(Mark::Refused)),
            ("another revision", not_begun(NotBegun::WrongRevision), Some(Mark::Refused)),
            ("not allowed", not_begun(NotBegun::NotAllowed), None),
            ("malformed", not_begun(NotBegun::Malformed), None),
            ("out of time", not_begun(NotBegun::DeadlineExceeded), None),
            ("a loop", not_begun(NotBegun::TooManyHops), None),
        ];
        for (name, asked, elsewhere) in cases {
            let mark = match next(asked) {
                Next::Elsewhere { mark, .. } => Some(mark),
                Next::Done(_) => None,
            };
            assert_eq!(mark, elsewhere, "{name}");
        }
    }

    #[test]
    fn a_host_is_lost_when_nobody_is_there_twice_in_a_row() {
        let mut silence = Silence::default();
        let probes = [true, false, true, true];
        let lost: Vec<bool> = probes.into_iter().map(|nobody| silence.probed(nobody)).collect();
        assert_eq!(lost, [false, false, false, true]);
    }

    #[test]
    fn a_call_is_begun_only_as_its_envelope_wants_it() {
        let web: ActorId = "web".parse().unwrap();
        let (mine, other) = (SpecHash(Digest::of(b"1")), SpecHash(Digest::of(b"2")));
        let (parts, ()) = http::Request::new(()).into_parts();
        let good = CallRequest {
            actor: web.clone(),
            instance: String::new(),
            revision: None,
            fence: 0,
            hop: 0,
            attempt: 1,
            idempotency: String::new(),
            remaining_ms: 1,
            caller: Caller::default(),
            trace: Trace::default(),
            fingerprint: Bytes::new(),
            body: CallBody::Http(HttpRequest::new(&parts, Bytes::new())),
        };
        let with = |change: &dyn Fn(&mut CallRequest)| {
            let mut call = good.clone();
            change(&mut call);
            call
        };
        let cases = [
            ("good", good.clone(), Some(mine), None),
            ("its revision", with(&|c| c.revision = Some(mine)), Some(mine), None),
            ("the deepest", with(&|c| c.hop = 8), Some(mine), None),
            ("not here", good.clone(), None, Some(NotBegun::NoSuchActor)),
            (
                "another revision",
                with(&|c| c.revision = Some(other)),
                Some(mine),
                Some(NotBegun::WrongRevision),
            ),
            (
                "another actor",
                with(&|c| c.actor = "db".parse().unwrap()),
                Some(mine),
                Some(NotBegun::Malformed),
            ),
            ("too deep", with(&|c| c.hop = 9), Some(mine), Some(NotBegun::TooManyHops)),
            (
                "too late",
                with(&|c| c.remaining_ms = 0),
                Some(mine),
                Some(NotBegun::DeadlineExceeded),
            ),
            ("fenced", with(&|c| c.fence = 1), Some(mine), Some(NotBegun::Fenced)),
            (
                "with a key",
                with(&|c| c.instance = "k".to_owned()),
                Some(mine),
                Some(NotBegun::NotAllowed),
            ),
        ];
        for (name, call, serving, refused) in cases {
            let verdict = admit(&call, &web, serving).err().map(|reply| match reply.outcome {
                Outcome::NotBegun { reason, .. } => reason,
                other => panic!("{name}: {other:?}"),
            });
            assert_eq!(verdict, refused, "{name}");
        }
    }

    #[test]
    fn what_was_begun_is_never_said_not_to_be() {
        let reason = String::new;
        let errors = [
            CallError::Overloaded { what: "host" },
            CallError::DeadlineExceeded { begun: false },
            CallError::DeadlineExceeded { begun: true },
            CallError::BadRequest { reason: reason() },
            CallError::Trap { reason: reason() },
            CallError::Exit { status: 1 },
            CallError::NoAnswer,
            CallError::Internal { reason: reason() },
        ];
        for error in errors {
            let not_begun = matches!(refusal(&error).outcome, Outcome::NotBegun { .. });
            assert_eq!(not_begun, !error.begun(), "{error:?}");
        }
    }
}
