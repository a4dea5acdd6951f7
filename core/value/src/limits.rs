//! How large a value may be that comes from elsewhere.

/// Bounds of one packed value: the arguments of a call, or its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of the packed form. What is larger belongs in a stream.
    pub bytes_max: usize,
    /// How deep types may be nested. Reading recurses by the type, so this bounds the stack.
    pub depth_max: usize,
    /// Elements of all lists together, those of numbers aside, which are no larger in memory than
    /// packed. Of others a byte here can be kilobytes there: a `none` of a large type.
    pub elements_max: usize,
}

impl Default for Limits {
    /// 8 MiB, a million elements, and the depth at which validation refuses a component's types.
    fn default() -> Self {
        Self { bytes_max: 8 << 20, depth_max: 100, elements_max: 1 << 20 }
    }
}
