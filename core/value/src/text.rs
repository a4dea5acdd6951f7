//! The text of a type, which is also what its fingerprint is made of.
//!
//! Close to WIT, in one line and without names of types. Two types have one text only if they are
//! equal, since names are WIT identifiers; a change here changes every fingerprint.

use std::fmt::{self, Display, Write as _};

use sha2::{Digest, Sha256};
use wattle_types::Fingerprint;

use crate::{Case, Field, FuncType, Type};

impl FuncType {
    /// Equal for equal signatures: the first 16 bytes of the SHA-256 of its text.
    pub fn fingerprint(&self) -> Fingerprint {
        let hash: [u8; 32] = Sha256::digest(self.to_string()).into();
        let (first, _) = hash.split_first_chunk().expect("32 bytes begin with 16");
        Fingerprint::from_bytes(*first)
    }
}

impl Display for FuncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_async { "async func(" } else { "func(" })?;
        separated(f, &self.params)?;
        f.write_char(')')?;
        self.result.as_ref().map_or(Ok(()), |result| write!(f, " -> {result}"))
    }
}

impl Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::S8 => f.write_str("s8"),
            Self::U8 => f.write_str("u8"),
            Self::S16 => f.write_str("s16"),
            Self::U16 => f.write_str("u16"),
            Self::S32 => f.write_str("s32"),
            Self::U32 => f.write_str("u32"),
            Self::S64 => f.write_str("s64"),
            Self::U64 => f.write_str("u64"),
            Self::F32 => f.write_str("f32"),
            Self::F64 => f.write_str("f64"),
            Self::Char => f.write_str("char"),
            Self::String => f.write_str("string"),
            Self::List(element) => write!(f, "list<{element}>"),
            Self::Record(fields) => braced(f, "record", fields),
            Self::Tuple(types) => {
                f.write_str("tuple<")?;
                separated(f, types)?;
                f.write_char('>')
            }
            Self::Variant(cases) => braced(f, "variant", cases),
            Self::Enum(names) => braced(f, "enum", names),
            Self::Option(some) => write!(f, "option<{some}>"),
            Self::Result { ok: None, err: None } => f.write_str("result"),
            Self::Result { ok: Some(ok), err: None } => write!(f, "result<{ok}>"),
            Self::Result { ok: None, err: Some(err) } => write!(f, "result<_, {err}>"),
            Self::Result { ok: Some(ok), err: Some(err) } => write!(f, "result<{ok}, {err}>"),
            Self::Flags(names) => braced(f, "flags", names),
            Self::Stream(element) => with_element(f, "stream", element.as_deref()),
            Self::Future(element) => with_element(f, "future", element.as_deref()),
            Self::InputStream => f.write_str("input-stream"),
        }
    }
}

impl Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.ty)
    }
}

impl Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.ty.as_ref().map_or(Ok(()), |ty| write!(f, "({ty})"))
    }
}

fn braced<T: Display>(f: &mut fmt::Formatter<'_>, kind: &str, items: &[T]) -> fmt::Result {
    write!(f, "{kind} {{ ")?;
    separated(f, items)?;
    f.write_str(" }")
}

fn separated<T: Display>(f: &mut fmt::Formatter<'_>, items: &[T]) -> fmt::Result {
    for (at, item) in items.iter().enumerate() {
        if at != 0 {
            f.write_str(", ")?;
        }
        Display::fmt(item, f)?;
    }
    Ok(())
}

fn with_element(f: &mut fmt::Formatter<'_>, kind: &str, element: Option<&Type>) -> fmt::Result {
    match element {
        Some(element) => write!(f, "{kind}<{element}>"),
        None => f.write_str(kind),
    }
}
