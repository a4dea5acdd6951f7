//! The caller's side.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;

use super::call::Call;
use super::heads::{self, Following, HttpBody};
use super::incoming::{GoingOn, Incoming};
use super::outgoing::Sends;
use super::window::WINDOW_MIN;
use super::{Content, StreamFault, after};
use crate::call::frame::{By, Frame, Kind, REST};
use crate::call::{
    Beginning, Beside, CallBody, CallReply, CallRequest, Limits, Outcome, ReplyBody, ReplyHead,
    described,
};
use crate::wire::WireError;
use crate::{Connection, RequestError, Subject};

/// The head of an answer, and the streams that go on arriving.
#[derive(Debug)]
pub struct Exchanged {
    /// A value is whole. Of HTTP the body is in `streams`.
    pub reply: CallReply,
    /// For HTTP one: the body, also where it was complete in the head.
    pub streams: Vec<Content>,
}

impl Connection {
    /// Asks, and returns when the head of the answer is there.
    ///
    /// `within` is for all of it: streams of the answer that are not complete by then end with
    /// [`StreamFault::DeadlineExceeded`]. Dropping the future, or all streams of the answer before
    /// their end, cancels the callee. Of the request's streams no more than what fits beside the
    /// head is taken before a callee has begun to read them.
    ///
    /// The body of an HTTP request is its stream 0; what [`crate::call::HttpRequest::body`] holds
    /// already is sent only if there are no streams.
    pub async fn exchange(
        &self,
        subject: &Subject,
        mut request: CallRequest,
        streams: Vec<Content>,
        limits: &Limits,
        within: Duration,
    ) -> Result<Exchanged, RequestError> {
        let deadline = after(within);
        let mut pending = self.calls().replies.expect_head();
        let mut beside = Beside::default();
        let mut following = if streams.is_empty() {
            Vec::new()
        } else {
            Box::pin(begin(&mut request, streams, &mut beside, limits)).await?
        };
        if self.calls().hears_frames() {
            beside.credit = WINDOW_MIN;
        }
        if request.caller.host == self.host() {
            // The reply subject says it.
            request.caller.host = None;
        }
        let head = encode(&request, &mut beside, &mut following, limits)?;
        let sends = if following.is_empty() {
            None
        } else {
            Some(Box::pin(self.announce(subject, pending.number(), following)).await?)
        };

        let mut unanswered =
            Unanswered { connection: self, subject, number: pending.number(), sent: false };
        let answer = async {
            let respond = Some(self.reply_subject(unanswered.number));
            let to = self.names().subject(subject);
            self.publish_raw(to, respond, async_nats::HeaderMap::new(), head).await?;
            unanswered.sent = true;
            pending.head().await
        };
        let answered = tokio::time::timeout_at(deadline, answer).await;
        let answer = match answered.map_err(|_| RequestError::TimedOut { within }) {
            Ok(Err(error)) if !error.may_have_arrived() => {
                unanswered.sent = false;
                sends.into_iter().for_each(Sends::refused);
                return Err(error);
            }
            answered => answered??,
        };
        unanswered.sent = false;
        let head =
            CallReply::decode_head(&answer.payload, limits).map_err(|error| unreadable(&error))?;
        let going_on = if head.is_whole() {
            match sends {
                None => pending.is_over(),
                Some(sends) if matches!(head.reply.outcome, Outcome::NotBegun { .. }) => {
                    sends.refused();
                }
                // What was not read of the request by now is not wanted.
                Some(sends) => drop(sends),
            }
            None
        } else {
            let (call, there) = (pending.number(), answer.there);
            let follows = Box::pin(self.follow(call, &head, there, beside.credit)).await;
            Some(GoingOn { call: follows?, until: deadline, sends: sends.map(Arc::new) })
        };
        read(head, going_on).await
    }

    /// Makes streams of a request known before it is sent, and sends them as they are read.
    async fn announce(
        &self,
        subject: &Subject,
        number: u64,
        following: Following,
    ) -> Result<Sends, RequestError> {
        self.calls().bulk().await?;
        let there = self.frames_to_callee(subject, number);
        let call = self.calls().beside(number, there.as_ref()).ok_or(RequestError::Closed)?;
        call.will_send(following.iter().map(|(stream, _)| *stream), 0);
        Ok(Sends::start(&call, following))
    }

    /// Where frames reach the callee, if the subject says who that is.
    fn frames_to_callee(&self, subject: &Subject, number: u64) -> Option<async_nats::Subject> {
        let Subject::Call { host, .. } = subject else { return None };
        let calls = self.calls();
        Some(calls.frames_to(host, &calls.name_of(number)))
    }

    /// Makes what goes on behind an answer known.
    async fn follow(
        &self,
        number: u64,
        head: &ReplyHead,
        there: Option<async_nats::Subject>,
        granted: u64,
    ) -> Result<Arc<Call>, RequestError> {
        self.calls().bulk().await?;
        let call = self.calls().beside(number, None).ok_or(RequestError::Closed)?;
        if let Some(there) = there.filter(|there| self.calls().takes_frames(there, &call.name)) {
            call.found(&there);
        }
        call.will_read(&numbers(head.reply.has_open_body(), &head.beside), granted);
        Ok(call)
    }
}

