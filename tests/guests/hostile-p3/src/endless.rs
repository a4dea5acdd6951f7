//! Not coming back.

use wasip3::clocks::monotonic_clock;
use wasip3::http::types::{ErrorCode, Fields, Response};
use wasip3::{wit_future, wit_stream};
use wit_bindgen::{StreamResult, spawn_local, yield_async};

use crate::answer::{open, told};

pub(crate) fn spin() -> ! {
    let mut n = 0_u64;
    loop {
        n = std::hint::black_box(n.wrapping_add(1));
    }
}

pub(crate) async fn yield_without_end() -> ! {
    loop {
        yield_async().await;
    }
}

/// Both ends are its own, and it writes to neither.
pub(crate) async fn wait_for_itself() -> Response {
    let (to, mut from) = wit_stream::new::<u8>();
    let (_, read) = from.read(Vec::with_capacity(1)).await;
    drop(to);
    told(format!("read {} bytes", read.len()))
}

pub(crate) async fn wait_for_its_own_future() -> Response {
    let (promise, future) = wit_future::new::<Result<(), ErrorCode>>(|| Ok(()));
    let said = future.await;
    drop(promise);
    told(format!("{said:?}"))
}

pub(crate) fn wait_for_ages_in_a_task() -> Response {
    let (to, response) = open(Fields::new());
    spawn_local(async move {
        monotonic_clock::wait_for(u64::MAX).await;
        drop(to);
    });
    response
}

pub(crate) async fn wait_until_the_end_of_time() -> Response {
    monotonic_clock::wait_until(u64::MAX).await;
    told("it came")
}

/// Sends bytes through a stream whose both ends it has.
pub(crate) async fn talk_to_itself_without_end() -> ! {
    pass_without_end(vec![b'x'; 64 << 10]).await
}

/// The same, with no bytes.
pub(crate) async fn nothing_to_itself_without_end() -> ! {
    pass_without_end(Vec::new()).await
}

async fn pass_without_end(piece: Vec<u8>) -> ! {
    let (mut to, mut from) = wit_stream::new();
    let room = piece.len();
    spawn_local(async move {
        loop {
            to.write(piece.clone()).await;
        }
    });
    loop {
        let (result, _) = from.read(Vec::with_capacity(room)).await;
        assert!(!matches!(result, StreamResult::Dropped), "the writer never ends");
    }
}

#[inline(never)]
pub(crate) fn recurse(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    if frame[7] == u64::MAX { 0 } else { recurse(depth + 1) + frame[7] }
}
