//! Limits that a manifest asks for: what is within them passes, what is beyond them is counted.

use wattle_types::{Limit, SpecLimits};

use crate::kit::{Setup, get, ok, until};

fn with(limit: Limit, value: u64) -> SpecLimits {
    let mut limits = SpecLimits::default();
    limits.set(limit, value);
    limits
}

#[tokio::test]
async fn a_guest_is_held_to_what_its_manifest_asks_for_and_its_traps_are_told_apart() {
    let cases = [
        (Limit::Memory, 16 << 20, "/memory?mib=8", "/memory?mib=24", "memory"),
        (
            Limit::Hostcall,
            16 << 10,
            "/kv?op=set-of&bytes=8000",
            "/kv?op=set-of&bytes=40000",
            "hostcall",
        ),
        (Limit::Handles, 50, "/buckets?count=10", "/buckets?count=100", "handles"),
        (Limit::Resources, 50, "/buckets?count=10", "/buckets?count=100", "resources"),
        (Limit::Random, 1 << 10, "/random?bytes=1024", "/random?bytes=1025", "host"),
        (Limit::Headers, 4 << 10, "/head-of?bytes=1000", "/head-of?bytes=9000", "host"),
    ];
    for (limit, value, within, beyond, reason) in cases {
        let actor = Setup::limited(with(limit, value)).run("exerciser").await;
        ok(&actor, within).await;
        let error = get(&actor, beyond).await.expect_err(beyond);
        assert!(error.begun(), "{limit}: {error}");
        let usage = actor.usage();
        let traps: Vec<_> = usage.traps.iter().map(|(name, count)| (&**name, *count)).collect();
        assert_eq!(traps, [(reason, 1)], "{limit}: {error}");
        assert_eq!((usage.calls.begun, usage.calls.done, usage.calls.failed), (2, 1, 1), "{limit}");
    }
}

#[tokio::test]
async fn a_component_that_needs_more_than_it_was_granted_is_never_entered() {
    for (limit, value) in [(Limit::CoreInstances, 1), (Limit::Tables, 1), (Limit::TableElements, 1)]
    {
        let actor = Setup::limited(with(limit, value)).run("exerciser").await;
        let error = get(&actor, "/hello").await.expect_err(limit.name());
        assert_eq!(error.code(), "WT-ENGINE-TRAP", "{limit}: {error}");
    }
}

#[tokio::test]
async fn what_a_call_may_say_is_what_its_manifest_asks_for() {
    for (limit, value) in [(Limit::LogPerCall, 5_000), (Limit::LogPerSecond, 5_000)] {
        let setup = Setup::limited(with(limit, value));
        let heard = setup.log.clone();
        assert_eq!(ok(&setup.run("exerciser").await, "/flood").await, "flooded");
        let lines = heard.lines();
        // Five lines of a thousand bytes, and one that says that there are no more.
        assert_eq!(lines.len(), 6, "{limit}: {lines:?}");
    }
}

#[tokio::test]
async fn what_an_actor_takes_is_counted_while_it_takes_it_and_given_back() {
    let actor = Setup::new().run("exerciser").await;
    let before = actor.usage();
    assert_eq!((before.memory_bytes, before.instances.live, before.calls.begun), (0, 0, 0));
    let request = crate::kit::request("/slow?times=1000000&ms=10");
    let patience = crate::kit::PATIENCE;
    let answer = actor.http(crate::kit::outside(&actor, patience), request).await.unwrap();
    let during = actor.usage();
    assert_eq!((during.load.in_flight, during.instances.live), (1, 1));
    assert!(0 < during.memory_bytes, "{during:?}");
    drop(answer);
    until("the call has ended", async || actor.usage().calls.abandoned == 1).await;
    until("its instance is gone", async || actor.usage().instances.live == 0).await;
    let after = actor.usage();
    assert_eq!((after.memory_bytes, after.load.in_flight), (0, 0), "{after:?}");
    assert_eq!(after.memory_bytes_peak, during.memory_bytes);
    assert!(0 < after.processor_us, "{after:?}");
    assert_eq!(after.instances.retired.keys().collect::<Vec<_>>(), ["abandoned"]);
}
