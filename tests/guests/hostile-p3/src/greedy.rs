//! More than there is.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::Context;

use wasip3::clocks::monotonic_clock;
use wasip3::http::types::{Fields, Response};

use crate::answer::told;
use crate::ends;

const AGES: u64 = 1 << 60;

pub(crate) fn a_million_streams() -> Response {
    told(kept(ends::stream))
}

pub(crate) fn a_million_futures() -> Response {
    told(kept(ends::future))
}

pub(crate) fn a_million_sets() -> Response {
    told(kept(ends::set))
}

fn kept<T>(make: fn() -> T) -> String {
    let kept: Vec<T> = (0..1_000_000).map(|_| make()).collect();
    format!("kept {}", kept.len())
}

/// Calls of the host that are under way.
pub(crate) async fn a_hundred_thousand_waits() -> Response {
    let mut waits: Vec<Pin<Box<dyn Future<Output = ()>>>> = Vec::new();
    for _ in 0..100_000 {
        let mut wait: Pin<Box<dyn Future<Output = ()>>> = Box::pin(monotonic_clock::wait_for(AGES));
        begin(wait.as_mut()).await;
        waits.push(wait);
    }
    told(format!("kept {}", waits.len()))
}

/// Asks once.
async fn begin(mut future: Pin<&mut dyn Future<Output = ()>>) {
    std::future::poll_fn(|context: &mut Context<'_>| {
        assert!(future.as_mut().poll(context).is_pending(), "ages have passed");
        std::task::Poll::Ready(())
    })
    .await;
}

/// A call whose future is dropped is cancelled in the middle.
pub(crate) async fn waits_begun_and_given_up() -> String {
    for _ in 0..10_000 {
        let mut wait = pin!(monotonic_clock::wait_for(AGES));
        begin(wait.as_mut()).await;
    }
    "gave up 10000".to_owned()
}

pub(crate) fn streams_made_and_dropped() -> ! {
    loop {
        drop(wasip3::wit_stream::new::<u8>());
    }
}

pub(crate) fn a_million_fields() -> Response {
    told(kept(Fields::new))
}

pub(crate) fn all_random_bytes() -> Response {
    told(wasip3::random::random::get_random_bytes(u64::MAX).len().to_string())
}

pub(crate) fn a_header_of_10_mib() -> Response {
    let fields = Fields::new();
    let appended = fields.append("large", &vec![b'x'; 10 << 20]);
    told(format!("{appended:?}"))
}

/// One write of all its memory.
pub(crate) fn all_into_a_stream() -> Response {
    let (_, writer) = ends::stream();
    // SAFETY: what it does is for the host to refuse.
    told(unsafe { (ends::STREAM.start_write)(writer, std::ptr::null(), (1 << 28) + 1) }.to_string())
}
