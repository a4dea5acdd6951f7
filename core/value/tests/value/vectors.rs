//! The examples in `docs/protocol/vectors/values.json`, which writers in other languages test against.

use data_encoding::HEXLOWER;
use serde::Deserialize;
use wattle_value::packed::{Reader, Writer};
use wattle_value::{Field, FuncType, Limits, MeshError, Type, Value, check_result, wave};

#[derive(Deserialize)]
struct Vectors {
    values: Vec<Example>,
    also_accepted: Vec<Longer>,
    refused: Vec<Refused>,
    signatures: Vec<Signature>,
    mesh_errors: Vec<Carried>,
}

/// A value: its only packed form, and its text if it has one that says all of it.
#[derive(Deserialize)]
struct Example {
    #[serde(rename = "type")]
    ty: Type,
    text: String,
    wave: Option<String>,
    #[serde(default)]
    streams: usize,
    packed: String,
}

/// A value not packed in the shortest way.
#[derive(Deserialize)]
struct Longer {
    #[serde(rename = "type")]
    ty: Type,
    packed: String,
    shortest: String,
    why: String,
}

#[derive(Deserialize)]
struct Refused {
    #[serde(rename = "type")]
    ty: Type,
    #[serde(default)]
    streams: usize,
    packed: String,
    why: String,
}

#[derive(Deserialize)]
struct Signature {
    func: FuncType,
    text: String,
    fingerprint: String,
}

/// An error of the mesh as a result; nothing where the type has no room for it.
#[derive(Deserialize)]
struct Carried {
    result: Type,
    text: String,
    kind: String,
    message: String,
    packed: Option<String>,
}

fn vectors() -> Vectors {
    let json = include_str!("../../../../docs/protocol/vectors/values.json");
    serde_json::from_str(json).unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    HEXLOWER.decode(hex.as_bytes()).unwrap()
}

fn returning(ty: &Type) -> FuncType {
    FuncType { params: vec![], result: Some(ty.clone()), is_async: false }
}

fn again(ty: &Type, packed: &[u8]) -> Vec<u8> {
    let value = Value::unpack(ty, &mut Reader::new(packed)).unwrap();
    let mut writer = Writer::new();
    value.pack(ty, &mut writer).unwrap();
    writer.into_vec()
}

#[test]
fn every_value_has_the_packed_form_of_its_example() {
    for Example { ty, text, wave: said, streams, packed } in vectors().values {
        let packed = bytes(&packed);
        assert_eq!(ty.to_string(), text);
        let func = returning(&ty);
        assert_eq!(check_result(&func, &packed, streams, &Limits::default()), Ok(()), "{text}");
        assert_eq!(again(&ty, &packed), packed, "{text}");
        let Some(said) = said else { continue };
        assert_eq!(wave::result(&func, &packed).unwrap(), said);
        let takes = FuncType {
            params: vec![Field { name: "it".to_owned(), ty }],
            result: None,
            is_async: false,
        };
        let args = wave::args(&takes, &format!("({said})")).unwrap();
        assert_eq!((args[0], &args[1..]), (0x91, &packed[..]), "{said}");
    }
}

#[test]
fn longer_forms_are_read_as_well() {
    for Longer { ty, packed, shortest, why } in vectors().also_accepted {
        let checked = check_result(&returning(&ty), &bytes(&packed), 0, &Limits::default());
        assert_eq!(checked, Ok(()), "{ty} {packed}: {why}");
        assert_eq!(again(&ty, &bytes(&packed)), bytes(&shortest), "{ty} {packed}: {why}");
    }
}

#[test]
fn what_is_no_value_of_the_type_is_refused() {
    for Refused { ty, streams, packed, why } in vectors().refused {
        let checked = check_result(&returning(&ty), &bytes(&packed), streams, &Limits::default());
        assert!(checked.is_err(), "{ty} {packed}: {why}");
    }
}

#[test]
fn every_signature_has_the_text_and_the_fingerprint_of_its_example() {
    for Signature { func, text, fingerprint } in vectors().signatures {
        assert_eq!(func.to_string(), text);
        assert_eq!(func.fingerprint().to_string(), fingerprint, "{text}");
    }
}

#[test]
fn an_error_of_the_mesh_is_carried_where_the_type_can() {
    let kinds = [
        MeshError::Unreachable,
        MeshError::DeadlineExceeded,
        MeshError::Overloaded,
        MeshError::Unknown,
    ];
    for Carried { result, text, kind, message, packed } in vectors().mesh_errors {
        let kind = kinds.into_iter().find(|known| known.as_str() == kind).unwrap();
        let carried = returning(&result).mesh_error(kind, &message);
        assert_eq!(carried.map(|carried| HEXLOWER.encode(&carried)), packed, "{text}");
    }
}
