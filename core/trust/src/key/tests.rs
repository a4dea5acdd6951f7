use wattle_types::nkey::encode_seed;

use super::*;

fn pair() -> KeyPair {
    KeyPair::from_seed(&encode_seed(Role::Account, &[1; 32])).unwrap()
}

fn hex<const N: usize>(text: &str) -> [u8; N] {
    data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap().try_into().unwrap()
}

/// Every encoding of a point whose order divides eight, also those with y beyond the field.
const SMALL_ORDER: [&str; 8] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
];

#[test]
fn the_first_vector_of_the_rfc_signs_and_verifies() {
    let seed = hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
    let pair = KeyPair::from_seed(&encode_seed(Role::User, &seed)).unwrap();
    let public = hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    let signature = hex("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155\
         5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b");
    assert_eq!(pair.public(), PublicKey::new(Role::User, public));
    assert_eq!(pair.sign(b""), signature);
    verify_strict(&pair.public(), b"", &signature).unwrap();
}

#[test]
fn a_generated_key_survives_its_seed() {
    for role in [Role::Server, Role::Cluster, Role::Account, Role::Module] {
        let pair = KeyPair::generate(role).unwrap();
        let again = KeyPair::from_seed(pair.seed().expose()).unwrap();
        assert_eq!(again.public(), pair.public());
        assert_eq!(again.role(), role);
        verify_strict(&pair.public(), b"hello", &again.sign(b"hello")).unwrap();
    }
    let (one, other) = (KeyPair::generate(Role::Module), KeyPair::generate(Role::Module));
    assert_ne!(one.unwrap().public(), other.unwrap().public());
}

#[test]
fn a_signature_is_by_one_key_over_one_message() {
    let pair = pair();
    let signature = pair.sign(b"message");
    let another = KeyPair::from_seed(&encode_seed(Role::Account, &[2; 32])).unwrap();
    assert!(verify_strict(&pair.public(), b"massage", &signature).is_err());
    assert!(verify_strict(&another.public(), b"message", &signature).is_err());
    for bit in 0..SIGNATURE_LEN * 8 {
        let mut flipped = signature;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(verify_strict(&pair.public(), b"message", &flipped).is_err(), "bit {bit}");
    }
}

#[test]
fn a_key_for_which_anyone_can_sign_is_no_key() {
    for text in SMALL_ORDER {
        let key = PublicKey::new(Role::Account, hex(text));
        // R neutral and S zero: the signature that holds for every message under such keys.
        let mut forged = [0; SIGNATURE_LEN];
        forged[0] = 1;
        let result = verify_strict(&key, b"anything", &forged);
        assert!(matches!(result, Err(Error::Weak(_))), "{text}: {result:?}");
    }
}

#[test]
fn bytes_that_are_not_the_one_encoding_of_a_point_are_no_key() {
    let cases = [
        // No x for this y.
        "0200000000000000000000000000000000000000000000000000000000000000",
        // y = 3 and y = 2^255 - 16, which is the same.
        "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    for text in cases {
        let key = PublicKey::new(Role::Account, hex(text));
        let result = verify_strict(&key, b"", &[0; SIGNATURE_LEN]);
        assert!(matches!(result, Err(Error::NotAPoint(_))), "{text}: {result:?}");
    }
    let canonical = "0300000000000000000000000000000000000000000000000000000000000000";
    checked(&PublicKey::new(Role::Account, hex(canonical))).unwrap();
}

#[test]
fn a_curve_key_neither_signs_nor_verifies() {
    let seed = encode_seed(Role::Curve, &[1; 32]);
    assert!(matches!(KeyPair::generate(Role::Curve), Err(Error::CannotSign(_))));
    assert!(matches!(KeyPair::from_seed(&seed), Err(Error::CannotSign(_))));
    let key = PublicKey::new(Role::Curve, *pair().public().bytes());
    let result = verify_strict(&key, b"m", &pair().sign(b"m"));
    assert!(matches!(result, Err(Error::CannotSign(_))));
}

#[test]
fn a_secret_is_shown_only_when_asked_for() {
    let pair = pair();
    let seed = pair.seed();
    let shown = format!("{seed:?} {pair:?} {:?}", KeyPair::from_seed(&seed.expose()[1..]));
    assert!(!shown.contains(&seed.expose()[2..20]), "{shown}");
    assert!(seed.expose().starts_with("SA"));
}

#[test]
fn what_is_no_seed_says_why() {
    let public = pair().public().to_string();
    for text in ["", "SA", &public, &pair().seed().expose().to_lowercase()] {
        assert!(matches!(KeyPair::from_seed(text), Err(Error::Seed(_))), "{text:?}");
    }
    KeyPair::from_seed(&format!("  {}\n", pair().seed().expose())).unwrap();
}
