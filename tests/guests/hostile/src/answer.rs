//! Answering, when there is something to say.

use wasip2::http::types::{Fields, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasip2::io::streams::OutputStream;

/// An answer whose head is out.
pub(crate) struct Open {
    pub(crate) stream: OutputStream,
    pub(crate) body: OutgoingBody,
}

/// Says what came of it.
pub(crate) fn told(to: ResponseOutparam, text: &str) {
    let open = open(to, 200, Fields::new());
    open.write(text.as_bytes());
    drop(open.stream);
    OutgoingBody::finish(open.body, None).expect("no length was declared");
}

pub(crate) fn open(to: ResponseOutparam, status: u16, headers: Fields) -> Open {
    let response = OutgoingResponse::new(headers);
    response.set_status_code(status).expect("a valid status");
    let body = response.body().expect("the body is taken once");
    ResponseOutparam::set(to, Ok(response));
    let stream = body.write().expect("the stream is taken once");
    Open { stream, body }
}

impl Open {
    pub(crate) fn write(&self, bytes: &[u8]) {
        for piece in bytes.chunks(4096) {
            self.stream.blocking_write_and_flush(piece).expect("the reader is there");
        }
    }
}
