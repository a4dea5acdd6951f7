//! The contents of a `wasi:io/streams.input-stream` on their way from one actor to another: a body
//! between rooms, a stream inside a guest.
//!
//! An end is passed on only as what it was: a stream that failed is never a clean end, in either
//! direction. Input streams of WASI 0.2 are always the host's, so one can be read after the store
//! that handed it out is gone.

use std::mem;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http_body::Frame;
use http_body_util::BodyExt;
use wasmtime_wasi::p2::{DynInputStream, InputStream, Pollable, StreamError, StreamResult};
use wattle_capability::{Body, BodyError};

use crate::limits::BODY_CHUNK_BYTES;

/// What is left to read in `stream`.
pub(crate) fn into_body(stream: DynInputStream) -> Body {
    Given::Idle(stream).boxed_unsync()
}

/// A stream in which a guest reads `body`.
pub(crate) fn from_body(body: Body) -> DynInputStream {
    Box::new(Taken { body, piece: Bytes::new(), end: None })
}

/// A guest's stream, read as a body.
enum Given {
    Idle(DynInputStream),
    Waiting(Pin<Box<dyn Future<Output = DynInputStream> + Send>>),
    Over,
}

impl http_body::Body for Given {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut woken = false;
        loop {
            match mem::replace(&mut *self, Self::Over) {
                Self::Idle(mut stream) => match stream.read(BODY_CHUNK_BYTES) {
                    Ok(piece) if !piece.is_empty() => {
                        *self = Self::Idle(stream);
                        return Poll::Ready(Some(Ok(Frame::data(piece))));
                    }
                    Ok(_) if woken => {
                        // Ready and yet empty: others get a turn before it is asked again.
                        *self = Self::Idle(stream);
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    Ok(_) => {
                        *self = Self::Waiting(Box::pin(async move {
                            stream.ready().await;
                            stream
                        }));
                    }
                    Err(StreamError::Closed) => return Poll::Ready(None),
                    Err(StreamError::LastOperationFailed(error) | StreamError::Trap(error)) => {
                        let (code, reason) = ("WT-ENGINE-BODY", error.to_string());
                        return Poll::Ready(Some(Err(BodyError::Cut { code, reason })));
                    }
                },
                Self::Waiting(mut waiting) => match waiting.as_mut().poll(cx) {
                    Poll::Ready(stream) => {
                        *self = Self::Idle(stream);
                        woken = true;
                    }
                    Poll::Pending => {
                        *self = Self::Waiting(waiting);
                        return Poll::Pending;
                    }
                },
                Self::Over => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Over)
    }
}

/// A body, read as a guest's stream.
struct Taken {
    body: Body,
    /// Arrived and not read yet.
    piece: Bytes,
    /// How it ended; an error is told once.
    end: Option<Result<(), BodyError>>,
}

impl Taken {
    /// Ready when there is something to read, or the end.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.piece.is_empty() && self.end.is_none() {
            match ready!(pin!(self.body.frame()).poll(cx)) {
                // Trailers have no place in a stream of bytes.
                Some(Ok(frame)) => self.piece = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => self.end = Some(Err(error)),
                None => self.end = Some(Ok(())),
            }
        }
        Poll::Ready(())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Taken {
    async fn ready(&mut self) {
        std::future::poll_fn(|cx| self.poll_piece(cx)).await;
    }
}

impl InputStream for Taken {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        // A guest may read without waiting first.
        let _ = self.poll_piece(&mut Context::from_waker(Waker::noop()));
        if !self.piece.is_empty() {
            return Ok(self.piece.split_to(size.min(self.piece.len())));
        }
        match self.end.replace(Ok(())) {
            Some(Ok(())) => Err(StreamError::Closed),
            Some(Err(error)) => Err(StreamError::LastOperationFailed(wasmtime::Error::new(error))),
            None => {
                self.end = None;
                Ok(Bytes::new())
            }
        }
    }
}
