//! Arguments and results as text that people write and read: WAVE, by the crate `wasm-wave`.
//!
//! Streams have no text; a NaN is written `nan` and read as the canonical one.

mod text;

use bytes::Bytes;
use wasm_wave::parser::{Parser, ParserError, ParserErrorKind};
use wasm_wave::writer::WriterError;

use crate::packed::{Reader, Writer};
use crate::{CheckError, FuncType, Limits, Type, Value, check_result};

/// Why a text is no arguments, or a result has no text.
#[derive(Debug, thiserror::Error)]
pub enum WaveError {
    #[error("{reason} (at byte {at} of the arguments)")]
    Text { at: usize, reason: String },
    #[error("{what} of type {ty} is a stream or holds one, which has no text")]
    Streams { what: &'static str, ty: String },
    #[error("the result is not of the type {ty}")]
    Result { ty: String, source: CheckError },
    #[error("the result could not be written as text")]
    Write(#[source] WriterError),
}

/// The packed arguments that `text` says: `(1, "a")` or `1, "a"`.
///
/// Options at the end may be left out. A text in parentheses is the whole list if it can be, and
/// else the one tuple among the arguments.
pub fn args(func: &FuncType, text: &str) -> Result<Bytes, WaveError> {
    if let Some(param) = func.params.iter().find(|param| param.ty.has_stream()) {
        return Err(WaveError::Streams { what: "a parameter", ty: param.ty.to_string() });
    }
    let values = values(func, text)?;
    let mut writer = Writer::new();
    writer.array(values.len());
    for (param, value) in func.params.iter().zip(&values) {
        let pack = value.pack(&param.ty, &mut writer);
        pack.expect("what was read by a type is of that type");
    }
    Ok(writer.into_bytes())
}

/// The text of a packed result; empty where the function has none.
pub fn result(func: &FuncType, bytes: &[u8]) -> Result<String, WaveError> {
    let ty = func.result.as_ref();
    if let Some(ty) = ty.filter(|ty| ty.has_stream()) {
        return Err(WaveError::Streams { what: "a result", ty: ty.to_string() });
    }
    let refused = |source| {
        let ty = ty.map_or_else(|| "nothing".to_owned(), Type::to_string);
        WaveError::Result { ty, source }
    };
    // Not bounded in length: it is here already, and whoever asks has the memory to look at it.
    let limits = Limits { bytes_max: usize::MAX, elements_max: usize::MAX, ..Limits::default() };
    check_result(func, bytes, 0, &limits).map_err(refused)?;
    let Some(ty) = ty else { return Ok(String::new()) };
    let value = Value::unpack(ty, &mut Reader::new(bytes)).map_err(refused)?;
    wasm_wave::to_string(&value).map_err(WaveError::Write)
}

fn values(func: &FuncType, text: &str) -> Result<Vec<Value>, WaveError> {
    let types: Vec<Type> = func.params.iter().map(|param| param.ty.clone()).collect();
    let whole = match parse(&types, text, Form::List) {
        Ok(values) => return Ok(values),
        // It begins with an argument that is in parentheses, or with one that is not.
        Err(Refused { whole, error }) => whole.then_some(error),
    };
    let inside = parse(&types, text, Form::Inside);
    inside.map_err(|refused| whole.unwrap_or(refused.error))
}

struct Refused {
    /// The text is one list in parentheses, whatever is wrong in it.
    whole: bool,
    error: WaveError,
}

/// What the text is taken for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The list with its parentheses.
    List,
    /// What would be inside them.
    Inside,
}

fn parse(types: &[Type], text: &str, form: Form) -> Result<Vec<Value>, Refused> {
    // The end of the line ends a comment; the parser panics at a `//` with nothing behind it.
    let (source, before) = match form {
        Form::List => (format!("{text}\n"), 0),
        Form::Inside => (format!("({text}\n)"), 1),
    };
    let refuse = |whole: bool, error: &ParserError| {
        let detail = std::error::Error::source(error).map(ToString::to_string);
        let detail = detail.or_else(|| error.detail().map(str::to_owned));
        let reason = match detail {
            Some(detail) => format!("{}: {detail}", error.kind()),
            None => error.kind().to_string(),
        };
        let at = error.span().start.saturating_sub(before).min(text.len());
        Refused { whole, error: WaveError::Text { at, reason } }
    };
    let mut parser = Parser::new(&source);
    let value = match parser.parse_raw_value() {
        Ok(value) => value,
        // No arguments at all, which is no tuple.
        Err(error) if error.kind() == ParserErrorKind::EmptyTuple && begins(&source, &error) => {
            parser.finish().map_err(|error| refuse(false, &error))?;
            return absent(types).ok_or_else(|| {
                let reason = format!("no arguments, and there are {} parameters", types.len());
                Refused { whole: true, error: WaveError::Text { at: 0, reason } }
            });
        }
        Err(error) => return Err(refuse(false, &error)),
    };
    parser.finish().map_err(|error| refuse(false, &error))?;
    let node = value.node();
    let whole = node.as_tuple().is_ok();
    node.to_wasm_params(types, &source).map_err(|error| refuse(whole, &error))
}

/// Whether nothing precedes what the error is about.
fn begins(text: &str, error: &ParserError) -> bool {
    text[..error.span().start].trim().is_empty()
}

/// The arguments of a call that gives none: all must be options.
fn absent(types: &[Type]) -> Option<Vec<Value>> {
    types.iter().map(|ty| matches!(ty, Type::Option(_)).then_some(Value::Option(None))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Case, Field};

    fn takes(types: Vec<Type>) -> FuncType {
        let named = |(at, ty)| Field { name: format!("p{at}"), ty };
        FuncType {
            params: types.into_iter().enumerate().map(named).collect(),
            result: None,
            is_async: false,
        }
    }

    fn option(some: Type) -> Type {
        Type::Option(some.into())
    }

    #[test]
    fn arguments_are_written_with_parentheses_and_without() {
        let func = takes(vec![Type::U8, Type::String]);
        for text in ["(1, \"a\")", "1, \"a\"", " 1 ,\"a\", ", "(1, \"a\",)", "1, \"a\" // last"] {
            assert_eq!(&*args(&func, text).unwrap(), b"\x92\x01\xa1a", "{text}");
        }
    }

    #[test]
    fn parentheses_may_be_those_of_a_tuple() {
        let pair = || Type::Tuple(vec![Type::U8, Type::U8]);
        for text in ["(1, 2)", "((1, 2))"] {
            assert_eq!(&*args(&takes(vec![pair()]), text).unwrap(), b"\x91\x92\x01\x02", "{text}");
        }
        let two = takes(vec![pair(), Type::Bool]);
        assert_eq!(&*args(&two, "(1, 2), true").unwrap(), b"\x92\x92\x01\x02\xc3");
    }

    #[test]
    fn options_at_the_end_may_be_left_out() {
        let func = takes(vec![option(Type::U8), option(Type::U8)]);
        for (text, bytes) in
            [("", b"\x92\xc0\xc0"), ("()", b"\x92\xc0\xc0"), ("none", b"\x92\xc0\xc0")]
        {
            assert_eq!(&*args(&func, text).unwrap(), bytes, "{text}");
        }
        assert_eq!(&*args(&func, "some(1)").unwrap(), b"\x92\x91\x01\xc0");
        assert_eq!(&*args(&takes(vec![]), "").unwrap(), b"\x90");
    }

    #[test]
    fn a_refusal_says_what_is_wrong_and_where() {
        let level = Type::Enum(vec!["low".to_owned(), "high".to_owned()]);
        let func = takes(vec![Type::U8, level]);
        let cases = [
            ("1, middle", 3, "unknown case \"middle\""),
            ("(1, middle)", 4, "unknown case \"middle\""),
            ("300, low", 0, "invalid value"),
            ("1", 1, "missing required param(s)"),
            ("1, low, 2", 8, "more param(s) than expected"),
            ("", 0, "there are 2 parameters"),
            ("1, low)", 7, "trailing characters"),
            ("(()", 1, "empty tuple"),
            ("//", 0, "there are 2 parameters"),
        ];
        for (text, place, words) in cases {
            let WaveError::Text { at, reason } = args(&func, text).unwrap_err() else {
                panic!("{text}: another error")
            };
            assert!(reason.contains(words), "{text}: {reason}");
            assert_eq!(at, place, "{text}: {reason}");
        }
    }

    #[test]
    fn streams_have_no_text() {
        let case = Case { name: "body".to_owned(), ty: Some(Type::InputStream) };
        let func = takes(vec![Type::Variant(vec![case])]);
        let said = args(&func, "body").unwrap_err().to_string();
        assert!(said.contains("a parameter of type variant { body(input-stream) }"), "{said}");
        let func = FuncType { params: vec![], result: Some(Type::Stream(None)), is_async: false };
        assert!(matches!(result(&func, b"\0"), Err(WaveError::Streams { .. })));
    }

    #[test]
    fn a_result_is_checked_before_it_is_shown() {
        let func = FuncType { params: vec![], result: Some(Type::U8), is_async: false };
        assert_eq!(result(&func, b"\x07").unwrap(), "7");
        assert!(matches!(result(&func, b"\xa1a"), Err(WaveError::Result { .. })));
        assert_eq!(result(&takes(vec![]), b"\xc0").unwrap(), "");
    }
}
