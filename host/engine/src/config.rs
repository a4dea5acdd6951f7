//! How large an engine is.

use std::thread;

use crate::cache::CacheConfig;
use crate::compile::CompileConfig;
use crate::engine_id::Target;
use crate::limits;
use crate::profile::AddressSpace;

/// How large an engine is.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Calls that run at once on this host. The pool of instances is sized from it, and admission
    /// refuses before the pool could.
    pub permits: u32,
    /// Kept besides for calls made by calls: callers that hold all permits cannot wait for each
    /// other.
    pub nested_permits: u32,
    /// Instances that may wait for their next call, over all actors that reuse theirs. Each keeps a
    /// slot of the pool and the memory it has grown to.
    pub idle_instances: u32,
    /// Calls beyond their first tick of processor time that may be on a processor at once.
    pub slow_threads: usize,
    /// Who compiles, and what that may take.
    pub compile: CompileConfig,
    /// A component file larger than this is not compiled, in bytes.
    pub component_bytes_max: usize,
    /// Where compiled code is kept; without it every start compiles.
    pub cache: Option<CacheConfig>,
    pub space: AddressSpace,
    /// What runs the code: the processor of this machine, or wasmtime's interpreter.
    pub target: Target,
}

impl Default for EngineConfig {
    fn default() -> Self {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let all_but_one = processors.saturating_sub(1).max(1);
        Self {
            permits: limits::PERMITS_DEFAULT,
            nested_permits: limits::NESTED_PERMITS_DEFAULT,
            idle_instances: limits::IDLE_INSTANCES_DEFAULT,
            slow_threads: all_but_one,
            compile: CompileConfig::default(),
            component_bytes_max: limits::COMPONENT_BYTES_MAX,
            cache: None,
            space: AddressSpace::default(),
            target: Target::here(),
        }
    }
}
