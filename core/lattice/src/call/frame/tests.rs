use proptest::prelude::*;

use super::*;

fn frames() -> Vec<Frame> {
    let trailers = vec![Header("grpc-status".into(), b"0".to_vec())];
    let data = Bytes::from_static(b"\0\xff");
    let kinds = [
        Kind::Data { stream: 0, seq: 0, data: data.clone(), end: false, trailers: vec![] },
        Kind::Data { stream: 3, seq: u64::MAX, data, end: true, trailers },
        Kind::Data { stream: REST, seq: 1, data: Bytes::new(), end: true, trailers: vec![] },
        Kind::Error { stream: 1, seq: 9, code: "X".into(), message: "no".into(), limit: 7 },
        Kind::Credit { stream: 2, upto: 1 << 40 },
        Kind::Cancel { stream: None },
        Kind::Cancel { stream: Some(4) },
        Kind::Ping,
        Kind::Pong,
    ];
    let both = kinds.into_iter().zip([By::Caller, By::Callee].into_iter().cycle());
    both.map(|(kind, by)| Frame { by, kind }).collect()
}

#[test]
fn a_frame_survives_the_wire_and_no_part_of_one_is_one() {
    for frame in frames() {
        let encoded = frame.encode();
        assert_eq!(Frame::decode(&encoded).unwrap(), frame);
        for len in 0..encoded.len() {
            assert!(Frame::decode(&encoded.slice(..len)).is_err(), "{frame:?} to {len}");
        }
        let followed = Bytes::from([&encoded[..], &[0xc0]].concat());
        assert!(Frame::decode(&followed).is_err());
    }
}

#[test]
fn data_is_shared_with_the_message_it_came_in() {
    let data = Bytes::from(vec![7; DATA_BYTES_MAX]);
    let kind = Kind::Data { stream: 0, seq: 0, data, end: false, trailers: vec![] };
    let encoded = Frame { by: By::Caller, kind }.encode();
    let Kind::Data { data, .. } = Frame::decode(&encoded).unwrap().kind else { panic!("data") };
    assert!(encoded.as_ptr_range().contains(&data.as_ptr()));
}

#[test]
fn a_frame_beyond_its_bounds_is_refused() {
    let data = Bytes::from(vec![7; DATA_BYTES_MAX + 1]);
    let long = Kind::Data { stream: 0, seq: 0, data, end: false, trailers: vec![] };
    let trailers = vec![Header("a".into(), vec![]); 200];
    let many = Kind::Data { stream: 0, seq: 0, data: Bytes::new(), end: true, trailers };
    for kind in [long, many] {
        let encoded = Frame { by: By::Caller, kind }.encode();
        assert!(Frame::decode(&encoded).is_err());
    }
    assert!(Frame::decode(&Bytes::from(vec![0; BYTES_MAX + 1])).is_err());
}

#[test]
fn a_frame_that_lacks_what_its_kind_needs_is_refused() {
    let with = |fields: &[(&str, rmpv::Value)]| {
        let mut all = vec![("v".into(), 1.into()), ("by".into(), "caller".into())];
        all.extend(fields.iter().map(|(name, value)| ((*name).into(), value.clone())));
        Bytes::from(rmp_serde::to_vec(&rmpv::Value::Map(all)).unwrap())
    };
    let kind = |kind: &str| ("kind", rmpv::Value::from(kind));
    for bad in [
        with(&[]),
        with(&[kind("data")]),
        with(&[kind("data"), ("stream", 0.into())]),
        with(&[kind("data"), ("stream", 256.into()), ("seq", 0.into())]),
        with(&[kind("credit"), ("stream", 0.into())]),
        with(&[kind("credit"), ("credit", 0.into())]),
        with(&[kind("explode")]),
        with(&[kind("ping"), kind("ping")]),
        with(&[("kind", 7.into())]),
    ] {
        assert!(Frame::decode(&bad).is_err(), "{bad:?}");
    }
    let later = with(&[kind("ping"), ("mood", "good".into())]);
    assert_eq!(Frame::decode(&later).unwrap().kind, Kind::Ping);
}

proptest! {
    #[test]
    fn arbitrary_and_damaged_frames_are_read_without_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..256),
        which in 0usize..9,
        at in any::<u16>(),
        with in any::<u8>(),
    ) {
        let _ = Frame::decode(&bytes.into());
        let mut encoded = frames()[which].encode().to_vec();
        let at = usize::from(at) % encoded.len();
        encoded[at] = with;
        if let Ok(read) = Frame::decode(&encoded.into()) {
            prop_assert_eq!(Frame::decode(&read.encode()).unwrap(), read);
        }
    }
}
