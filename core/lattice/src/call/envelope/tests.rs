use proptest::prelude::*;
use wattle_types::{
    Digest, Fingerprint, HostId, InterfaceName, Load, PublicKey, Role, SpecHash, stored,
};
use wattle_value::{Field, FuncType, Signatures, Type};

use super::*;
use crate::call::{
    CallBody, CallReply, CallRequest, Caller, Header, HttpRequest, HttpResponse, InvokeRequest,
    NotBegun, ReplyBody, Trace,
};

fn request() -> CallRequest {
    CallRequest {
        actor: "http-counter".parse().unwrap(),
        instance: "cart-7".into(),
        revision: Some(SpecHash(Digest::of(b"spec"))),
        fence: 3,
        hop: 1,
        attempt: 2,
        idempotency: "op-1".into(),
        remaining_ms: 1_500,
        caller: Caller {
            id: "front".into(),
            host: Some(HostId::try_from(PublicKey::new(Role::Server, [7; 32])).unwrap()),
            proof: vec![0, 159, 255],
        },
        trace: Trace { traceparent: Some("00-a-b-01".into()), tracestate: None },
        fingerprint: Some(Fingerprint::from_bytes([1; 16])),
        body: CallBody::Http(HttpRequest {
            method: "GET".into(),
            uri: "http://shop.example/visits".into(),
            headers: vec![Header("accept".into(), b"*/*".to_vec())],
            body: Bytes::from_static(b"\0\xffbody"),
            end: true,
            trailers: vec![],
        }),
    }
}

fn invoke() -> CallRequest {
    let body = InvokeRequest {
        interface: "acme:billing/invoices@1.0.0".parse().unwrap(),
        function: "issue".into(),
        args: Bytes::from_static(&[0x91, 0xc4, 2, 7, 8]),
    };
    CallRequest { body: CallBody::Invoke(body), ..request() }
}

fn requests() -> Vec<CallRequest> {
    let bare = CallRequest {
        instance: String::new(),
        revision: None,
        fence: 0,
        hop: 0,
        attempt: 0,
        idempotency: String::new(),
        caller: Caller::default(),
        trace: Trace::default(),
        fingerprint: None,
        body: CallBody::Describe,
        ..request()
    };
    let mut trailing = request();
    let CallBody::Http(http) = &mut trailing.body else { panic!("it is HTTP") };
    http.trailers = vec![Header("grpc-status".into(), b"0".to_vec())];
    vec![request(), invoke(), bare, trailing]
}

fn signatures() -> Signatures {
    let interface: InterfaceName = "acme:billing/invoices@1.0.0".parse().unwrap();
    let params = vec![Field { name: "of".into(), ty: Type::List(Box::new(Type::U8)) }];
    let func = FuncType { params, result: Some(Type::String), is_async: false };
    Signatures([(interface, [("issue".to_owned(), func)].into())].into())
}

fn response() -> HttpResponse {
    let headers = vec![Header("x".into(), vec![0xff])];
    let body = Bytes::from_static(b"3");
    HttpResponse { status: 200, headers, body, end: true, trailers: vec![] }
}

fn replies() -> Vec<CallReply> {
    let load = Load { in_flight: 3, limit: 64 };
    let mut all = vec![
        CallReply::ok(ReplyBody::Http(response())).from(SpecHash(Digest::of(b"spec")), load),
        CallReply::ok(ReplyBody::Value(Bytes::from_static(&[0xc0])))
            .from(SpecHash(Digest::of(b"spec")), load),
        CallReply::ok(ReplyBody::Described(signatures())),
        CallReply::failed("WT-ENGINE-TRAP", "it trapped"),
        CallReply::unknown("the host was lost"),
    ];
    all.extend(NotBegun::ALL.map(|reason| CallReply::not_begun(reason, "no")));
    all
}

#[test]
fn an_envelope_survives_the_wire() {
    let limits = Limits::default();
    for request in requests() {
        let encoded = request.encode(&limits).unwrap();
        assert_eq!(CallRequest::decode(&encoded, &limits).unwrap(), request);
    }
    for reply in replies() {
        let encoded = reply.encode(&limits).unwrap();
        assert_eq!(CallReply::decode(&encoded, &limits).unwrap(), reply);
    }
}

#[test]
fn a_truncated_envelope_is_refused_wherever_it_ends() {
    let limits = Limits::default();
    for request in requests() {
        let encoded = request.encode(&limits).unwrap();
        for len in 0..encoded.len() {
            assert!(CallRequest::decode(&encoded.slice(..len), &limits).is_err(), "{len} bytes");
        }
    }
    for reply in replies() {
        let encoded = reply.encode(&limits).unwrap();
        for len in 0..encoded.len() {
            assert!(CallReply::decode(&encoded.slice(..len), &limits).is_err(), "{len} bytes");
        }
    }
}

