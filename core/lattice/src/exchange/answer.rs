//! The callee's side.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::join_all;
use http_body_util::BodyExt as _;
use wattle_types::{HostId, stored};

use super::ask::{contents, numbers};
use super::call::Call;
use super::ends::lost;
use super::heads::{self, Following, HttpBody};
use super::incoming::{GoingOn, Incoming};
use super::{Content, StreamFault, after};
use crate::call::frame::By;
use crate::call::{Beside, CallBody, CallReply, CallRequest, Limits, NotBegun, Outcome, ReplyBody};
use crate::subject::hosts;
use crate::wire::WireError;
use crate::{Connection, Message, ReplyTo};

/// The code of an answer that its caller cannot be given.
pub(crate) const ANSWER_TOO_LARGE: &str = "WT-HOST-ANSWER-TOO-LARGE";

/// A call that came in.
#[derive(Debug)]
pub struct Accepted {
    /// Arguments are whole. Of HTTP the body is in `streams`.
    pub request: CallRequest,
    /// For HTTP one: the body, also where it was complete in the head.
    pub streams: Vec<Content>,
    pub answering: Answering,
}

/// A call that came in and could not be read. Nothing was begun.
#[derive(Debug)]
pub struct Refused {
    /// What its caller is to be told.
    pub reply: CallReply,
    pub answering: Answering,
}

/// What is owed to a caller. Dropping it without a reply says that the outcome is unknown.
#[derive(Debug)]
pub struct Answering {
    connection: Connection,
    limits: Limits,
    /// None once it was answered, or if no answer is wanted.
    to: Option<ReplyTo>,
    caller: Option<HostId>,
    /// None for a caller whose address takes no frames.
    call: Option<Arc<Call>>,
    /// What each stream of the answer may send at once.
    credit: u64,
}

impl Connection {
    /// Takes a call that came in on `call.<host>.>` or `any.*`; waits only for arguments that did
    /// not fit into its message.
    ///
    /// # Errors
    ///
    /// What cannot be read is refused; whoever called this answers it with [`Refused::answer`].
    pub async fn accept(
        &self,
        message: Message,
        limits: &Limits,
    ) -> Result<Accepted, Box<Refused>> {
        let read = CallRequest::decode_beside(&message.payload, limits);
        let credit = read.as_ref().map_or(0, |(_, beside)| beside.credit);
        let answering = self.answering(message.reply, credit, limits);
        let malformed = |reply: CallReply, answering| Err(Box::new(Refused { reply, answering }));
        let (mut request, beside) = match read {
            Ok(read) => read,
            Err(error) => {
                let reply = CallReply::not_begun(NotBegun::Malformed, error.to_string());
                return malformed(reply, answering);
            }
        };
        let partial = matches!(&request.body, CallBody::Http(http) if !http.end);
        let follows = partial || !beside.is_whole();
        // Whoever is pinned to a reply subject need not say it again.
        request.caller.host = request.caller.host.or(answering.caller);
        let going_on = match &answering.call {
            Some(call) if follows => {
                call.will_read(&numbers(partial, &beside), 0);
                let until = after(Duration::from_millis(request.remaining_ms));
                Some(GoingOn { call: call.clone(), until, sends: None })
            }
            None if follows => {
                let why = "what follows a call needs a reply subject of this lattice";
                return malformed(CallReply::not_begun(NotBegun::Malformed, why), answering);
            }
            _ => None,
        };
        let streams = match &mut request.body {
            CallBody::Http(http) => {
                let body = std::mem::take(&mut http.body);
                let content = match &going_on {
                    Some(going_on) => going_on.stream(body, 0),
                    None => {
                        Incoming::whole(body, heads::trailers(std::mem::take(&mut http.trailers)))
                    }
                };
                vec![content.boxed_unsync()]
            }
            CallBody::Invoke(_) => contents(beside.streams, going_on.as_ref()),
            CallBody::Describe => Vec::new(),
        };
        if let (CallBody::Invoke(invoke), Some(going_on)) = (&mut request.body, going_on)
            && beside.rest != 0
        {
            let first = std::mem::take(&mut invoke.args);
            match Box::pin(going_on.value(first, beside.rest)).await {
                Ok(args) => invoke.args = args,
                Err(fault) => {
                    let reason = match fault {
                        StreamFault::DeadlineExceeded => NotBegun::DeadlineExceeded,
                        _ => NotBegun::Malformed,
                    };
                    return malformed(CallReply::not_begun(reason, fault.to_string()), answering);
                }
            }
        }
        Ok(Accepted { request, streams, answering })
    }

    fn answering(&self, to: Option<ReplyTo>, credit: u64, limits: &Limits) -> Answering {
        let calls = self.calls();
        let call = to.as_ref().and_then(|to| {
            let name = calls.name_in(to.as_str())?;
            let caller = Some(to.clone().into_subject());
            // Who grants credit at once hears frames, so silence means something.
            let call = Call::new(calls.clone(), By::Callee, name, caller, credit != 0);
            Some(calls.register(call))
        });
        let caller = to.as_ref().and_then(|to| hosts::read(to.who(self.names())?));
        Answering { connection: self.clone(), limits: *limits, to, caller, call, credit }
    }
}

impl Answering {
    /// The host the caller runs on, as far as its reply subject says; NATS pins who may hear it.
    pub fn caller_host(&self) -> Option<HostId> {
        self.caller
    }

