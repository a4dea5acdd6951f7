//! Maps of named fields, written and read by hand: the messages of a call, of which there are
//! many, and in which bytes are to be shared and not copied.
//!
//! Same bytes as [`super::encode`] would give, but for the header of the map, which always has
//! its long form. Reading is total: nothing panics, nothing recurses, and nothing is allocated for
//! a length that only claims to be there.

use bytes::Bytes;
use wattle_types::stored::{self, VERSION};
use wattle_value::packed::{self, Reader, Writer};

use super::WireError;

const MAP16: u8 = 0xde;
const MAP32: u8 = 0xdf;
const NIL: u8 = 0xc0;

/// A map that is being written.
pub(crate) struct FieldWriter {
    bytes: Writer,
    fields: u16,
}

impl FieldWriter {
    /// Begins with the version, which readers look at before anything else.
    pub(crate) fn new(capacity: usize) -> Self {
        let mut bytes = Writer::with_capacity(capacity);
        bytes.raw(&[MAP16, 0, 0]);
        let mut this = Self { bytes, fields: 0 };
        this.uint("v", u64::from(VERSION));
        this
    }

    /// The name of a field whose value is written next.
    pub(crate) fn named(&mut self, name: &str) -> &mut Writer {
        self.fields += 1;
        self.bytes.str(name);
        &mut self.bytes
    }

    pub(crate) fn uint(&mut self, name: &str, value: u64) {
        self.named(name).uint(value);
    }

    pub(crate) fn str(&mut self, name: &str, value: &str) {
        self.named(name).str(value);
    }

    pub(crate) fn bin(&mut self, name: &str, value: &[u8]) {
        self.named(name).bin(value);
    }

    /// Unless it is empty, which is what its absence means.
    pub(crate) fn str_if_any(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.str(name, value);
        }
    }

    /// Unless it is 0, which is what its absence means.
    pub(crate) fn uint_if_any(&mut self, name: &str, value: u64) {
        if value != 0 {
            self.uint(name, value);
        }
    }

    pub(crate) fn finish(self) -> Bytes {
        let mut bytes = self.bytes.into_vec();
        bytes[1..3].copy_from_slice(&self.fields.to_be_bytes());
        bytes.into()
    }
}

/// The header of a map inside a map, for which there is a place in every writer.
pub(crate) fn small_map(writer: &mut Writer, fields: u8) {
    debug_assert!(fields < 16, "a map of ours has few fields");
    writer.raw(&[0x80 | fields]);
}

/// What is being read.
pub(crate) struct FieldReader<'a> {
    what: &'static str,
    whole: &'a Bytes,
    /// Where `rest` began.
    base: usize,
    rest: Reader<'a>,
}

impl<'a> FieldReader<'a> {
    /// Reads a message of at most `max` bytes, if it is of a version we speak.
    pub(crate) fn new(what: &'static str, whole: &'a Bytes, max: usize) -> Result<Self, WireError> {
        let len = whole.len();
        if max < len {
            return Err(WireError::TooLarge { what, len, max });
        }
        let this = Self { what, whole, base: 0, rest: Reader::new(whole) };
        this.check_version()?;
        Ok(this)
    }

    /// A later version may give a field that we know another meaning, so its number comes first,
    /// wherever it stands.
    fn check_version(&self) -> Result<(), WireError> {
        let mut look = Self { rest: Reader::new(self.whole), ..*self };
        for _ in 0..look.map()? {
            if look.name()? == b"v" {
                let found = look.uint()?;
                if found == u64::from(VERSION) {
                    return Ok(());
                }
                let found = u8::try_from(found).unwrap_or(u8::MAX);
                return Err(stored::Error::Version { what: self.what, found }.into());
            }
            look.skip()?;
        }
        Err(look.lacks("v"))
    }

    fn at(&self) -> usize {
        self.base + self.rest.position()
    }

    fn go_to(&mut self, at: usize) {
        self.base = at;
        self.rest = Reader::new(self.whole.get(at..).unwrap_or_default());
    }