#[test]
fn what_follows_an_envelope_is_refused() {
    let limits = Limits::default();
    let mut encoded = request().encode(&limits).unwrap().to_vec();
    encoded.push(0xc0);
    let refused = CallRequest::decode(&encoded.into(), &limits);
    assert!(
        matches!(refused, Err(WireError::Unreadable(stored::Error::Trailing { extra: 1, .. }))),
        "{refused:?}"
    );
}

#[test]
fn an_envelope_beyond_a_limit_is_neither_written_nor_read() {
    let with = |change: fn(&mut HttpRequest)| {
        let mut request = request();
        let CallBody::Http(http) = &mut request.body else { panic!("it is HTTP") };
        change(http);
        request
    };
    let wide = Limits {
        message_bytes_max: 64 << 20,
        headers_max: 1 << 20,
        header_bytes_max: 64 << 20,
        uri_bytes_max: 64 << 20,
        ..Limits::default()
    };
    let too_large = [
        with(|http| http.body = vec![0; 1 << 20].into()),
        with(|http| http.headers = vec![Header("a".into(), vec![]); 129]),
        with(|http| http.headers = vec![Header("a".into(), vec![b'x'; 64 << 10])]),
        with(|http| http.uri = "/".repeat((8 << 10) + 1)),
    ];
    for request in too_large {
        assert!(request.encode(&Limits::default()).is_err());
        let encoded = request.encode(&wide).unwrap();
        assert!(CallRequest::decode(&encoded, &Limits::default()).is_err());
    }
}

#[test]
fn another_version_is_refused_by_its_number() {
    let limits = Limits::default();
    let encoded = request().encode(&limits).unwrap();
    let mut value: rmpv::Value = rmp_serde::from_slice(&encoded).unwrap();
    set(&mut value, "v", 2.into());
    let later = rmp_serde::to_vec_named(&value).unwrap();
    let refused = CallRequest::decode(&later.into(), &limits);
    assert!(
        matches!(refused, Err(WireError::Unreadable(stored::Error::Version { found: 2, .. }))),
        "{refused:?}"
    );
}

#[test]
fn fields_of_a_later_version_and_unknown_reasons_do_no_harm() {
    let limits = Limits::default();
    let encoded = request().encode(&limits).unwrap();
    let mut value: rmpv::Value = rmp_serde::from_slice(&encoded).unwrap();
    set(&mut value, "priority", 9.into());
    let later = rmp_serde::to_vec_named(&value).unwrap();
    assert_eq!(CallRequest::decode(&later.into(), &limits).unwrap(), request());

    let encoded = CallReply::not_begun(NotBegun::Draining, "no").encode(&limits).unwrap();
    let mut value: rmpv::Value = rmp_serde::from_slice(&encoded).unwrap();
    set(&mut value, "reason", "eclipse".into());
    let later = rmp_serde::to_vec_named(&value).unwrap();
    let read = CallReply::decode(&later.into(), &limits).unwrap();
    assert_eq!(read, CallReply::not_begun(NotBegun::Other, "no"));

    set(&mut value, "outcome", "perhaps".into());
    let later = rmp_serde::to_vec_named(&value).unwrap();
    assert!(CallReply::decode(&later.into(), &limits).is_err());
}

#[test]
fn an_id_that_could_break_a_subject_is_refused_inside_an_envelope() {
    let limits = Limits::default();
    let encoded = request().encode(&limits).unwrap();
    let long = "a".repeat(300);
    for id in ["", "a.b", "*", "a b", &long] {
        let mut value: rmpv::Value = rmp_serde::from_slice(&encoded).unwrap();
        set(&mut value, "actor", id.into());
        let bad = rmp_serde::to_vec_named(&value).unwrap();
        assert!(CallRequest::decode(&bad.into(), &limits).is_err(), "{id:?}");
    }
}

