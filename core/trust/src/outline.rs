//! The frame of an artifact: its sections at every depth, and which of them carry a signature.
//!
//! One pass, by the parser that the engine's reading is built on, so that nothing is a section
//! for one and not for the other. What is accepted is that parser's decision; why something is
//! refused is found out afterwards (`diagnosis`).
//!
//! What a signature covers is not the file but the file *written again* without its signature
//! sections, each section's length in its shortest form (`PROTOCOL` 3.2, as the 1.x tools do
//! it). [`Outline::content`] is that form. The lengths of nested parts change with what is
//! left out of them, so the pass notes pieces and lengths first and writes afterwards, without
//! copying a part once per level.

mod diagnosis;
mod walk;

use std::ops::Range;

use sha2::{Digest as _, Sha256};
use wattle_types::Digest;

use crate::limits::Limits;
use crate::refusal::Refusal;
use walk::Walk;

/// The section that carries the token.
pub(crate) const SIGNATURE_SECTION: &str = "wasmcloud_jwt";
/// Its name before 2023; never accepted, but left out of what is hashed.
pub(crate) const LEGACY_SECTION: &str = "jwt";

const MAGIC: [u8; 4] = *b"\0asm";
const HEADER_LEN: usize = 8;
const MODULE_HEADER: [u8; HEADER_LEN] = *b"\0asm\x01\0\0\0";
const COMPONENT_HEADER: [u8; HEADER_LEN] = *b"\0asm\x0d\0\x01\0";
const CUSTOM_SECTION: u8 = 0;

#[derive(Debug)]
pub(crate) struct Outline<'a> {
    bytes: &'a [u8],
    pieces: Vec<Piece>,
    /// In the order of the file.
    pub(crate) signatures: Vec<SignatureSection>,
}

/// SHA-256 of an artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hashes {
    /// Of [`Outline::content`].
    pub(crate) content: Digest,
    /// Of the file as it came.
    pub(crate) file: Digest,
}

#[derive(Debug)]
pub(crate) struct SignatureSection {
    /// Where the section begins.
    pub(crate) at: usize,
    /// Where the token is.
    pub(crate) token: Range<usize>,
    pub(crate) is_nested: bool,
    pub(crate) is_legacy: bool,
}

/// What the content is written from, in order.
#[derive(Debug)]
enum Piece {
    Header(&'static [u8; HEADER_LEN]),
    Section {
        id: u8,
        body: Range<usize>,
    },
    /// A module or component; `len` is its length as written again. Its pieces follow.
    Part {
        id: u8,
        len: usize,
    },
}

impl<'a> Outline<'a> {
    pub(crate) fn of(bytes: &'a [u8], limits: &Limits) -> Result<Self, Refusal> {
        check_header(bytes, limits)?;
        Walk::new(bytes, limits).run()
    }

    /// The token of a component that is signed the one way it can be.
    pub(crate) fn token(&self) -> Result<&'a [u8], Refusal> {
        if let Some(nested) = self.signatures.iter().find(|section| section.is_nested) {
            return Err(Refusal::SignatureNested { at: nested.at });
        }
        match &self.signatures[..] {
            [] => Err(Refusal::Unsigned),
            [only] if only.is_legacy => Err(Refusal::SignatureLegacy),
            [only] if only.token.end != self.bytes.len() => Err(Refusal::SignatureNotLast),
            [only] => Ok(&self.bytes[only.token.clone()]),
            several => Err(Refusal::SignatureTwice { count: several.len() }),
        }
    }

    /// The component without its signatures, as it is hashed.
    pub(crate) fn content(&self) -> Vec<u8> {
        let mut content = Vec::with_capacity(self.bytes.len());
        self.write(|bytes| content.extend_from_slice(bytes));
        content
    }

