//! Names what is wrong with a section that the parser refused.
//!
//! Runs only after a refusal: a mistake here gives a wrong code and cannot let anything pass.

use super::CUSTOM_SECTION;
use super::walk::Walk;
use crate::refusal::{Refusal, excerpt};

/// What can be wrong with a length.
enum Length {
    Read {
        value: u32,
        after: usize,
    },
    /// The bytes end before it does.
    Cut,
    /// Longer than five bytes, or more than 32 bits.
    Wrong,
}

impl Walk<'_, '_> {
    /// Why the section at byte `at` of the innermost part was refused; `reason` is what the
    /// parser said, in case nothing better is found.
    pub(super) fn diagnose(&self, at: usize, reason: &str) -> Refusal {
        if self.is_after_signature() {
            return Refusal::TrailingBytes { at };
        }
        let malformed = || Refusal::Malformed { at, reason: excerpt(reason) };
        let section = &self.outline.bytes[at..self.end()];
        // An empty file, a part without its header: there is no section to look at.
        if section.is_empty() || section.starts_with(b"\0asm") {
            return malformed();
        }
        match length(&section[1..]) {
            Length::Cut => self.cut(at),
            Length::Wrong => Refusal::SectionLength { at },
            Length::Read { value, after } => {
                let body = &section[1 + after..];
                let max = self.limits.artifact_bytes_max;
                if max < value as usize {
                    Refusal::SectionTooLarge { at, bytes: value, max }
                } else if body.len() < value as usize {
                    self.cut(at)
                } else if section[0] == CUSTOM_SECTION && !has_name(&body[..value as usize]) {
                    Refusal::SectionName { at }
                } else {
                    malformed()
                }
            }
        }
    }

    /// There are fewer bytes than the section has: in the file, or in the part it is in.
    fn cut(&self, at: usize) -> Refusal {
        if self.stack.len() == 1 {
            Refusal::Truncated { at }
        } else {
            Refusal::SectionOverrun { at }
        }
    }
}

fn has_name(body: &[u8]) -> bool {
    let Length::Read { value, after } = length(body) else {
        return false;
    };
    body[after..].get(..value as usize).is_some_and(|name| std::str::from_utf8(name).is_ok())
}

/// A LEB128 of at most 32 bits at the start of `bytes`.
fn length(bytes: &[u8]) -> Length {
    let mut value = 0;
    for (index, byte) in bytes.iter().copied().enumerate() {
        // The fifth byte has the last four bits, and no sixth may follow.
        if index == 4 && 0x0f < byte {
            return Length::Wrong;
        }
        value |= u32::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Length::Read { value, after: index + 1 };
        }
    }
    Length::Cut
}
