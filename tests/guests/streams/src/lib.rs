//! Bodies that are long, slow, trailed, or cut: what HTTP across hosts must carry.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    Fields, FutureTrailers, IncomingBody, IncomingRequest, OutgoingBody, OutgoingRequest,
    OutgoingResponse, ResponseOutparam, Scheme,
};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

struct Streams;

wasip2::http::proxy::export!(Streams);

impl Guest for Streams {
    fn handle(request: IncomingRequest, to: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        match path {
            "/echo" => echo(&request, to),
            "/count" => count(&request, to),
            "/down" => down(query, to),
            "/cut" => cut(query, to),
            "/forward" => forward(query, &request, to),
            _ => finish(open(to, 404, &[]), None),
        }
    }
}

/// Answers with the body while it arrives, and with its trailers and its length as trailers.
fn echo(request: &IncomingRequest, to: ResponseOutparam) {
    let mut announced = announced(&request.headers());
    announced.push(b"x-bytes".to_vec());
    let body = request.consume().expect("the body is taken once");
    let answer = open(to, 200, &announced);
    let bytes = copy(&body, &answer.stream).expect("the body arrives");
    let trailers = trailers_of(body).unwrap_or_else(Fields::new);
    trailers.append("x-bytes", bytes.to_string().as_bytes()).expect("a fitting trailer");
    finish(answer, Some(trailers));
}

/// Reads the body, and answers with its length and the names and values of its trailers.
fn count(request: &IncomingRequest, to: ResponseOutparam) {
    let body = request.consume().expect("the body is taken once");
    let bytes = {
        let stream = body.stream().expect("the stream is taken once");
        let mut bytes = 0;
        while let Some(piece) = read(&stream).expect("the body arrives") {
            bytes += piece.len() as u64;
        }
        bytes
    };
    let trailers = trailers_of(body).map(|trailers| trailers.entries()).unwrap_or_default();
    let mut text = format!("{bytes}\n");
    for (name, value) in trailers {
        text += &format!("{name}: {}\n", String::from_utf8_lossy(&value));
    }
    let answer = open(to, 200, &[]);
    write(&answer.stream, text.as_bytes());
    finish(answer, None);
}

/// `mib` MiB in pieces, `ms` apart, and how many pieces there were as a trailer.
fn down(query: &str, to: ResponseOutparam) {
    let answer = open(to, 200, &[b"x-pieces".to_vec()]);
    let pieces = pieces(query, &answer.stream);
    let trailers = Fields::new();
    trailers.append("x-pieces", pieces.to_string().as_bytes()).expect("a fitting trailer");
    finish(answer, Some(trailers));
}

/// As `down`, but it never comes to the end.
fn cut(query: &str, to: ResponseOutparam) {
    let answer = open(to, 200, &[]);
    pieces(query, &answer.stream);
    core::arch::wasm32::unreachable()
}

/// Asks `authority` for `path` with the same body, and passes on what it answers, while both arrive.
fn forward(query: &str, request: &IncomingRequest, to: ResponseOutparam) {
    let query = Query::of(query);
    let onward = OutgoingRequest::new(announcing(&announced(&request.headers())));
    onward.set_method(&request.method()).expect("a method");
    onward.set_scheme(Some(&Scheme::Http)).expect("a scheme");
    onward.set_authority(Some(query.text("authority"))).expect("an authority");
    onward.set_path_with_query(Some(query.text("path"))).expect("a path");
    let sending = onward.body().expect("the body is taken once");
    let coming = match outgoing_handler::handle(onward, None) {
        Ok(coming) => coming,
        Err(error) => return fail(to, &error),
    };
    let given = request.consume().expect("the body is taken once");
    // If nobody reads it any more, the answer says why.
    let _ = copy(&given, &sending.write().expect("the stream is taken once"));
    let _ = OutgoingBody::finish(sending, trailers_of(given));
    coming.subscribe().block();
    match coming.get().expect("it is ready").expect("it is taken once") {
        Ok(response) => {
            let announced = announced(&response.headers());
            let body = response.consume().expect("the body is taken once");
            let answer = open(to, response.status(), &announced);
            copy(&body, &answer.stream).expect("the answer arrives");
            finish(answer, trailers_of(body));
        }
        Err(error) => fail(to, &error),
    }
}

fn fail(to: ResponseOutparam, error: &wasip2::http::types::ErrorCode) {
    let answer = open(to, 502, &[]);
    write(&answer.stream, format!("{error:?}").as_bytes());
    finish(answer, None);
}

/// An answer whose head is out.
struct Open {
    stream: OutputStream,
    body: OutgoingBody,
}

fn open(to: ResponseOutparam, status: u16, trailers: &[Vec<u8>]) -> Open {
    let response = OutgoingResponse::new(announcing(trailers));
    response.set_status_code(status).expect("a valid status");
    let body = response.body().expect("the body is taken once");
    ResponseOutparam::set(to, Ok(response));
    Open { stream: body.write().expect("the stream is taken once"), body }
}

/// HTTP/1 carries only those trailers that the head announces.
fn announcing(trailers: &[Vec<u8>]) -> Fields {
    let headers = Fields::new();
    for name in trailers {
        headers.append("trailer", name).expect("a fitting header");
    }
    headers
}

fn announced(headers: &Fields) -> Vec<Vec<u8>> {
    headers.get("trailer")
}

fn finish(answer: Open, trailers: Option<Fields>) {
    drop(answer.stream);
    OutgoingBody::finish(answer.body, trailers).expect("no length was declared");
}

/// `mib` MiB in pieces of 64 KiB, `ms` apart; how many there were.
fn pieces(query: &str, to: &OutputStream) -> u64 {
    let query = Query::of(query);
    let piece = vec![b'p'; 64 << 10];
    let pieces = query.number("mib") * 16;
    for _ in 0..pieces {
        if query.number("ms") != 0 {
            let pause = query.number("ms") * 1_000_000;
            wasip2::clocks::monotonic_clock::subscribe_duration(pause).block();
        }
        write(to, &piece);
    }
    pieces
}

/// As much as fits at a time, without waiting for each piece to be gone.
fn write(to: &OutputStream, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        to.subscribe().block();
        let fits = to.check_write().expect("the reader is there");
        let now = bytes.len().min(usize::try_from(fits).unwrap_or(usize::MAX));
        to.write(&bytes[..now]).expect("the reader is there");
        bytes = &bytes[now..];
    }
    to.blocking_flush().expect("the reader is there");
}

/// The next piece; none at the end.
fn read(from: &InputStream) -> Result<Option<Vec<u8>>, String> {
    match from.blocking_read(64 << 10) {
        Ok(piece) => Ok(Some(piece)),
        Err(StreamError::Closed) => Ok(None),
        Err(StreamError::LastOperationFailed(error)) => Err(error.to_debug_string()),
    }
}

fn copy(body: &IncomingBody, to: &OutputStream) -> Result<u64, String> {
    let stream = body.stream().expect("the stream is taken once");
    let mut bytes = 0;
    while let Some(piece) = read(&stream)? {
        bytes += piece.len() as u64;
        write(to, &piece);
    }
    Ok(bytes)
}

/// A copy: those of a message that came cannot be changed or sent on.
fn trailers_of(body: IncomingBody) -> Option<Fields> {
    let coming: FutureTrailers = IncomingBody::finish(body);
    coming.subscribe().block();
    let trailers = coming.get()?.ok()?.ok()??;
    Fields::from_list(&trailers.entries()).ok()
}

/// The arguments of a request, decoded.
struct Query(Vec<(String, String)>);

impl Query {
    fn of(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    fn text(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or_default()
    }
}
