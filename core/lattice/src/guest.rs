//! What actors say and hear on the lattice's NATS, apart from everything that is ours.
//!
//! Owns the wall between the two: a subject that an actor names becomes a [`GuestSubject`] only if it
//! is nobody's but actors', and only such a one can be spoken on. What an actor *may* say among
//! those is decided elsewhere.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use wattle_tasks::TraceContext;
use wattle_types::messaging::SubjectPatternError;
use wattle_types::{ActorId, SubjectPattern};

use crate::connection::{Headers, outgoing_headers};
use crate::{Connection, Names, PublishError, ReplyTo, RequestError};

/// A subject that actors may use: without wildcards, and not the lattice's, NATS' or the 1.x
/// clients'.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GuestSubject(String);

/// Why a text is not a subject of actors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GuestSubjectError {
    #[error("tokens are joined by dots, and none is empty or has a space or a wildcard in it")]
    Malformed,
    #[error("it is not for actors")]
    Reserved,
}

impl GuestSubject {
    /// Reads what an actor wrote, or what a message to an actor came with.
    pub fn read(names: &Names, raw: &str) -> Result<Self, GuestSubjectError> {
        let pattern: SubjectPattern = raw.parse().map_err(|error| match error {
            SubjectPatternError::Reserved { .. } => GuestSubjectError::Reserved,
            _ => GuestSubjectError::Malformed,
        })?;
        // A pattern with wildcards does not match itself.
        if !pattern.matches(raw) {
            return Err(GuestSubjectError::Malformed);
        }
        match is_reserved(names, raw) {
            true => Err(GuestSubjectError::Reserved),
            false => Ok(Self(raw.to_owned())),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Beyond what no pattern of an actor can name: the control interface where it is configured to be
/// elsewhere, and the calls of 1.x hosts in the same account, `<lattice>.<target>.wrpc.…`.
fn is_reserved(names: &Names, raw: &str) -> bool {
    let prefix = names.control_prefix().as_str();
    raw.split('.').next() == prefix.split('.').next() || raw.split('.').nth(2) == Some("wrpc")
}

/// A message that came for an actor.
#[derive(Clone, Debug)]
pub struct GuestMessage {
    pub subject: GuestSubject,
    /// Where an answer is wanted; none if what was written there is no place for one.
    pub reply: Option<GuestReply>,
    pub payload: Bytes,
    headers: Headers,
}

impl GuestMessage {
    /// The trace it belongs to.
    pub fn trace(&self) -> TraceContext {
        self.headers.trace()
    }
}

/// Where somebody wants an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuestReply {
    /// Of one who waits for this answer; nobody else listens there.
    Inbox(ReplyTo),
    /// Any other subject of actors.
    Subject(GuestSubject),
}

impl GuestReply {
    fn read(names: &Names, raw: &str) -> Option<Self> {
        let inbox = ReplyTo::read(names, raw).map(Self::Inbox);
        inbox.or_else(|| GuestSubject::read(names, raw).ok().map(Self::Subject))
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::Inbox(to) => to.as_str(),
            Self::Subject(to) => to.as_str(),
        }
    }
}

/// What comes for an actor to one pattern. Dropping it unsubscribes.
#[derive(Debug)]
pub struct GuestSubscription {
    incoming: async_nats::Subscriber,
    names: Names,
}

impl GuestSubscription {
    /// The next message; none once the connection has closed. Safe to drop between messages.
    ///
    /// To be asked all the time: the client keeps what nobody takes, up to 65,536 messages.
    pub async fn next(&mut self) -> Option<GuestMessage> {
        loop {
            let raw = self.incoming.next().await?;
            match GuestSubject::read(&self.names, &raw.subject) {
                Ok(subject) => {
                    let reply = raw.reply.as_deref();
                    let reply = reply.and_then(|to| GuestReply::read(&self.names, to));
                    let headers = Headers::new(raw.headers);
                    return Some(GuestMessage { subject, reply, payload: raw.payload, headers });
                }
                // A pattern of an actor can hold a subject of a 1.x host.
                Err(error) => tracing::debug!(subject = %raw.subject, %error, "passed over"),
            }
        }
    }

