//! The body of an answer while the guest is still writing it.
//!
//! What the guest wrote is not all it meant to write: if it traps, exits or is stopped in the
//! middle, its stream just ends. So the body ends only after the call did, and well; otherwise it
//! ends in an error, which resets the connection or the stream.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Method, StatusCode, header};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use wasmtime_wasi_http::WasiBody;
use wattle_capability::{Body, BodyError};

use crate::call::{CallError, Running};

/// What an answer's reader will take of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Body,
    /// To a HEAD request: whatever length it declares, there are no bytes.
    Head,
}

impl Expected {
    pub(crate) fn to(method: &Method) -> Self {
        if method == Method::HEAD { Self::Head } else { Self::Body }
    }

    /// How many bytes there will be, where that is known from the head.
    fn len(self, response: &http::Response<WasiBody>) -> Option<u64> {
        let bodiless = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
        if self == Self::Head || bodiless.contains(&response.status()) {
            return Some(0);
        }
        let declared = response.headers().get(header::CONTENT_LENGTH)?;
        declared.to_str().ok()?.parse().ok()
    }
}

/// The body, and the call that writes it.
pub(crate) struct Reply {
    written: WasiBody,
    running: Running,
    state: Writing,
    delivered: u64,
    expected: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writing {
    /// The guest's stream goes on.
    Open,
    /// It ended; what that means depends on how the call ends.
    Ended,
    /// The reader has been told.
    Over,
}

impl Reply {
    /// # Errors
    ///
    /// The guest's status is none that an answer can have.
    pub(crate) fn of(
        response: http::Response<WasiBody>,
        running: Running,
        expected: Expected,
    ) -> Result<http::Response<Body>, CallError> {
        let status = response.status();
        if status.is_informational() {
            // After some of them a server believes that the connection speaks another protocol.
            let error = format!("it set the status {}, which is none to end with", status.as_u16());
            return Err(CallError::Answered { error });
        }
        let expected = expected.len(&response);
        Ok(response.map(|written| {
            Self { written, running, state: Writing::Open, delivered: 0, expected }.boxed_unsync()
        }))
    }

    /// Whether the reader has all there is to read.
    fn is_whole(&self) -> bool {
        self.state != Writing::Open || self.expected.is_some_and(|len| len <= self.delivered)
    }
}

impl http_body::Body for Reply {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if this.state == Writing::Open {
            let Poll::Ready(written) = Pin::new(&mut this.written).poll_frame(cx) else {
                let error = ready!(this.running.poll_failed(cx));
                this.state = Writing::Over;
                return Poll::Ready(Some(Err(cut(&error))));
            };
            match written {
                Some(Ok(frame)) => {
                    this.delivered += frame.data_ref().map_or(0, |data| data.len() as u64);
                    return Poll::Ready(Some(Ok(frame)));
                }
                Some(Err(error)) => {
                    this.state = Writing::Over;
                    let reason = error.to_string();
                    return Poll::Ready(Some(Err(BodyError::Cut {
                        code: "WT-ENGINE-BODY",
                        reason,
                    })));
                }
                None => this.state = Writing::Ended,
            }
        }
        if this.state == Writing::Ended {
            let outcome = ready!(this.running.poll_ended(cx));
            this.state = Writing::Over;
            return Poll::Ready(outcome.err().map(|error| Err(cut(&error))));
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.state == Writing::Over
    }

    fn size_hint(&self) -> SizeHint {
        match self.expected {
            Some(len) => SizeHint::with_exact(len.saturating_sub(self.delivered)),
            None => SizeHint::default(),
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        // A server stops reading after the last declared byte, without asking for the end. The
        // guest may have things to do after its answer; a reader that went away early is another
        // matter, and ends the call.
        if self.is_whole() {
            self.running.let_go();
        }
    }
}

pub(crate) fn cut(error: &CallError) -> BodyError {
    match error {
        CallError::DeadlineExceeded { .. } => BodyError::DeadlineExceeded,
        other => BodyError::Cut { code: other.code(), reason: other.to_string() },
    }
}
