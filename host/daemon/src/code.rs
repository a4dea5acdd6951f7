//! Where a host gets machine code from: its configuration, and the engine made of it.

use std::path::{Path, PathBuf};

use wattle_engine::{CacheConfig, CacheKey, Engine, EngineConfig, EngineError};

#[cfg(feature = "compiler")]
pub use wattle_engine::compile::{child, server};
pub use wattle_engine::{AddressSpace, CompileConfig, Compiler, Level, Profile, Target};

use crate::identity::Identity;

/// Where machine code comes from, and what it is for.
#[derive(Clone, Debug, Default)]
pub struct CodeConfig {
    /// Who compiles what nobody has compiled yet.
    pub compile: CompileConfig,
    /// The size of the cache of compiled code, in bytes; none: the default.
    pub cache_bytes_max: Option<u64>,
    /// A folder of code that was made elsewhere. Signed: it need not be guarded.
    pub artifacts_dir: Option<PathBuf>,
    /// What runs the code; none: the processor of this machine.
    pub target: Option<Target>,
    /// How much room there is: for memories, and with it for calls.
    pub space: AddressSpace,
}

/// Calls at once on a small machine, those kept for calls that calls make, and instances that wait
/// for their next call. Each keeps up to 2 MiB once it was used, so this is what bounds the memory
/// that a host grows to: about 100 MB.
const EDGE_PERMITS: u32 = 32;
const EDGE_NESTED_PERMITS: u32 = 8;
const EDGE_IDLE_INSTANCES: u32 = 8;

impl CodeConfig {
    /// Blocks: files, and gigabytes of address space.
    pub(crate) fn engine(&self, data: &Path, identity: &Identity) -> Result<Engine, EngineError> {
        let key = CacheKey::derive(identity.key.seed().expose().as_bytes());
        let mut cache = CacheConfig::new(data.join("compiled"), key);
        cache.bytes_max = self.cache_bytes_max.unwrap_or(cache.bytes_max);
        Engine::new(EngineConfig {
            compile: self.compile.clone(),
            cache: Some(cache),
            target: self.target.unwrap_or_else(Target::here),
            ..sized(self.space)
        })
    }
}

fn sized(space: AddressSpace) -> EngineConfig {
    let server = EngineConfig { space, ..EngineConfig::default() };
    match space {
        AddressSpace::Server => server,
        AddressSpace::Edge => EngineConfig {
            permits: EDGE_PERMITS,
            nested_permits: EDGE_NESTED_PERMITS,
            idle_instances: EDGE_IDLE_INSTANCES,
            ..server
        },
    }
}
