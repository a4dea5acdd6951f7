//! What holds for every type and value.

use proptest::prelude::*;
use wattle_value::packed::{Reader, Writer};
use wattle_value::{FuncType, Limits, Type, Value, check_args, check_result, wave};

use crate::arbitrary::{Call, call, ty};

const LIMITS: Limits = Limits { bytes_max: 8 << 20, depth_max: 100, elements_max: 1 << 20 };

fn pack_args(call: &Call) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.array(call.args.len());
    for (param, value) in call.func.params.iter().zip(&call.args) {
        value.pack(&param.ty, &mut writer).unwrap();
    }
    writer.into_vec()
}

fn pack_result(call: &Call) -> Vec<u8> {
    let mut writer = Writer::new();
    match (&call.func.result, &call.result) {
        (Some(ty), Some(value)) => value.pack(ty, &mut writer).unwrap(),
        _ => writer.nil(),
    }
    writer.into_vec()
}

/// Reads a value of `ty` and writes it again; bytes tell what equality hides: NaN, and zero below zero.
fn again(ty: &Type, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::new(bytes);
    let value = Value::unpack(ty, &mut reader).ok()?;
    reader.finish().ok()?;
    let mut writer = Writer::new();
    value.pack(ty, &mut writer).unwrap();
    Some(writer.into_vec())
}

fn returning(ty: Type) -> FuncType {
    FuncType { params: Vec::new(), result: Some(ty), is_async: false }
}

/// For bytes from nowhere: how many streams they claim matters little, so any number will do.
fn accepted(func: &FuncType, bytes: &[u8]) -> bool {
    (0..4).any(|streams| check_result(func, bytes, streams, &LIMITS).is_ok())
}

proptest! {
    // A failure that is found becomes a test with a name.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn what_was_packed_is_accepted_and_read_back_bit_by_bit(call in call(true)) {
        let args = pack_args(&call);
        prop_assert_eq!(check_args(&call.func, &args, call.args_streams, &LIMITS), Ok(()));
        let result = pack_result(&call);
        prop_assert_eq!(check_result(&call.func, &result, call.result_streams, &LIMITS), Ok(()));
        if let Some(ty) = &call.func.result {
            prop_assert_eq!(again(ty, &result), Some(result));
        }
    }

    #[test]
    fn what_is_packed_is_messagepack_in_its_shortest_form(call in call(true)) {
        let args = pack_args(&call);
        let mut rest = &args[..];
        let read = rmpv::decode::read_value(&mut rest).unwrap();
        prop_assert!(rest.is_empty());
        let mut written = Vec::new();
        rmpv::encode::write_value(&mut written, &read).unwrap();
        prop_assert_eq!(written, args);
    }

    #[test]
    fn arguments_that_were_cut_anywhere_are_refused(call in call(true)) {
        let args = pack_args(&call);
        for len in 0..args.len() {
            prop_assert!(check_args(&call.func, &args[..len], call.args_streams, &LIMITS).is_err());
        }
    }

    #[test]
    fn arguments_with_something_behind_them_are_refused(call in call(true), more: u8) {
        let mut args = pack_args(&call);
        args.push(more);
        prop_assert!(check_args(&call.func, &args, call.args_streams, &LIMITS).is_err());
    }

    #[test]
    fn arguments_with_more_or_fewer_streams_than_they_name_are_refused(call in call(true)) {
        let args = pack_args(&call);
        for streams in (0..call.args_streams + 3).filter(|&n| n != call.args_streams) {
            prop_assert!(check_args(&call.func, &args, streams, &LIMITS).is_err());
        }
    }

    #[test]
    fn random_bytes_are_accepted_only_if_they_are_a_value(
        ty in ty(false),
        bytes in proptest::collection::vec(any::<u8>(), 0..48),
    ) {
        let is_value = again(&ty, &bytes).is_some();
        prop_assert_eq!(accepted(&returning(ty), &bytes), is_value);
    }

    #[test]
    fn a_value_of_another_type_is_accepted_only_if_it_is_one_of_this(call in call(false), ty in ty(false)) {
        let bytes = pack_result(&call);
        let is_value = again(&ty, &bytes).is_some();
        prop_assert_eq!(accepted(&returning(ty), &bytes), is_value);
    }

    #[test]
    fn a_changed_byte_does_no_harm(
        call in call(false),
        at: proptest::sample::Index,
        byte: u8,
    ) {
        let Some(ty) = call.func.result.clone() else { return Ok(()) };
        let mut bytes = pack_result(&call);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let is_value = again(&ty, &bytes).is_some();
        prop_assert_eq!(accepted(&call.func, &bytes), is_value);
    }

    #[test]
    fn what_is_said_as_text_is_read_back(call in call(false)) {
        let Some(ty) = call.func.result.clone() else { return Ok(()) };
        let text = wave::result(&call.func, &pack_result(&call)).unwrap();
        let takes = FuncType {
            params: vec![wattle_value::Field { name: "it".to_owned(), ty: ty.clone() }],
            result: Some(ty),
            is_async: false,
        };
        let args = wave::args(&takes, &format!("({text})")).unwrap();
        prop_assert_eq!(args[0], 0x91);
        // Once it was text, a NaN is the canonical one; so texts are compared.
        prop_assert_eq!(wave::result(&takes, &args[1..]).unwrap(), text);
    }

    #[test]
    fn a_text_by_chance_is_refused_or_read(func in call(true), text in "[-0-9a-z(){}\\[\\],:\"' %/\n]{0,40}") {
        if let Ok(args) = wave::args(&func.func, &text) {
            prop_assert_eq!(check_args(&func.func, &args, 0, &LIMITS), Ok(()));
        }
    }

    #[test]
    fn equal_signatures_and_only_those_have_one_fingerprint(a in call(true), b in call(true)) {
        let (a, b) = (a.func, b.func);
        prop_assert_eq!(a.fingerprint() == b.fingerprint(), a == b);
        let json = serde_json::to_string(&a).unwrap();
        prop_assert_eq!(serde_json::from_str::<FuncType>(&json).unwrap(), a);
    }

    #[test]
    fn numbers_are_read_in_every_width(value: i64) {
        let mut widths = vec![wide(0xd3, &value.to_be_bytes())];
        widths.extend(u64::try_from(value).map(|value| wide(0xcf, &value.to_be_bytes())));
        widths.extend(i32::try_from(value).map(|value| wide(0xd2, &value.to_be_bytes())));
        widths.extend(i16::try_from(value >> 48).map(|value| wide(0xd1, &value.to_be_bytes())));
        let mut shortest = Writer::new();
        shortest.int(value);
        widths.push(shortest.into_vec());
        for bytes in &widths {
            let expected = if bytes[0] == 0xd1 { value >> 48 } else { value };
            prop_assert_eq!(Reader::new(bytes).int(), Ok(expected));
            prop_assert_eq!(Reader::new(bytes).uint().ok(), u64::try_from(expected).ok());
        }
    }
}

fn wide(marker: u8, bytes: &[u8]) -> Vec<u8> {
    [&[marker], bytes].concat()
}