/// An answer as its head says it, with what goes on behind it.
async fn read(head: ReplyHead, going_on: Option<GoingOn>) -> Result<Exchanged, RequestError> {
    let ReplyHead { mut reply, beside, describes } = head;
    let mut streams = Vec::new();
    match &mut reply.outcome {
        Outcome::Ok(ReplyBody::Http(http)) => {
            let body = std::mem::take(&mut http.body);
            let content = match &going_on {
                Some(going_on) => going_on.stream(body, 0),
                None => Incoming::whole(body, heads::trailers(std::mem::take(&mut http.trailers))),
            };
            streams.push(content.boxed_unsync());
        }
        Outcome::Ok(ReplyBody::Value(value)) => {
            streams = contents(beside.streams, going_on.as_ref());
            if let Some(going_on) = going_on.filter(|_| beside.rest != 0) {
                let first = std::mem::take(value);
                let whole = Box::pin(going_on.value(first, beside.rest)).await;
                *value = whole.map_err(lost_answer)?;
            }
            if describes {
                let signatures = described(value).map_err(|error| unreadable(&error))?;
                reply.outcome = Outcome::Ok(ReplyBody::Described(signatures));
            }
        }
        _ => {}
    }
    Ok(Exchanged { reply, streams })
}

/// Puts what there is of the streams into the head, and gives what follows.
async fn begin(
    request: &mut CallRequest,
    streams: Vec<Content>,
    beside: &mut Beside,
    limits: &Limits,
) -> Result<Following, RequestError> {
    if limits.streams_max < streams.len() {
        let reason = format!("{} streams, and {} are allowed", streams.len(), limits.streams_max);
        return Err(RequestError::Invalid { reason });
    }
    Ok(match &mut request.body {
        CallBody::Http(http) => match streams.into_iter().next() {
            Some(content) => {
                let (body, end, trailers) = (&mut http.body, &mut http.end, &mut http.trailers);
                heads::begin_body(HttpBody { body, end, trailers }, content, limits).await
            }
            None => Vec::new(),
        },
        CallBody::Invoke(_) => heads::begin_streams(streams, beside, limits).await,
        CallBody::Describe => Vec::new(),
    })
}

fn encode(
    request: &CallRequest,
    beside: &mut Beside,
    following: &mut Following,
    limits: &Limits,
) -> Result<Bytes, RequestError> {
    static NOTHING: Bytes = Bytes::new();
    let args = if let CallBody::Invoke(invoke) = &request.body { &invoke.args } else { &NOTHING };
    if limits.value_bytes_max < args.len() {
        return Err(RequestError::TooLarge { len: args.len(), max: limits.value_bytes_max });
    }
    let write = |beside: &Beside| request.encode_beside(beside, limits);
    heads::encode(args, beside, following, limits, write).map_err(|error| match error {
        WireError::TooLarge { len, max, .. } => RequestError::TooLarge { len, max },
        error => RequestError::Invalid { reason: error.to_string() },
    })
}

/// The numbers of the streams that follow a head.
pub(super) fn numbers(body: bool, beside: &Beside) -> Vec<u8> {
    let open = (0..REST).zip(&beside.streams).filter(|(_, stream)| !stream.end);
    let mut numbers: Vec<u8> = open.map(|(number, _)| number).collect();
    numbers.extend(body.then_some(0));
    numbers.extend((beside.rest != 0).then_some(REST));
    numbers
}

/// The streams that accompany a value.
pub(super) fn contents(streams: Vec<Beginning>, going_on: Option<&GoingOn>) -> Vec<Content> {
    let content = |(number, Beginning { data, end }): (u8, Beginning)| {
        let content = match going_on.filter(|_| !end) {
            Some(going_on) => going_on.stream(data, number),
            None => Incoming::whole(data, http::HeaderMap::new()),
        };
        content.boxed_unsync()
    };
    (0..REST).zip(streams).map(content).collect()
}

fn unreadable(error: &WireError) -> RequestError {
    RequestError::Unreadable { reason: error.to_string() }
}

/// The work was done and what it gave was lost.
fn lost_answer(fault: StreamFault) -> RequestError {
    match fault {
        StreamFault::Lost(_) => RequestError::Lost,
        fault => RequestError::Unreadable { reason: fault.to_string() },
    }
}

/// A request that was sent and has no answer yet. Dropping it tells the callee, if it is known who
/// that is.
struct Unanswered<'a> {
    connection: &'a Connection,
    subject: &'a Subject,
    number: u64,
    sent: bool,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if !self.sent {
            return;
        }
        if let Some(there) = self.connection.frames_to_callee(self.subject, self.number) {
            let calls = self.connection.calls();
            let here = calls.frames_of(&calls.name_of(self.number));
            let cancel = Frame { by: By::Caller, kind: Kind::Cancel { stream: None } };
            calls.say(&there, &here, &cancel);
        }
    }
}
