//! Guests that want more memory, of their own or of the host's, than there is for them.

use core::arch::wasm32;
use std::hint::black_box;
use std::mem;

use wasip2::cli::{stdin, stdout};
use wasip2::clocks::monotonic_clock;
use wasip2::http::types::{Fields, IncomingRequest, Method, OutgoingRequest};
use wasip2::io::streams::StreamError;
use wasip2::random::{insecure, random};

const PAGE: usize = 64 << 10;

pub(crate) fn grow_to_4_gib() -> String {
    let pages = (1 << 16) - wasm32::memory_size(0);
    match wasm32::memory_grow(0, pages) {
        usize::MAX => "refused".to_owned(),
        _ => "granted".to_owned(),
    }
}

/// Uses what it gets, and says how much that was in MiB.
pub(crate) fn grow_page_by_page() -> String {
    loop {
        let at = wasm32::memory_grow(0, 1);
        if at == usize::MAX {
            return format!("{} MiB", (wasm32::memory_size(0) * PAGE) >> 20);
        }
        let page = (at * PAGE) as *mut u8;
        // SAFETY: the page is new, and the allocator does not know of it.
        unsafe { page.write_bytes(1, PAGE) };
    }
}

pub(crate) fn allocate_small() {
    loop {
        mem::forget(black_box(Box::new([1_u8; 24])));
    }
}

/// Nearly all that an instance may have.
pub(crate) fn allocate_all_and_use_it() -> String {
    black_box(vec![1_u8; 60 << 20]).len().to_string()
}

pub(crate) fn a_million_fields() {
    for _ in 0..1_000_000 {
        mem::forget(Fields::new());
    }
}

pub(crate) fn a_hundred_thousand_pollables() {
    for _ in 0..100_000 {
        mem::forget(monotonic_clock::subscribe_duration(1));
    }
}

pub(crate) fn fields_made_and_dropped() {
    loop {
        drop(black_box(Fields::new()));
    }
}

pub(crate) fn all_random_bytes() {
    black_box(random::get_random_bytes(u64::MAX));
}

pub(crate) fn all_insecure_random_bytes() {
    black_box(insecure::get_insecure_random_bytes(u64::MAX));
}

pub(crate) fn random_without_end() {
    loop {
        black_box(random::get_random_bytes(PAGE as u64));
    }
}

pub(crate) fn all_zeroes_to_stdout() {
    black_box(stdout::get_stdout().write_zeroes(u64::MAX)).expect("somebody listens");
}

pub(crate) fn all_of_stdin() -> String {
    ended(stdin::get_stdin().blocking_read(u64::MAX))
}

/// In as few pieces as it may.
pub(crate) fn all_of_the_request(request: &IncomingRequest) -> String {
    let body = request.consume().expect("the body is taken once");
    let stream = body.stream().expect("the stream is taken once");
    let mut bytes = 0;
    while let Ok(piece) = stream.blocking_read(u64::MAX) {
        bytes += piece.len();
    }
    format!("{bytes} bytes")
}

fn ended(read: Result<Vec<u8>, StreamError>) -> String {
    match read {
        Ok(bytes) => format!("{} bytes", bytes.len()),
        Err(StreamError::Closed) => "closed".to_owned(),
        Err(StreamError::LastOperationFailed(error)) => error.to_debug_string(),
    }
}

pub(crate) fn headers_without_end() {
    let fields = Fields::new();
    for n in 0_u64.. {
        fields.append(&format!("x-{n}"), b"value").expect("a fitting header");
    }
}

pub(crate) fn a_header_of_10_mib() {
    Fields::new().append("x-long", &vec![b'a'; 10 << 20]).expect("a fitting header");
}

pub(crate) fn a_path_of_8_mib() {
    let request = OutgoingRequest::new(Fields::new());
    request.set_path_with_query(Some(&"/a".repeat(4 << 20))).expect("a path");
}

pub(crate) fn a_method_of_1_mib() -> String {
    let request = OutgoingRequest::new(Fields::new());
    format!("{:?}", request.set_method(&Method::Other("A".repeat(1 << 20))))
}
