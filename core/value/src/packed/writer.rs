//! Writes the packed form, always in the shortest way.

use bytes::Bytes;

use super::marker;

/// A growing packed value. Whoever writes an array's header writes its elements next.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes) }
    }

    /// Makes room for `bytes` more at once, where that is known beforehand.
    #[inline]
    pub fn reserve(&mut self, bytes: usize) {
        self.bytes.reserve(bytes);
    }

    /// Bytes written so far.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    pub fn into_bytes(self) -> Bytes {
        self.bytes.into()
    }

    pub fn into_vec(self) -> Vec<u8> {
        self.bytes
    }

    #[inline]
    pub fn nil(&mut self) {
        self.bytes.push(marker::NIL);
    }

    #[inline]
    pub fn bool(&mut self, value: bool) {
        self.bytes.push(if value { marker::TRUE } else { marker::FALSE });
    }

    #[inline]
    pub fn uint(&mut self, value: u64) {
        match value {
            0..0x80 => self.bytes.push(value as u8),
            0x80..0x100 => self.put([marker::U8, value as u8]),
            0x100..0x1_0000 => self.marked(marker::U16, (value as u16).to_be_bytes()),
            0x1_0000..0x1_0000_0000 => self.marked(marker::U32, (value as u32).to_be_bytes()),
            _ => self.marked(marker::U64, value.to_be_bytes()),
        }
    }

    #[inline]
    pub fn int(&mut self, value: i64) {
        match value {
            0.. => self.uint(value as u64),
            -0x20..0 => self.bytes.push(value as u8),
            -0x80..-0x20 => self.put([marker::I8, value as u8]),
            -0x8000..-0x80 => self.marked(marker::I16, (value as i16).to_be_bytes()),
            -0x8000_0000..-0x8000 => self.marked(marker::I32, (value as i32).to_be_bytes()),
            _ => self.marked(marker::I64, value.to_be_bytes()),
        }
    }

    /// The bits as they are, those of a NaN too.
    #[inline]
    pub fn f32(&mut self, value: f32) {
        self.marked(marker::F32, value.to_bits().to_be_bytes());
    }

    /// The bits as they are, those of a NaN too.
    #[inline]
    pub fn f64(&mut self, value: f64) {
        self.marked(marker::F64, value.to_bits().to_be_bytes());
    }

    #[inline]
    pub fn char(&mut self, value: char) {
        self.uint(u64::from(u32::from(value)));
    }

    #[inline]
    pub fn str(&mut self, value: &str) {
        let len = value.len();
        if len < 32 {
            self.bytes.reserve(1 + len);
            self.bytes.push(marker::FIXSTR | len as u8);
        } else {
            self.header(len, Some(marker::STR8), marker::STR16, marker::STR32);
        }
        self.bytes.extend_from_slice(value.as_bytes());
    }

    /// The elements of a list of numbers, little-endian, or bytes.
    #[inline]
    pub fn bin(&mut self, value: &[u8]) {
        self.bin_header(value.len());
        self.bytes.extend_from_slice(value);
    }

    /// What precedes `len` bytes that are written next by [`Writer::raw`], in one part or in several.
    #[inline]
    pub fn bin_header(&mut self, len: usize) {
        self.header(len, Some(marker::BIN8), marker::BIN16, marker::BIN32);
    }

    /// Bytes as they are: parts of a `bin`, or what was packed elsewhere.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// What precedes `len` values: a list's elements, fields by position, a case and its payload.
    #[inline]
    pub fn array(&mut self, len: usize) {
        if len < 16 {
            self.bytes.push(marker::FIXARRAY | len as u8);
        } else {
            self.header(len, None, marker::ARRAY16, marker::ARRAY32);
        }
    }

    /// A header with its length behind it, and room for as many bytes as it promises.
    #[inline]
    fn header(&mut self, len: usize, m8: Option<u8>, m16: u8, m32: u8) {
        self.bytes.reserve(5 + len);
        match (u32::try_from(len).expect("a guest's memory has less than 4 GiB"), m8) {
            (len @ 0..0x100, Some(m8)) => self.put([m8, len as u8]),
            (len @ 0..0x1_0000, _) => self.marked(m16, (len as u16).to_be_bytes()),
            (len, _) => self.marked(m32, len.to_be_bytes()),
        }
    }

    #[inline]
    fn marked<const N: usize>(&mut self, marker: u8, value: [u8; N]) {
        // One reservation for both parts, so that the second never grows the buffer.
        self.bytes.reserve(1 + N);
        self.bytes.push(marker);
        self.bytes.extend_from_slice(&value);
    }

    #[inline]
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        self.bytes.extend_from_slice(&bytes);
    }
}

/// Goes on behind what is there; a cleared buffer is used again without allocating.
impl From<Vec<u8>> for Writer {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }
}
