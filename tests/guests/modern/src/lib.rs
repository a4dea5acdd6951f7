//! What an actor of WASI 0.3 can do: async functions, streams and futures, several calls in one
//! instance; and what it can do wrong there.

mod http;

use std::sync::atomic::{AtomicU32, Ordering};

use exports::wattle_test::modern::work::Guest;
use wasip3::clocks::monotonic_clock;
use wit_bindgen::{FutureReader, StreamReader, StreamResult, spawn_local};

wit_bindgen::generate!({
    path: "../wit/modern.wit",
    world: "wattle-test:modern/actor",
    generate_all,
});

struct Modern;

export!(Modern);

static CALLS: AtomicU32 = AtomicU32::new(0);
static SLEEPING: AtomicU32 = AtomicU32::new(0);

/// Calls that this instance has counted.
fn count() -> u32 {
    CALLS.fetch_add(1, Ordering::Relaxed) + 1
}

/// Sleeps, and says how many slept here at most meanwhile.
async fn sleep(ms: u32) -> u32 {
    let mut most = SLEEPING.fetch_add(1, Ordering::Relaxed) + 1;
    for _ in 0..10 {
        monotonic_clock::wait_for(u64::from(ms) * 100_000).await;
        most = most.max(SLEEPING.load(Ordering::Relaxed));
    }
    SLEEPING.fetch_sub(1, Ordering::Relaxed);
    most
}

fn spin() -> ! {
    let mut n = 0_u64;
    loop {
        n = std::hint::black_box(n.wrapping_add(1));
    }
}

/// All of a stream, piece by piece.
async fn each<T: 'static>(mut stream: StreamReader<T>, mut piece: impl FnMut(Vec<T>)) {
    loop {
        let (result, elements) = stream.read(Vec::with_capacity(4096)).await;
        piece(elements);
        if matches!(result, StreamResult::Dropped) {
            return;
        }
    }
}

impl Guest for Modern {
    async fn greet(name: String) -> String {
        format!("Hello, {name}!")
    }

    async fn count() -> u32 {
        count()
    }

    async fn sleep(ms: u32) -> u32 {
        sleep(ms).await
    }

    async fn fail(why: String) -> Result<String, String> {
        if why.is_empty() { Ok("no reason".to_owned()) } else { Err(why) }
    }

    async fn trap() {
        core::arch::wasm32::unreachable()
    }

    async fn spin() {
        spin()
    }

    async fn sum(numbers: StreamReader<u32>) -> u64 {
        let mut sum = 0;
        each(numbers, |piece| sum += piece.into_iter().map(u64::from).sum::<u64>()).await;
        sum
    }

    async fn shout(mut text: StreamReader<u8>) -> StreamReader<u8> {
        let (mut to, shouted) = wit_stream::new();
        spawn_local(async move {
            loop {
                let (result, piece) = text.read(Vec::with_capacity(64 << 10)).await;
                let left = to.write_all(piece.to_ascii_uppercase()).await;
                if !left.is_empty() || matches!(result, StreamResult::Dropped) {
                    return;
                }
            }
        });
        shouted
    }

    async fn words(text: String) -> StreamReader<String> {
        let (mut to, words) = wit_stream::new();
        spawn_local(async move {
            let all = text.split_whitespace().map(str::to_owned).collect();
            to.write_all(all).await;
        });
        words
    }

    async fn later(word: FutureReader<String>) -> FutureReader<String> {
        let (to, answer) = wit_future::new(|| "nothing".to_owned());
        spawn_local(async move {
            let word = word.await;
            let _ = to.write(format!("{word}, later")).await;
        });
        answer
    }

    async fn broken(bytes: u32) -> StreamReader<u8> {
        let (mut to, piece) = wit_stream::new();
        spawn_local(async move {
            to.write_all(vec![b'a'; bytes as usize]).await;
            core::arch::wasm32::unreachable()
        });
        piece
    }
}
