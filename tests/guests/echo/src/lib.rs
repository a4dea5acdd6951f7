//! A callee: returns what it is given, in every type there is, or goes wrong as it is told.

mod values;

use exports::wattle_test::echo::{echo, streams};
use wasi::config::store as config;
use wasip2::io::streams::{InputStream, StreamError};

wit_bindgen::generate!({
    path: ["../../../wit/deps/io.wit", "../../../wit/deps/config", "../../../wit/bus", "../wit/echo.wit"],
    world: "wattle-test:echo/callee",
    with: {
        "wasi:io/error@0.2.12": wasip2::io::error,
        "wasi:io/poll@0.2.12": wasip2::io::poll,
        "wasi:io/streams@0.2.12": wasip2::io::streams,
    },
    generate_all,
});

struct Callee;

export!(Callee);

impl echo::Guest for Callee {
    fn bytes(value: Vec<u8>) -> Vec<u8> {
        value
    }

    fn greet(name: String) -> String {
        format!("Hello, {name}!")
    }

    fn who() -> String {
        config::get("name").ok().flatten().unwrap_or_default()
    }

    fn nothing() {}

    fn fail(why: String) -> Result<String, String> {
        if why.is_empty() { Ok("no reason".to_owned()) } else { Err(why) }
    }

    fn guarded() -> Result<String, echo::Trouble> {
        Ok("well".to_owned())
    }

    fn deep(_calls: u32) -> u32 {
        0
    }

    fn huge(bytes: u32) -> Vec<u8> {
        vec![b'a'; bytes as usize]
    }

    fn sleep(ms: u32) {
        wasip2::clocks::monotonic_clock::subscribe_duration(u64::from(ms) * 1_000_000).block();
    }

    fn trap() {
        core::arch::wasm32::unreachable()
    }

    fn spin() {
        let mut n = 0_u64;
        loop {
            n = std::hint::black_box(n.wrapping_add(1));
        }
    }
}

impl streams::Guest for Callee {
    fn count(body: InputStream) -> Result<u64, String> {
        let mut bytes = 0;
        loop {
            match body.blocking_read(64 << 10) {
                Ok(piece) => bytes += piece.len() as u64,
                Err(StreamError::Closed) => return Ok(bytes),
                Err(StreamError::LastOperationFailed(error)) => return Err(error.to_debug_string()),
            }
        }
    }
}