fn set(map: &mut rmpv::Value, field: &str, to: rmpv::Value) {
    let rmpv::Value::Map(entries) = map else { panic!("an envelope is a map") };
    entries.retain(|(key, _)| key.as_str() != Some(field));
    entries.push((field.into(), to));
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let limits = Limits::default();
        let bytes = Bytes::from(bytes);
        prop_assert!(CallRequest::decode(&bytes, &limits).is_err());
        prop_assert!(CallReply::decode(&bytes, &limits).is_err());
    }

    #[test]
    fn a_damaged_envelope_is_refused_or_means_one_thing(
        which in 0usize..4,
        other in 0usize..6,
        at in any::<u16>(),
        with in any::<u8>(),
    ) {
        let limits = Limits::default();
        let damaged = |encoded: Bytes| {
            let mut encoded = encoded.to_vec();
            let at = usize::from(at) % encoded.len();
            encoded[at] = with;
            Bytes::from(encoded)
        };
        let request = damaged(requests()[which].encode(&limits).unwrap());
        if let Ok(read) = CallRequest::decode(&request, &limits) {
            let again = read.encode(&limits).unwrap();
            prop_assert_eq!(CallRequest::decode(&again, &limits).unwrap(), read);
        }
        let reply = damaged(replies()[other].encode(&limits).unwrap());
        if let Ok(read) = CallReply::decode(&reply, &limits) {
            let again = read.encode(&limits).unwrap();
            prop_assert_eq!(CallReply::decode(&again, &limits).unwrap(), read);
        }
    }
}

#[test]
fn what_follows_a_head_is_said_in_it() {
    let limits = Limits::default();
    let beside = Beside {
        credit: 7,
        rest: 3,
        streams: vec![
            Beginning { data: Bytes::from_static(b"ab"), end: false },
            Beginning { data: Bytes::new(), end: true },
        ],
    };
    let encoded = invoke().encode_beside(&beside, &limits).unwrap();
    let (read, found) = CallRequest::decode_beside(&encoded, &limits).unwrap();
    assert_eq!(found, beside);
    let CallBody::Invoke(found) = read.body else { panic!("a function was called") };
    assert_eq!(&found.args[..], &[0x91, 0xc4], "all but the rest");
    assert!(CallRequest::decode(&encoded, &limits).is_err(), "it is not whole");

    let beside = Beside { credit: 0, ..beside };
    let reply = CallReply::ok(ReplyBody::Value(Bytes::from_static(b"12345")));
    let encoded = reply.encode_beside(&beside, &limits).unwrap();
    let head = CallReply::decode_head(&encoded, &limits).unwrap();
    assert_eq!(head.beside, beside);
    assert_eq!(head.reply, CallReply::ok(ReplyBody::Value(Bytes::from_static(b"12"))));
    assert!(CallReply::decode(&encoded, &limits).is_err(), "it is not whole");
}

#[test]
fn what_follows_nothing_or_is_too_much_is_refused() {
    let limits = Limits { value_bytes_max: 10, streams_max: 1, ..Limits::default() };
    let wide = Limits::default();
    let stream = Beginning { data: Bytes::new(), end: true };
    let long = Beside { rest: 1 << 40, ..Beside::default() };
    let longer = Beside { rest: u64::MAX, ..Beside::default() };
    let many = Beside { streams: vec![stream.clone(); 2], ..Beside::default() };
    let one = Beside { streams: vec![stream], ..Beside::default() };
    let cases = [
        (invoke(), &long),
        (invoke(), &longer),
        (invoke(), &many),
        (request(), &one),
        (request(), &long),
    ];
    for (request, beside) in cases {
        let encoded = request.encode_beside(beside, &wide).unwrap();
        assert!(CallRequest::decode_beside(&encoded, &limits).is_err(), "{beside:?}");
    }
}

#[test]
fn bytes_are_shared_with_the_message_they_came_in() {
    let encoded = invoke().encode(&Limits::default()).unwrap();
    let read = CallRequest::decode(&encoded, &Limits::default()).unwrap();
    let CallBody::Invoke(read) = read.body else { panic!("a function was called") };
    assert!(encoded.as_ptr_range().contains(&read.args.as_ptr()));
}

#[test]
fn a_call_with_two_bodies_or_two_of_one_field_is_refused() {
    let limits = Limits::default();
    for (field, of) in [("describe", true.into()), ("actor", rmpv::Value::from("other"))] {
        let encoded = request().encode(&limits).unwrap();
        let mut value: rmpv::Value = rmp_serde::from_slice(&encoded).unwrap();
        let rmpv::Value::Map(entries) = &mut value else { panic!("an envelope is a map") };
        entries.push((field.into(), of));
        let bad = rmp_serde::to_vec_named(&value).unwrap();
        assert!(CallRequest::decode(&bad.into(), &limits).is_err(), "{field}");
    }
}

#[test]
fn a_description_that_nests_too_deep_is_refused() {
    let limits = Limits::default();
    let mut ty = Type::U8;
    for _ in 0..400 {
        ty = Type::Option(Box::new(ty));
    }
    let mut deep = signatures();
    for function in deep.0.values_mut().flat_map(|functions| functions.values_mut()) {
        function.result = Some(ty.clone());
    }
    let encoded = CallReply::ok(ReplyBody::Described(deep)).encode(&limits).unwrap();
    assert!(CallReply::decode(&encoded, &limits).is_err());
}
