//! A stream as it is read.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use super::StreamFault;
use super::call::Call;
use super::ends::{Piece, lost};
use super::outgoing::Sends;
use crate::call::frame::REST;

/// What was there at once, and what goes on arriving.
pub(super) struct Incoming {
    first: Bytes,
    trailers: Option<HeaderMap>,
    rest: Option<Rest>,
}

/// What goes on arriving.
struct Rest {
    call: Arc<Call>,
    stream: u8,
    deadline: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
    /// What this side still sends ends when nobody reads the answer any more.
    _sends: Option<Arc<Sends>>,
}

impl Incoming {
    pub(super) fn whole(first: Bytes, trailers: HeaderMap) -> Self {
        Self { first, trailers: (!trailers.is_empty()).then_some(trailers), rest: None }
    }
}

/// What follows a head that was read.
pub(super) struct GoingOn {
    pub(super) call: Arc<Call>,
    pub(super) until: Instant,
    pub(super) sends: Option<Arc<Sends>>,
}

impl GoingOn {
    fn rest(&self, stream: u8) -> Rest {
        let (call, _sends) = (self.call.clone(), self.sends.clone());
        Rest { call, stream, deadline: self.until, sleep: None, _sends }
    }

    /// A stream that began with `first`.
    pub(super) fn stream(&self, first: Bytes, stream: u8) -> Incoming {
        Incoming { first, trailers: None, rest: Some(self.rest(stream)) }
    }

    /// A value that did not fit into its message, made whole again: `first` and exactly `more`
    /// bytes.
    pub(super) async fn value(&self, first: Bytes, more: u64) -> Result<Bytes, StreamFault> {
        let mut rest = self.rest(REST);
        let whole = first.len() as u64 + more;
        let mut value = BytesMut::from(first);
        loop {
            match std::future::poll_fn(|cx| rest.poll_piece(cx)).await {
                Piece::Data(data) => value.extend_from_slice(&data),
                Piece::Trailers(_) => {}
                Piece::End if value.len() as u64 == whole => return Ok(value.freeze()),
                Piece::End => return Err(lost("the value has another length than was said")),
                Piece::Fault(fault) => return Err(fault),
            }
            if whole < value.len() as u64 {
                return Err(lost("the value is longer than was said"));
            }
        }
    }
}

impl Rest {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Piece> {
        if let Poll::Ready(piece) = self.call.poll_piece(self.stream, cx) {
            return Poll::Ready(piece);
        }
        let deadline = self.deadline;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(Piece::Fault(StreamFault::DeadlineExceeded))
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        self.call.close(self.stream);
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = StreamFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamFault>>> {
        let this = &mut *self;
        if !this.first.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut this.first)))));
        }
        let Some(rest) = &mut this.rest else {
            return Poll::Ready(this.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
        };
        Poll::Ready(match ready!(rest.poll_piece(cx)) {
            Piece::Data(data) => Some(Ok(Frame::data(data))),
            Piece::Trailers(trailers) => Some(Ok(Frame::trailers(trailers))),
            Piece::End => {
                this.rest = None;
                None
            }
            Piece::Fault(fault) => {
                this.rest = None;
                Some(Err(fault))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_empty() && self.trailers.is_none() && self.rest.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let here = self.first.len() as u64;
        if self.rest.is_none() {
            return SizeHint::with_exact(here);
        }
        let mut hint = SizeHint::new();
        hint.set_lower(here);
        hint
    }
}
