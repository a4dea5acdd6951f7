//! What a component may do.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};

use wasip2::clocks::monotonic_clock;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    Fields, IncomingBody, IncomingRequest, OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
};
use wasip2::io::streams::StreamError;

use crate::Query;
use crate::answer::Answer;
use crate::bindings::wasi::config::store as config;
use crate::bindings::wasi::keyvalue::{atomics, store};
use crate::bindings::wasi::logging::logging::{self, Level};

/// Answers with the request's body, while it arrives.
pub(crate) fn echo(request: IncomingRequest, answer: Answer) {
    let body = request.consume().expect("the body is taken once");
    let mut open = answer.open();
    copy(&body, |piece| open.write(piece)).expect("the body arrives");
    open.finish();
}

pub(crate) fn headers(request: &IncomingRequest, answer: Answer) {
    let lines = request
        .headers()
        .entries()
        .into_iter()
        .map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(&value)));
    answer.text(&lines.collect::<String>());
}

pub(crate) fn config(answer: Answer) {
    let mut all = config::get_all().expect("config is readable");
    all.sort();
    let one = config::get("absent").expect("config is readable");
    answer.text(&format!("{all:?} {one:?}"));
}

pub(crate) fn log(answer: Answer) {
    logging::log(Level::Critical, "exercise", "from \u{1b}[31mlogging");
    println!("from stdout");
    eprint!("from ");
    eprintln!("stderr");
    print!("unfinished");
    std::io::stdout().flush().expect("somebody listens");
    answer.text("logged");
}

/// Says what the host gave away without being asked.
pub(crate) fn granted(answer: Answer) {
    let args = std::env::args().count();
    let vars = std::env::vars().count();
    let dirs = std::fs::read_dir("/").map(|dir| dir.count());
    let file = std::fs::write("here", "x").is_ok();
    let socket = TcpStream::connect("127.0.0.1:1").map(drop).map_err(|error| error.kind());
    let lookup = std::net::ToSocketAddrs::to_socket_addrs("localhost:1").is_ok();
    answer.text(&format!(
        "args {args} vars {vars} dirs {} file {file} socket {} lookup {lookup}",
        dirs.is_ok(),
        match socket {
            Err(std::io::ErrorKind::ConnectionRefused) | Ok(()) => "tried",
            Err(_) => "denied",
        },
    ));
}

/// `times` pieces of body, `ms` apart.
pub(crate) fn slow(query: &Query, answer: Answer) {
    let mut open = answer.open();
    for n in 0..query.number("times") {
        monotonic_clock::subscribe_duration(query.number("ms") * 1_000_000).block();
        open.write(format!("{n} ").as_bytes());
    }
    open.finish();
}

/// Computes for a while, then sleeps for a while.
pub(crate) fn work(query: &Query, answer: Answer) {
    let end = monotonic_clock::now() + query.number("busy-ms") * 1_000_000;
    while monotonic_clock::now() < end {
        std::hint::black_box((0..1000).sum::<u64>());
    }
    monotonic_clock::subscribe_duration(query.number("sleep-ms") * 1_000_000).block();
    answer.text("worked");
}

/// Answers with a declared length, and does something afterwards.
pub(crate) fn late(query: &Query, answer: Answer) {
    let mut open = answer.length(4).open();
    open.write(b"done");
    open.finish();
    monotonic_clock::subscribe_duration(query.number("ms") * 1_000_000).block();
    let bucket = store::open("default").expect("a store opens");
    atomics::increment(&bucket, "late", 1).expect("a store works");
}

/// Sends one piece, and then counts in the store every `ms` milliseconds, for as long as it is let.
pub(crate) fn tick(query: &Query, answer: Answer) {
    let mut open = answer.open();
    open.write(b"ticking");
    let bucket = store::open("default").expect("a store opens");
    loop {
        atomics::increment(&bucket, "ticks", 1).expect("a store works");
        monotonic_clock::subscribe_duration(query.number("ms") * 1_000_000).block();
    }
}

static CALLS: AtomicU64 = AtomicU64::new(0);

/// How many calls this instance has seen.
pub(crate) fn count(answer: Answer) {
    let calls = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
    answer.text(&calls.to_string());
}

/// Asks `authority` for `path` and passes the answer on.
pub(crate) fn call(query: &Query, answer: Answer) {
    let request = OutgoingRequest::new(Fields::new());
    request.set_scheme(Some(&Scheme::Http)).expect("a scheme");
    request.set_authority(Some(query.text("authority"))).expect("an authority");
    request.set_path_with_query(Some(query.text("path"))).expect("a path");
    let body = request.body().expect("the body is taken once");
    let options = RequestOptions::new();
    if query.has("first-byte-ns") {
        let wait = query.number("first-byte-ns");
        options.set_first_byte_timeout(Some(wait)).expect("a timeout");
    }
    if query.has("between-bytes-ns") {
        let wait = query.number("between-bytes-ns");
        options.set_between_bytes_timeout(Some(wait)).expect("a timeout");
    }
    let sent = outgoing_handler::handle(request, Some(options));
    let future = match sent {
        Ok(future) => future,
        Err(error) => return answer.status(502).text(&format!("{error:?}")),
    };
    OutgoingBody::finish(body, None).expect("a body without length");
    future.subscribe().block();
    let response = match future.get().expect("it is ready").expect("it is taken once") {
        Ok(response) => response,
        Err(error) => return answer.status(502).text(&format!("{error:?}")),
    };
    let status = response.status();
    let mut open = answer.status(status).open();
    let body = response.consume().expect("the body is taken once");
    if let Err(error) = copy(&body, |piece| open.write(piece)) {
        open.write(format!("[{error}]").as_bytes());
    }
    open.finish();
}

/// Sends half a body, waits for the head of the answer, and then does what `then` says.
pub(crate) fn upload(query: &Query, answer: Answer) {
    let request = OutgoingRequest::new(Fields::new());
    request.set_scheme(Some(&Scheme::Http)).expect("a scheme");
    request.set_authority(Some(query.text("authority"))).expect("an authority");
    request.set_path_with_query(Some("/")).expect("a path");
    let body = request.body().expect("the body is taken once");
    let future = outgoing_handler::handle(request, None).expect("it is sent");
    let stream = body.write().expect("the stream is taken once");
    stream.blocking_write_and_flush(b"half").expect("the reader is there");
    future.subscribe().block();
    drop(stream);
    match query.text("then") {
        "trap" => crate::misbehave::trap(),
        "drop" => drop(body),
        _ => OutgoingBody::finish(body, None).expect("a body without length"),
    }
    answer.text("sent");
}

fn copy(body: &IncomingBody, mut each: impl FnMut(&[u8])) -> Result<(), String> {
    let stream = body.stream().expect("the stream is taken once");
    loop {
        match stream.blocking_read(16 << 10) {
            Ok(piece) => each(&piece),
            Err(StreamError::Closed) => return Ok(()),
            Err(StreamError::LastOperationFailed(error)) => return Err(error.to_debug_string()),
        }
    }
}
