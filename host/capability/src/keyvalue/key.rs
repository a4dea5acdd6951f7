//! How a key is written in a back-end: a stored format, the same for all of them.
//!
//! A guest's key is any string. NATS takes only `[-/_=.a-zA-Z0-9]` and gives dots a meaning, so a
//! key is written with letters, digits, `-`, `_` and `/` as they are and every other byte of its
//! UTF-8 as `=XX` (upper-case hex). The empty key is a single `=`. The form is canonical: each
//! key has one encoding, and what is not the encoding of some key is refused.

/// Why stored text is not an encoded key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an encoded key")]
pub struct DecodeError(pub String);

/// What stands for the key of no characters; no escape is that short.
const EMPTY: &str = "=";

/// Writes a key; at most three times as long.
///
/// ```
/// use wattle_capability::key;
///
/// assert_eq!(key::encode("/a b"), "/a=20b");
/// assert_eq!(key::encode("v1.2"), "v1=2E2");
/// assert_eq!(key::decode("/a=20b").unwrap(), "/a b");
/// ```
pub fn encode(key: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    if key.is_empty() {
        return EMPTY.to_owned();
    }
    let mut encoded = String::with_capacity(key.len());
    for byte in key.bytes() {
        if is_plain(byte) {
            encoded.push(byte.into());
        } else {
            encoded.push('=');
            encoded.push(HEX[usize::from(byte >> 4)].into());
            encoded.push(HEX[usize::from(byte & 15)].into());
        }
    }
    encoded
}

/// Reads what [`encode`] wrote.
///
/// # Errors
///
/// For anything that [`encode`] does not write: somebody else's entry, not a key of a guest.
pub fn decode(encoded: &str) -> Result<String, DecodeError> {
    let refused = || DecodeError(encoded.to_owned());
    if encoded == EMPTY {
        return Ok(String::new());
    }
    let mut bytes = encoded.bytes();
    let mut key = Vec::with_capacity(encoded.len());
    while let Some(byte) = bytes.next() {
        match byte {
            b'=' => {
                let high = bytes.next().and_then(digit).ok_or_else(refused)?;
                let low = bytes.next().and_then(digit).ok_or_else(refused)?;
                let escaped = high << 4 | low;
                if is_plain(escaped) {
                    return Err(refused());
                }
                key.push(escaped);
            }
            plain if is_plain(plain) => key.push(plain),
            _ => return Err(refused()),
        }
    }
    if key.is_empty() {
        return Err(refused());
    }
    String::from_utf8(key).map_err(|_| refused())
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/')
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_are_stored_as_documented() {
        let cases = [
            ("", "="),
            ("=", "=3D"),
            (".", "=2E"),
            ("a", "a"),
            ("/a b", "/a=20b"),
            ("visits:/ä", "visits=3A/=C3=A4"),
            ("*.>", "=2A=2E=3E"),
            ("\r\n\0", "=0D=0A=00"),
        ];
        for (key, encoded) in cases {
            assert_eq!(encode(key), encoded, "{key:?}");
            assert_eq!(decode(encoded), Ok(key.to_owned()), "{encoded:?}");
        }
    }

    #[test]
    fn what_no_key_encodes_to_is_refused() {
        for encoded in ["", "a.b", "a b", "=4", "=2", "==", "=2e", "=41", "=G0", "=FF", "ä", "=C3"]
        {
            assert_eq!(decode(encoded), Err(DecodeError(encoded.to_owned())), "{encoded:?}");
        }
    }

    proptest! {
        #[test]
        fn any_string_is_a_key(key in any::<String>()) {
            let encoded = encode(&key);
            prop_assert!(!encoded.is_empty() && encoded.len() <= 3 * key.len().max(1));
            let allowed = |byte: u8| is_plain(byte) || byte == b'=';
            prop_assert!(encoded.bytes().all(allowed), "{}", encoded);
            prop_assert_eq!(decode(&encoded), Ok(key));
        }

        #[test]
        fn a_key_has_one_encoding(text in "[-/_=.a-zA-Z0-9]{0,12}") {
            if let Ok(key) = decode(&text) {
                prop_assert_eq!(encode(&key), text);
            }
        }
    }
}
