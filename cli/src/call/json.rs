//! A returned value as JSON, for scripts: records are objects, options are values or null.

use serde_json::{Value as Json, json};
use wattle_value::Value;

pub(super) fn of(value: &Value) -> Json {
    match value {
        Value::Bool(value) => json!(value),
        Value::S8(n) => json!(n),
        Value::U8(n) => json!(n),
        Value::S16(n) => json!(n),
        Value::U16(n) => json!(n),
        Value::S32(n) => json!(n),
        Value::U32(n) => json!(n),
        Value::S64(n) => json!(n),
        Value::U64(n) => json!(n),
        Value::F32(n) => float(f64::from(*n)),
        Value::F64(n) => float(*n),
        Value::Char(c) => json!(c),
        Value::String(text) | Value::Enum(text) => json!(text),
        Value::List(values) | Value::Tuple(values) => values.iter().map(of).collect(),
        Value::Record(fields) => {
            Json::Object(fields.iter().map(|(name, value)| (name.clone(), of(value))).collect())
        }
        Value::Variant(case, None) => json!(case),
        Value::Variant(case, Some(value)) => json!({ case: of(value) }),
        Value::Option(None) => Json::Null,
        // `some(none)` must not look like `none`.
        Value::Option(Some(inner)) if matches!(**inner, Value::Option(_)) => json!([of(inner)]),
        Value::Option(Some(inner)) => of(inner),
        Value::Result(Ok(value)) => json!({ "ok": value.as_deref().map(of) }),
        Value::Result(Err(value)) => json!({ "err": value.as_deref().map(of) }),
        Value::Flags(names) => json!(names),
        Value::Stream(number) => json!({ "stream": number }),
    }
}

/// JSON has no infinities and no NaN; their text is better than null.
fn float(n: f64) -> Json {
    serde_json::Number::from_f64(n).map_or_else(|| json!(n.to_string()), Json::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_of_value_has_its_json() {
        let some = |value| Value::Option(Some(Box::new(value)));
        let text = |text: &str| Value::String(text.to_owned());
        let cases = [
            (Value::U64(u64::MAX), json!(u64::MAX)),
            (Value::F64(f64::NAN), json!("NaN")),
            (Value::List(vec![Value::U8(1), Value::U8(2)]), json!([1, 2])),
            (Value::Record(vec![("a".to_owned(), Value::Bool(true))]), json!({"a": true})),
            (Value::Tuple(vec![Value::Char('c'), text("t")]), json!(["c", "t"])),
            (Value::Variant("full".to_owned(), Some(Box::new(Value::S8(-1)))), json!({"full": -1})),
            (Value::Variant("empty".to_owned(), None), json!("empty")),
            (Value::Option(None), json!(null)),
            (some(Value::Option(None)), json!([null])),
            (some(some(Value::U8(7))), json!([7])),
            (some(text("x")), json!("x")),
            (Value::Result(Ok(None)), json!({"ok": null})),
            (Value::Result(Err(Some(Box::new(text("why"))))), json!({"err": "why"})),
            (Value::Flags(vec!["a".to_owned()]), json!(["a"])),
        ];
        for (value, expected) in cases {
            assert_eq!(of(&value), expected, "{value:?}");
        }
    }
}
