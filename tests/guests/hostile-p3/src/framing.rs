//! Answers that are not what they say.

use wasip3::clocks::monotonic_clock;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_future, wit_stream};
use wit_bindgen::spawn_local;

use crate::answer::{of, open};

/// Half an answer, and then this.
pub(crate) fn in_a_task(then: impl FnOnce() -> std::convert::Infallible + 'static) -> Response {
    let (mut to, response) = open(Fields::new());
    spawn_local(async move {
        to.write_all(b"the first half".to_vec()).await;
        match then() {}
    });
    response
}

pub(crate) fn body_without_end() -> Response {
    let (mut to, response) = open(Fields::new());
    spawn_local(async move { while to.write_all(vec![b'x'; 64 << 10]).await.is_empty() {} });
    response
}

pub(crate) fn nothing_without_end() -> Response {
    let (mut to, response) = open(Fields::new());
    spawn_local(async move {
        loop {
            to.write(Vec::new()).await;
        }
    });
    response
}

/// Declares this length and sends twenty bytes.
pub(crate) fn length(declared: &str) -> Response {
    let headers = Fields::new();
    headers.append("content-length", declared.as_bytes()).expect("a header that is allowed");
    let (mut to, response) = open(headers);
    spawn_local(async move {
        to.write_all(b"twenty bytes, no more".to_vec()).await;
    });
    response
}

pub(crate) fn trailers_that_never_come() -> Response {
    let (promise, trailers) = wit_future::new(|| Ok(None));
    let (mut to, body) = wit_stream::new();
    spawn_local(async move {
        to.write_all(b"all of it".to_vec()).await;
        drop(to);
        monotonic_clock::wait_for(u64::MAX).await;
        drop(promise);
    });
    Response::new(Fields::new(), Some(body), trailers).0
}

pub(crate) fn trailers_that_fail() -> Response {
    let (promise, trailers) = wit_future::new(|| Ok(None));
    let (mut to, body) = wit_stream::new();
    spawn_local(async move {
        to.write_all(b"all of it".to_vec()).await;
        drop(to);
        let _ = promise.write(Err(ErrorCode::InternalError(Some("\u{1b}[2J".to_owned())))).await;
    });
    Response::new(Fields::new(), Some(body), trailers).0
}

/// Passes on what it is sent while it answers that it has the same body.
pub(crate) fn its_own_request_as_an_answer(request: Request) -> Response {
    let (_, read) = wit_future::new(|| Ok(()));
    let (body, trailers) = Request::consume_body(request, read);
    drop(trailers);
    of(Fields::new(), Some(body))
}

pub(crate) fn sixty_four_mib() -> Response {
    let (mut to, response) = open(Fields::new());
    spawn_local(async move {
        for _ in 0..64 {
            to.write_all(vec![b'x'; 1 << 20]).await;
        }
    });
    response
}
