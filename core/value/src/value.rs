//! A value as a tree: for text, for tests, for tools. Calls never make one.
//!
//! Cases, fields and flags are named, so that a tree can be shown without its type. It is the shape of
//! the component model's own dynamic values, which is what the engine's tests compare with.

mod pack;
mod unpack;

pub use pack::PackError;

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Bool(bool),
    S8(i8),
    U8(u8),
    S16(i16),
    U16(u16),
    S32(i32),
    U32(u32),
    S64(i64),
    U64(u64),
    F32(f32),
    F64(f64),
    Char(char),
    String(String),
    List(Vec<Value>),
    /// In the order of the type.
    Record(Vec<(String, Value)>),
    Tuple(Vec<Value>),
    Variant(String, Option<Box<Value>>),
    Enum(String),
    Option(Option<Box<Value>>),
    Result(Result<Option<Box<Value>>, Option<Box<Value>>>),
    Flags(Vec<String>),
    /// A stream, a future or an input-stream: which of those that accompany the call.
    Stream(u32),
}
