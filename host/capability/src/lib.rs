//! What an actor may call, and what a provider implements.
//!
//! A provider author reads only this crate. It knows neither wasmtime nor NATS: the same provider
//! is linked into a host or runs as a process of its own, and the same actor runs on any of them.
//!
//! In reading order: what every call carries ([`call`]); calls and HTTP going out ([`outbound`],
//! [`invoke`], [`body`]);
//! key-value stores ([`keyvalue`], [`key`]); messages ([`messaging`]); [`secrets`]; what an actor says
//! ([`log`]).
//!
//! Limits and deadlines are layers around a binding, written once, in this order from the guest
//! inwards: [`keyvalue::Limited`] refuses what is too large before anything is sent, then
//! [`keyvalue::Timely`] gives up on a back-end that does not answer; [`messaging::Bounded`] does both.

pub mod body;
pub mod call;
pub mod invoke;
pub mod keyvalue;
pub mod log;
pub mod messaging;
pub mod outbound;
pub mod secrets;

pub use body::{Body, BodyError};
pub use call::{CallContext, Caller};
pub use invoke::{Callee, Invocation, Returned};
pub use keyvalue::{Bucket, KeyPage, KeyValue, KvError, StoreScope, key};
pub use log::{Level, Log, LogLine, Source};
pub use messaging::{Message, Messaging, MessagingError};
pub use outbound::{Outbound, OutboundError};
pub use secrets::{Secret, SecretError, Secrets};
