//! What one actor wrote is never there for another that gets its place in the pool, although the
//! pool keeps pages between calls.
//!
//! Every component here does the same: it looks whether anything was left in its memory or its
//! table, then fills memory, table and stack with a mark of its own, and ends: well, by a trap, by
//! its deadline or by an exit. There are more components than an engine of one permit has places,
//! each is called in turn, and each in another size, so that places are used again by others: below
//! what the pool keeps, just above it, and far above. All this in both generations of WASI, whose
//! pools are two, with an instance for each call and with instances that wait for another.

use std::time::Duration;

use wattle_engine::limits::{KEEP_MEMORY_BYTES, TABLE_ELEMENTS_MAX};
use wattle_engine::{Actor, AddressSpace, CallError, Engine, EngineConfig};
use wattle_types::{InstancePolicy, Reuse, Span};

use crate::kit::{PATIENCE, Setup, engine_of, outside, verified, wat};
use crate::neighbours::{args, call_of};

const WAITING: u32 = 3;

/// One call at a time. The pool has a few places more than there are permits (9) and instances that
/// wait (3), and 2 memories and 4 tables for each.
fn one() -> EngineConfig {
    EngineConfig {
        permits: 1,
        nested_permits: 0,
        slow_threads: 1,
        idle_instances: WAITING,
        space: AddressSpace::Server,
        ..EngineConfig::default()
    }
}

/// More than 48, the largest number of places of a kind. Of so many calls in a row, each by another
/// component, some are in a place that another component of them used last.
const COMPONENTS: usize = 52;

const ROUNDS: usize = 5;

/// Whether a component is of WASI 0.2 or 0.3, and how its instances are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kind {
    modern: bool,
    instances: InstancePolicy,
}

/// For two calls, and not for long: others are to have their places.
const TWICE: Reuse = Reuse { requests: Span { min: 2, max: 2 }, idle_ms: Span { min: 5, max: 20 } };

const PAGE: usize = 64 << 10;

/// Memory in pages: at the start, and grown to.
const SIZES: [(usize, usize); 6] = [
    (1, 1),
    (1, 16),
    (KEEP_MEMORY_BYTES / PAGE, KEEP_MEMORY_BYTES / PAGE),
    (1, KEEP_MEMORY_BYTES / PAGE + 1),
    (KEEP_MEMORY_BYTES / PAGE + 1, 3 * KEEP_MEMORY_BYTES / PAGE),
    (2, 256),
];

/// Time enough to fill the memory, even beside other tests.
const SOON: Duration = Duration::from_millis(150);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Well,
    Trap,
    Deadline,
    Exit,
    /// Not a guest of the test: looks once more after it has filled everything.
    Look,
}

/// Seven, so that each size meets each end.
const ENDS: [End; 7] =
    [End::Well, End::Trap, End::Exit, End::Well, End::Trap, End::Deadline, End::Exit];

#[tokio::test]
async fn what_an_actor_left_behind_is_never_there_for_another() {
    nothing_is_found(Kind { modern: false, instances: InstancePolicy::Fresh }).await;
}

#[tokio::test]
async fn nor_where_instances_are_used_again() {
    nothing_is_found(Kind { modern: false, instances: InstancePolicy::Reused(TWICE) }).await;
}

#[tokio::test]
async fn nor_in_wasi_03() {
    nothing_is_found(Kind { modern: true, instances: InstancePolicy::Fresh }).await;
}

#[tokio::test]
async fn nor_in_wasi_03_where_calls_share_instances() {
    let instances = InstancePolicy::Concurrent { reuse: TWICE, calls: 2 };
    nothing_is_found(Kind { modern: true, instances }).await;
}

#[tokio::test]
async fn a_mark_that_is_there_is_found_in_memory_of_every_size() {
    let engine = engine_of(one());
    for modern in [false, true] {
        let kind = Kind { modern, instances: InstancePolicy::Fresh };
        for (n, size) in SIZES.into_iter().enumerate() {
            let actor = actor(&engine, kind, COMPONENTS + n, size, End::Look).await;
            let ended = ended(&actor, End::Look).await;
            assert!(found(&ended), "nothing was found in {size:?}, {kind:?}: {ended:?}");
        }
    }
}

async fn nothing_is_found(kind: Kind) {
    let engine = engine_of(one());
    let mut actors = Vec::new();
    for n in 0..COMPONENTS {
        let (size, end) = (SIZES[n % SIZES.len()], ENDS[n % ENDS.len()]);
        actors.push((actor(&engine, kind, n, size, end).await, size, end));
    }
    for round in 0..ROUNDS {
        for (n, (actor, size, end)) in actors.iter().enumerate() {
            for _ in 0..2 {
                let ended = ended(actor, *end).await;
                assert!(!found(&ended), "round {round}: {n} found what another left; {size:?}");
                assert!(is_as_told(&ended, *end), "round {round}: {n} {end:?} ended: {ended:?}");
            }
        }
    }
    let (made, reused) = actors.iter().fold((0, 0), |(made, reused), (actor, ..)| {
        let instances = actor.usage().instances;
        (made + instances.made, reused + instances.reused)
    });
    assert!(COMPONENTS as u64 <= made, "{kind:?}");
    assert_eq!(0 < reused, kind.instances != InstancePolicy::Fresh, "{kind:?}");
}

