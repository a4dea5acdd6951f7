//! What an HTTP client is told when there is no answer from an actor.
//!
//! A status, a stable code and a sentence; never paths, addresses or causes, which are for the
//! log.

use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use wattle_capability::{Body, body};
use wattle_engine::CallError;
use wattle_lattice::Connection;
use wattle_lattice::call::{NotBegun, Outcome, ReplyBody};

use crate::outcome::{DEADLINE, REPLY};
use crate::router::Answer;
use crate::streams;

/// Why there is no answer from an actor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    NoRoute,
    /// The request is not one that can be served; why.
    BadRequest(String),
    Upgrade,
    /// More than this many bytes.
    TooLarge {
        max: u64,
    },
    Overloaded,
    /// The actor is known, and nobody can be reached that runs it.
    NobodyServes,
    DeadlineExceeded,
    /// It may have been done.
    Unknown,
    NotAllowed,
    Failed {
        code: String,
    },
}

impl Trouble {
    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Upgrade => StatusCode::NOT_IMPLEMENTED,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Overloaded | Self::NobodyServes => StatusCode::SERVICE_UNAVAILABLE,
            Self::DeadlineExceeded | Self::Unknown => StatusCode::GATEWAY_TIMEOUT,
            Self::NotAllowed => StatusCode::FORBIDDEN,
            Self::Failed { .. } => StatusCode::BAD_GATEWAY,
        }
    }

    fn code(&self) -> &str {
        match self {
            Self::NoRoute => "WT-HOST-NO-ROUTE",
            Self::BadRequest(_) => "WT-HOST-BAD-REQUEST",
            Self::Upgrade => "WT-HOST-UPGRADE",
            Self::TooLarge { .. } => "WT-HOST-REQUEST-TOO-LARGE",
            Self::Overloaded => "WT-HOST-OVERLOADED",
            Self::NobodyServes => "WT-HOST-NOBODY-SERVES",
            Self::DeadlineExceeded => "WT-HOST-DEADLINE",
            Self::Unknown => "WT-HOST-UNKNOWN",
            Self::NotAllowed => "WT-HOST-NOT-ALLOWED",
            Self::Failed { code } => code,
        }
    }

    fn sentence(&self) -> String {
        match self {
            Self::NoRoute => "no application has this route".to_owned(),
            Self::BadRequest(why) => why.clone(),
            Self::Upgrade => {
                "wasi:http has no protocol upgrade, so there are no WebSockets".to_owned()
            }
            Self::TooLarge { max } => format!("too-large: a request has at most {max} bytes here"),
            Self::Overloaded => "all places are taken; nothing was begun".to_owned(),
            Self::NobodyServes => "no host serves this now; nothing was begun".to_owned(),
            Self::DeadlineExceeded => "there was no answer in time".to_owned(),
            Self::Unknown => "there was no answer in time; it may have been done".to_owned(),
            Self::NotAllowed => "this call is not allowed".to_owned(),
            Self::Failed { .. } => "the component failed".to_owned(),
        }
    }

    pub(crate) fn response(&self) -> Response<Body> {
        let text = format!("{} ({})\n", self.sentence(), self.code());
        let mut response = Response::new(body::full(text));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from(CallError::RETRY_AFTER.as_secs()));
        }
        response
    }
}

impl From<&CallError> for Trouble {
    fn from(error: &CallError) -> Self {
        match error {
            CallError::Overloaded { .. } => Self::Overloaded,
            CallError::DeadlineExceeded { .. } => Self::DeadlineExceeded,
            CallError::BadRequest { reason } => Self::BadRequest(reason.clone()),
            CallError::Lost { .. } => Self::Unknown,
            other => Self::Failed { code: other.code().to_owned() },
        }
    }
}

/// The answer of another host, or the trouble it tells of.
pub(crate) fn of_answer(
    answer: Answer,
    connection: &Connection,
) -> Result<Response<Body>, Trouble> {
    let Answer { reply, mut streams, from } = answer;
    match reply.outcome {
        Outcome::Ok(ReplyBody::Http(response)) => {
            let response = response.into_http().map_err(|_| not_http())?;
            Ok(match streams.pop() {
                Some(content) => response.map(|_| streams::incoming(content, connection, from)),
                None => response.map(body::full),
            })
        }
        outcome => Err(of_outcome(outcome)),
    }
}

fn not_http() -> Trouble {
    Trouble::Failed { code: REPLY.to_owned() }
}

fn of_outcome(outcome: Outcome) -> Trouble {
    match outcome {
        Outcome::Ok(_) => not_http(),
        Outcome::Failed { code, .. } if code == DEADLINE => Trouble::DeadlineExceeded,
        Outcome::Failed { code, .. } => Trouble::Failed { code },
        Outcome::Unknown { .. } => Trouble::Unknown,
        Outcome::NotBegun { reason, message, .. } => match reason {
            NotBegun::Overloaded => Trouble::Overloaded,
            NotBegun::DeadlineExceeded => Trouble::DeadlineExceeded,
            NotBegun::Malformed | NotBegun::TooManyHops => Trouble::BadRequest(message),
            NotBegun::NotAllowed => Trouble::NotAllowed,
            NotBegun::NoSuchFunction => {
                Trouble::Failed { code: CallError::NotHttp.code().to_owned() }
            }
            NotBegun::Draining
            | NotBegun::NoSuchActor
            | NotBegun::WrongRevision
            | NotBegun::WrongSignature
            | NotBegun::Fenced
            | NotBegun::Unreachable
            | NotBegun::Other => Trouble::NobodyServes,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overloaded() -> CallError {
        CallError::Overloaded { what: "actor", retry_after: CallError::RETRY_AFTER }
    }

    #[test]
    fn a_client_is_told_a_status_a_code_and_when_to_come_again() {
        let cases = [
            (Trouble::NoRoute, 404, false),
            (Trouble::BadRequest("no".to_owned()), 400, false),
            (Trouble::Upgrade, 501, false),
            (Trouble::TooLarge { max: 1 }, 413, false),
            (Trouble::Overloaded, 503, true),
            (Trouble::NobodyServes, 503, true),
            (Trouble::DeadlineExceeded, 504, false),
            (Trouble::Unknown, 504, false),
            (Trouble::from(&CallError::Trap { reason: "x".to_owned() }), 502, false),
            (Trouble::from(&CallError::Exit { status: 1 }), 502, false),
            (Trouble::from(&CallError::DeadlineExceeded { begun: true }), 504, false),
            (Trouble::from(&overloaded()), 503, true),
        ];
        for (trouble, status, again) in cases {
            let response = trouble.response();
            assert_eq!(response.status().as_u16(), status, "{trouble:?}");
            assert_eq!(response.headers().contains_key(RETRY_AFTER), again, "{trouble:?}");
            assert!(trouble.code().starts_with("WT-"), "{trouble:?}");
        }
    }

    #[test]
    fn what_another_host_says_reaches_the_client_as_if_it_was_said_here() {
        let errors = [
            overloaded(),
            CallError::DeadlineExceeded { begun: false },
            CallError::DeadlineExceeded { begun: true },
            CallError::Trap { reason: "x".to_owned() },
            CallError::NoAnswer,
            CallError::NotHttp,
            CallError::BadRequest { reason: "x".to_owned() },
        ];
        for error in errors {
            let remote = of_outcome(crate::admission::refusal(&error).outcome);
            assert_eq!(remote.status(), Trouble::from(&error).status(), "{error:?}");
        }
    }
}
