//! A call from one actor to another of the same process, as the calling guest sees it, beside the instance that
//! the callee needs for it.
//!
//! `bench-inprocess STOPWATCH ECHO ROUNDS` takes two components and prints one JSON object for each size. The
//! caller's guest looks at its watch before and after each call; the way between the two is that of a host:
//! import, exit, router, engine. Rounds alternate between everything that is compared. Traces are on, and
//! recorded or not, as the standard variables say.

#![allow(clippy::print_stdout, reason = "what it prints is its result")]

mod median;
mod verified;

use std::{
    env,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tracing::Instrument;
use wattle_capability::{CallContext, Callee, Invocation, keyvalue::testing::InMemoryStores};
use wattle_engine::{Actor, Engine, EngineConfig, Loaded, bench};
use wattle_host::bench::Mesh;
use wattle_tasks::telemetry::{self, TelemetryConfig};
use wattle_types::{
    ActorSpec, HostId, InstancePolicy, LinkRecord, LinkTarget, Owner, PublicKey, Reuse, Role,
};
use wattle_value::packed::{Reader, Writer};

use crate::{median::median, verified::verified};

/// Bytes of `list<u8>` in each direction, and calls of one round.
const SIZES: [(u32, u32); 4] = [(16, 4_000), (4 << 10, 4_000), (64 << 10, 1_000), (1 << 20, 100)];

/// Longer than a round takes on a slow machine.
const WITHIN: Duration = Duration::from_secs(30);

fn main() -> Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [stopwatch, echo, rounds] = words.as_slice() else {
        bail!("usage: bench-inprocess STOPWATCH ECHO ROUNDS")
    };
    let rounds = rounds.parse().context("ROUNDS is a number")?;
    let read = |file: &String| std::fs::read(file).with_context(|| format!("read {file}"));
    let (stopwatch, echo) = (read(stopwatch)?, read(echo)?);
    // Telemetry, when it ends, waits for its own task: a thread beside the one that measures.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let figures = runtime.block_on(async {
        let telemetry =
            TelemetryConfig { service: "bench", default_filter: "warn".to_owned(), json: false };
        let _telemetry = telemetry::init(&telemetry, |name| env::var(name).ok())?;
        let pairs = Pairs::new(&stopwatch, &echo).await?;
        let mut figures = Vec::new();
        for (bytes, calls) in SIZES {
            figures.push(measure(&pairs, bytes, calls, rounds).await?);
        }
        anyhow::Ok(figures)
    })?;
    println!("{}", json!(figures));
    Ok(())
}

/// The first round warms the pool and the caches, and does not count.
async fn measure(pairs: &Pairs, bytes: u32, calls: u32, rounds: usize) -> Result<Value> {
    let mut all = [const { Vec::new() }; 4];
    for number in 0..=rounds {
        let watch = pairs.fresh.nothing(&pairs.mesh, calls).await?;
        let fresh = pairs.fresh.bytes(&pairs.mesh, bytes, calls).await? - watch;
        let instance = instances(&pairs.fresh.callee, calls).await?;
        let reused = pairs.reused.bytes(&pairs.mesh, bytes, calls).await? - watch;
        for (values, one) in all.iter_mut().zip([fresh, instance, reused, fresh - instance]) {
            if 0 < number {
                values.push(one);
            }
        }
    }
    let [fresh, instance, reused, beyond] = all.map(median);
    Ok(json!({
        "bytes": bytes, "fresh_us": fresh, "instance_us": instance, "beyond_us": beyond,
        "reused_us": reused,
    }))
}

/// The median time to make an instance and drop it, in microseconds.
async fn instances(actor: &Actor, count: u32) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..count {
        let start = Instant::now();
        bench::instantiate_and_drop(actor, from_outside(actor)).await?;
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    Ok(median(times))
}

fn from_outside(actor: &Actor) -> CallContext {
    CallContext::outside(actor.id().clone(), tokio::time::Instant::now() + WITHIN)
}

/// Two callers with their callees, in one process.
struct Pairs {
    mesh: Mesh,
    fresh: Pair,
    reused: Pair,
}

/// A caller with a watch, and whom it calls.
struct Pair {
    caller: Actor,
    callee: Actor,
}

impl Pairs {
    async fn new(stopwatch: &[u8], echo: &[u8]) -> Result<Self> {
        let engine = Engine::new(EngineConfig::default())?;
        let stopwatch = engine.load(verified(stopwatch)?).await?;
        let echo = engine.load(verified(echo)?).await?;
        let own = HostId::try_from(PublicKey::new(Role::Server, [7; 32]))?;
        let mesh = Mesh::new(own, engine, Arc::new(InMemoryStores::default()));
        let fresh = Pair::new(&mesh, &stopwatch, &echo, InstancePolicy::Fresh)?;
        let reused = InstancePolicy::Reused(Reuse::default());
        let reused = Pair::new(&mesh, &stopwatch, &echo, reused)?;
        Ok(Self { mesh, fresh, reused })
    }
}

impl Pair {
    fn new(
        mesh: &Mesh,
        stopwatch: &Arc<Loaded>,
        echo: &Arc<Loaded>,
        instances: InstancePolicy,
    ) -> Result<Self> {
        let spec = |role: &str| {
            let id = format!("{role}-{}", instances.name()).parse()?;
            anyhow::Ok(ActorSpec::new(id, "bench"))
        };
        let callee = ActorSpec { instances, ..spec("echo")? };
        let callee = mesh.run(callee, echo.clone(), &[])?;
        let caller = spec("stopwatch")?;
        let target = LinkTarget {
            target: callee.id().clone(),
            interfaces: ["echo".parse()?].into(),
            idempotent: false,
            source_config: Vec::new(),
            target_config: Vec::new(),
        };
        let [namespace, package] = ["wattle-test", "echo"].map(str::parse);
        let (source, name) = (caller.id.clone(), Default::default());
        let link = LinkRecord::new(source, namespace?, package?, name, target, Owner::Manual);
        Ok(Self { caller: mesh.run(caller, stopwatch.clone(), &[link])?, callee })
    }

    /// The median time of a call of `bytes`, in microseconds.
    async fn bytes(&self, mesh: &Mesh, size: u32, calls: u32) -> Result<f64> {
        self.ask(mesh, "bytes", &[size, calls]).await
    }

    /// The same of no call at all.
    async fn nothing(&self, mesh: &Mesh, calls: u32) -> Result<f64> {
        self.ask(mesh, "nothing", &[calls]).await
    }

    async fn ask(&self, mesh: &Mesh, function: &str, args: &[u32]) -> Result<f64> {
        let interface = "wattle-test:stopwatch/stopwatch@0.1.0".parse()?;
        let (_, func) =
            self.caller.loaded().signatures().find(&interface, function).context("no watch")?;
        let callee =
            Callee { interface, function: function.into(), fingerprint: func.fingerprint() };
        let mut writer = Writer::new();
        writer.array(args.len());
        args.iter().for_each(|arg| writer.uint((*arg).into()));
        let invocation = Invocation::new(callee, writer.into_bytes());
        // As under the span of a request.
        let span = tracing::info_span!("request");
        let returned = mesh.invoke(from_outside(&self.caller), invocation).instrument(span).await?;
        let nanos = Reader::new(&returned.result).bin()?.chunks_exact(8);
        let micros = nanos.map(|nanos| {
            let nanos: [u8; 8] = nanos.try_into().expect("a chunk has its size");
            u64::from_le_bytes(nanos) as f64 / 1e3
        });
        Ok(median(micros.collect()))
    }
}
