//! Reads the packed form without copying: strings and bytes are slices of what is read.
//!
//! Trusts nothing: a length is compared with what is left before anyone can act on it. Any width of
//! number and length is accepted, since writers in other languages do not all choose the shortest.

use super::{Error, marker};

/// A place in packed values.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// Of everything, to know where we are.
    len: usize,
}

impl<'a> Reader<'a> {
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, len: bytes.len() }
    }

    /// Bytes read so far.
    #[inline]
    pub fn position(&self) -> usize {
        self.len - self.rest.len()
    }

    /// Bytes not read yet.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Everything must have been read.
    #[inline]
    pub fn finish(&self) -> Result<(), Error> {
        match self.rest.len() {
            0 => Ok(()),
            extra => Err(Error::Trailing { at: self.position(), extra }),
        }
    }

    #[inline]
    pub fn nil(&mut self) -> Result<(), Error> {
        match self.marker("nil")? {
            marker::NIL => Ok(()),
            found => Err(self.unexpected("nil", found)),
        }
    }

    #[inline]
    pub fn bool(&mut self) -> Result<bool, Error> {
        match self.marker("bool")? {
            marker::FALSE => Ok(false),
            marker::TRUE => Ok(true),
            found => Err(self.unexpected("bool", found)),
        }
    }

    /// Consumes the nil of `none`, or what precedes the value of `some`.
    #[inline]
    pub fn option(&mut self) -> Result<bool, Error> {
        if self.rest.first() == Some(&marker::NIL) {
            self.rest = &self.rest[1..];
            return Ok(false);
        }
        let at = self.position();
        match self.len_of_array("option")? {
            1 => Ok(true),
            len => Err(Error::Length { at, expected: "option", len }),
        }
    }

    #[inline]
    pub fn uint(&mut self) -> Result<u64, Error> {
        match self.marker("unsigned integer")? {
            small @ 0..0x80 => Ok(u64::from(small)),
            wide => self.uint_wide(wide),
        }
    }

    #[inline]
    pub fn int(&mut self) -> Result<i64, Error> {
        match self.marker("integer")? {
            small @ (0..0x80 | 0xe0..) => Ok(i64::from(small as i8)),
            wide => self.int_wide(wide),
        }
    }

    #[inline]
    pub fn f32(&mut self) -> Result<f32, Error> {
        match self.marker("float 32")? {
            marker::F32 => Ok(f32::from_bits(u32::from_be_bytes(self.fixed("float 32")?))),
            found => Err(self.unexpected("float 32", found)),
        }
    }

    #[inline]
    pub fn f64(&mut self) -> Result<f64, Error> {
        match self.marker("float 64")? {
            marker::F64 => Ok(f64::from_bits(u64::from_be_bytes(self.fixed("float 64")?))),
            found => Err(self.unexpected("float 64", found)),
        }
    }

    #[inline]
    pub fn char(&mut self) -> Result<char, Error> {
        let at = self.position();
        let number = u32::try_from(self.uint()?).ok();
        number.and_then(char::from_u32).ok_or(Error::Range { at, expected: "char" })
    }

    #[inline]
    pub fn str(&mut self) -> Result<&'a str, Error> {
        let at = self.position();
        let len = match self.marker("string")? {
            fix @ 0xa0..0xc0 => usize::from(fix & 0x1f),
            marker::STR8 => self.len8("string")?,
            marker::STR16 => self.len16("string")?,
            marker::STR32 => self.len32("string")?,
            found => return Err(self.unexpected("string", found)),
        };
        let bytes = self.take(at, len, "string")?;
        std::str::from_utf8(bytes).map_err(|_| Error::Utf8 { at })
    }

    #[inline]
    pub fn bin(&mut self) -> Result<&'a [u8], Error> {
        let at = self.position();
        let len = match self.marker("bytes")? {
            marker::BIN8 => self.len8("bytes")?,
            marker::BIN16 => self.len16("bytes")?,
            marker::BIN32 => self.len32("bytes")?,
            found => return Err(self.unexpected("bytes", found)),
        };
        self.take(at, len, "bytes")
    }

    /// How many values follow. Each has a byte at least, so more than there are bytes are refused:
    /// whoever allocates by this number allocates no more elements than there are bytes.
    #[inline]
    pub fn array(&mut self) -> Result<usize, Error> {
        let at = self.position();
        let len = self.len_of_array("array")?;
        if self.rest.len() < len {
            return Err(Error::Length { at, expected: "array", len });
        }
        Ok(len)
    }

    #[inline]
    fn len_of_array(&mut self, expected: &'static str) -> Result<usize, Error> {
        match self.marker(expected)? {
            fix @ 0x90..0xa0 => Ok(usize::from(fix & 0xf)),
            marker::ARRAY16 => self.len16(expected),
            marker::ARRAY32 => self.len32(expected),
            found => Err(self.unexpected(expected, found)),
        }
    }

    fn uint_wide(&mut self, wide: u8) -> Result<u64, Error> {
        const WHAT: &str = "unsigned integer";
        let at = self.position() - 1;
        Ok(match wide {
            marker::U8 => u64::from(u8::from_be_bytes(self.fixed(WHAT)?)),
            marker::U16 => u64::from(u16::from_be_bytes(self.fixed(WHAT)?)),
            marker::U32 => u64::from(u32::from_be_bytes(self.fixed(WHAT)?)),
            marker::U64 => u64::from_be_bytes(self.fixed(WHAT)?),
            _ => {
                let signed = match wide {
                    0xe0.. => i64::from(wide as i8),
                    marker::I8..=marker::I64 => self.int_wide(wide)?,
                    found => return Err(self.unexpected(WHAT, found)),
                };
                return u64::try_from(signed).map_err(|_| Error::Range { at, expected: WHAT });
            }
        })
    }

    fn int_wide(&mut self, wide: u8) -> Result<i64, Error> {
        const WHAT: &str = "integer";
        let at = self.position() - 1;
        Ok(match wide {
            marker::I8 => i64::from(i8::from_be_bytes(self.fixed(WHAT)?)),
            marker::I16 => i64::from(i16::from_be_bytes(self.fixed(WHAT)?)),
            marker::I32 => i64::from(i32::from_be_bytes(self.fixed(WHAT)?)),
            marker::I64 => i64::from_be_bytes(self.fixed(WHAT)?),
            marker::U8..=marker::U64 => i64::try_from(self.uint_wide(wide)?)
                .map_err(|_| Error::Range { at, expected: "64-bit signed integer" })?,
            found => return Err(self.unexpected(WHAT, found)),
        })
    }

    #[inline]
    fn marker(&mut self, expected: &'static str) -> Result<u8, Error> {
        let Some((first, rest)) = self.rest.split_first() else {
            return Err(Error::End { at: self.position(), expected });
        };
        self.rest = rest;
        Ok(*first)
    }

    #[inline]
    fn fixed<const N: usize>(&mut self, expected: &'static str) -> Result<[u8; N], Error> {
        let Some((value, rest)) = self.rest.split_first_chunk() else {
            return Err(Error::End { at: self.position(), expected });
        };
        self.rest = rest;
        Ok(*value)
    }

    #[inline]
    fn len8(&mut self, expected: &'static str) -> Result<usize, Error> {
        Ok(usize::from(u8::from_be_bytes(self.fixed(expected)?)))
    }

    #[inline]
    fn len16(&mut self, expected: &'static str) -> Result<usize, Error> {
        Ok(usize::from(u16::from_be_bytes(self.fixed(expected)?)))
    }

    #[inline]
    fn len32(&mut self, expected: &'static str) -> Result<usize, Error> {
        Ok(u32::from_be_bytes(self.fixed(expected)?) as usize)
    }

    #[inline]
    fn take(&mut self, at: usize, len: usize, expected: &'static str) -> Result<&'a [u8], Error> {
        let Some((taken, rest)) = self.rest.split_at_checked(len) else {
            return Err(Error::Length { at, expected, len });
        };
        self.rest = rest;
        Ok(taken)
    }

    #[cold]
    fn unexpected(&self, expected: &'static str, found: u8) -> Error {
        Error::Unexpected { at: self.position() - 1, expected, found }
    }
}
