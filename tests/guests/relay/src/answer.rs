//! Answering with one text.

use wasip2::http::types::{Fields, OutgoingBody, OutgoingResponse, ResponseOutparam};

pub(crate) fn send(to: ResponseOutparam, status: u16, text: &str) {
    let response = OutgoingResponse::new(Fields::new());
    response.set_status_code(status).expect("a valid status");
    let body = response.body().expect("the body is taken once");
    ResponseOutparam::set(to, Ok(response));
    let stream = body.write().expect("the stream is taken once");
    for piece in text.as_bytes().chunks(4096) {
        stream.blocking_write_and_flush(piece).expect("the reader is there");
    }
    drop(stream);
    OutgoingBody::finish(body, None).expect("no length was declared");
}
