//! How much of an artifact is looked at before anyone has vouched for it.
//!
//! Everything here is read before a signature is checked, so the bounds are on what reading
//! costs: one pass over the bytes, memory in proportion to the number of sections, and a token
//! that fits a page or two.

/// Bounds on an artifact and its token. [`Limits::default`] is what hosts use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The whole file. The largest components seen, those that carry a language runtime with its
    /// library, have 40 to 60 MB.
    pub artifact_bytes_max: usize,
    /// All sections at all depths. A component made of five others has some hundreds.
    pub sections_max: usize,
    /// Components in components and modules in them. Composition adds one or two levels.
    pub depth_max: usize,
    /// The token as text. Those of the 1.x tools have less than 1 kB.
    pub token_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            artifact_bytes_max: 128 << 20,
            sections_max: 8_192,
            depth_max: 16,
            token_bytes_max: 16 << 10,
        }
    }
}