    /// Both in one pass if the file begins with its content, as signing writes it.
    pub(crate) fn hashes(&self) -> Hashes {
        match self.leading_content() {
            Some(len) => {
                let (content, rest) = self.bytes.split_at(len);
                let before = Sha256::new_with_prefix(content);
                let file = digest(before.clone().chain_update(rest));
                Hashes { content: digest(before), file }
            }
            None => Hashes { content: self.content_hash(), file: Digest::of(self.bytes) },
        }
    }

    pub(crate) fn content_hash(&self) -> Digest {
        let mut hash = Sha256::new();
        self.write(|bytes| hash.update(bytes));
        digest(hash)
    }

    /// The length of the content, if the file begins with it byte for byte.
    fn leading_content(&self) -> Option<usize> {
        let mut at = 0;
        for piece in &self.pieces {
            at = match piece {
                Piece::Header(header) => self.after(at, &header[..])?,
                Piece::Section { id, body } => {
                    let begin = self.after(self.after(at, &[*id])?, leb(body.len()).as_ref())?;
                    (begin == body.start).then_some(body.end)?
                }
                Piece::Part { id, len } => {
                    self.after(self.after(at, &[*id])?, leb(*len).as_ref())?
                }
            };
        }
        Some(at)
    }

    /// Where the file goes on after these bytes, if it has them there.
    fn after(&self, at: usize, bytes: &[u8]) -> Option<usize> {
        self.bytes.get(at..)?.starts_with(bytes).then_some(at + bytes.len())
    }

    fn write(&self, mut sink: impl FnMut(&[u8])) {
        for piece in &self.pieces {
            match piece {
                Piece::Header(header) => sink(&header[..]),
                Piece::Section { id, body } => {
                    sink(&[*id]);
                    sink(leb(body.len()).as_ref());
                    sink(&self.bytes[body.clone()]);
                }
                Piece::Part { id, len } => {
                    sink(&[*id]);
                    sink(leb(*len).as_ref());
                }
            }
        }
    }
}

/// Appends a custom section to a component.
pub(crate) fn append_custom(component: &mut Vec<u8>, name: &str, data: &[u8]) {
    let name_len = leb(name.len());
    component.push(CUSTOM_SECTION);
    component.extend_from_slice(leb(name_len.as_ref().len() + name.len() + data.len()).as_ref());
    component.extend_from_slice(name_len.as_ref());
    component.extend_from_slice(name.as_bytes());
    component.extend_from_slice(data);
}

/// What can be said of a file before it is walked.
fn check_header(bytes: &[u8], limits: &Limits) -> Result<(), Refusal> {
    if bytes.is_empty() {
        return Err(Refusal::Empty);
    }
    if limits.artifact_bytes_max < bytes.len() {
        return Err(Refusal::TooLarge { bytes: bytes.len(), max: limits.artifact_bytes_max });
    }
    let magic = &bytes[..bytes.len().min(MAGIC.len())];
    if !MAGIC.starts_with(magic) {
        return Err(Refusal::NotWasm);
    }
    let Some(header) = bytes.first_chunk::<HEADER_LEN>() else {
        return Err(Refusal::Truncated { at: 0 });
    };
    if *header == MODULE_HEADER {
        return Err(Refusal::CoreModule);
    }
    if *header != COMPONENT_HEADER {
        let [.., a, b, c, d] = *header;
        return Err(Refusal::FormatVersion { found: u32::from_le_bytes([a, b, c, d]) });
    }
    Ok(())
}

fn digest(hash: Sha256) -> Digest {
    Digest::from_bytes(hash.finalize().into())
}

fn section_len(body: usize) -> usize {
    1 + leb(body).as_ref().len() + body
}

/// An unsigned LEB128 in its shortest form.
struct Leb {
    bytes: [u8; 10],
    len: usize,
}

impl AsRef<[u8]> for Leb {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

fn leb(mut value: usize) -> Leb {
    let mut leb = Leb { bytes: [0; 10], len: 0 };
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        leb.bytes[leb.len] = if value == 0 { low } else { low | 0x80 };
        leb.len += 1;
        if value == 0 {
            return leb;
        }
    }
}
