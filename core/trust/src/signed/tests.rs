use rmpv::Value;
use wattle_types::nkey::Role;

use super::*;
use crate::tests::fixture::key;

fn controller() -> KeyPair {
    key(Role::Cluster, 1)
}

fn allowed() -> BTreeSet<PublicKey> {
    [controller().public()].into()
}

fn sealed() -> Vec<u8> {
    seal(Context::Assignment, b"run this", &controller())
}

fn verdict(bytes: &[u8]) -> &'static str {
    let verified = open(bytes)
        .and_then(|signed| signed.verify(Context::Assignment, &allowed()).map(<[u8]>::to_vec));
    match verified {
        Ok(_) => "accepted",
        Err(error) => error.code(),
    }
}

/// The envelope with one field replaced, added, or (by `None`) taken out.
fn with(field: &str, value: Option<Value>) -> Vec<u8> {
    let Value::Map(mut map) = rmpv::decode::read_value(&mut &sealed()[..]).unwrap() else {
        panic!("an envelope is a map");
    };
    map.retain(|(key, _)| key.as_str() != Some(field));
    map.extend(value.map(|value| (field.into(), value)));
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, &Value::Map(map)).unwrap();
    bytes
}

#[test]
fn what_was_sealed_opens_with_an_allowed_key() {
    for body in [&b""[..], b"run this", &[0xff; 70_000]] {
        let bytes = seal(Context::Leader, body, &controller());
        let signed = open(&bytes).unwrap();
        assert_eq!(*signed.claimed_key(), controller().public());
        assert_eq!(signed.verify(Context::Leader, &allowed()).unwrap(), body);
    }
}

#[test]
fn the_form_is_the_documented_one() {
    let Value::Map(map) = rmpv::decode::read_value(&mut &sealed()[..]).unwrap() else {
        panic!("an envelope is a map");
    };
    let fields: Vec<_> = map.iter().map(|(key, _)| key.as_str().unwrap()).collect();
    assert_eq!(fields, ["v", "key", "alg", "sig", "body"]);
    let signature = controller().sign(b"wattle-assignment-v1\0run this");
    assert_eq!(map[0].1, Value::from(1));
    assert_eq!(map[1].1, Value::from(controller().public().to_string()));
    assert_eq!(map[2].1, Value::from("ed25519"));
    assert_eq!(map[3].1, Value::Binary(signature.to_vec()));
    assert_eq!(map[4].1, Value::Binary(b"run this".to_vec()));
}

#[test]
fn a_message_of_one_kind_does_not_pass_as_another() {
    for sealed_as in Context::ALL {
        let signed = open(&seal(sealed_as, b"body", &controller())).unwrap();
        for read_as in Context::ALL {
            let is_verified = signed.verify(read_as, &allowed()).is_ok();
            assert_eq!(is_verified, sealed_as == read_as);
        }
    }
    let names: BTreeSet<_> = Context::ALL.map(Context::name).into();
    assert_eq!(names.len(), Context::ALL.len());
    assert!(names.iter().all(|name| !name.contains('\0')));
}

#[test]
fn a_bad_envelope_is_refused_with_its_code() {
    let malformed = "WT-TRUST-SIGNED-MALFORMED";
    let signature = "WT-TRUST-SIGNED-SIGNATURE";
    let another = key(Role::Cluster, 2);
    let same_bytes = PublicKey::new(Role::Account, *controller().public().bytes()).to_string();
    let text = |text: &str| Some(Value::from(text));
    let cases = [
        ("as sealed", sealed(), "accepted"),
        ("a field of a later version", with("later", text("x")), "accepted"),
        ("nothing", vec![], malformed),
        ("text", b"hello".to_vec(), malformed),
        ("without the last byte", sealed()[..sealed().len() - 1].to_vec(), malformed),
        ("a byte behind", [sealed(), vec![0]].concat(), "WT-TRUST-SIGNED-TRAILING-BYTES"),
        ("twice", [sealed(), sealed()].concat(), "WT-TRUST-SIGNED-TRAILING-BYTES"),
        ("version 2", with("v", Some(2.into())), "WT-TRUST-SIGNED-VERSION"),
        ("no version", with("v", None), malformed),
        ("alg none", with("alg", text("none")), "WT-TRUST-SIGNED-ALGORITHM"),
        ("alg in upper case", with("alg", text("Ed25519")), "WT-TRUST-SIGNED-ALGORITHM"),
        ("no alg", with("alg", None), malformed),
        ("a key that is none", with("key", text("C")), malformed),
        (
            "a stranger's key",
            with("key", text(&another.public().to_string())),
            "WT-TRUST-SIGNED-KEY",
        ),
        ("the key in another role", with("key", text(&same_bytes)), "WT-TRUST-SIGNED-KEY"),
        (
            "a stranger's message",
            seal(Context::Assignment, b"run this", &another),
            "WT-TRUST-SIGNED-KEY",
        ),
        ("no signature", with("sig", None), malformed),
        ("a short signature", with("sig", Some(Value::Binary(vec![1; 63]))), malformed),
        ("a signature of zeros", with("sig", Some(Value::Binary(vec![0; 64]))), signature),
        ("another body", with("body", Some(Value::Binary(b"run that".to_vec()))), signature),
        ("no body", with("body", None), malformed),
        (
            "a body that is a list of texts",
            with("body", Some(Value::Array(vec!["run".into()]))),
            malformed,
        ),
        ("too large", vec![0; SIGNED_BYTES_MAX + 1], "WT-TRUST-SIGNED-TOO-LARGE"),
    ];
    for (what, bytes, code) in cases {
        assert_eq!(verdict(&bytes), code, "{what}");
    }
}

#[test]
fn a_sealed_message_with_one_bit_flipped_is_refused() {
    let sealed = sealed();
    for bit in 0..sealed.len() * 8 {
        let mut flipped = sealed.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_ne!(verdict(&flipped), "accepted", "bit {} of byte {}", bit % 8, bit / 8);
    }
}
