//! A stream as it is sent: its beginning beside the head, the rest as there is credit.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt as _, Full};
use tokio::task::AbortHandle;

use super::call::Call;
use super::{Content, StreamFault};
use crate::call::end_to_end;
use crate::call::frame::Kind;

/// What of a stream travels beside the head, and at most all streams together.
pub(super) const BESIDE_HEAD_MAX: usize = 64 << 10;

/// How long the head waits for a stream to be complete: most are, a moment later, and a message
/// more costs more than that.
const PATIENCE: Duration = Duration::from_millis(1);

/// What there is of a stream when the head is sent.
pub(super) struct Begun {
    pub(super) data: Bytes,
    pub(super) trailers: HeaderMap,
    /// What follows; none if it is complete.
    pub(super) rest: Option<Outgoing>,
}

/// What is still to be sent of a stream.
pub(super) struct Outgoing {
    /// Taken from the contents and not sent.
    ready: Option<Frame<Bytes>>,
    content: Content,
    fault: Option<StreamFault>,
    /// Nothing more will come from the contents.
    dry: bool,
}

impl Outgoing {
    pub(super) fn new(content: Content) -> Self {
        let dry = content.is_end_stream();
        Self { ready: None, content, fault: None, dry }
    }

    /// Of a value that is all here.
    pub(super) fn whole(value: Bytes) -> Self {
        Self::new(Full::new(value).map_err(|never| match never {}).boxed_unsync())
    }

    fn is_done(&self) -> bool {
        self.dry && self.ready.is_none() && self.fault.is_none()
    }

    /// The next frame of the contents.
    async fn next(&mut self) -> Option<Result<Frame<Bytes>, StreamFault>> {
        if let Some(ready) = self.ready.take() {
            return Some(Ok(ready));
        }
        if let Some(fault) = self.fault.take() {
            return Some(Err(fault));
        }
        if self.dry {
            return None;
        }
        let next = std::future::poll_fn(|cx| Pin::new(&mut self.content).poll_frame(cx)).await;
        self.dry = !matches!(next, Some(Ok(_))) || self.content.is_end_stream();
        next
    }

    /// Takes what is there, until it is complete or `max` bytes.
    pub(super) async fn begin(content: Content, max: usize) -> Begun {
        let mut this = Self::new(content);
        let mut data = BytesMut::new();
        let mut first = Bytes::new();
        let mut trailers = HeaderMap::new();
        let gather = async {
            while !this.is_done() && data.len() + first.len() < max {
                match this.next().await {
                    None => {}
                    Some(Err(fault)) => {
                        this.fault = Some(fault);
                        return;
                    }
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(mut more) => {
                            let room = max - data.len() - first.len();
                            if room < more.len() {
                                this.ready = Some(Frame::data(more.split_off(room)));
                            }
                            // Mostly there is one piece, which need not be copied.
                            if first.is_empty() && data.is_empty() {
                                first = more;
                            } else {
                                data.extend_from_slice(&std::mem::take(&mut first));
                                data.extend_from_slice(&more);
                            }
                        }
                        Err(frame) => trailers.extend(frame.into_trailers().unwrap_or_default()),
                    },
                }
            }
        };
        // What is not there in time follows.
        let _ = tokio::time::timeout(PATIENCE, gather).await;
        let data = if data.is_empty() { first } else { data.freeze() };
        if this.is_done() {
            return Begun { data, trailers, rest: None };
        }
        if !trailers.is_empty() {
            this.ready = Some(Frame::trailers(std::mem::take(&mut trailers)));
        }
        Begun { data, trailers, rest: Some(this) }
    }

    /// Sends it to its end, as the other side reads.
    pub(super) async fn send(mut self, call: &Call, stream: u8) -> Result<(), StreamFault> {
        // Nothing is taken from the contents before somebody reads them.
        room(call, stream).await?;
        loop {
            let next = stopped_or(call, stream, self.next()).await?;
            match next {
                None => return finish(call, stream, Bytes::new(), HeaderMap::new()).await,
                Some(Err(fault)) => {
                    let seq = call.number(stream, 0, true);
                    let (code, message, limit) = fault.written();
                    call.send(Kind::Error { stream, seq, code, message, limit }).await?;
                    return Err(fault);
                }
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(mut data) => {
                        while !data.is_empty() {
                            let room = room(call, stream).await?;
                            let part = data.split_to(room.min(data.len()));
                            if data.is_empty() && self.is_done() {
                                return finish(call, stream, part, HeaderMap::new()).await;
                            }
                            let seq = call.number(stream, part.len(), false);
                            let (end, trailers) = (false, Vec::new());
                            let kind = Kind::Data { stream, seq, data: part, end, trailers };
                            call.send(kind).await?;
                        }
                    }
                    Err(frame) => {
                        let trailers = frame.into_trailers().unwrap_or_default();
                        return finish(call, stream, Bytes::new(), trailers).await;
                    }
                },
            }
        }
    }
}

async fn finish(
    call: &Call,
    stream: u8,
    data: Bytes,
    trailers: HeaderMap,
) -> Result<(), StreamFault> {
    let seq = call.number(stream, data.len(), true);
    let trailers = end_to_end(&trailers);
    call.send(Kind::Data { stream, seq, data, end: true, trailers }).await
}

async fn room(call: &Call, stream: u8) -> Result<usize, StreamFault> {
    std::future::poll_fn(|cx| call.poll_room(stream, cx)).await
}

/// What the contents give, unless nobody reads them any more.
async fn stopped_or<T>(
    call: &Call,
    stream: u8,
    next: impl Future<Output = T>,
) -> Result<T, StreamFault> {
    let mut next = std::pin::pin!(next);
    std::future::poll_fn(|cx| {
        if let Poll::Ready(fault) = call.poll_stopped(stream, cx) {
            return Poll::Ready(Err(fault));
        }
        next.as_mut().poll(cx).map(Ok)
    })
    .await
}

/// The streams of a request that are being sent, each by a task of its own, since they go on while
/// the answer is read. Dropping it ends them, and tells the callee if they were not complete.
#[derive(Debug)]
pub(super) struct Sends {
    call: Arc<Call>,
    tasks: Vec<AbortHandle>,
    refused: bool,
}

impl Sends {
    pub(super) fn start(call: &Arc<Call>, streams: Vec<(u8, Outgoing)>) -> Self {
        let send = |(stream, outgoing): (u8, Outgoing)| {
            let call = call.clone();
            let sending = async move {
                // Why it ended is the callee's to know, and it was told.
                let _ = outgoing.send(&call, stream).await;
            };
            tokio::spawn(sending).abort_handle()
        };
        let tasks = streams.into_iter().map(send).collect();
        Self { call: call.clone(), tasks, refused: false }
    }

    /// Nobody took the call, so nobody need be told.
    pub(super) fn refused(mut self) {
        self.refused = true;
    }
}

impl Drop for Sends {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
        if !self.refused && !self.call.is_sent() {
            self.call.give_up();
        }
    }
}
