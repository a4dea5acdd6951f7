//! How wasmtime is configured: what decides the code that is made, and what decides where it runs.
//!
//! The first part is constant for a profile and its name is part of what compiled code is bound
//! to; the second may differ between hosts. Every choice here was measured.

use std::str::FromStr;

use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, ModuleVersionStrategy, PoolingAllocationConfig,
    WasmFeatures,
};

use crate::engine_id::{EngineIdError, Target};
use crate::limits;

/// What an engine is built for. Code made for one profile does not run in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Profile {
    pub wasi: Wasi,
    pub space: AddressSpace,
}

/// Which generation of WASI, and with it of the component model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wasi {
    /// 0.2: a store runs one call at a time.
    P2,
    /// 0.3: async functions, streams and futures; a store runs many calls at once.
    P3,
}

/// How much address space a linear memory may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AddressSpace {
    /// 4 GiB for each, so that no access needs a check.
    #[default]
    Server,
    /// As much as a memory may grow to, and every access is checked: for processors with 39 bits
    /// of address space, where 128 memories of 4 GiB do not fit.
    Edge,
}

/// wasmtime compares only its major version by itself, so the fix of a miscompilation in a patch
/// release would leave old code in use.
pub(crate) const WASMTIME: &str = "48.0.8";

/// Raised when a setting of [`Profile::compiled`] changes.
const SETTINGS: u32 = 2;

impl Profile {
    pub const ALL: [Self; 4] = [
        Self { wasi: Wasi::P2, space: AddressSpace::Server },
        Self { wasi: Wasi::P2, space: AddressSpace::Edge },
        Self { wasi: Wasi::P3, space: AddressSpace::Server },
        Self { wasi: Wasi::P3, space: AddressSpace::Edge },
    ];

    /// `p2-server`.
    pub const fn name(self) -> &'static str {
        match (self.wasi, self.space) {
            (Wasi::P2, AddressSpace::Server) => "p2-server",
            (Wasi::P2, AddressSpace::Edge) => "p2-edge",
            (Wasi::P3, AddressSpace::Server) => "p3-server",
            (Wasi::P3, AddressSpace::Edge) => "p3-edge",
        }
    }

    /// The code this build makes and accepts: the first parts of an [`EngineId`], and what stands in
    /// wasmtime's header of an artifact.
    ///
    /// [`EngineId`]: crate::EngineId
    pub(crate) fn version(self) -> String {
        format!("{WASMTIME}/{}/{SETTINGS}", self.name())
    }

    /// What guests may use. An allow-list: a proposal that a later wasmtime turns on stays off here
    /// until somebody decides.
    ///
    /// Multi-memory and extended constants stay on because composed components and Python ones need
    /// them; GC, exceptions, threads and memory64 stay off because most escapes of the past needed
    /// one of them, and so does component-model async where nobody asks for it.
    fn allowed(self) -> WasmFeatures {
        let everywhere = WasmFeatures::MUTABLE_GLOBAL
            | WasmFeatures::SATURATING_FLOAT_TO_INT
            | WasmFeatures::SIGN_EXTENSION
            | WasmFeatures::REFERENCE_TYPES
            | WasmFeatures::CALL_INDIRECT_OVERLONG
            | WasmFeatures::MULTI_VALUE
            | WasmFeatures::BULK_MEMORY
            | WasmFeatures::BULK_MEMORY_OPT
            | WasmFeatures::FLOATS
            | WasmFeatures::SIMD
            | WasmFeatures::MULTI_MEMORY
            | WasmFeatures::EXTENDED_CONST
            | WasmFeatures::COMPONENT_MODEL;
        match self.wasi {
            Wasi::P2 => everywhere,
            Wasi::P3 => everywhere | WasmFeatures::CM_ASYNC,
        }
    }

    /// The settings for a pool of `slots` instances.
    pub(crate) fn config(self, slots: u32) -> wasmtime::Result<Config> {
        let mut config = self.compiled()?;
        config
            .max_wasm_stack(limits::STACK_BYTES_MAX)
            .async_stack_size(limits::STACK_WITH_HOST_BYTES)
            // What one call left on a stack is not for the next.
            .async_stack_zeroing(true)
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(slots)));
        Ok(config)
    }

    /// The settings for running code that is there already, in a pool of `slots` instances.
    ///
    /// Without a compiler: what this engine is handed it can run, and nothing else.
    pub(crate) fn running(self, target: Target, slots: u32) -> wasmtime::Result<Config> {
        let mut config = self.config(slots)?;
        if target != Target::here() {
            config.target(target.name())?;
        }
        #[cfg(feature = "compiler")]
        config.enable_compiler(false);
        Ok(config)
    }

    /// What the code depends on.
    pub(crate) fn compiled(self) -> wasmtime::Result<Config> {
        let mut config = Config::new();
        config
            .wasm_features(self.allowed().complement(), false)
            .wasm_features(self.allowed(), true)
            .gc_support(false)
            // This, and not leaving out component-model async, is what makes WASI 0.2 fast: 58 to
            // 34 µs per request.
            .concurrency_support(self.wasi == Wasi::P3)
            .epoch_interruption(true)
            .module_version(ModuleVersionStrategy::Custom(self.version()))?;
        if self.space == AddressSpace::Edge {
            config
                .memory_reservation(limits::MEMORY_BYTES_CEILING as u64)
                .memory_guard_size(EDGE_GUARD_BYTES)
                .memory_may_move(false);
        }
        Ok(config)
    }
}

