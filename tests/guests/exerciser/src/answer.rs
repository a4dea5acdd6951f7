//! Answering, piece by piece.

use wasip2::http::types::{Fields, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasip2::io::streams::OutputStream;

pub(crate) struct Answer {
    to: ResponseOutparam,
    status: u16,
    headers: Fields,
}

/// An answer whose head is out.
pub(crate) struct Open {
    pub(crate) stream: OutputStream,
    body: OutgoingBody,
}

impl Answer {
    pub(crate) fn new(to: ResponseOutparam) -> Self {
        Self { to, status: 200, headers: Fields::new() }
    }

    pub(crate) fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn length(self, bytes: usize) -> Self {
        let value = bytes.to_string().into_bytes();
        self.headers.append("content-length", &value).expect("a fitting header");
        self
    }

    pub(crate) fn text(self, text: &str) {
        let mut open = self.open();
        open.write(text.as_bytes());
        open.finish();
    }

    /// Sends the head.
    pub(crate) fn open(self) -> Open {
        let response = OutgoingResponse::new(self.headers);
        response.set_status_code(self.status).expect("a valid status");
        let body = response.body().expect("the body is taken once");
        ResponseOutparam::set(self.to, Ok(response));
        let stream = body.write().expect("the stream is taken once");
        Open { stream, body }
    }
}

impl Open {
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(4096) {
            self.stream.blocking_write_and_flush(piece).expect("the reader is there");
        }
    }

    pub(crate) fn finish(self) {
        drop(self.stream);
        OutgoingBody::finish(self.body, None).expect("the body has its length");
    }
}
