//! A caller with a watch: how long calls take as a guest sees them, for the benchmark of calls within a process.

use exports::wattle_test::stopwatch::stopwatch::Guest;
use wasip2::clocks::monotonic_clock::now;
use wattle_test::echo::echo;

wit_bindgen::generate!({
    inline: "
        package wattle-test:stopwatch@0.1.0;

        /// The nanoseconds that each of so many calls took.
        interface stopwatch {
            /// Of `bytes`, with an argument of this size.
            bytes: func(size: u32, calls: u32) -> list<u64>;
            /// Of nothing: what looking at the watch takes.
            nothing: func(calls: u32) -> list<u64>;
        }

        world watch {
            import wattle-test:echo/echo@0.1.0;
            export stopwatch;
        }
    ",
    path: ["../../../wit/deps/io.wit", "../../../wit/deps/config", "../../../wit/bus", "../wit/echo.wit"],
    world: "watch",
    generate_all,
});

struct Watch;

export!(Watch);

impl Guest for Watch {
    fn bytes(size: u32, calls: u32) -> Vec<u64> {
        let argument = vec![7; size as usize];
        timed(calls, || echo::bytes(&argument))
    }

    fn nothing(calls: u32) -> Vec<u64> {
        timed(calls, || ())
    }
}

fn timed<T>(calls: u32, call: impl Fn() -> T) -> Vec<u64> {
    let one = |_| {
        let start = now();
        let returned = call();
        let took = now() - start;
        drop(returned);
        took
    };
    (0..calls).map(one).collect()
}
