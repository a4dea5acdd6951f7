//! A component that is ready for actors.

use std::fmt;
use std::sync::Arc;

use wattle_capability::Invocation;
use wattle_trust::Claims;
use wattle_types::Digest;
use wattle_value::Signatures;

use crate::call::CallError;
use crate::engine::Shared;
use crate::link::Linked;

/// Where the code of a component came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Compiled,
    Cache,
    /// Somebody whom the host believes made it elsewhere.
    Elsewhere,
}

/// A component, compiled and linked. All actors with its digest share it.
pub struct Loaded {
    pub(crate) engine: Arc<Shared>,
    pub(super) digest: Digest,
    pub(super) claims: Claims,
    pub(super) imports: Vec<String>,
    pub(super) origin: Origin,
    pub(super) linked: Linked,
}

impl Loaded {
    pub fn digest(&self) -> Digest {
        self.digest
    }

    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Whether it can answer HTTP: it exports `wasi:http/incoming-handler` 0.2.
    pub fn exports_http(&self) -> bool {
        self.linked.proxy.is_some() || self.linked.service.is_some()
    }

    /// Whether it can be told messages: it exports `wasmcloud:messaging/handler` 0.2.
    pub fn exports_messaging(&self) -> bool {
        self.linked.told.is_some()
    }

    /// What others can call of it. Functions whose values cannot be carried are not among them.
    pub fn signatures(&self) -> &Signatures {
        &self.linked.signatures
    }

    /// What it imports and this host does not provide itself: its links must lead to an actor that
    /// exports it.
    pub fn linkable(&self) -> &Signatures {
        &self.linked.linkable
    }

    /// Whether the arguments of a call that came from elsewhere are what its function takes. One
    /// made by an actor of this host needs no check: the engine that wrote it reads it.
    ///
    /// # Errors
    ///
    /// [`CallError::NoSuchFunction`] and [`CallError::BadArguments`].
    pub fn check(&self, invocation: &Invocation) -> Result<(), CallError> {
        let Invocation { callee, args, streams } = invocation;
        self.linked.check(callee, args, streams.len())
    }

    /// The interfaces it imports, as it names them.
    pub fn imports(&self) -> &[String] {
        &self.imports
    }

    pub fn origin(&self) -> Origin {
        self.origin
    }

    pub(crate) fn linked(&self) -> &Linked {
        &self.linked
    }
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded").field("digest", &self.digest).finish_non_exhaustive()
    }
}
