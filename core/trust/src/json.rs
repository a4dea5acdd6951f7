//! JSON that has only one reading.
//!
//! A token is read by us and by others. Where readers differ (a key twice, numbers that are not
//! whole, deep nesting) a signed token could mean one thing here and another there, so such a
//! token is refused instead of interpreted.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};

/// Claims are nested three deep; some room for fields of others.
const DEPTH_MAX: usize = 16;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// A whole number that fits; `None` for every other number.
    Number(Option<u64>),
    Text(String),
    List(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

#[derive(Debug, PartialEq)]
pub(crate) enum Fault {
    Utf8,
    Syntax,
    TooDeep,
    KeyTwice(String),
}

pub(crate) fn parse(bytes: &[u8]) -> Result<Json, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::Utf8)?;
    let fault = Cell::new(None);
    let mut reader = serde_json::Deserializer::from_str(text);
    let json = Strict { depth: 0, fault: &fault }
        .deserialize(&mut reader)
        .and_then(|json| reader.end().map(|()| json));
    json.map_err(|_| fault.take().unwrap_or(Fault::Syntax))
}

/// Reads one value; leaves the reason in `fault` when the text is JSON but not ours.
#[derive(Clone, Copy)]
struct Strict<'f> {
    depth: usize,
    fault: &'f Cell<Option<Fault>>,
}

impl Strict<'_> {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        if self.depth == DEPTH_MAX {
            return Err(self.fail(Fault::TooDeep));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }

    fn fail<E: de::Error>(self, fault: Fault) -> E {
        self.fault.set(Some(fault));
        E::custom("refused")
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Json;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(Some(value)))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Number(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Number(None))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(value) = seq.next_element_seed(inner)? {
            list.push(value);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let inner = self.deeper()?;
        let mut object = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(self.fail(Fault::KeyTwice(key)));
            }
            object.insert(key, map.next_value_seed(inner)?);
        }
        Ok(Json::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_with_two_readings_is_refused() {
        let cases: [(&[u8], Fault); 12] = [
            (b"", Fault::Syntax),
            (b"{", Fault::Syntax),
            (b"{} {}", Fault::Syntax),
            (b"{'a':1}", Fault::Syntax),
            (b"{\"a\":1,}", Fault::Syntax),
            (b"[01]", Fault::Syntax),
            (b"[NaN]", Fault::Syntax),
            (b"\xef\xbb\xbf{}", Fault::Syntax),
            (b"{\"a\":\"\\ud800\"}", Fault::Syntax),
            (b"\"\xff\"", Fault::Utf8),
            (b"{\"a\":1,\"a\":1}", Fault::KeyTwice("a".into())),
            (b"{\"o\":{\"a\":1,\"\\u0061\":2}}", Fault::KeyTwice("a".into())),
        ];
        for (text, fault) in cases {
            assert_eq!(parse(text), Err(fault), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn nesting_ends_at_its_bound_and_not_with_the_stack() {
        let nested = |depth: usize| [b"[".repeat(depth), b"]".repeat(depth)].concat();
        assert!(parse(&nested(DEPTH_MAX)).is_ok());
        assert_eq!(parse(&nested(DEPTH_MAX + 1)), Err(Fault::TooDeep));
        assert_eq!(parse(&b"[".repeat(100_000)), Err(Fault::TooDeep));
    }

    #[test]
    fn only_a_whole_number_from_zero_up_is_a_number() {
        let cases = [
            ("0", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("-1", None),
            ("-0", None),
            ("1.0", None),
            ("1e3", None),
        ];
        for (text, number) in cases {
            assert_eq!(parse(text.as_bytes()), Ok(Json::Number(number)), "{text}");
        }
    }
}