    /// Completes when nobody waits for the answer any more. Never, for most calls.
    pub fn cancelled(&self) -> impl Future<Output = ()> + Send + 'static {
        let gone = self.call.as_ref().map(|call| call.gone.clone());
        async move {
            match gone {
                Some(gone) => gone.cancelled().await,
                None => std::future::pending().await,
            }
        }
    }

    /// Answers; returns once the streams were taken by the caller, or will not be. Dropping the
    /// future before that cuts them short.
    ///
    /// The body of an HTTP response is stream 0; what [`crate::call::HttpResponse::body`] holds
    /// already is sent only if there are no streams.
    ///
    /// # Errors
    ///
    /// Why a stream ended before the caller had all of it.
    pub async fn reply(
        mut self,
        mut reply: CallReply,
        streams: Vec<Content>,
    ) -> Result<(), StreamFault> {
        if self.to.is_none() {
            return Ok(());
        }
        let mut beside = Beside::default();
        let mut following = if streams.is_empty() {
            Vec::new()
        } else {
            Box::pin(begin(&mut reply, streams, &mut beside, &self.limits)).await
        };
        let value = match &reply.outcome {
            Outcome::Ok(ReplyBody::Value(value)) => value.clone(),
            Outcome::Ok(ReplyBody::Described(signatures)) => stored::encode(signatures).into(),
            _ => Bytes::new(),
        };
        let limits = self.limits;
        let write = |beside: &Beside| reply.encode_described(&value, beside, &limits);
        let encoded = if limits.value_bytes_max < value.len() {
            let (what, len, max) = ("a result", value.len(), limits.value_bytes_max);
            Err(WireError::TooLarge { what, len, max })
        } else {
            heads::encode(&value, &mut beside, &mut following, &limits, write)
        };
        let call = self.call.clone();
        match (encoded, call) {
            (Ok(head), _) if following.is_empty() => self.publish(head, None).await,
            (Ok(head), Some(call)) => Box::pin(self.stream(head, &call, following)).await,
            (Ok(_), None) => {
                let why = "what follows an answer needs a reply subject of this lattice";
                Box::pin(self.fail(why)).await
            }
            (Err(error), _) => Box::pin(self.fail(&error.to_string())).await,
        }
    }

    /// Says the head, and what follows it, all at once: who reads one slowly waits for that one.
    async fn stream(
        &mut self,
        head: Bytes,
        call: &Arc<Call>,
        following: Following,
    ) -> Result<(), StreamFault> {
        self.connection.calls().bulk().await.map_err(|error| lost(error.to_string()))?;
        call.will_send(following.iter().map(|(stream, _)| *stream), self.credit);
        let unfinished = Unfinished { call };
        self.publish(head, Some(call.here().clone())).await?;
        let sends = following.into_iter().map(|(stream, outgoing)| outgoing.send(call, stream));
        let ends = join_all(sends).await;
        drop(unfinished);
        ends.into_iter().collect()
    }

    /// An answer that cannot be given is an answer too.
    async fn fail(&mut self, why: &str) -> Result<(), StreamFault> {
        let reply = CallReply::failed(ANSWER_TOO_LARGE, why);
        match reply.encode(&self.limits) {
            Ok(encoded) => self.publish(encoded, None).await,
            Err(error) => Err(lost(error.to_string())),
        }
    }

    async fn publish(
        &mut self,
        encoded: Bytes,
        here: Option<async_nats::Subject>,
    ) -> Result<(), StreamFault> {
        let Some(to) = self.to.take() else { return Ok(()) };
        let (to, headers) = (to.into_subject(), async_nats::HeaderMap::new());
        self.connection
            .publish_raw(to, here, headers, encoded)
            .await
            .map_err(|error| lost(error.to_string()))
    }
}

/// Puts what there is of the streams into the head, and gives what follows.
async fn begin(
    reply: &mut CallReply,
    streams: Vec<Content>,
    beside: &mut Beside,
    limits: &Limits,
) -> Following {
    match &mut reply.outcome {
        Outcome::Ok(ReplyBody::Http(http)) => match streams.into_iter().next() {
            Some(content) => {
                let (body, end, trailers) = (&mut http.body, &mut http.end, &mut http.trailers);
                heads::begin_body(HttpBody { body, end, trailers }, content, limits).await
            }
            None => Vec::new(),
        },
        Outcome::Ok(ReplyBody::Value(_)) => heads::begin_streams(streams, beside, limits).await,
        _ => Vec::new(),
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if self.to.is_none() {
            return;
        }
        let reply = CallReply::unknown("the callee gave no answer");
        if let Ok(encoded) = reply.encode(&self.limits) {
            // Fails only if the connection is down or busy, and then the caller finds that out.
            let said = tokio::task::unconstrained(self.publish(encoded, None));
            let _ = Box::pin(said).now_or_never();
        }
    }
}

impl Refused {
    /// Tells the caller.
    pub async fn answer(self) {
        // Whoever sent what cannot be read may well not be there to be told.
        let _ = self.answering.reply(self.reply, Vec::new()).await;
    }
}

/// Streams that are being sent. Dropped before they are, the caller is told that no more comes.
struct Unfinished<'a> {
    call: &'a Arc<Call>,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.call.is_sent() {
            self.call.give_up();
        }
    }
}
