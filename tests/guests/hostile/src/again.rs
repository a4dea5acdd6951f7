//! Guests whose instance serves more than one call, and who leave something for the next.

use core::arch::wasm32;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use wasip2::http::types::Fields;

const PAGE: usize = 64 << 10;
const AT_ONCE: u32 = 100;

static HOARDED: AtomicU32 = AtomicU32::new(0);
static MARKED: AtomicBool = AtomicBool::new(false);

/// Leaves handles behind in every call. The first call says how many are usual; whoever has more
/// after the second serves no third.
pub(crate) fn hoard_handles() -> String {
    for _ in 0..AT_ONCE {
        mem::forget(Fields::new());
    }
    match HOARDED.fetch_add(AT_ONCE, Ordering::Relaxed) + AT_ONCE {
        0..=200 => "at most 200 handles".to_owned(),
        more => format!("{more} handles"),
    }
}

/// Takes 8 MiB more in every call, and uses them.
pub(crate) fn hoard_memory() -> String {
    let at = wasm32::memory_grow(0, (8 << 20) / PAGE);
    if at == usize::MAX {
        return "refused".to_owned();
    }
    // SAFETY: the pages are new, and the allocator does not know of them.
    unsafe { ((at * PAGE) as *mut u8).write_bytes(1, 8 << 20) };
    match (wasm32::memory_size(0) * PAGE) >> 20 {
        0..60 => "less than 60 MiB".to_owned(),
        mib => format!("{mib} MiB"),
    }
}

/// Leaves a mark in its instance, and ends badly.
pub(crate) fn mark_and<T>(end: impl FnOnce() -> T) {
    MARKED.store(true, Ordering::Relaxed);
    end();
}

/// Whether this instance served one that ended badly.
pub(crate) fn marks_of_others() -> &'static str {
    if MARKED.load(Ordering::Relaxed) { "marked" } else { "clean" }
}
