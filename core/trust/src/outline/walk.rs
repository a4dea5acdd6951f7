//! The one pass over an artifact, within its limits.

use std::ops::Range;

use wasmparser::{Chunk, Encoding, Parser, Payload};

use super::{
    COMPONENT_HEADER, HEADER_LEN, LEGACY_SECTION, MODULE_HEADER, Outline, Piece, SIGNATURE_SECTION,
    SignatureSection, section_len,
};
use crate::limits::Limits;
use crate::refusal::Refusal;

const MODULE_SECTION: u8 = 1;
const COMPONENT_SECTION: u8 = 4;
const CODE_SECTION: u8 = 10;

/// One module or component that the pass is inside of.
pub(super) struct Frame {
    parser: Parser,
    /// Where it ends in the file.
    end: usize,
    /// Its [`Piece::Part`]; the outermost has none.
    part: Option<usize>,
    /// Its length as written again, so far.
    len: usize,
}

pub(super) struct Walk<'a, 'l> {
    pub(super) limits: &'l Limits,
    pub(super) outline: Outline<'a>,
    pub(super) stack: Vec<Frame>,
    position: usize,
    sections: usize,
}

impl<'a, 'l> Walk<'a, 'l> {
    pub(super) fn new(bytes: &'a [u8], limits: &'l Limits) -> Self {
        let outermost = Frame { parser: Parser::new(0), end: bytes.len(), part: None, len: 0 };
        Self {
            limits,
            outline: Outline { bytes, pieces: Vec::new(), signatures: Vec::new() },
            stack: vec![outermost],
            position: 0,
            sections: 0,
        }
    }

    pub(super) fn run(mut self) -> Result<Outline<'a>, Refusal> {
        while let Some(frame) = self.stack.last_mut() {
            let at = self.position;
            let bytes = self.outline.bytes;
            let payload = match frame.parser.parse(&bytes[at..], true) {
                Ok(Chunk::Parsed { consumed, payload }) => {
                    self.position += consumed;
                    payload
                }
                Ok(Chunk::NeedMoreData(_)) => return Err(Refusal::Truncated { at }),
                Err(error) => return Err(self.diagnose(at, error.message())),
            };
            self.take(at, payload)?;
        }
        Ok(self.outline)
    }

    fn take(&mut self, at: usize, payload: Payload<'_>) -> Result<(), Refusal> {
        match payload {
            Payload::Version { encoding, .. } => {
                let header = match encoding {
                    Encoding::Module => &MODULE_HEADER,
                    Encoding::Component => &COMPONENT_HEADER,
                };
                self.grow(HEADER_LEN);
                self.outline.pieces.push(Piece::Header(header));
                Ok(())
            }
            Payload::ModuleSection { parser, unchecked_range } => {
                self.enter(at, MODULE_SECTION, parser, &unchecked_range)
            }
            Payload::ComponentSection { parser, unchecked_range } => {
                self.enter(at, COMPONENT_SECTION, parser, &unchecked_range)
            }
            Payload::End(_) => {
                self.leave();
                Ok(())
            }
            Payload::CodeSectionStart { range, size, .. } => {
                if self.end() < range.end {
                    return Err(self.diagnose(at, "the code section ends after its module"));
                }
                if let Some(frame) = self.stack.last_mut() {
                    frame.parser.skip_section();
                }
                self.position += size as usize;
                self.section(CODE_SECTION, range)
            }
            Payload::CustomSection(custom)
                if matches!(custom.name(), SIGNATURE_SECTION | LEGACY_SECTION) =>
            {
                self.count()?;
                let end = custom.range().end;
                self.outline.signatures.push(SignatureSection {
                    at,
                    token: end - custom.data().len()..end,
                    is_nested: 1 < self.stack.len(),
                    is_legacy: custom.name() == LEGACY_SECTION,
                });
                Ok(())
            }
            Payload::UnknownSection { .. } if self.is_after_signature() => {
                Err(Refusal::TrailingBytes { at })
            }
            Payload::UnknownSection { id, .. } => Err(Refusal::SectionUnknown { id, at }),
            other => match other.as_section() {
                Some((id, body)) => self.section(id, body),
                None => Err(self.diagnose(at, "this is not a section")),
            },
        }
    }

    fn enter(
        &mut self,
        at: usize,
        id: u8,
        parser: Parser,
        range: &Range<usize>,
    ) -> Result<(), Refusal> {
        if self.end() < range.end {
            return Err(self.diagnose(at, "it ends after the file"));
        }
        if self.limits.depth_max < self.stack.len() {
            return Err(Refusal::TooDeep { max: self.limits.depth_max });
        }
        self.count()?;
        let part = self.outline.pieces.len();
        self.outline.pieces.push(Piece::Part { id, len: 0 });
        self.stack.push(Frame { parser, end: range.end, part: Some(part), len: 0 });
        Ok(())
    }

    fn leave(&mut self) {
        let Some(Frame { part: Some(part), len: written, .. }) = self.stack.pop() else {
            return;
        };
        if let Some(Piece::Part { len, .. }) = self.outline.pieces.get_mut(part) {
            *len = written;
        }
        self.grow(section_len(written));
    }

    fn section(&mut self, id: u8, body: Range<usize>) -> Result<(), Refusal> {
        self.count()?;
        self.grow(section_len(body.len()));
        self.outline.pieces.push(Piece::Section { id, body });
        Ok(())
    }

    fn count(&mut self) -> Result<(), Refusal> {
        self.sections += 1;
        if self.limits.sections_max < self.sections {
            return Err(Refusal::TooManySections { max: self.limits.sections_max });
        }
        Ok(())
    }

    fn grow(&mut self, bytes: usize) {
        if let Some(frame) = self.stack.last_mut() {
            frame.len += bytes;
        }
    }

    /// Where the innermost part ends.
    pub(super) fn end(&self) -> usize {
        self.stack.last().map_or(self.outline.bytes.len(), |frame| frame.end)
    }

    /// Whether what comes now stands behind the outermost signature.
    pub(super) fn is_after_signature(&self) -> bool {
        self.stack.len() == 1 && self.outline.signatures.last().is_some_and(|last| !last.is_nested)
    }
}
