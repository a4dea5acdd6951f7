//! Guests that do not come back, or not in time.

use std::hint::black_box;

use wasip2::clocks::monotonic_clock;
use wasip2::http::types::IncomingRequest;
use wasip2::io::poll;

use crate::bindings::wasi::config::store as config;

/// Never calls the host.
pub(crate) fn spin() -> ! {
    let mut n = 0_u64;
    loop {
        n = black_box(n.wrapping_add(1));
    }
}

pub(crate) fn spin_in_host_calls() {
    loop {
        black_box(monotonic_clock::now());
    }
}

/// Each round goes through the host's scheduler and finds something at once.
pub(crate) fn spin_on_a_ready_pollable() {
    let ready = monotonic_clock::subscribe_duration(0);
    loop {
        black_box(poll::poll(&[&ready]));
    }
}

pub(crate) fn sleep_for_ages() {
    const YEAR_NS: u64 = 365 * 24 * 3600 * 1_000_000_000;
    monotonic_clock::subscribe_duration(500 * YEAR_NS).block();
}

pub(crate) fn sleep_past_the_end_of_time() {
    let (duration, instant) = (
        monotonic_clock::subscribe_duration(u64::MAX),
        monotonic_clock::subscribe_instant(u64::MAX),
    );
    black_box(poll::poll(&[&duration, &instant]));
}

pub(crate) fn poll_an_empty_list() {
    black_box(poll::poll(&[]));
}

/// A hundred thousand entries of one list, all the same handle.
pub(crate) fn poll_one_thing_often() -> String {
    let ready = monotonic_clock::subscribe_duration(0);
    poll::poll(&vec![&ready; 100_000]).len().to_string()
}

/// Reads a body of which the client never sends the end.
pub(crate) fn wait_for_the_client(request: &IncomingRequest) {
    let body = request.consume().expect("the body is taken once");
    let stream = body.stream().expect("the stream is taken once");
    while stream.blocking_read(1 << 16).is_ok() {}
}

pub(crate) fn config_without_end() {
    loop {
        black_box(config::get_all()).expect("config is readable");
    }
}

pub(crate) fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    if depth == u64::MAX { 0 } else { recurse(depth + 1) + frame[1] }
}

/// The host needs some stack too, at whatever depth it is called.
pub(crate) fn recurse_through_the_host(depth: u64) -> u64 {
    let now = monotonic_clock::now();
    // Each wait is a turn in the slow lane, which others have meanwhile.
    if depth.is_multiple_of(64) {
        monotonic_clock::subscribe_duration(0).block();
    }
    if now == u64::MAX { 0 } else { recurse_through_the_host(depth + 1) + black_box(now) }
}