    /// Takes nothing new; what has arrived already can still be read, then `next` gives none.
    pub async fn drain(&mut self) {
        // The only failure is a closed connection, and then there is nothing left to unsubscribe.
        let _ = self.incoming.drain().await;
    }
}

impl Connection {
    /// Says something for an actor. `Ok` means it was handed to the connection, no more.
    pub async fn guest_publish(
        &self,
        to: &GuestSubject,
        reply: Option<&GuestSubject>,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        let reply = reply.map(|reply| reply.0.clone());
        self.publish_raw(to.0.clone(), reply.map(Into::into), outgoing_headers(), payload).await
    }

    /// Asks something for an actor, and waits for one answer no longer than `within`.
    pub async fn guest_request(
        &self,
        to: &GuestSubject,
        payload: Bytes,
        within: Duration,
    ) -> Result<Bytes, RequestError> {
        let answer = self.request_raw(to.0.clone(), outgoing_headers(), payload, within).await?;
        Ok(answer.payload)
    }

    /// Listens for an actor. Of all hosts that do so for the same one, each message comes to one.
    pub async fn guest_subscribe(
        &self,
        pattern: &SubjectPattern,
        actor: &ActorId,
    ) -> Result<GuestSubscription, PublishError> {
        let group = format!("wattle.{}.{actor}", self.lattice());
        let incoming = self.subscribe_raw(pattern.to_string(), group).await?;
        Ok(GuestSubscription { incoming, names: self.names().clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::Prefix;

    fn names() -> Names {
        let prefix: Prefix = "acme.control".parse().unwrap();
        Names::new("prod".parse().unwrap()).with_control_prefix(prefix)
    }

    #[test]
    fn what_is_not_an_actors_subject_cannot_be_spoken_on() {
        use GuestSubjectError::{Malformed, Reserved};
        let cases = [
            ("orders.new", None),
            ("wattles.new", None),
            ("orders.wattle.new", None),
            ("ordres.ü", None),
            ("", Some(Malformed)),
            ("orders..new", Some(Malformed)),
            ("orders.", Some(Malformed)),
            ("orders.*", Some(Malformed)),
            ("orders.>", Some(Malformed)),
            (">", Some(Malformed)),
            ("orders new", Some(Malformed)),
            ("orders\r\nPUB x 0", Some(Malformed)),
            ("$JS.API.STREAM.DELETE.KV_wattle-control-prod", Some(Reserved)),
            ("$KV.wattle-control-prod.lease", Some(Reserved)),
            ("$SYS.REQ.SERVER.PING", Some(Reserved)),
            ("_INBOX.x.y", Some(Reserved)),
            ("_R_.x", Some(Reserved)),
            ("wattle", Some(Reserved)),
            ("wattle.prod.call.NABC.web", Some(Reserved)),
            ("wattle.prod.rep.x.y.1", Some(Reserved)),
            ("wattle.other.leader", Some(Reserved)),
            ("wasmbus.evt.prod.x", Some(Reserved)),
            ("wasmcloud.secrets.v1alpha1.nats-kv.get", Some(Reserved)),
            ("wadm.api.prod.model.list", Some(Reserved)),
            ("acme.control.v1.prod.host.ping", Some(Reserved)),
            ("prod.web.wrpc.0.0.1.acme:a/b.f", Some(Reserved)),
        ];
        for (raw, refused) in cases {
            assert_eq!(GuestSubject::read(&names(), raw).err(), refused, "{raw:?}");
        }
    }

    #[test]
    fn an_answer_goes_to_one_who_waits_or_to_a_subject_of_actors() {
        let inbox = |raw| matches!(GuestReply::read(&names(), raw), Some(GuestReply::Inbox(_)));
        let subject = |raw| matches!(GuestReply::read(&names(), raw), Some(GuestReply::Subject(_)));
        assert!(inbox("_INBOX.abc.1") && inbox("wattle.prod.rep.host.session.7"));
        assert!(subject("orders.answers"));
        for raw in ["wattle.prod.wake.NABC", "$JS.ACK.x", "wattle.other.rep.a.b.1", "_INBOX.>", ""]
        {
            assert_eq!(GuestReply::read(&names(), raw), None, "{raw:?}");
        }
    }
}
