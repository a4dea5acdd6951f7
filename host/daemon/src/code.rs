//! Where a host gets machine code from: its configuration, and the engine made of it.

use std::path::{Path, PathBuf};

use wattle_engine::{CacheConfig, CacheKey, Engine, EngineConfig, EngineError};

#[cfg(feature = "compiler")]
pub use wattle_engine::compile::{child, server};
pub use wattle_engine::{CompileConfig, Compiler, Level, Profile, Target};

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
}

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
            ..EngineConfig::default()
        })
    }
}
