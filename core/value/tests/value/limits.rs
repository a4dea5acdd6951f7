//! What is refused before it costs anything.

use wattle_value::packed::{Error, Reader, Writer};
use wattle_value::{CheckError, Field, FuncType, Limits, Type, check_args, check_result};

fn list(element: Type) -> Type {
    Type::List(element.into())
}

fn takes(ty: Type) -> FuncType {
    FuncType { params: vec![Field { name: "it".to_owned(), ty }], result: None, is_async: false }
}

fn check(ty: Type, bytes: &[u8]) -> Result<(), CheckError> {
    check_args(&takes(ty), &[&[0x91], bytes].concat(), 0, &Limits::default())
}

#[test]
fn a_length_that_claims_more_than_there_is_is_refused() {
    let claims: [(Type, &[u8]); 6] = [
        (list(Type::String), b"\xdd\xff\xff\xff\xff"),
        (list(Type::String), b"\xdc\x00\x02\xa0"),
        (list(Type::U8), b"\xc6\xff\xff\xff\xff"),
        (list(Type::U64), b"\xc4\x081234567"),
        (Type::String, b"\xdb\xff\xff\xff\xff"),
        (Type::String, b"\xa2a"),
    ];
    for (ty, bytes) in claims {
        let refused = check(ty.clone(), bytes);
        assert!(
            matches!(refused, Err(CheckError::Packed(Error::Length { at: 1, .. }))),
            "{ty}: {refused:?}"
        );
    }
}

#[test]
fn a_list_of_numbers_has_whole_numbers() {
    let refused = check(list(Type::U32), b"\xc4\x051234\x05");
    assert_eq!(refused, Err(CheckError::Elements { at: 1, ty: "u32" }));
}

#[test]
fn more_bytes_than_allowed_are_refused_unread() {
    let limits = Limits { bytes_max: 4, ..Limits::default() };
    let refused = check_args(&takes(list(Type::U8)), b"\x91\xc4\x02ab", 0, &limits);
    assert_eq!(refused, Err(CheckError::TooLong { len: 5, max: 4 }));
}

#[test]
fn elements_of_all_lists_are_counted_together() {
    let limits = Limits { elements_max: 5, ..Limits::default() };
    let lists = |inner: &[usize]| {
        let mut writer = Writer::new();
        writer.array(1);
        writer.array(inner.len());
        for &len in inner {
            writer.array(len);
            (0..len).for_each(|_| writer.bool(true));
        }
        writer.into_vec()
    };
    let func = takes(list(list(Type::Bool)));
    assert_eq!(check_args(&func, &lists(&[1, 2]), 0, &limits), Ok(()));
    let refused = check_args(&func, &lists(&[1, 3]), 0, &limits);
    assert_eq!(refused, Err(CheckError::TooMany { max: 5 }));
}

#[test]
fn numbers_in_lists_are_bounded_by_their_bytes_alone() {
    let limits = Limits { elements_max: 0, ..Limits::default() };
    let mut writer = Writer::new();
    writer.array(1);
    writer.bin(&[7; 4096]);
    let bytes = writer.into_bytes();
    assert_eq!(check_args(&takes(list(Type::U32)), &bytes, 0, &limits), Ok(()));
}

#[test]
fn types_deeper_than_allowed_are_refused_whatever_the_value() {
    let nested = |depth: usize| (1..depth).fold(Type::Bool, |ty, _| Type::Option(ty.into()));
    let value = |depth: usize| [vec![0x91; depth], vec![0xc3]].concat();
    let max = Limits::default().depth_max;
    let limits = Limits::default();
    assert_eq!(check_args(&takes(nested(max)), &value(max), 0, &limits), Ok(()));
    let refused = check_args(&takes(nested(max + 1)), &value(max + 1), 0, &limits);
    assert_eq!(refused, Err(CheckError::TooDeep { max }));
    // However deep the bytes are, only as deep as the type is read.
    let refused = check_args(&takes(Type::Bool), &value(100_000), 0, &limits);
    assert!(matches!(refused, Err(CheckError::Packed(Error::Unexpected { .. }))));
}

#[test]
fn streams_are_numbered_as_they_occur() {
    let func = takes(Type::Tuple(vec![Type::Stream(None), Type::InputStream]));
    let check = |numbers: &[u8], streams| {
        check_args(&func, &[b"\x91\x92", numbers].concat(), streams, &Limits::default())
    };
    assert_eq!(check(&[0, 1], 2), Ok(()));
    assert_eq!(check(&[1, 0], 2), Err(CheckError::Stream { at: 2, expected: 0, found: 1 }));
    assert_eq!(check(&[0, 0], 2), Err(CheckError::Stream { at: 3, expected: 1, found: 0 }));
    assert_eq!(check(&[0, 1], 3), Err(CheckError::Streams { streams: 3, used: 2 }));
    assert_eq!(check(&[0, 1], 1), Err(CheckError::Streams { streams: 1, used: 2 }));
}

#[test]
fn a_function_without_a_result_returns_nil_and_nothing_else() {
    let func = takes(Type::Bool);
    assert_eq!(check_result(&func, b"\xc0", 0, &Limits::default()), Ok(()));
    for bytes in [&b""[..], b"\xc0\xc0", b"\x90", b"\xc3"] {
        assert!(check_result(&func, bytes, 0, &Limits::default()).is_err(), "{bytes:?}");
    }
}

#[test]
fn positions_and_slices_are_those_of_what_is_read() {
    let bytes = b"\x92\xa5hello\xc4\x02ab";
    let mut reader = Reader::new(bytes);
    assert_eq!(reader.array(), Ok(2));
    assert_eq!((reader.str(), reader.position()), (Ok("hello"), 7));
    let bin = reader.bin().unwrap();
    assert!(std::ptr::eq(bin.as_ptr(), &raw const bytes[9]), "it is not copied");
    assert_eq!((reader.remaining(), reader.finish()), (0, Ok(())));
}

#[test]
fn a_used_buffer_is_written_again_where_it_is() {
    let mut writer = Writer::with_capacity(64);
    writer.bin_header(3);
    writer.raw(b"ab");
    writer.raw(b"c");
    let mut buffer = writer.into_vec();
    assert_eq!(buffer, b"\xc4\x03abc");
    let place = buffer.as_ptr();
    buffer.clear();
    let mut writer = Writer::from(buffer);
    writer.str("again");
    assert_eq!((writer.as_slice(), writer.len()), (&b"\xa5again"[..], 6));
    assert_eq!(writer.as_slice().as_ptr(), place);
}
