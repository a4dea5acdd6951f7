//! `wasi:http/outgoing-handler` for guests: every request leaves through [`Outbound`], never
//! straight to a network, and no wait is longer than the call.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};
use wattle_capability::{Body, BodyError, OutboundError};

use crate::limits::BODY_CHUNKS;
use crate::permits::Permit;
use crate::state::{Acting, Ongoing};

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Answer = Result<(http::Response<WasiBody>, Io), Error>;

impl WasiHttpHooks for Acting {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Io,
    ) -> Box<dyn Future<Output = Answer> + Send> {
        let permit = self.actor.outgoing.take(1);
        let (actor, ongoing) = (self.actor.clone(), self.ongoing.clone());
        let (wait, end) = (actor.limits.outgoing_wait, ongoing.ctx.deadline);
        let waits = Waits::new(options.as_ref(), wait, Instant::now(), end);
        Box::new(async move {
            let permit = permit.ok_or(Error::ConnectionLimitReached)?;
            let waits = waits?;
            let sent = |body| Sent { written: body, by: ongoing.clone() }.boxed_unsync();
            let answer = actor.outbound.http(&ongoing.ctx, request.map(sent));
            let head = timeout_at(waits.head, answer).await;
            let response = head.map_err(|_| Error::HttpResponseTimeout)?.map_err(to_guest)?;
            let response = response.map(|body| Arriving::new(body, &waits, permit).boxed_unsync());
            Ok((response, Box::new(async { Ok(()) }) as Io))
        })
    }

    fn p2_outgoing_body_buffer_chunks(&mut self) -> usize {
        BODY_CHUNKS
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        self.actor.limits.body_chunk_bytes
    }
}

/// How long one request waits for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Waits {
    /// When the head of the answer must be there.
    head: Instant,
    /// Between two pieces of its body.
    between: Duration,
    /// When all of it must be there: the end of the call.
    end: Instant,
}

impl Waits {
    /// What the guest asked for, else `patience`, within what the call has left.
    ///
    /// A wait of zero is refused instead of being understood as "at once" or "for ever", and so is
    /// one that no clock can hold.
    fn new(
        options: Option<&RequestOptions>,
        patience: Duration,
        now: Instant,
        end: Instant,
    ) -> Result<Self, Error> {
        let wait = |asked: Option<Duration>| {
            let wait = asked.unwrap_or(patience);
            if wait.is_zero() || now.checked_add(wait).is_none() {
                return Err(Error::ConfigurationError);
            }
            Ok(wait)
        };
        let first_byte = wait(options.and_then(|options| options.first_byte_timeout))?;
        let between = wait(options.and_then(|options| options.between_bytes_timeout))?;
        // Whether an answer needs a connection is not known here; who asked for time to make one
        // gets it on top.
        let head = match options.and_then(|options| options.connect_timeout) {
            Some(connect) => first_byte.checked_add(wait(Some(connect))?),
            None => Some(first_byte),
        };
        let head = head.and_then(|head| now.checked_add(head)).map_or(end, |head| head.min(end));
        Ok(Self { head, between, end })
    }

    fn next_piece(&self) -> Instant {
        self.end.min(Instant::now() + self.between)
    }
}

/// The body of a request, which somebody may still be reading when the call that wrote it is over.
struct Sent {
    written: WasiBody,
    by: Arc<Ongoing>,
}

impl http_body::Body for Sent {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.written).poll_frame(cx));
        Poll::Ready(match frame {
            // The stream of a guest that trapped in the middle looks as if it had ended.
            None if self.by.has_failed() => Some(Err(BodyError::Cut {
                code: "WT-ENGINE-BODY",
                reason: "the call that sent it failed".to_owned(),
            })),
            frame => frame.map(|frame| frame.map_err(|error| from_guest(&error))),
        })
    }

    fn size_hint(&self) -> SizeHint {
        self.written.size_hint()
    }
}

/// The body of an answer, given up when its next piece does not come.
struct Arriving {
    inner: Body,
    waits: Waits,
    /// Set while a piece is waited for.
    patience: Option<Pin<Box<Sleep>>>,
    _permit: Permit,
}

impl Arriving {
    fn new(inner: Body, waits: &Waits, permit: Permit) -> Self {
        Self { inner, waits: *waits, patience: None, _permit: permit }
    }
}

impl http_body::Body for Arriving {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) {
            this.patience = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(|error| into_guest(&error))));
        }
        let patience =
            this.patience.get_or_insert_with(|| Box::pin(sleep_until(this.waits.next_piece())));
        patience.as_mut().poll(cx).map(|()| Some(Err(Error::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The guest's own body failed, usually because it declared another length.
fn from_guest(error: &Error) -> BodyError {
    BodyError::Cut { code: "WT-ENGINE-BODY", reason: error.to_string() }
}

/// A body that came from outside, on its way into a guest.
pub(crate) fn into_guest(error: &BodyError) -> Error {
    match error {
        BodyError::DeadlineExceeded => Error::ConnectionReadTimeout,
        BodyError::TooLarge { limit } => Error::HttpRequestBodySize(Some(*limit)),
        BodyError::Cut { .. } | BodyError::Transport(_) => Error::ConnectionTerminated,
    }
}

/// In the words of `wasi:http`; which of them mean "not begun" is in the guide for guests.
fn to_guest(error: OutboundError) -> Error {
    match error {
        OutboundError::Denied { .. } => Error::HttpRequestDenied,
        OutboundError::NotFound { .. } => Error::DestinationNotFound,
        OutboundError::Unreachable { .. } => Error::DestinationUnavailable,
        OutboundError::Overloaded { .. } => Error::ConnectionLimitReached,
        OutboundError::TooDeep { .. } => Error::LoopDetected,
        OutboundError::DeadlineExceeded => Error::HttpResponseTimeout,
        OutboundError::Invalid(reason) => Error::InternalError(Some(reason)),
        OutboundError::Unknown(_) => Error::ConnectionTerminated,
        other => Error::InternalError(Some(other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_what_the_guest_asks_within_what_the_call_has_left() {
        let now = Instant::now();
        let s = Duration::from_secs;
        let asked = |connect, first, between| RequestOptions {
            connect_timeout: connect,
            first_byte_timeout: Some(first),
            between_bytes_timeout: Some(between),
        };
        let waits = |options: Option<&RequestOptions>| Waits::new(options, s(10), now, now + s(30));
        let expect = |head, between| Waits { head: now + head, between, end: now + s(30) };

        assert_eq!(waits(None).unwrap(), expect(s(10), s(10)));
        assert_eq!(waits(Some(&asked(None, s(2), s(3)))).unwrap(), expect(s(2), s(3)));
        assert_eq!(waits(Some(&asked(Some(s(1)), s(2), s(3)))).unwrap(), expect(s(3), s(3)));
        assert_eq!(waits(Some(&asked(None, s(3600), s(60)))).unwrap(), expect(s(30), s(60)));
        let refused = [
            (None, s(0), s(1)),
            (None, s(1), s(0)),
            (Some(s(0)), s(1), s(1)),
            (None, Duration::MAX, s(1)),
        ];
        for (connect, first, between) in refused {
            let asked = asked(connect, first, between);
            assert!(waits(Some(&asked)).is_err(), "{connect:?} {first:?} {between:?}");
        }
    }
}
