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
