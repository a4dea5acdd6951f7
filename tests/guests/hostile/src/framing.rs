//! Answers that are not what they say, or no answers.

use wasip2::http::types::{
    ErrorCode, Fields, OutgoingBody, OutgoingResponse, ResponseOutparam, StatusCode,
};

use crate::answer::{open, told};
use crate::endless;

pub(crate) fn trap() -> ! {
    core::arch::wasm32::unreachable()
}

pub(crate) fn answers_with_an_error(to: ResponseOutparam) {
    ResponseOutparam::set(to, Err(ErrorCode::InternalError(Some("\u{1b}[31mred\r\n".to_owned()))));
}

/// The head is out, and its body was never asked for.
pub(crate) fn body_never_begun(to: ResponseOutparam) {
    ResponseOutparam::set(to, Ok(OutgoingResponse::new(Fields::new())));
}

/// Neither dropped nor finished when the call ends.
pub(crate) fn body_never_finished(to: ResponseOutparam) {
    let open = open(to, 200, Fields::new());
    open.write(b"half");
    std::mem::forget(open.stream);
    std::mem::forget(open.body);
}

pub(crate) fn body_dropped(to: ResponseOutparam) {
    let open = open(to, 200, Fields::new());
    open.write(b"half");
    drop(open.stream);
    drop(open.body);
}

pub(crate) fn body_without_end(to: ResponseOutparam) {
    let open = open(to, 200, Fields::new());
    loop {
        open.write(&[b'x'; 4096]);
    }
}

pub(crate) fn empty_writes_without_end(to: ResponseOutparam) {
    let open = open(to, 200, Fields::new());
    loop {
        open.stream.check_write().expect("the reader is there");
        open.stream.blocking_write_and_flush(&[]).expect("the reader is there");
        // Without asking how many fit: an empty write needs a place as well.
        if open.stream.check_write().is_ok_and(|fits| 0 < fits) {
            open.stream.write(&[]).expect("there is room");
        }
    }
}

pub(crate) fn all_zeroes_to_the_body(to: ResponseOutparam) {
    let open = open(to, 200, Fields::new());
    open.stream.write_zeroes(u64::MAX).expect("there is room");
}

pub(crate) fn a_write_of_10_mib(to: ResponseOutparam) {
    let open = open(to, 200, Fields::new());
    open.stream.write(&vec![b'x'; 10 << 20]).expect("there is room");
}

pub(crate) fn sixty_four_mib(to: ResponseOutparam) {
    let open = open(to, 200, Fields::new());
    let piece = vec![b'x'; 64 << 10];
    for _ in 0..1024 {
        open.stream.subscribe().block();
        let mut rest = &piece[..];
        while !rest.is_empty() {
            let fits = open.stream.check_write().expect("the reader is there");
            let now = rest.len().min(fits as usize);
            open.stream.write(&rest[..now]).expect("there is room");
            rest = &rest[now..];
            if !rest.is_empty() {
                open.stream.subscribe().block();
            }
        }
    }
    drop(open.stream);
    OutgoingBody::finish(open.body, None).expect("no length was declared");
}

/// Declares these lengths, and sends this.
pub(crate) fn length(to: ResponseOutparam, declared: &[&str], bytes: &[u8]) {
    let headers = Fields::new();
    for length in declared {
        headers.append("content-length", length.as_bytes()).expect("a fitting header");
    }
    let response = OutgoingResponse::new(headers);
    let Ok(body) = response.body() else { return told(to, "no body") };
    ResponseOutparam::set(to, Ok(response));
    let stream = body.write().expect("the stream is taken once");
    // Whether it is refused at once or in the end is for the host to say.
    let _ = stream.blocking_write_and_flush(bytes);
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

/// A body where there must be none.
pub(crate) fn body_of(to: ResponseOutparam, status: StatusCode) {
    let open = open(to, status, Fields::new());
    let _ = open.stream.blocking_write_and_flush(crate::SMUGGLED);
    drop(open.stream);
    let _ = OutgoingBody::finish(open.body, None);
}

pub(crate) fn no_such_status() -> String {
    let set = |status| OutgoingResponse::new(Fields::new()).set_status_code(status).is_ok();
    let accepted: Vec<u16> = [0, 1, 99, 1000, 65535].into_iter().filter(|s| set(*s)).collect();
    format!("{accepted:?}")
}

pub(crate) fn split_headers() -> String {
    let values: [&[u8]; 6] = [b"a\r\nb: c", b"a\nb", b"a\rb", b"a\0b", b"\x7f", b"\r\n\r\nbody"];
    let names = ["a\r\nb", "a b", "a:b", "", "\u{e4}", "a\0"];
    let fields = Fields::new();
    let accepted_values = values.iter().filter(|value| fields.append("x", value).is_ok()).count();
    let accepted_names = names.iter().filter(|name| fields.append(name, b"x").is_ok()).count();
    let listed = Fields::from_list(&[("x".to_owned(), b"a\r\nb: c".to_vec())]).is_ok();
    format!("{accepted_values} values, {accepted_names} names, {listed}")
}

pub(crate) fn forbidden_headers() -> String {
    let names = [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "transfer-encoding",
        "upgrade",
        "host",
        "http2-settings",
        "Transfer-Encoding",
    ];
    let accepted = names.into_iter().filter(|name| Fields::new().append(name, b"x").is_ok());
    format!("{:?}", accepted.collect::<Vec<_>>())
}

/// More than the client of a test would read; each is small.
pub(crate) fn a_thousand_headers(to: ResponseOutparam) {
    let headers = Fields::new();
    for n in 0..1000 {
        headers.append(&format!("x-{n}"), b"v").expect("a fitting header");
    }
    let open = open(to, 200, headers);
    drop(open.stream);
    OutgoingBody::finish(open.body, None).expect("no length was declared");
}

pub(crate) fn escapes_in_a_header() -> String {
    let fields = Fields::new();
    format!("{:?}", fields.append("x", b"\x1b]0;title\x07").is_ok())
}

pub(crate) fn in_the_body(to: ResponseOutparam, then: fn() -> !) {
    let open = open(to, 200, Fields::new());
    open.write(b"the first half");
    then()
}

/// The answer is whole, and its reader has gone.
pub(crate) fn spin_after_the_answer(to: ResponseOutparam) {
    told(to, "done");
    endless::spin()
}
