//! A caller: what the path of a request says is asked of whoever it is linked to. It exports what it
//! imports, so chains and circles can be made of it.

mod answer;
mod ask;
mod samples;

use exports::wattle_test::echo::echo as offered;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};
use wattle_test::echo::echo;

use crate::ask::Query;

wit_bindgen::generate!({
    path: ["../../../wit/deps/io.wit", "../../../wit/deps/config", "../../../wit/bus", "../wit/echo.wit"],
    world: "wattle-test:echo/caller",
    with: {
        "wasi:io/error@0.2.12": wasip2::io::error,
        "wasi:io/poll@0.2.12": wasip2::io::poll,
        "wasi:io/streams@0.2.12": wasip2::io::streams,
    },
    generate_all,
});

struct Caller;

export!(Caller);
wasip2::http::proxy::export!(Caller);

impl wasip2::exports::http::incoming_handler::Guest for Caller {
    fn handle(request: IncomingRequest, to: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let (status, text) = ask::ask(path, &Query::of(query), &request);
        answer::send(to, status, &text);
    }
}

/// Passes every call on.
impl offered::Guest for Caller {
    fn bytes(value: Vec<u8>) -> Vec<u8> {
        echo::bytes(&value)
    }

    fn greet(name: String) -> String {
        echo::greet(&name)
    }

    fn who() -> String {
        echo::who()
    }

    fn nothing() {
        echo::nothing();
    }

    fn fail(why: String) -> Result<String, String> {
        echo::fail(&why)
    }

    fn guarded() -> Result<String, offered::Trouble> {
        echo::guarded().map_err(|trouble| match trouble {
            echo::Trouble::Unreachable => offered::Trouble::Unreachable,
            echo::Trouble::Overloaded(why) => offered::Trouble::Overloaded(why),
            echo::Trouble::Other(why) => offered::Trouble::Other(why),
        })
    }

    /// Asks on while there are calls left, and counts itself.
    fn deep(calls: u32) -> u32 {
        if calls == 0 { 0 } else { 1 + echo::deep(calls - 1) }
    }

    fn huge(bytes: u32) -> Vec<u8> {
        echo::huge(bytes)
    }

    fn sleep(ms: u32) {
        echo::sleep(ms);
    }

    fn trap() {
        echo::trap();
    }

    fn spin() {
        echo::spin();
    }
}
