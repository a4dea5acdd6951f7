//! Calls of functions by name: what an actor imports and another actor exports.
//!
//! Values are packed (`wattle-value`) from end to end; nobody between caller and callee looks inside.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use wattle_types::{Fingerprint, InterfaceName};

use crate::body::Body;

/// A function that an actor calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callee {
    /// As the caller imports it.
    pub interface: InterfaceName,
    pub function: Arc<str>,
    /// Of the signature that the caller was built with; each side reads values by its own types.
    pub fingerprint: Fingerprint,
}

/// A call of a function.
pub struct Invocation {
    pub callee: Callee,
    /// The arguments, packed: one array.
    pub args: Bytes,
    /// What the arguments hold by number: the contents of their streams, in order.
    pub streams: Vec<Body>,
}

/// What a function returned.
pub struct Returned {
    /// The result, packed; nil where the function has none.
    pub result: Bytes,
    pub streams: Vec<Body>,
}

impl Invocation {
    /// A call without streams.
    pub fn new(callee: Callee, args: Bytes) -> Self {
        Self { callee, args, streams: Vec::new() }
    }
}

impl Returned {
    /// A result without streams.
    pub fn new(result: Bytes) -> Self {
        Self { result, streams: Vec::new() }
    }
}

/// Without the values: they may be secrets.
impl fmt::Debug for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Invocation");
        shown.field("callee", &self.callee).field("args_bytes", &self.args.len());
        shown.field("streams", &self.streams.len()).finish()
    }
}

/// Without the value: it may be a secret.
impl fmt::Debug for Returned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Returned");
        shown.field("result_bytes", &self.result.len());
        shown.field("streams", &self.streams.len()).finish()
    }
}
