//! What an engine and an actor are given, checked.

use std::thread;
use std::time::Duration;

use wattle_capability::keyvalue;
use wattle_types::SpecLimits;

use crate::cache::CacheConfig;
use crate::limits;

/// How large an engine is.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Calls that run at once on this host. The pool of instances is sized from it, and admission
    /// refuses before the pool could.
    pub permits: u32,
    /// Kept besides for calls made by calls: callers that hold all permits cannot wait for each
    /// other.
    pub nested_permits: u32,
    /// Calls beyond their second epoch tick that may be on a processor at once.
    pub slow_permits: usize,
    /// Threads that compile; fewer than there are processors, so that serving goes on.
    pub compile_threads: usize,
    /// A component file larger than this is not compiled, in bytes.
    pub component_bytes_max: usize,
    /// Where compiled code is kept; without it every start compiles.
    pub cache: Option<CacheConfig>,
}

impl Default for EngineConfig {
    fn default() -> Self {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let all_but_one = processors.saturating_sub(1).max(1);
        Self {
            permits: limits::PERMITS_DEFAULT,
            nested_permits: limits::NESTED_PERMITS_DEFAULT,
            slow_permits: all_but_one,
            compile_threads: all_but_one,
            component_bytes_max: limits::COMPONENT_BYTES_MAX,
            cache: None,
        }
    }
}

/// What the calls of one actor may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActorLimits {
    /// Linear memory of one instance, in bytes, all its memories together.
    pub memory_bytes_max: usize,
    /// From admission to the last byte of the answer; a caller's deadline can only shorten it.
    pub execution_max: Duration,
    /// Calls that one instance of an assignment serves at once.
    pub concurrency: u32,
    /// Requests to the outside under way at once on this host.
    pub outgoing_max: u32,
    pub keyvalue: keyvalue::Limits,
    /// How long one operation of a store may take.
    pub keyvalue_wait: Duration,
}

impl Default for ActorLimits {
    fn default() -> Self {
        Self {
            memory_bytes_max: limits::MEMORY_BYTES_DEFAULT,
            execution_max: limits::EXECUTION_CEILING,
            concurrency: limits::CONCURRENCY_DEFAULT,
            outgoing_max: limits::OUTGOING_MAX,
            keyvalue: keyvalue::Limits::default(),
            keyvalue_wait: limits::KEYVALUE_WAIT,
        }
    }
}

/// A limit of a spec that this host does not grant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {wanted}, and this host grants {min} to {max}")]
pub struct LimitError {
    pub name: &'static str,
    pub wanted: u64,
    pub min: u64,
    pub max: u64,
}

impl LimitError {
    /// Stable; `docs/errors/WT-ENGINE.md` says what would help.
    pub fn code(&self) -> &'static str {
        "WT-ENGINE-LIMIT"
    }
}

impl TryFrom<&SpecLimits> for ActorLimits {
    type Error = LimitError;

    /// What a spec asks for, and the defaults for what it does not say.
    fn try_from(wanted: &SpecLimits) -> Result<Self, LimitError> {
        let mut granted = Self::default();
        if let Some(bytes) = wanted.memory_bytes_max {
            // Less than one page of linear memory runs nothing.
            let bytes = within("memory", bytes, 64 << 10, limits::MEMORY_BYTES_CEILING as u64)?;
            granted.memory_bytes_max = bytes as usize;
        }
        if let Some(wanted) = wanted.execution_ms_max {
            let ceiling = limits::EXECUTION_CEILING.as_millis() as u64;
            let ms = within("execution time (ms)", wanted, 1, ceiling)?;
            granted.execution_max = Duration::from_millis(ms);
        }
        if let Some(calls) = wanted.concurrency {
            let ceiling = limits::PERMITS_CEILING.into();
            granted.concurrency = within("concurrency", calls.into(), 1, ceiling)? as u32;
        }
        Ok(granted)
    }
}

fn within(name: &'static str, wanted: u64, min: u64, max: u64) -> Result<u64, LimitError> {
    if (min..=max).contains(&wanted) {
        Ok(wanted)
    } else {
        Err(LimitError { name, wanted, min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_without_limits_has_the_defaults() {
        assert_eq!(ActorLimits::try_from(&SpecLimits::default()), Ok(ActorLimits::default()));
    }

    #[test]
    fn a_limit_outside_what_the_host_grants_is_refused_by_name() {
        let none = SpecLimits::default();
        let cases = [
            (SpecLimits { memory_bytes_max: Some(0), ..none }, "memory"),
            (SpecLimits { memory_bytes_max: Some(u64::MAX), ..none }, "memory"),
            (SpecLimits { execution_ms_max: Some(0), ..none }, "execution time (ms)"),
            (SpecLimits { execution_ms_max: Some(30_001), ..none }, "execution time (ms)"),
            (SpecLimits { concurrency: Some(0), ..none }, "concurrency"),
            (SpecLimits { concurrency: Some(u32::MAX), ..none }, "concurrency"),
        ];
        for (wanted, name) in cases {
            assert_eq!(ActorLimits::try_from(&wanted).unwrap_err().name, name, "{wanted:?}");
        }
    }
}
