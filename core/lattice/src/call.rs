//! What is said in a call between hosts: one NATS request, one reply, and frames for what does not
//! fit. How they are exchanged is [`crate::exchange`]'s business.
//!
//! *Expected flow*: the caller's host picks a host from its table and asks on
//! `call.<host>.<actor>`; the callee checks actor, revision, hop and deadline, and either does
//! the work or says why it did not begin.
//! *Guarantees*: [`NotBegun`] means that no guest code ran for this request, so the caller may
//! ask another host.
//! *Assumptions*: deadlines are time left, not points in time: no two clocks are compared.
//! *Caveats*: a callee that does not know a field passes over it, so what must be honoured is said
//! in a field that was there from the first version.
//! *Errors*: what is too large, truncated, or of another version is refused before it is used.

mod envelope;
pub mod frame;
mod http;
#[cfg(test)]
mod vectors;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use wattle_types::{ActorId, Fingerprint, HostId, InterfaceName, Load, SpecHash};
use wattle_value::Signatures;

pub use self::envelope::{Beginning, Beside};
pub(crate) use self::envelope::{ReplyHead, described};
pub use self::http::{Header, HttpError, HttpRequest, HttpResponse};
pub(crate) use self::http::{end_to_end, header_map};

/// Bounds of what is read from, or written to, one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The whole message: what NATS takes, [`crate::Connection::max_payload`].
    pub message_bytes_max: usize,
    pub headers_max: usize,
    /// Names and values together.
    pub header_bytes_max: usize,
    pub uri_bytes_max: usize,
    /// Arguments or a result, however many messages carry them.
    pub value_bytes_max: usize,
    /// Streams that accompany a call in one direction.
    pub streams_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_max: 1 << 20,
            headers_max: 128,
            header_bytes_max: 64 << 10,
            uri_bytes_max: 8 << 10,
            value_bytes_max: 8 << 20,
            streams_max: 16,
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
    /// Of the signature the caller was built with; none for HTTP, and from a caller that asked the
    /// callee for its signatures.
    pub fingerprint: Option<Fingerprint>,
    pub body: CallBody,
}

/// Who calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The calling actor or client; empty if it came from outside the lattice.
    pub id: String,
    /// The host it runs on, pinned by what NATS lets that host publish.
    pub host: Option<HostId>,
    /// A proof that it is who it says; empty until there are proofs.
    pub proof: Vec<u8>,
}

/// W3C trace context inside the envelope; the messages of a call carry no headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    pub traceparent: Option<String>,
    pub tracestate: Option<String>,
}

/// What is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallBody {
    Http(HttpRequest),
    /// A function by name.
    Invoke(InvokeRequest),
    /// What functions are there, and their signatures? No guest code runs for it.
    Describe,
}

/// Which function, and its arguments.
#[derive(Clone, PartialEq, Eq)]
pub struct InvokeRequest {
    /// As the caller imports it; the callee may export another version that fits.
    pub interface: InterfaceName,
    pub function: Arc<str>,
    /// Packed (`wattle-value`): one array.
    pub args: Bytes,
}

/// Without the arguments: they may be secrets.
impl fmt::Debug for InvokeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} with {} bytes", self.interface, self.function, self.args.len())
    }
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

#[derive(Clone, PartialEq, Eq)]
pub enum ReplyBody {
    Http(HttpResponse),
    /// What the function returned, packed.
    Value(Bytes),
    /// The functions that can be called.
    Described(Signatures),
}

/// Without the value: it may be a secret.
impl fmt::Debug for ReplyBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(response) => fmt::Debug::fmt(response, f),
            Self::Value(value) => write!(f, "a value of {} bytes", value.len()),
            Self::Described(signatures) => fmt::Debug::fmt(signatures, f),
        }
    }
}

impl Outcome {
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Ok(_) => "ok",
            Self::Failed { .. } => "failed",
            Self::NotBegun { .. } => "not-begun",
            Self::Unknown { .. } => "unknown",
        }
    }
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
    /// The actor does not export that function, in this revision.
    NoSuchFunction,
    /// It exports the function with another signature, in this revision.
    WrongSignature,
    /// A reason this version does not know.
    Other,
}

impl NotBegun {
    pub const ALL: [Self; 13] = [
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
        Self::NoSuchFunction,
        Self::WrongSignature,
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
            Self::NoSuchFunction => "no-such-function",
            Self::WrongSignature => "wrong-signature",
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
            | Self::NoSuchFunction
            | Self::WrongSignature
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

    pub fn unknown(message: impl Into<String>) -> Self {
        let outcome = Outcome::Unknown { message: message.into() };
        Self { outcome, revision: None, load: None }
    }

    /// Says who answered and how busy they are.
    #[must_use]
    pub fn from(self, revision: SpecHash, load: Load) -> Self {
        Self { revision: Some(revision), load: Some(load), ..self }
    }
}
