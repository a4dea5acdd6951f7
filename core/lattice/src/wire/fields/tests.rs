use proptest::prelude::*;
use rmpv::Value;

use super::*;

fn reader(bytes: &Bytes) -> FieldReader<'_> {
    FieldReader { what: "a test", whole: bytes, base: 0, rest: Reader::new(bytes) }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f32>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Value::from),
        (any::<i8>(), prop::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(kind, bytes)| Value::Ext(kind, bytes)),
    ];
    leaf.prop_recursive(4, 40, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Value::Array),
            prop::collection::vec((inner.clone(), inner), 0..20).prop_map(Value::Map),
        ]
    })
}

fn encoded(value: &Value) -> Vec<u8> {
    rmp_serde::to_vec(value).unwrap()
}

#[test]
fn a_map_is_read_as_it_was_written_and_as_others_read_it() {
    let mut writer = FieldWriter::new(64);
    writer.str("name", "x");
    writer.uint("count", 300);
    writer.uint_if_any("none", 0);
    writer.bin("bytes", b"\0\xff");
    let written = writer.finish();
    let value: Value = rmp_serde::from_slice(&written).unwrap();
    assert_eq!(value["name"].as_str(), Some("x"));
    assert_eq!(value["count"].as_u64(), Some(300));
    assert_eq!(value.as_map().unwrap().len(), 4);

    let mut read = FieldReader::new("a test", &written, 100).unwrap();
    assert_eq!(read.map().unwrap(), 4);
    assert_eq!((read.str().unwrap(), read.uint().unwrap()), ("v", 1));
    assert_eq!((read.str().unwrap(), read.str().unwrap()), ("name", "x"));
    assert_eq!((read.str().unwrap(), read.small::<u16>("count").unwrap()), ("count", 300));
    assert_eq!((read.str().unwrap(), &read.bin().unwrap()[..]), ("bytes", &b"\0\xff"[..]));
    read.finish().unwrap();
}

#[test]
fn a_version_is_found_wherever_it_stands_and_another_one_is_named() {
    let with = |fields: &[(&str, u64)]| {
        let fields = fields.iter().map(|(name, number)| ((*name).into(), (*number).into()));
        Bytes::from(encoded(&Value::Map(fields.collect())))
    };
    assert!(FieldReader::new("a test", &with(&[("a", 7), ("v", 1)]), 100).is_ok());
    let later = with(&[("a", 7), ("v", 9)]);
    assert!(matches!(
        FieldReader::new("a test", &later, 100).map(drop),
        Err(WireError::Unreadable(stored::Error::Version { found: 9, .. }))
    ));
    assert!(FieldReader::new("a test", &with(&[("a", 7)]), 100).is_err());
    assert!(matches!(
        FieldReader::new("a test", &with(&[("v", 1)]), 2).map(drop),
        Err(WireError::TooLarge { .. })
    ));
}

#[test]
fn a_map_that_claims_more_than_there_is_is_refused() {
    for bytes in [&b"\xde\xff\xff"[..], b"\xdf\xff\xff\xff\xff", b"\x85", b"\xde\0", b""] {
        assert!(reader(&Bytes::copy_from_slice(bytes)).map().is_err(), "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn any_value_is_passed_over_and_no_part_of_one_is(value in values(), cut in any::<u16>()) {
        let mut bytes = encoded(&value);
        let len = bytes.len();
        bytes.push(0xc3);
        let bytes = Bytes::from(bytes);
        let mut read = reader(&bytes);
        read.skip().unwrap();
        prop_assert_eq!(read.at(), len);
        prop_assert!(read.bool().unwrap());
        let part = bytes.slice(..usize::from(cut) % len);
        prop_assert!(reader(&part).skip().is_err());
    }

    #[test]
    fn arbitrary_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let bytes = Bytes::from(bytes);
        let _ = reader(&bytes).skip();
        let _ = reader(&bytes).map();
        let _ = reader(&bytes).optional(FieldReader::bin);
        let _ = FieldReader::new("a test", &bytes, 64);
    }
}
