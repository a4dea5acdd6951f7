//! The examples in `docs/protocol/vectors/calls.json`, which writers in other languages test
//! against: each is read, means what the file says, and is written again as the same bytes.

use bytes::Bytes;
use data_encoding::HEXLOWER;
use serde_json::{Map, Value, json};
use wattle_types::{Digest, Fingerprint, HostId, Load, PublicKey, Role, SpecHash};
use wattle_value::{Field, FuncType, Signatures, Type};

use super::frame::{By, Frame, Kind, REST};
use super::{
    Beginning, Beside, CallBody, CallReply, CallRequest, Caller, Header, HttpRequest, HttpResponse,
    InvokeRequest, Limits, NotBegun, Outcome, ReplyBody, Trace,
};

const FILE: &str = include_str!("../../../../docs/protocol/vectors/calls.json");

/// What a program without our types sees; bytes are shown as `{"bytes": hex}`.
fn shown(value: &rmpv::Value) -> Value {
    match value {
        rmpv::Value::Nil => Value::Null,
        rmpv::Value::Boolean(is) => json!(is),
        rmpv::Value::Integer(number) => json!(number.as_u64().expect("nothing is negative")),
        rmpv::Value::String(text) => json!(text.as_str().expect("text is UTF-8")),
        rmpv::Value::Binary(bytes) => json!({ "bytes": HEXLOWER.encode(bytes) }),
        rmpv::Value::Array(values) => values.iter().map(shown).collect(),
        rmpv::Value::Map(fields) => {
            let name = |name: &rmpv::Value| name.as_str().expect("a field has a name").to_owned();
            let fields = fields.iter().map(|(field, value)| (name(field), shown(value)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        other => panic!("{other} is no part of a call"),
    }
}

fn example(what: &str, bytes: &[u8]) -> Value {
    let value: rmpv::Value = rmp_serde::from_slice(bytes).unwrap();
    json!({ "what": what, "bytes": HEXLOWER.encode(bytes), "means": shown(&value) })
}

fn request(body: CallBody) -> CallRequest {
    CallRequest {
        actor: "billing".parse().unwrap(),
        instance: String::new(),
        revision: None,
        fence: 0,
        hop: 0,
        attempt: 1,
        idempotency: String::new(),
        remaining_ms: 30_000,
        caller: Caller::default(),
        trace: Trace::default(),
        fingerprint: None,
        body,
    }
}

fn http(method: &str, body: &'static [u8], end: bool) -> HttpRequest {
    HttpRequest {
        method: method.into(),
        uri: "http://shop.example/visits".into(),
        headers: vec![Header("accept".into(), b"*/*".to_vec())],
        body: Bytes::from_static(body),
        end,
        trailers: vec![],
    }
}

fn invoke(args: &'static [u8]) -> CallRequest {
    let body = InvokeRequest {
        interface: "acme:billing/invoices@1.0.0".parse().unwrap(),
        function: "issue".into(),
        args: Bytes::from_static(args),
    };
    let fingerprint = Some(Fingerprint::from_bytes([7; 16]));
    CallRequest { fingerprint, ..request(CallBody::Invoke(body)) }
}

fn beginning(data: &'static [u8], end: bool) -> Beginning {
    Beginning { data: Bytes::from_static(data), end }
}

fn requests() -> Vec<(&'static str, CallRequest, Beside)> {
    let host = HostId::try_from(PublicKey::new(Role::Server, [7; 32])).unwrap();
    let caller = Caller { id: "front".into(), host: Some(host), proof: vec![1, 2] };
    let trace = Trace {
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        tracestate: Some("vendor=1".into()),
    };
    let everything = CallRequest {
        instance: "cart-7".into(),
        revision: Some(SpecHash(Digest::from_bytes([1; 32]))),
        fence: 3,
        hop: 1,
        attempt: 2,
        idempotency: "op-1".into(),
        caller,
        trace,
        ..invoke(&[0x91, 0xc4, 2, 7, 8])
    };
    let whole = Beside::default;
    let streams = vec![beginning(b"begun", false), beginning(b"all", true)];
    let mut trailing = http("POST", b"body", true);
    trailing.trailers = vec![Header("x-sum".into(), b"9".to_vec())];
    vec![
        ("what functions are there", request(CallBody::Describe), whole()),
        ("a function without arguments", invoke(&[0x90]), whole()),
        ("a function, with every field there is", everything, whole()),
        (
            "a function whose first stream goes on, and 3 bytes of whose arguments follow",
            invoke(&[0x91, 0xc4, 3, 1, 2, 3]),
            Beside { credit: 32_768, rest: 3, streams },
        ),
        ("an HTTP request", request(CallBody::Http(http("GET", b"", true))), whole()),
        ("an HTTP request with trailers", request(CallBody::Http(trailing)), whole()),
        (
            "an HTTP request whose body goes on",
            request(CallBody::Http(http("POST", b"begun", false))),
            Beside { credit: 32_768, ..whole() },
        ),
    ]
}

fn replies() -> Vec<(&'static str, CallReply, Beside)> {
    let whole = Beside::default;
    let by = |reply: CallReply| {
        reply.from(SpecHash(Digest::from_bytes([1; 32])), Load { in_flight: 3, limit: 64 })
    };
    let response = |body: &'static [u8], end| HttpResponse {
        status: 200,
        headers: vec![Header("content-type".into(), b"text/plain".to_vec())],
        body: Bytes::from_static(body),
        end,
        trailers: vec![],
    };
    let mut trailing = response(b"hello", true);
    trailing.trailers = vec![Header("grpc-status".into(), b"0".to_vec())];
    let params = vec![Field { name: "of".into(), ty: Type::List(Box::new(Type::U8)) }];
    let func = FuncType { params, result: Some(Type::String), is_async: false };
    let functions = [("issue".to_owned(), func)].into();
    let signatures =
        Signatures([("acme:billing/invoices@1.0.0".parse().unwrap(), functions)].into());
    let value = |value: &'static [u8]| CallReply::ok(ReplyBody::Value(Bytes::from_static(value)));
    let overloaded = Outcome::NotBegun {
        reason: NotBegun::Overloaded,
        message: "no permit is free".into(),
        retry_after_ms: Some(100),
    };
    vec![
        ("a result", by(value(&[0xa2, b'o', b'k'])), whole()),
        ("no result", value(&[0xc0]), whole()),
        (
            "a result of which 2 bytes follow, with a stream that goes on",
            value(&[0xc4, 3, 1, 2, 3]),
            Beside { credit: 0, rest: 2, streams: vec![beginning(b"", false)] },
        ),
        ("functions", CallReply::ok(ReplyBody::Described(signatures)), whole()),
        ("an HTTP response", CallReply::ok(ReplyBody::Http(trailing)), whole()),
        (
            "an HTTP response whose body goes on",
            CallReply::ok(ReplyBody::Http(response(b"begun", false))),
            whole(),
        ),
        ("a failure", by(CallReply::failed("WT-ENGINE-TRAP", "it trapped")), whole()),
        ("not begun", CallReply { outcome: overloaded, revision: None, load: None }, whole()),
        ("unknown", CallReply::unknown("the host was lost"), whole()),
    ]
}

fn frames() -> Vec<(&'static str, Frame)> {
    let data = |stream, seq, data: &'static [u8], end| Kind::Data {
        stream,
        seq,
        data: Bytes::from_static(data),
        end,
        trailers: vec![],
    };
    let trailers = vec![Header("grpc-status".into(), b"0".to_vec())];
    let (stream, seq) = (0, 2);
    let last = Kind::Data { stream, seq, data: Bytes::new(), end: true, trailers };
    let error = |code: &str, message: &str, limit| Kind::Error {
        stream,
        seq,
        code: code.into(),
        message: message.into(),
        limit,
    };
    let (caller, callee) = (By::Caller, By::Callee);
    let frame = |by, kind| Frame { by, kind };
    vec![
        ("a piece of stream 0", frame(caller, data(0, 0, b"more", false))),
        ("the last piece of it", frame(caller, data(0, 1, b"end", true))),
        ("an end with trailers", frame(callee, last)),
        ("the rest of the arguments", frame(caller, data(REST, 0, &[1, 2, 3], true))),
        ("a stream that is not complete", frame(callee, error("WT-ENGINE-TRAP", "it trapped", 0))),
        ("a stream that is too long", frame(caller, error("too-large", "", 8_388_608))),
        ("credit", frame(callee, Kind::Credit { stream: 0, upto: 524_288 })),
        ("nobody waits for the call", frame(caller, Kind::Cancel { stream: None })),
        ("nobody reads a stream", frame(callee, Kind::Cancel { stream: Some(0) })),
        ("is it still known?", frame(callee, Kind::Ping)),
        ("it is", frame(caller, Kind::Pong)),
    ]
}

#[test]
fn the_examples_in_the_file_are_what_we_write() {
    let limits = Limits::default();
    let requests = requests().into_iter().map(|(what, request, beside)| {
        example(what, &request.encode_beside(&beside, &limits).unwrap())
    });
    let replies = replies().into_iter().map(|(what, reply, beside)| {
        example(what, &reply.encode_beside(&beside, &limits).unwrap())
    });
    let frames = frames().into_iter().map(|(what, frame)| example(what, &frame.encode()));
    let written = json!({
        "about": "What docs/protocol/calls.md says, as examples. Bytes are hexadecimal; `means` is what they hold, with {\"bytes\": …} for a binary.",
        "requests": requests.collect::<Vec<_>>(),
        "replies": replies.collect::<Vec<_>>(),
        "frames": frames.collect::<Vec<_>>(),
    });
    let file: Value = serde_json::from_str(FILE).unwrap();
    assert_eq!(file, written, "{}", serde_json::to_string(&written).unwrap());
}

#[test]
fn the_examples_in_the_file_are_read_as_what_they_say() {
    let limits = Limits::default();
    let file: Value = serde_json::from_str(FILE).unwrap();
    let bytes = |kind: &str| {
        let examples = file[kind].as_array().unwrap().clone();
        let bytes = |example: Value| HEXLOWER.decode(example["bytes"].as_str().unwrap().as_bytes());
        examples.into_iter().map(bytes).map(|bytes| Bytes::from(bytes.unwrap())).collect::<Vec<_>>()
    };
    for (bytes, (what, expected, beside)) in bytes("requests").iter().zip(requests()) {
        let (read, found) = CallRequest::decode_beside(bytes, &limits).unwrap();
        assert_eq!(found, beside, "{what}");
        if beside.rest == 0 {
            assert_eq!(read, expected, "{what}");
        }
        let again = Beside { rest: 0, ..found };
        assert_eq!(
            without_rest(&read.encode_beside(&again, &limits).unwrap()),
            without_rest(bytes)
        );
    }
    for (bytes, (what, expected, beside)) in bytes("replies").iter().zip(replies()) {
        let head = CallReply::decode_head(bytes, &limits).unwrap();
        assert_eq!(head.beside, beside, "{what}");
        if head.is_whole() {
            assert_eq!(CallReply::decode(bytes, &limits).unwrap(), expected, "{what}");
        }
    }
    for (bytes, (what, expected)) in bytes("frames").iter().zip(frames()) {
        let read = Frame::decode(bytes).unwrap();
        assert_eq!(read, expected, "{what}");
        assert_eq!(read.encode(), bytes, "{what}");
    }
}

/// What a head says, but for how much follows.
fn without_rest(bytes: &[u8]) -> Value {
    let mut value = shown(&rmp_serde::from_slice(bytes).unwrap());
    value.as_object_mut().unwrap().remove("rest");
    value
}
