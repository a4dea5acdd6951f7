//! Why calls fail and instances go, in the few words that are counted.

use wasmtime::Trap;
use wasmtime::component::ResourceTableError;

use crate::call::CallError;

/// Why a guest did not come to the end of a call by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrapReason {
    /// It gave up: a panic of Rust, an exception nobody caught.
    Unreachable,
    /// Of a memory, a table or an array.
    OutOfBounds,
    StackOverflow,
    /// Division by zero, an overflow, a number that is none.
    Arithmetic,
    /// An indirect call of nothing, or of another type than expected.
    BadCall,
    /// It was refused memory.
    Memory,
    /// It ended by `exit`.
    Exit,
    /// It handed more to the host in one call than it may.
    Hostcall,
    /// Of the component model.
    Handles,
    /// Of the host.
    Resources,
    /// What it handed out is no value of its type, or it broke another rule of the component model.
    Component,
    /// A function of the host ended it; the reason of the error says which bound it is.
    Host,
    /// A call it made failed, and its type has no room for that.
    Callee,
    Other,
}

/// Why an instance is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    /// It served the one call it was made for.
    Served,
    Trap,
    Exit,
    Deadline,
    /// It served as many calls as it drew.
    Age,
    /// It holds more resources than after its first call.
    Leftovers,
    /// It grew too large to be used again.
    Memory,
    /// Its configuration is another now.
    Config,
    /// No call came for so long.
    Idle,
    /// Whoever waited for its call went away.
    Abandoned,
    /// Its actor ended here.
    Stopped,
}

impl Gone {
    /// In the order of the variants.
    pub(super) const ALL: [Self; 11] = [
        Self::Served,
        Self::Trap,
        Self::Exit,
        Self::Deadline,
        Self::Age,
        Self::Leftovers,
        Self::Memory,
        Self::Config,
        Self::Idle,
        Self::Abandoned,
        Self::Stopped,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Trap => "trap",
            Self::Exit => "exit",
            Self::Deadline => "deadline",
            Self::Age => "age",
            Self::Leftovers => "leftovers",
            Self::Memory => "memory",
            Self::Config => "config",
            Self::Idle => "idle",
            Self::Abandoned => "abandoned",
            Self::Stopped => "stopped",
        }
    }

    /// After a call that failed so; an instance does not outlive one that it began.
    pub(crate) const fn after(error: &CallError) -> Self {
        match error {
            CallError::Exit { .. } => Self::Exit,
            CallError::DeadlineExceeded { .. } => Self::Deadline,
            _ => Self::Trap,
        }
    }
}

impl TrapReason {
    /// In the order of the variants.
    pub(super) const ALL: [Self; 14] = [
        Self::Unreachable,
        Self::OutOfBounds,
        Self::StackOverflow,
        Self::Arithmetic,
        Self::BadCall,
        Self::Memory,
        Self::Exit,
        Self::Hostcall,
        Self::Handles,
        Self::Resources,
        Self::Component,
        Self::Host,
        Self::Callee,
        Self::Other,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::OutOfBounds => "out-of-bounds",
            Self::StackOverflow => "stack-overflow",
            Self::Arithmetic => "arithmetic",
            Self::BadCall => "bad-call",
            Self::Memory => "memory",
            Self::Exit => "exit",
            Self::Hostcall => "hostcall",
            Self::Handles => "handles",
            Self::Resources => "resources",
            Self::Component => "component",
            Self::Host => "host",
            Self::Callee => "callee",
            Self::Other => "other",
        }
    }

    /// None where the guest did nothing wrong: it was too slow, or never asked.
    pub(super) fn of(error: &CallError, cause: Option<&wasmtime::Error>) -> Option<Self> {
        match error {
            CallError::Memory { .. } => Some(Self::Memory),
            CallError::Exit { .. } => Some(Self::Exit),
            CallError::Mesh { .. } => Some(Self::Callee),
            CallError::Trap { .. } => Some(cause.map_or(Self::Other, Self::of_guest)),
            _ => None,
        }
    }

    fn of_guest(cause: &wasmtime::Error) -> Self {
        if let Some(trap) = cause.downcast_ref::<Trap>() {
            return Self::of_trap(*trap);
        }
        if let Some(ResourceTableError::Full) = cause.downcast_ref() {
            return Self::Resources;
        }
        // wasmtime has no types for these; it is pinned, and a test has a guest run into each.
        let root = cause.root_cause().to_string();
        if root.contains("fuel allocated for hostcalls has been exhausted") {
            return Self::Hostcall;
        }
        if root.contains("store handle limit exceeded") {
            return Self::Handles;
        }
        Self::Host
    }

    fn of_trap(trap: Trap) -> Self {
        match trap {
            Trap::UnreachableCodeReached => Self::Unreachable,
            Trap::MemoryOutOfBounds | Trap::ArrayOutOfBounds => Self::OutOfBounds,
            Trap::StackOverflow => Self::StackOverflow,
            Trap::IntegerOverflow | Trap::IntegerDivisionByZero | Trap::BadConversionToInteger => {
                Self::Arithmetic
            }
            // An index beyond its table is a function pointer that is none.
            Trap::TableOutOfBounds
            | Trap::IndirectCallToNull
            | Trap::BadSignature
            | Trap::NullReference => Self::BadCall,
            Trap::CannotEnterComponent
            | Trap::CannotLeaveComponent
            | Trap::CannotBlockSyncTask
            | Trap::NoAsyncResult
            | Trap::AsyncDeadlock
            | Trap::InvalidChar
            | Trap::StringOutOfBounds
            | Trap::ListOutOfBounds
            | Trap::InvalidDiscriminant
            | Trap::UnalignedPointer => Self::Component,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traps_are_told_apart_by_what_the_guest_did() {
        let full = wasmtime::Error::from(ResourceTableError::Full).context("in a host function");
        let text = |text: &'static str| wasmtime::Error::msg(text);
        let cases = [
            (Trap::UnreachableCodeReached.into(), "unreachable"),
            (Trap::MemoryOutOfBounds.into(), "out-of-bounds"),
            (Trap::StackOverflow.into(), "stack-overflow"),
            (Trap::IntegerDivisionByZero.into(), "arithmetic"),
            (Trap::BadSignature.into(), "bad-call"),
            (Trap::InvalidChar.into(), "component"),
            (full, "resources"),
            (text("cannot allocate another handle: store handle limit exceeded"), "handles"),
            (text("too much: fuel allocated for hostcalls has been exhausted"), "hostcall"),
            (text("requested len 9 exceeds limit 8"), "host"),
        ];
        let trapped = CallError::Trap { reason: "x".to_owned() };
        for (cause, name) in cases {
            let reason = TrapReason::of(&trapped, Some(&cause)).unwrap();
            assert_eq!(reason.as_str(), name, "{cause:#}");
        }
        let reason = |error: CallError| TrapReason::of(&error, None);
        assert_eq!(reason(CallError::Memory { wanted: 2, limit: 1 }), Some(TrapReason::Memory));
        assert_eq!(reason(CallError::Exit { status: 1 }), Some(TrapReason::Exit));
        assert_eq!(reason(CallError::DeadlineExceeded { begun: true }), None);
    }

    #[test]
    fn names_are_listed_in_the_order_of_the_counters() {
        for (n, reason) in TrapReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, n, "{reason:?}");
        }
        for (n, reason) in Gone::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, n, "{reason:?}");
        }
    }
}
