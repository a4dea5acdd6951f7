//! The wire of a lattice: every subject, envelope, stored key and call, and the only user of the
//! NATS client.
//!
//! Knows how things are said, not who says them: hosts, controllers and clients all join with the
//! same [`Connection`]. Decides nothing about the domain.
//!
//! In reading order: what is said to whom ([`subject`]); how it gets there ([`connection`],
//! [`wire`]); what is kept ([`store`] for the control stream, [`data`] for what actors store); what actors say ([`guest`]);
//! how calls are exchanged ([`exchange`]); what the messages are ([`call`], [`signal`], and in the words of the 1.x clients [`ctl`],
//! [`event`], [`wadm`]).
//!
//! Tasks: a connection owns the one that hands replies to those who asked, and a
//! [`store::Follow`] the one that reads its stream; both end with their owner.

mod bucket;
pub mod call;
pub mod connection;
pub mod ctl;
pub mod data;
pub mod event;
pub mod exchange;
pub mod guest;
mod jetstream;
#[cfg(test)]
mod recorded;
pub mod signal;
pub mod store;
pub mod subject;
#[cfg(feature = "testing")]
pub mod testing;
pub mod wadm;
pub mod wire;

pub use connection::{
    ConnectConfig, ConnectError, Connection, ConnectionState, Credentials, Headers, Message,
    Notice, PublishError, Reply, RequestError, Subscription,
};
pub use data::DataStore;
pub use exchange::{Accepted, Answering, Content, Exchanged, Refused, StreamFault};
pub use guest::{GuestMessage, GuestReply, GuestSubject, GuestSubscription};
pub use store::{Change, Expect, Follow, ReadBack, Refusal, Store, Stored, Write, WriteOutcome};
pub use subject::{Names, Pattern, ReplyTo, Subject};
