//! The packed form of values: MessagePack, written and read by hand.
//!
//! Owns the bytes of single values (headers, lengths, numbers); which values make up a type is for
//! those who walk a type: [`crate::check_args`], [`crate::Value`], and the engine over a guest's memory.
//! `docs/protocol/values.md` is the table. Neither side allocates for a length that only claims to be there.

mod reader;
mod writer;

pub use reader::Reader;
pub use writer::Writer;

/// The first byte of what MessagePack writes, where it says no more than the kind and width.
mod marker {
    pub(super) const NIL: u8 = 0xc0;
    pub(super) const FALSE: u8 = 0xc2;
    pub(super) const TRUE: u8 = 0xc3;
    pub(super) const BIN8: u8 = 0xc4;
    pub(super) const BIN16: u8 = 0xc5;
    pub(super) const BIN32: u8 = 0xc6;
    pub(super) const F32: u8 = 0xca;
    pub(super) const F64: u8 = 0xcb;
    pub(super) const U8: u8 = 0xcc;
    pub(super) const U16: u8 = 0xcd;
    pub(super) const U32: u8 = 0xce;
    pub(super) const U64: u8 = 0xcf;
    pub(super) const I8: u8 = 0xd0;
    pub(super) const I16: u8 = 0xd1;
    pub(super) const I32: u8 = 0xd2;
    pub(super) const I64: u8 = 0xd3;
    pub(super) const STR8: u8 = 0xd9;
    pub(super) const STR16: u8 = 0xda;
    pub(super) const STR32: u8 = 0xdb;
    pub(super) const ARRAY16: u8 = 0xdc;
    pub(super) const ARRAY32: u8 = 0xdd;
    /// With a length below 32 in the low bits.
    pub(super) const FIXSTR: u8 = 0xa0;
    /// With a length below 16 in the low bits.
    pub(super) const FIXARRAY: u8 = 0x90;
}

/// Why bytes are not what was to be read. Positions count bytes from the start of the reader's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the bytes end within the {expected} at byte {at}")]
    End { at: usize, expected: &'static str },
    #[error("at byte {at} there should be a {expected}, not 0x{found:02x}")]
    Unexpected { at: usize, expected: &'static str, found: u8 },
    #[error("the {expected} at byte {at} claims a length of {len}, which is more than there is")]
    Length { at: usize, expected: &'static str, len: usize },
    #[error("the number at byte {at} is no {expected}")]
    Range { at: usize, expected: &'static str },
    #[error("the string at byte {at} is not UTF-8")]
    Utf8 { at: usize },
    #[error("{extra} bytes follow the value's end at byte {at}")]
    Trailing { at: usize, extra: usize },
}
