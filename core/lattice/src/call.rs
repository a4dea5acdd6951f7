//! The envelope of a call between hosts: one NATS request, one reply.
//!
//! *Expected flow*: the caller's host picks a host from its table and asks on
//! `call.<host>.<actor>`; the callee checks actor, revision, hop and deadline, and either does
//! the work or says why it did not begin.
//! *Guarantees*: [`NotBegun`] means that no guest code ran for this request, so the caller may
//! ask another host.
//! *Assumptions*: deadlines are time left, not points in time: no two clocks are compared.
//! *Caveats*: this version carries HTTP whole, in one message each way; [`HttpRequest::end`] and
//! [`HttpResponse::end`] are false once chunks follow.
//! *Errors*: what is too large, truncated, or of another version is refused before it is used.
//!
//! All fields of the design are here from the first version, also those nothing uses yet.

mod envelope;
mod http;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use wattle_types::{ActorId, HostId, Load, SpecHash};

pub use self::http::{Header, HttpError, HttpRequest, HttpResponse};

/// Bounds of what is read from, or written to, one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The whole message: what NATS takes, [`crate::Connection::max_payload`].
    pub message_bytes_max: usize,
    pub headers_max: usize,
    /// Names and values together.
    pub header_bytes_max: usize,
    pub uri_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_max: 1 << 20,
            headers_max: 128,
            header_bytes_max: 64 << 10,
            uri_bytes_max: 8 << 10,
        }
    }
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRequest {
    pub actor: ActorId,
    /// Which activation of a durable actor; empty for one without state. Never in a subject.
    pub instance: String,
    /// Only this revision will do; none: any.
    pub revision: Option<SpecHash>,
    /// The placement epoch of a singleton; 0: not fenced.
    pub fence: u64,
    /// How many calls led to this one; 0 from outside the lattice.
    pub hop: u8,
    /// 1 for the first try.
    pub attempt: u8,
    /// The same for all tries of one call; empty if it must not be repeated.
    pub idempotency: String,
    /// Time left when this was sent.
    pub remaining_ms: u64,
    pub caller: Caller,
    pub trace: Trace,
    /// What tells two signatures of a function apart; empty for HTTP.
    pub fingerprint: Bytes,
    pub body: CallBody,
}

/// Who calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The calling actor or client; empty if it came from outside the lattice.
    #[serde(default)]
    pub id: String,
    /// The host it runs on, pinned by what NATS lets that host publish.
    #[serde(default)]
    pub host: Option<HostId>,
    /// A proof that it is who it says; empty until there are proofs.
    #[serde(default, with = "serde_bytes")]
    pub proof: Vec<u8>,
}

/// W3C trace context inside the envelope: the message headers are per hop, this is per call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    #[serde(default)]
    pub traceparent: Option<String>,
    #[serde(default)]
    pub tracestate: Option<String>,
}

/// What is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallBody {
    Http(HttpRequest),
}

/// The answer to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallReply {
    pub outcome: Outcome,
    /// The revision that answered.
    pub revision: Option<SpecHash>,
    /// How busy the actor is on that host; callers choose by it.
    pub load: Option<Load>,
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Ok(ReplyBody),
    /// The work was begun and failed.
    Failed {
        code: String,
        message: String,
    },
    /// The work was not begun: no guest code ran.
    NotBegun {
        reason: NotBegun,
        message: String,
        /// When it may be worth asking again; none: no idea.
        retry_after_ms: Option<u64>,
    },
    /// It may have been begun; who answers cannot know.
    Unknown {
        message: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplyBody {
    Http(HttpResponse),
}

/// Why the work was not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NotBegun {
    /// No permit is free.
    Overloaded,
    /// The host or the actor takes nothing new.
    Draining,
    /// The actor does not run here.
    NoSuchActor,
    /// It runs in another revision.
    WrongRevision,
    /// The placement epoch is not ours.
    Fenced,
    /// The time left was used up.
    DeadlineExceeded,
    /// Too many calls led to this one.
    TooManyHops,
    /// The caller may not call this.
    NotAllowed,
    /// The request could not be read, or is of a version we do not speak.
    Malformed,
    /// No host could be reached that has the actor.
    Unreachable,
    /// A reason this version does not know.
    Other,
}

impl NotBegun {
    pub const ALL: [Self; 11] = [
        Self::Overloaded,
        Self::Draining,
        Self::NoSuchActor,
        Self::WrongRevision,
        Self::Fenced,
        Self::DeadlineExceeded,
        Self::TooManyHops,
        Self::NotAllowed,
        Self::Malformed,
        Self::Unreachable,
        Self::Other,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Overloaded => "overloaded",
            Self::Draining => "draining",
            Self::NoSuchActor => "no-such-actor",
            Self::WrongRevision => "wrong-revision",
            Self::Fenced => "fenced",
            Self::DeadlineExceeded => "deadline-exceeded",
            Self::TooManyHops => "too-many-hops",
            Self::NotAllowed => "not-allowed",
            Self::Malformed => "malformed",
            Self::Unreachable => "unreachable",
            Self::Other => "other",
        }
    }

    /// Whether another host may well accept the same request.
    pub const fn worth_trying_elsewhere(self) -> bool {
        match self {
            Self::Overloaded
            | Self::Draining
            | Self::NoSuchActor
            | Self::WrongRevision
            | Self::Fenced
            | Self::Unreachable
            | Self::Other => true,
            Self::DeadlineExceeded | Self::TooManyHops | Self::NotAllowed | Self::Malformed => {
                false
            }
        }
    }
}

impl CallReply {
    pub fn ok(body: ReplyBody) -> Self {
        Self { outcome: Outcome::Ok(body), revision: None, load: None }
    }

    pub fn failed(code: impl Into<String>, message: impl Into<String>) -> Self {
        let outcome = Outcome::Failed { code: code.into(), message: message.into() };
        Self { outcome, revision: None, load: None }
    }

    pub fn not_begun(reason: NotBegun, message: impl Into<String>) -> Self {
        let message = message.into();
        let outcome = Outcome::NotBegun { reason, message, retry_after_ms: None };
        Self { outcome, revision: None, load: None }
    }

    /// Says who answered and how busy they are.
    #[must_use]
    pub fn from(self, revision: SpecHash, load: Load) -> Self {
        Self { revision: Some(revision), load: Some(load), ..self }
    }
}