async fn actor(engine: &Engine, kind: Kind, n: usize, size: (usize, usize), end: End) -> Actor {
    let setup = Setup { engine: engine.clone(), instances: kind.instances, ..Setup::new() };
    let component = component(kind.modern, n, size, end);
    setup.actor(engine.load(verified(&wat(&component))).await.unwrap())
}

async fn ended(actor: &Actor, end: End) -> Result<(), CallError> {
    let patience = if end == End::Deadline { SOON } else { PATIENCE };
    let look = call_of(actor, "test:canary/look@1.0.0", "look", args(None));
    actor.invoke(outside(actor, patience), look).await.map(drop)
}

/// A guest that finds something divides by zero, which none of them does otherwise.
fn found(ended: &Result<(), CallError>) -> bool {
    matches!(ended, Err(CallError::Trap { reason }) if reason.contains("divide by zero"))
}

fn is_as_told(ended: &Result<(), CallError>, end: End) -> bool {
    match end {
        End::Well | End::Look => ended.is_ok(),
        End::Trap => {
            matches!(ended, Err(CallError::Trap { reason }) if reason.contains("unreachable"))
        }
        End::Deadline => *ended == Err(CallError::DeadlineExceeded { begun: true }),
        End::Exit => *ended == Err(CallError::Exit { status: 1 }),
    }
}

/// Component `n`: everything happens in its start function.
///
/// Every other one has its mark in a data segment as well, in its first page of 4 KiB: the pool
/// keeps such contents as an image, apart from what was written.
fn component(modern: bool, n: usize, (start, grown): (usize, usize), end: End) -> String {
    // To have a stream among its types makes a component one of 0.3.
    let generation = if modern { "(type (stream u8))" } else { "" };
    let mark = 0x5ec7_e700 + n;
    let (data, from) = match n % 2 {
        0 => (String::new(), 0),
        _ => (format!(r#"(data (i32.const 16) "{}")"#, "mark".repeat(64)), 4096),
    };
    let end = match end {
        End::Well => "",
        End::Trap => "unreachable",
        End::Deadline => "(loop $spin (br $spin))",
        End::Exit => "(call $exit (i32.const 1))",
        End::Look => "(call $look)",
    };
    let (more, bytes) = (grown - start, grown * PAGE);
    let elements = TABLE_ELEMENTS_MAX;
    let half = elements / 2;
    format!(
        r#"(component
            {generation}
            (import "wasi:cli/exit@0.2.0" (instance $exit
                (export "exit" (func (param "status" (result))))))
            (core func $exit (canon lower (func $exit "exit")))
            (core module $guest
                (import "" "exit" (func $exit (param i32)))
                (memory {start})
                {data}
                (table $table {half} funcref)
                (elem declare func $fill)

                (func $look (local $at i32) (local $seen i64)
                    (local.set $at (i32.const {from}))
                    (loop $next
                        (local.set $seen (i64.or (local.get $seen) (i64.load (local.get $at))))
                        (local.set $at (i32.add (local.get $at) (i32.const 8)))
                        (br_if $next (i32.lt_u (local.get $at) (i32.const {bytes}))))
                    (if (i64.ne (local.get $seen) (i64.const 0)) (then (call $found)))
                    (local.set $at (i32.const 0))
                    (loop $next
                        (if (i32.eqz (ref.is_null (table.get $table (local.get $at))))
                            (then (call $found)))
                        (local.set $at (i32.add (local.get $at) (i32.const 1)))
                        (br_if $next (i32.lt_u (local.get $at) (i32.const {elements})))))

                (func $found (drop (i32.div_u (i32.const 1) (i32.const 0))))

                (func $fill (local $at i32)
                    (loop $next
                        (i64.store (local.get $at) (i64.const {mark}))
                        (local.set $at (i32.add (local.get $at) (i32.const 8)))
                        (br_if $next (i32.lt_u (local.get $at) (i32.const {bytes}))))
                    (table.fill $table (i32.const 0) (ref.func $fill) (i32.const {elements})))

                ;; Four marks in each frame, which are needed again after the call.
                (func $deep (param $left i32) (param $mark i64) (result i64)
                    (local $a i64) (local $b i64) (local $c i64)
                    (if (i32.eqz (local.get $left)) (then (return (local.get $mark))))
                    (local.set $a (i64.add (local.get $mark) (i64.const 1)))
                    (local.set $b (i64.mul (local.get $mark) (i64.const 3)))
                    (local.set $c (i64.rotl (local.get $mark) (i64.const 7)))
                    (call $deep (i32.sub (local.get $left) (i32.const 1)) (local.get $mark))
                    (i64.add (local.get $a))
                    (i64.xor (local.get $b))
                    (i64.add (local.get $c)))

                (func $start
                    (if (i32.ne (memory.grow (i32.const {more})) (i32.const {start}))
                        (then unreachable))
                    (if (i32.ne (table.grow $table (ref.null func) (i32.const {half}))
                            (i32.const {half}))
                        (then unreachable))
                    (call $look)
                    (call $fill)
                    (drop (call $deep (i32.const 2000) (i64.const {mark})))
                    {end})
                (start $start)
                (func (export "look")))
            (core instance $guest (instantiate $guest
                (with "" (instance (export "exit" (func $exit))))))
            (func $looked (canon lift (core func $guest "look")))
            (instance $looks (export "look" (func $looked)))
            (export "test:canary/look@1.0.0" (instance $looks)))"#
    )
}
