//! Guests that ask others for too much, too strangely, or what they may not.

use std::mem;

use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, Method, OutgoingBody,
    OutgoingRequest, RequestOptions, ResponseOutparam, Scheme,
};
use wasip2::io::poll;

use crate::answer;
use crate::{Query, endless};

/// More than an actor may have under way.
const CROWD: usize = 33;

/// Somebody of whom the manifest says nothing.
pub(crate) fn ask() -> String {
    outcome(begin(&Scheme::Http, "api.example", "/", None))
}

/// Other spellings of places that no actor may reach, and of what is not HTTP.
pub(crate) fn ask_strangely() -> String {
    let asked = [
        (Scheme::Http, "2130706433"),
        (Scheme::Http, "0x7f.1"),
        (Scheme::Http, "127.1"),
        (Scheme::Http, "0177.0.0.1"),
        (Scheme::Http, "[::1]"),
        (Scheme::Http, "[::ffff:127.0.0.1]"),
        (Scheme::Http, "[::ffff:169.254.169.254]"),
        (Scheme::Http, "169.254.169.254"),
        (Scheme::Https, "169.254.169.254:80"),
        (Scheme::Http, "metadata.google.internal"),
        (Scheme::Http, "localhost."),
        (Scheme::Http, "user:password@127.0.0.1"),
        (Scheme::Http, "127.0.0.1:0"),
        (Scheme::Http, "127.0.0.1:99999"),
        (Scheme::Http, "127.0.0.1\r\nx: y"),
        (Scheme::Http, "0.0.0.0"),
        (Scheme::Other("file".to_owned()), "127.0.0.1"),
        (Scheme::Other("gopher".to_owned()), "127.0.0.1"),
        (Scheme::Other("http\r\n".to_owned()), "127.0.0.1"),
    ];
    let answered = asked.iter().filter(|(scheme, authority)| {
        let begun = begin(scheme, authority, "/", None);
        begun.is_ok_and(|future| wait(&future).is_ok())
    });
    format!("{} of {} answered", answered.count(), asked.len())
}

/// Each of the three waits as zero.
pub(crate) fn wait_no_time(query: &Query) -> String {
    let waits = waits(0).map(|options| {
        outcome(begin(&Scheme::Http, query.text("to"), query.text("path"), Some(options)))
    });
    waits.join(", ")
}

/// Each of the three waits as long as it can be said.
pub(crate) fn wait_for_ages(query: &Query) -> String {
    let waits = waits(u64::MAX).map(|options| {
        outcome(begin(&Scheme::Http, query.text("to"), query.text("path"), Some(options)))
    });
    waits.join(", ")
}

fn waits(ns: u64) -> [RequestOptions; 3] {
    let [connect, first, between] = [(); 3].map(|()| RequestOptions::new());
    connect.set_connect_timeout(Some(ns)).expect("a wait");
    first.set_first_byte_timeout(Some(ns)).expect("a wait");
    between.set_between_bytes_timeout(Some(ns)).expect("a wait");
    [connect, first, between]
}

/// Keeps every answer that is to come.
pub(crate) fn ten_thousand_at_once(query: &Query) {
    for _ in 0..10_000 {
        mem::forget(begin(&Scheme::Http, query.text("to"), query.text("path"), None));
    }
}

/// Gives each up at once, and goes on.
pub(crate) fn asked_and_given_up_without_end(query: &Query) {
    loop {
        drop(begin(&Scheme::Http, query.text("to"), query.text("path"), None));
    }
}

/// Of requests that nobody answers, says how many are refused.
pub(crate) fn thirty_three_at_once(query: &Query) -> String {
    let begun = [(); CROWD].map(|()| {
        begin(&Scheme::Http, query.text("to"), query.text("path"), None).expect("it is begun")
    });
    let pollables = begun.each_ref().map(FutureIncomingResponse::subscribe);
    let ready = poll::poll(&pollables.each_ref());
    let errors = ready.iter().map(|n| error(&begun[*n as usize]));
    errors.collect::<Vec<_>>().join(", ")
}

