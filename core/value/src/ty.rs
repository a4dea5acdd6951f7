//! The structural types of values that can be carried from one actor to another.
//!
//! Names of types are gone, names of fields and cases are not: two components that spell one record
//! alike mean the same, wherever each has it from. Source: the component model's `valtype`.

use serde::{Deserialize, Serialize};

/// A type whose values can be carried.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Type {
    Bool,
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
    F32,
    F64,
    Char,
    String,
    List(Box<Type>),
    Record(Vec<Field>),
    Tuple(Vec<Type>),
    Variant(Vec<Case>),
    Enum(Vec<String>),
    Option(Box<Type>),
    Result {
        ok: Option<Box<Type>>,
        err: Option<Box<Type>>,
    },
    Flags(Vec<String>),
    /// A `stream<T>` of the component model.
    Stream(Option<Box<Type>>),
    /// A `future<T>` of the component model.
    Future(Option<Box<Type>>),
    /// An owned `wasi:io/streams.input-stream`: bytes to be read.
    InputStream,
}

/// One field of a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Field {
    pub name: String,
    pub ty: Type,
}

/// One case of a variant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Case {
    pub name: String,
    pub ty: Option<Type>,
}

/// The signature of a function.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FuncType {
    /// In order; names are part of the signature.
    pub params: Vec<Field>,
    pub result: Option<Type>,
    /// Declared `async` in WIT.
    #[serde(default)]
    pub is_async: bool,
}

impl Type {
    /// What the component model allows in one `flags`.
    pub const FLAGS_MAX: u32 = 32;

    /// Of a number: its bytes in memory, and its name. Lists of these are packed as they lie in
    /// memory, little-endian, in one piece.
    pub fn number(&self) -> Option<(usize, &'static str)> {
        Some(match self {
            Self::U8 => (1, "u8"),
            Self::S8 => (1, "s8"),
            Self::U16 => (2, "u16"),
            Self::S16 => (2, "s16"),
            Self::U32 => (4, "u32"),
            Self::S32 => (4, "s32"),
            Self::U64 => (8, "u64"),
            Self::S64 => (8, "s64"),
            Self::F32 => (4, "f32"),
            Self::F64 => (8, "f64"),
            _ => return None,
        })
    }

    /// Whether values of the type can hold a stream, so that calls with them carry more than bytes.
    pub fn has_stream(&self) -> bool {
        match self {
            Self::Stream(_) | Self::Future(_) | Self::InputStream => true,
            Self::List(of) | Self::Option(of) => of.has_stream(),
            Self::Record(fields) => fields.iter().any(|field| field.ty.has_stream()),
            Self::Tuple(types) => types.iter().any(Self::has_stream),
            Self::Variant(cases) => {
                cases.iter().filter_map(|case| case.ty.as_ref()).any(Self::has_stream)
            }
            Self::Result { ok, err } => [ok, err].into_iter().flatten().any(|ty| ty.has_stream()),
            _ => false,
        }
    }
}
