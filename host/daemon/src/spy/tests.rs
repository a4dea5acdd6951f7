use std::time::Duration;

use wattle_lattice::call::{CallReply, NotBegun};
use wattle_types::{PublicKey, Role};

use super::*;

fn spy(actor: &str) -> (Spy, mpsc::Receiver<Told>) {
    let own = HostId::try_from(PublicKey::new(Role::Server, [1; 32])).unwrap();
    let spy = Spy::new(own);
    let (sender, events) = mpsc::channel(4);
    spy.events.set(sender).unwrap();
    spy.ask(&SpyRequest::new(actor.parse().unwrap(), 1_000));
    (spy, events)
}

/// `a` calls `b`.
fn ctx() -> CallContext {
    let outside = CallContext::outside("a".parse().unwrap(), Instant::now());
    outside.onward("b".parse().unwrap()).unwrap()
}

fn what() -> (String, u64) {
    ("x:y/z.f".to_owned(), 3)
}

#[tokio::test(start_paused = true)]
async fn a_host_tells_of_the_side_of_a_call_that_it_has() {
    let cases = [
        ("a", Side::Both, true),
        ("b", Side::Both, true),
        ("c", Side::Both, false),
        ("a", Side::Caller, true),
        ("b", Side::Caller, false),
        ("a", Side::Callee, false),
        ("b", Side::Callee, true),
    ];
    for (watched, side, told) in cases {
        let (spy, mut events) = spy(watched);
        drop(spy.look(&ctx(), side, what));
        assert_eq!(events.try_recv().is_ok(), told, "{watched} {side:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_told_says_what_became_of_the_call_and_how_long_it_took() {
    let (spy, mut events) = spy("b");
    let sighting = spy.look(&ctx(), Side::Both, what).unwrap();
    tokio::time::advance(Duration::from_micros(1_500)).await;
    sighting.ended(&CallReply::not_begun(NotBegun::Overloaded, "x").outcome);
    let Told { whose, event } = events.try_recv().unwrap();
    assert_eq!(whose.as_str(), "b");
    assert_eq!((event.caller.unwrap().as_str(), event.callee.as_str()), ("a", "b"));
    assert_eq!((&event.outcome[..], &event.code[..]), ("not-begun", "overloaded"));
    assert_eq!((event.micros, event.bytes_in, event.bytes_out), (1_500, 3, 0));
    assert_eq!((event.what.as_str(), event.way), ("x:y/z.f", Way::InProcess));

    let sighting = spy.look(&ctx(), Side::Both, what).unwrap();
    sighting.returned(&Ok(Returned::new(Bytes::from_static(b"seven"))));
    let Told { event, .. } = events.try_recv().unwrap();
    assert_eq!((&event.outcome[..], &event.code[..], event.bytes_out), ("ok", "", 5));

    drop(spy.look(&ctx(), Side::Callee, what));
    let Told { event, .. } = events.try_recv().unwrap();
    assert_eq!((&event.outcome[..], event.way), ("cancelled", Way::Remote));
}

#[tokio::test(start_paused = true)]
async fn calls_are_not_looked_at_any_more_when_nobody_asks() {
    let (spy, _events) = spy("a");
    tokio::time::advance(Duration::from_millis(1_000)).await;
    assert!(spy.look(&ctx(), Side::Both, what).is_none());
    assert!(spy.asked.load(Ordering::Relaxed), "until somebody tidies up");
    spy.sweep();
    assert!(!spy.asked.load(Ordering::Relaxed));
}

#[tokio::test(start_paused = true)]
async fn a_torrent_does_not_wait_for_whoever_watches_it() {
    let (spy, mut events) = spy("a");
    for _ in 0..100 {
        drop(spy.look(&ctx(), Side::Both, what));
    }
    assert_eq!(std::iter::from_fn(|| events.try_recv().ok()).count(), 4);
}