    pub(crate) fn malformed(&self, why: impl Into<String>) -> WireError {
        WireError::Malformed { what: self.what, at: self.at(), why: why.into() }
    }

    pub(crate) fn lacks(&self, field: &'static str) -> WireError {
        WireError::Invalid { what: self.what, field, value: "nothing".to_owned() }
    }

    pub(crate) fn invalid(&self, field: &'static str, value: impl Into<String>) -> WireError {
        WireError::Invalid { what: self.what, field, value: value.into() }
    }

    fn primitive<T>(
        &mut self,
        read: impl FnOnce(&mut Reader<'a>) -> Result<T, packed::Error>,
    ) -> Result<T, WireError> {
        let at = self.at();
        read(&mut self.rest).map_err(|error| WireError::Malformed {
            what: self.what,
            at,
            why: error.to_string(),
        })
    }

    /// How many fields a map has.
    pub(crate) fn map(&mut self) -> Result<usize, WireError> {
        let at = self.at();
        let fixed = |from: usize, to: usize| self.whole.get(at + from..at + to);
        let (len, header) = match (self.whole.get(at), fixed(1, 3), fixed(1, 5)) {
            (Some(marker @ 0x80..=0x8f), ..) => (usize::from(marker & 0x0f), 1),
            (Some(&MAP16), Some(&[a, b]), _) => (usize::from(u16::from_be_bytes([a, b])), 3),
            (Some(&MAP32), _, Some(&[a, b, c, d])) => {
                (u32::from_be_bytes([a, b, c, d]) as usize, 5)
            }
            _ => return Err(self.malformed("a map was expected")),
        };
        // A name and a value have at least one byte each.
        if (self.whole.len() - at) / 2 < len {
            return Err(self.malformed("a map claims more fields than there are bytes"));
        }
        self.go_to(at + header);
        Ok(len)
    }

    /// Reads the fields of a map, each of which is there once at most: two of one name would be two
    /// meanings. `read` is given the place that a name has in `names` and reads its value; what
    /// has another name is passed over.
    #[inline]
    pub(crate) fn fields<const N: usize>(
        &mut self,
        names: &[&str; N],
        mut read: impl FnMut(&mut Self, usize) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        const { assert!(N <= 64, "there is a bit for each name") };
        let (mut seen, mut next) = (0_u64, 0);
        for _ in 0..self.map()? {
            let name = self.name()?;
            let Some(field) = place(names, name, next) else {
                self.skip()?;
                continue;
            };
            if seen & 1 << field != 0 {
                return Err(self.malformed(format!("there are two of {:?}", names[field])));
            }
            seen |= 1 << field;
            next = field + 1;
            read(self, field)?;
        }
        Ok(())
    }

    pub(crate) fn array(&mut self) -> Result<usize, WireError> {
        self.primitive(Reader::array)
    }

    pub(crate) fn str(&mut self) -> Result<&'a str, WireError> {
        self.primitive(Reader::str)
    }

