//! Every decoder that reads bytes from outside, as functions of bytes that must return.
//!
//! What a target may not do is panic, run for long or ask for more memory than its input justifies.
//! Where something can be decoded, what it encodes to must decode to the same again: two readings
//! of one message would be two meanings.

mod targets;

use std::fmt;

/// One decoder.
#[derive(Clone, Copy)]
pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]),
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&self.name).finish()
    }
}

/// All of them, by name.
pub const TARGETS: &[Target] = targets::ALL;

/// The target of that name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().copied().find(|target| target.name == name)
}