/// Passes on an answer that comes byte by byte and does not end.
pub(crate) fn read_slowly(query: &Query, to: ResponseOutparam) {
    let begun = begin(&Scheme::Http, query.text("to"), query.text("path"), None);
    let response = wait(&begun.expect("it is begun")).expect("it is answered");
    let body = response.consume().expect("the body is taken once");
    let stream = body.stream().expect("the stream is taken once");
    let open = answer::open(to, 200, Fields::new());
    while let Ok(piece) = stream.blocking_read(4096) {
        open.write(&piece);
    }
}

/// Waits for the answer to a request of which it keeps the end.
pub(crate) fn body_never_sent(query: &Query) {
    let request = request(&Scheme::Http, query.text("to"), query.text("path"), Fields::new());
    let request = request.expect("a request");
    let body = request.body().expect("the body is taken once");
    let future = outgoing_handler::handle(request, None).expect("it is begun");
    // The wait may end a moment before the call does.
    outcome(Ok(future));
    endless::sleep_for_ages();
    drop(body);
}

pub(crate) fn sends_less_than_declared(query: &Query) -> String {
    let headers = Fields::new();
    headers.append("content-length", b"100").expect("a fitting header");
    let request = request(&Scheme::Http, query.text("to"), query.text("path"), headers);
    let request = request.expect("a request");
    let body = request.body().expect("the body is taken once");
    let future = outgoing_handler::handle(request, None).expect("it is begun");
    let stream = body.write().expect("the stream is taken once");
    let _ = stream.blocking_write_and_flush(b"short");
    drop(stream);
    let finished = OutgoingBody::finish(body, None).is_ok();
    let answered = wait(&future).is_ok();
    format!("finished: {finished}, answered: {answered}")
}

/// Asks whoever its link leads to for the same, and says what that one said.
pub(crate) fn in_a_circle() -> String {
    let begun = begin(&Scheme::Http, "circle.test", "/in-a-circle", None);
    let response = match begun.and_then(|future| wait(&future)) {
        Ok(response) => response,
        Err(error) => return format!("{error:?}"),
    };
    let body = response.consume().expect("the body is taken once");
    let stream = body.stream().expect("the stream is taken once");
    let mut said = Vec::new();
    while let Ok(piece) = stream.blocking_read(4096) {
        said.extend(piece);
    }
    String::from_utf8_lossy(&said).into_owned()
}

fn begin(
    scheme: &Scheme,
    authority: &str,
    path: &str,
    options: Option<RequestOptions>,
) -> Result<FutureIncomingResponse, ErrorCode> {
    let request = request(scheme, authority, path, Fields::new())?;
    let body = request.body().expect("the body is taken once");
    let future = outgoing_handler::handle(request, options)?;
    OutgoingBody::finish(body, None)?;
    Ok(future)
}

fn request(
    scheme: &Scheme,
    authority: &str,
    path: &str,
    headers: Fields,
) -> Result<OutgoingRequest, ErrorCode> {
    let request = OutgoingRequest::new(headers);
    // With this method a body without a declared length is one.
    request.set_method(&Method::Post).expect("a method");
    let set = request.set_scheme(Some(scheme)).is_ok()
        && request.set_authority(Some(authority)).is_ok()
        && request.set_path_with_query(Some(path)).is_ok();
    if set { Ok(request) } else { Err(ErrorCode::HttpRequestUriInvalid) }
}

fn outcome(begun: Result<FutureIncomingResponse, ErrorCode>) -> String {
    match begun.and_then(|future| wait(&future)) {
        Ok(response) => response.status().to_string(),
        Err(error) => name(&error),
    }
}

fn wait(future: &FutureIncomingResponse) -> Result<IncomingResponse, ErrorCode> {
    future.subscribe().block();
    future.get().expect("it is ready").expect("it is taken once")
}

fn error(future: &FutureIncomingResponse) -> String {
    match future.get().expect("it is ready").expect("it is taken once") {
        Ok(response) => response.status().to_string(),
        Err(error) => name(&error),
    }
}

fn name(error: &ErrorCode) -> String {
    format!("{error:?}").trim_start_matches("ErrorCode::").to_owned()
}
