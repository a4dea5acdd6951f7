//! How wasmtime is configured: what decides the code that is made, and what decides where it runs.
//!
//! The first part is constant for a profile and its name is part of what compiled code is bound
//! to; the second may differ between hosts. Every choice here was measured.

use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, ModuleVersionStrategy, PoolingAllocationConfig,
    WasmFeatures,
};

use crate::limits;

/// The code this build makes and accepts, in wasmtime's header of an artifact.
///
/// wasmtime compares only its major version by itself, so the fix of a miscompilation in a patch
/// release would leave old code in use. The last number is ours: raise it when a setting of
/// [`compiled`] changes.
pub(crate) const VERSION: &str = concat!("48.0.8", "/p2/1");

/// What the compile cache binds an artifact to: [`VERSION`] and the machine.
///
/// Code is made for the processor at hand; wasmtime itself checks at load that it has every
/// feature the code uses.
pub(crate) fn engine_id() -> String {
    format!("{VERSION}/{}-{}/native", std::env::consts::ARCH, std::env::consts::OS)
}

/// What guests may use. An allow-list: a proposal that a later wasmtime turns on stays off here
/// until somebody decides.
///
/// Multi-memory and extended constants stay on because composed components and Python ones need
/// them; GC, exceptions, threads, memory64 and component-model async stay off because most escapes
/// of the past needed one of them.
fn allowed() -> WasmFeatures {
    WasmFeatures::MUTABLE_GLOBAL
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
        | WasmFeatures::COMPONENT_MODEL
}

/// The settings of this profile for a pool of `slots` instances.
pub(crate) fn config(slots: u32) -> wasmtime::Result<Config> {
    let mut config = compiled()?;
    config
        // What one call left on a stack is not for the next.
        .async_stack_zeroing(true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(slots)));
    Ok(config)
}

/// What the code depends on.
fn compiled() -> wasmtime::Result<Config> {
    let mut config = Config::new();
    config
        .wasm_features(allowed().complement(), false)
        .gc_support(false)
        // This, and not leaving out component-model async, is what makes WASI 0.2 fast: 58 to
        // 34 µs per request.
        .concurrency_support(false)
        .epoch_interruption(true)
        .module_version(ModuleVersionStrategy::Custom(VERSION.to_owned()))?;
    Ok(config)
}

/// One slot is one call: its instances, memories, tables and stack.
fn pool(slots: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_stacks(slots)
        // A Python component takes 14 core instances and 2 tables, a Rust one 4 and 2.
        .total_core_instances(slots.saturating_mul(16))
        .total_tables(slots.saturating_mul(4))
        .total_memories(slots.saturating_mul(2))
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
        assert_eq!(VERSION.split('/').next(), Some(version));
    }

    #[test]
    fn what_guests_may_not_use_is_refused_by_the_compiler() {
        let engine = Engine::new(&config(4).unwrap()).unwrap();
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