    /// The name of a field. Not looked at as text: whoever reads compares it with those it knows.
    pub(crate) fn name(&mut self) -> Result<&'a [u8], WireError> {
        let at = self.at();
        if let Some(marker @ 0xa0..=0xbf) = self.whole.get(at) {
            let end = at + 1 + usize::from(marker & 0x1f);
            let name = self.whole.get(at + 1..end);
            let name = name.ok_or_else(|| self.malformed("the bytes end within a name"))?;
            self.go_to(end);
            return Ok(name);
        }
        self.str().map(str::as_bytes)
    }

    pub(crate) fn uint(&mut self) -> Result<u64, WireError> {
        self.primitive(Reader::uint)
    }

    pub(crate) fn bool(&mut self) -> Result<bool, WireError> {
        self.primitive(Reader::bool)
    }

    /// Bytes, shared with the message.
    pub(crate) fn bin(&mut self) -> Result<Bytes, WireError> {
        let bytes = self.primitive(Reader::bin)?;
        Ok(self.whole.slice_ref(bytes))
    }

    /// A number that fits.
    pub(crate) fn small<T: TryFrom<u64>>(&mut self, field: &'static str) -> Result<T, WireError> {
        let number = self.uint()?;
        T::try_from(number).map_err(|_| self.invalid(field, number.to_string()))
    }

    /// A text that is something.
    pub(crate) fn parsed<T: std::str::FromStr>(
        &mut self,
        field: &'static str,
    ) -> Result<T, WireError> {
        let text = self.str()?;
        text.parse().map_err(|_| self.invalid(field, text))
    }

    /// Bytes of a known number.
    pub(crate) fn fixed<const N: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<[u8; N], WireError> {
        let bytes = self.primitive(Reader::bin)?;
        bytes.try_into().map_err(|_| self.invalid(field, format!("{} bytes", bytes.len())))
    }

    /// Nothing, or what `read` reads.
    pub(crate) fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, WireError>,
    ) -> Result<Option<T>, WireError> {
        if self.whole.get(self.at()) == Some(&NIL) {
            self.go_to(self.at() + 1);
            return Ok(None);
        }
        read(self).map(Some)
    }

    /// Passes over one value, whatever it is. Counts what is still to be passed over instead of
    /// recursing; each step takes at least one byte.
    pub(crate) fn skip(&mut self) -> Result<(), WireError> {
        let mut left = 1_u64;
        let mut at = self.at();
        while left != 0 {
            left -= 1;
            let ended = || self.malformed("the bytes end within a value");
            let marker = *self.whole.get(at).ok_or_else(ended)?;
            at += 1;
            let mut number = |bytes: usize| -> Result<u64, WireError> {
                let found = self.whole.get(at..at + bytes).ok_or_else(ended)?;
                at += bytes;
                Ok(found.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)))
            };
            let (bytes, values) = match marker {
                0x00..=0x7f | 0xe0..=0xff | NIL | 0xc2 | 0xc3 => (0, 0),
                0x80..=0x8f => (0, 2 * u64::from(marker & 0x0f)),
                0x90..=0x9f => (0, u64::from(marker & 0x0f)),
                0xa0..=0xbf => (u64::from(marker & 0x1f), 0),
                0xc4 | 0xd9 => (number(1)?, 0),
                0xc5 | 0xda => (number(2)?, 0),
                0xc6 | 0xdb => (number(4)?, 0),
                // Extensions have one byte more, their type.
                0xc7 => (number(1)? + 1, 0),
                0xc8 => (number(2)? + 1, 0),
                0xc9 => (number(4)? + 1, 0),
                0xcc | 0xd0 => (1, 0),
                0xcd | 0xd1 | 0xd4 => (2, 0),
                0xd5 => (3, 0),
                0xce | 0xd2 | 0xca => (4, 0),
                0xd6 => (5, 0),
                0xcf | 0xd3 | 0xcb => (8, 0),
                0xd7 => (9, 0),
                0xd8 => (17, 0),
                0xdc => (0, number(2)?),
                0xdd => (0, number(4)?),
                MAP16 => (0, 2 * number(2)?),
                MAP32 => (0, 2 * number(4)?),
                0xc1 => return Err(self.malformed("0xc1 is never used")),
            };
            at = usize::try_from(bytes)
                .ok()
                .and_then(|bytes| at.checked_add(bytes))
                .ok_or_else(ended)?;
            left = left.checked_add(values).ok_or_else(ended)?;
        }
        if self.whole.len() < at {
            return Err(self.malformed("the bytes end within a value"));
        }
        self.go_to(at);
        Ok(())
    }

    /// That nothing follows.
    pub(crate) fn finish(&self) -> Result<(), WireError> {
        match self.whole.len() - self.at() {
            0 => Ok(()),
            extra => Err(stored::Error::Trailing { what: self.what, extra }.into()),
        }
    }
}

/// Where a name is among those that are known. Looked for from `next` on, since who writes a message
/// names its fields in the order in which it is read.
fn place(names: &[&str], name: &[u8], next: usize) -> Option<usize> {
    let is_this = |at: &usize| names[*at].as_bytes() == name;
    (next..names.len()).find(is_this).or_else(|| (0..next).find(is_this))
}

#[cfg(test)]
mod tests;
