use proptest::prelude::*;
use wattle_types::{Digest, HostId, PublicKey, Role, stored};

use super::*;

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
        fingerprint: Bytes::from_static(&[1, 2]),
        body: CallBody::Http(HttpRequest {
            method: "GET".into(),
            uri: "http://shop.example/visits".into(),
            headers: vec![Header("accept".into(), b"*/*".to_vec())],
            body: Bytes::from_static(b"\0\xffbody"),
            end: true,
        }),
    }
}

fn response() -> HttpResponse {
    let headers = vec![Header("x".into(), vec![0xff])];
    HttpResponse { status: 200, headers, body: Bytes::from_static(b"3"), end: true }
}

fn replies() -> Vec<CallReply> {
    let load = Load { in_flight: 3, limit: 64 };
    let mut all = vec![
        CallReply::ok(ReplyBody::Http(response())).from(SpecHash(Digest::of(b"spec")), load),
        CallReply::failed("WT-ENGINE-TRAP", "it trapped"),
        CallReply {
            outcome: Outcome::Unknown { message: "the host was lost".into() },
            revision: None,
            load: None,
        },
    ];
    all.extend(NotBegun::ALL.map(|reason| CallReply::not_begun(reason, "no")));
    all
}

#[test]
fn an_envelope_survives_the_wire() {
    let limits = Limits::default();
    let encoded = request().encode(&limits).unwrap();
    assert_eq!(CallRequest::decode(&encoded, &limits).unwrap(), request());
    for reply in replies() {
        let encoded = reply.clone().encode(&limits).unwrap();
        assert_eq!(CallReply::decode(&encoded, &limits).unwrap(), reply);
    }
}

#[test]
fn a_truncated_envelope_is_refused_wherever_it_ends() {
    let limits = Limits::default();
    let encoded = request().encode(&limits).unwrap();
    for len in 0..encoded.len() {
        assert!(CallRequest::decode(&encoded[..len], &limits).is_err(), "{len} bytes");
    }
    let encoded = replies().remove(0).encode(&limits).unwrap();
    for len in 0..encoded.len() {
        assert!(CallReply::decode(&encoded[..len], &limits).is_err(), "{len} bytes");
    }
}

#[test]
fn what_follows_an_envelope_is_refused() {
    let limits = Limits::default();
    let mut encoded = request().encode(&limits).unwrap().to_vec();
    encoded.push(0xc0);
    let refused = CallRequest::decode(&encoded, &limits);
    assert!(
        matches!(refused, Err(WireError::Unreadable(stored::Error::Trailing { extra: 1, .. }))),
        "{refused:?}"
    );
}

#[test]
fn an_envelope_beyond_a_limit_is_neither_written_nor_read() {
    let with = |change: fn(&mut HttpRequest)| {
        let mut request = request();
        let CallBody::Http(http) = &mut request.body;
        change(http);
        request
    };
    let wide = Limits {
        message_bytes_max: 64 << 20,
        headers_max: 1 << 20,
        header_bytes_max: 64 << 20,
        uri_bytes_max: 64 << 20,
    };
    let too_large = [
        with(|http| http.body = vec![0; 1 << 20].into()),
        with(|http| http.headers = vec![Header("a".into(), vec![]); 129]),
        with(|http| http.headers = vec![Header("a".into(), vec![b'x'; 64 << 10])]),
        with(|http| http.uri = "/".repeat((8 << 10) + 1)),
    ];
    for request in too_large {
        assert!(request.clone().encode(&Limits::default()).is_err());
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
    let refused = CallRequest::decode(&later, &limits);
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
    assert_eq!(CallRequest::decode(&later, &limits).unwrap(), request());

    let encoded = CallReply::not_begun(NotBegun::Draining, "no").encode(&limits).unwrap();
    let mut value: rmpv::Value = rmp_serde::from_slice(&encoded).unwrap();
    set(&mut value, "reason", "eclipse".into());
    let later = rmp_serde::to_vec_named(&value).unwrap();
    let read = CallReply::decode(&later, &limits).unwrap();
    assert_eq!(read, CallReply::not_begun(NotBegun::Other, "no"));

    set(&mut value, "outcome", "perhaps".into());
    let later = rmp_serde::to_vec_named(&value).unwrap();
    assert!(CallReply::decode(&later, &limits).is_err());
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
        assert!(CallRequest::decode(&bad, &limits).is_err(), "{id:?}");
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
        prop_assert!(CallRequest::decode(&bytes, &limits).is_err());
        prop_assert!(CallReply::decode(&bytes, &limits).is_err());
    }

    #[test]
    fn a_damaged_envelope_never_panics(at in 0usize..400, with in any::<u8>()) {
        let limits = Limits::default();
        let mut encoded = request().encode(&limits).unwrap().to_vec();
        let at = at % encoded.len();
        encoded[at] = with;
        let _ = CallRequest::decode(&encoded, &limits).map(|read| read.encode(&limits));
    }
}
