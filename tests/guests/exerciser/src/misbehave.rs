//! What a component may not do, or not for long.

use wasip2::http::types::Fields;

use crate::Query;
use crate::answer::Answer;
use crate::bindings::wasi::keyvalue::store;

/// Never comes back and never calls the host.
pub(crate) fn spin() {
    let mut n = 0_u64;
    loop {
        n = std::hint::black_box(n.wrapping_add(1));
    }
}

/// Takes `mib` of memory and uses it.
pub(crate) fn memory(query: &Query, answer: Answer) {
    let bytes = usize::try_from(query.number("mib") << 20).expect("an address");
    let taken = std::hint::black_box(vec![1_u8; bytes]);
    answer.text(&taken.len().to_string());
}

pub(crate) fn trap() -> ! {
    core::arch::wasm32::unreachable()
}

pub(crate) fn trap_in_body(answer: Answer) {
    let mut open = answer.open();
    open.write(b"the first half");
    trap();
}

/// Declares more than it sends.
pub(crate) fn short_body(answer: Answer) {
    let mut open = answer.length(100).open();
    open.write(b"short");
    open.finish();
}

pub(crate) fn spin_in_body(answer: Answer) {
    let mut open = answer.open();
    open.write(b"the first half");
    spin();
}

pub(crate) fn exit(query: &Query) {
    std::process::exit(query.number("status") as i32)
}

/// Uses up the stack.
pub(crate) fn recurse(answer: Answer) {
    fn deeper(n: u64) -> u64 {
        let frame = std::hint::black_box([n; 64]);
        if n == u64::MAX { 0 } else { deeper(n + 1) + frame[1] }
    }
    answer.text(&deeper(0).to_string());
}

/// Asks for `bytes` random bytes at once.
pub(crate) fn random(query: &Query, answer: Answer) {
    let bytes = wasip2::random::random::get_random_bytes(query.number("bytes"));
    answer.text(&bytes.len().to_string());
}

/// Opens `count` buckets and keeps them.
pub(crate) fn buckets(query: &Query, answer: Answer) {
    let open = (0..query.number("count")).map(|_| store::open("default").expect("a store opens"));
    let open: Vec<_> = open.collect();
    answer.text(&open.len().to_string());
}

/// Opens a store so many times and never closes it again.
pub(crate) fn keep(query: &Query, answer: Answer) {
    for _ in 0..query.number("count") {
        std::mem::forget(store::open("default").expect("a store opens"));
    }
    answer.text("kept");
}

/// Says far too much.
pub(crate) fn flood(answer: Answer) {
    let line = "x".repeat(1000);
    for _ in 0..2000 {
        println!("{line}");
    }
    answer.text("flooded");
}

/// A head with `bytes` of headers.
pub(crate) fn head_of(query: &Query, answer: Answer) {
    let fields = Fields::new();
    let value = vec![b'v'; 1000];
    for n in 0..query.number("bytes") / 1000 {
        if let Err(error) = fields.append(&format!("x-{n}"), &value) {
            return answer.status(500).text(&format!("{error:?}"));
        }
    }
    answer.text("fits");
}
