//! The way out of one actor: where its links lead, else to the servers it may reach.
//!
//! The links are looked up at each call, so a link that changed is followed by the next call, and
//! a call under way goes on to where it went.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use wattle_capability::call::HOP_MAX;
use wattle_capability::{Body, CallContext, Invocation, Outbound, OutboundError, Returned};
use wattle_types::{ActorId, LinkName};

use crate::bindings::Binding;
use crate::outbound::Servers;
use crate::outcome;
use crate::router::Router;

/// What a link must be for, to take the HTTP requests that an actor makes.
pub(crate) const HTTP: &str = "wasi:http/outgoing-handler";

pub(crate) struct Exit {
    binding: Arc<Binding>,
    /// Which holds the actors that hold their ways out.
    router: Weak<Router>,
    servers: Servers,
    /// The link that HTTP goes by: its interface has no way to choose one.
    default: LinkName,
}

impl Exit {
    pub(crate) fn new(binding: Arc<Binding>, router: Weak<Router>, servers: Servers) -> Self {
        Self { binding, router, servers, default: LinkName::default() }
    }

    /// Where a link leads now, and whether calls by it may be done twice.
    fn bound(&self, path: &str, link: &LinkName) -> Option<(ActorId, bool)> {
        let links = self.binding.links();
        links.get(path, link).map(|bound| (bound.target.clone(), bound.idempotent))
    }
}

#[async_trait]
impl Outbound for Exit {
    async fn http(
        &self,
        ctx: &CallContext,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, OutboundError> {
        let Some((target, idempotent)) = self.bound(HTTP, &self.default) else {
            return self.servers.http(ctx, request).await;
        };
        let (onward, router) = (onward(ctx, &target)?, self.router(&target)?);
        let answered = router.http(onward, request, idempotent).await;
        answered.map_err(|trouble| outcome::of_trouble(trouble, &target))
    }

    async fn invoke(
        &self,
        ctx: &CallContext,
        link: &LinkName,
        invocation: Invocation,
    ) -> Result<Returned, OutboundError> {
        let Some((target, idempotent)) = self.bound(invocation.callee.interface.path(), link)
        else {
            let reason = format!("{} has no link {link:?} for it", ctx.actor);
            return Err(OutboundError::Unlinked { interface: invocation.callee.interface, reason });
        };
        let (onward, router) = (onward(ctx, &target)?, self.router(&target)?);
        router.invoke(onward, invocation, idempotent).await
    }

    fn is_linked(&self, interface: &str, link: &LinkName) -> bool {
        self.bound(interface, link).is_some()
    }
}

fn onward(ctx: &CallContext, target: &ActorId) -> Result<CallContext, OutboundError> {
    ctx.onward(target.clone()).ok_or(OutboundError::TooDeep { max: HOP_MAX })
}

impl Exit {
    fn router(&self, target: &ActorId) -> Result<Arc<Router>, OutboundError> {
        // Gone only while the process ends.
        let gone = || OutboundError::Unreachable { target: target.to_string() };
        self.router.upgrade().ok_or_else(gone)
    }
}
