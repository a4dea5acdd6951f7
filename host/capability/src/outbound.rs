//! How an actor reaches anything that is not itself.

use async_trait::async_trait;
use wattle_types::{InterfaceName, LinkName};

use crate::body::Body;
use crate::call::CallContext;
use crate::invoke::{Invocation, Returned};

/// The way out of an engine. The host implements it with its router; the engine never learns
/// whether the answer came from this process, another host or a server on the internet.
///
/// Called once per request that a guest sends.
#[async_trait]
pub trait Outbound: Send + Sync {
    /// Sends `request` on behalf of the actor that runs under `ctx` and returns the head of the
    /// answer; its body goes on arriving afterwards.
    ///
    /// `ctx` is the context of the call *during which* the request is made; an implementation that
    /// calls another actor goes on with [`CallContext::onward`]. The URI is absolute. The caller
    /// drops the future when its deadline passes, and an implementation must then leave nothing
    /// running.
    ///
    /// # Errors
    ///
    /// See [`OutboundError`]: each says whether the request may have had an effect.
    async fn http(
        &self,
        ctx: &CallContext,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, OutboundError>;

    /// Calls a function of whatever actor the calling actor's link `link` leads to for that
    /// interface, now. Contract as for [`Outbound::http`].
    ///
    /// # Errors
    ///
    /// See [`OutboundError`].
    async fn invoke(
        &self,
        ctx: &CallContext,
        link: &LinkName,
        invocation: Invocation,
    ) -> Result<Returned, OutboundError>;

    /// Whether the calling actor has a link `link` for `interface` (`namespace:package/interface`),
    /// now.
    fn is_linked(&self, interface: &str, link: &LinkName) -> bool;
}

/// Why a request of an actor has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutboundError {
    /// Not on the list of what this actor may reach. Not begun.
    #[error("this actor may not reach {target}")]
    Denied { target: String },
    /// No actor and no server of that name. Not begun.
    #[error("{target} is not known")]
    NotFound { target: String },
    /// It is known but does not answer. Not begun.
    #[error("{target} cannot be reached")]
    Unreachable { target: String },
    /// It has no room now. Not begun.
    #[error("{target} is overloaded")]
    Overloaded { target: String },
    /// Calls nest too deep. Not begun.
    #[error("calls are nested more than {max} deep")]
    TooDeep { max: u8 },
    /// The request itself is wrong. Not begun.
    #[error("the request cannot be sent: {0}")]
    Invalid(String),
    /// No link leads there, or the target has no such function or one with another signature. Not
    /// begun.
    #[error("{interface} is not linked: {reason}")]
    Unlinked { interface: InterfaceName, reason: String },
    /// It was begun and failed: the callee trapped, or exceeded a limit.
    #[error("{message} ({code})")]
    Failed { code: String, message: String },
    /// No answer in time. It may have been begun.
    #[error("the deadline passed")]
    DeadlineExceeded,
    /// The connection or the host was lost after the request left. It may have been begun.
    #[error("what became of the request is unknown: {0}")]
    Unknown(String),
}

/// An outbound that lets nothing out: for actors that are alone, and for tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct Closed;

#[async_trait]
impl Outbound for Closed {
    async fn http(
        &self,
        _ctx: &CallContext,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, OutboundError> {
        let target = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        Err(OutboundError::Denied { target })
    }

    async fn invoke(
        &self,
        _ctx: &CallContext,
        link: &LinkName,
        invocation: Invocation,
    ) -> Result<Returned, OutboundError> {
        let reason = format!("this actor has no link {link}");
        Err(OutboundError::Unlinked { interface: invocation.callee.interface, reason })
    }

    fn is_linked(&self, _interface: &str, _link: &LinkName) -> bool {
        false
    }
}