impl FromStr for Profile {
    type Err = EngineIdError;

    fn from_str(raw: &str) -> Result<Self, EngineIdError> {
        let found = Self::ALL.into_iter().find(|profile| profile.name() == raw);
        found.ok_or_else(|| EngineIdError::Profile(raw.to_owned()))
    }
}

/// Behind a memory that is checked; it catches accesses with a small constant offset, which then
/// need no check of their own.
const EDGE_GUARD_BYTES: u64 = 64 << 10;

/// One slot is one call: its instances, memories, tables and stack.
pub(crate) fn pool(slots: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_stacks(slots)
        // These cost nothing until they are used.
        .total_core_instances(slots.saturating_mul(limits::INSTANCES_MAX as u32))
        // A Rust or Python component takes one or two of each.
        .total_tables(slots.saturating_mul(limits::SLOT_TABLES))
        .total_memories(slots.saturating_mul(limits::SLOT_MEMORIES))
        .max_core_instances_per_component(limits::INSTANCES_MAX as u32)
        .max_tables_per_component(limits::TABLES_MAX as u32)
        .max_memories_per_component(limits::MEMORIES_MAX as u32)
        .max_memory_size(limits::MEMORY_BYTES_CEILING)
        .table_elements(limits::TABLE_ELEMENTS_MAX)
        // Kept and cleared in place; without the scan all of it is cleared, used or not.
        .linear_memory_keep_resident(limits::KEEP_MEMORY_BYTES)
        .table_keep_resident(limits::KEEP_TABLE_BYTES)
        .async_stack_keep_resident(limits::KEEP_STACK_BYTES)
        .pagemap_scan(Enabled::Auto);
    pool
}

#[cfg(test)]
mod tests {
    use wasmtime::Engine;
    use wasmtime::component::Component;

    use super::*;

    #[test]
    fn the_version_in_an_artifact_is_that_of_the_pinned_wasmtime() {
        let lock = include_str!("../../../Cargo.lock");
        let (_, entry) = lock.split_once("name = \"wasmtime\"\nversion = \"").unwrap();
        let (version, _) = entry.split_once('"').unwrap();
        assert_eq!(WASMTIME, version);
    }

    #[test]
    fn what_guests_may_not_use_is_refused_by_the_compiler() {
        for profile in Profile::ALL {
            refuses_and_allows(profile);
        }
    }

    fn refuses_and_allows(profile: Profile) {
        let engine = Engine::new(&profile.config(4).unwrap()).unwrap();
        let compile = |module: &str| {
            let component = wat::parse_str(format!("(component (core module {module}))")).unwrap();
            Component::new(&engine, component).map(drop)
        };
        let refused = [
            ("gc", "(type (struct (field i32)))"),
            ("threads", "(memory 1 1 shared)"),
            ("memory64", "(memory i64 1)"),
            ("exceptions", "(tag (param i32))"),
            ("tail-call", "(func $f (return_call $f))"),
            ("function-references", "(type $t (func)) (func (param (ref $t)))"),
            (
                "relaxed-simd",
                "(func (param v128) (result v128) local.get 0 local.get 0 \
              i8x16.relaxed_swizzle)",
            ),
            ("custom-page-sizes", "(memory 1 (pagesize 1))"),
            (
                "wide-arithmetic",
                "(func (param i64 i64) (result i64 i64) local.get 0 local.get 1 \
              i64.mul_wide_s)",
            ),
            ("stack-switching", "(type $f (func)) (type $c (cont $f))"),
        ];
        for (name, module) in refused {
            let error = format!("{:#}", compile(module).expect_err(name));
            assert!(!error.contains("pooling"), "{name} is refused only for its size: {error}");
        }
        let allowed = [
            ("multi-memory", "(import \"a\" \"b\" (memory 1)) (memory 1)"),
            ("extended-const", "(global i32 (i32.add (i32.const 1) (i32.const 2)))"),
            (
                "reference-types",
                "(table 1 funcref) (func (drop (table.grow (ref.null func) (i32.const 1))))",
            ),
            ("simd", "(func (result v128) (v128.const i64x2 0 0))"),
        ];
        for (name, module) in allowed {
            compile(module).unwrap_or_else(|error| panic!("{name} is refused: {error:#}"));
        }
    }
}
