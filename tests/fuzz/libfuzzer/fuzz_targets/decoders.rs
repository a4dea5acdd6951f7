//! One target of `wattle-fuzz` under libFuzzer: the one that `WATTLE_FUZZ_TARGET` names.

#![no_main]

use std::env;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use wattle_fuzz::Target;

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = env::var("WATTLE_FUZZ_TARGET").unwrap_or_default();
    wattle_fuzz::target(&name).unwrap_or_else(|| panic!("WATTLE_FUZZ_TARGET={name:?} is no target"))
});

fuzz_target!(|data: &[u8]| (TARGET.run)(data));
