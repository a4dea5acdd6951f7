//! CPU time to make, call and drop one instance of a component that exports `greet: func(name: string) -> string`.
//!
//! `bench-instance FILE` prints one JSON object. Everything runs on one thread, and the clock is that
//! thread's: time spent waiting, or on other threads, does not count.

#![allow(clippy::print_stdout, reason = "what it prints is its result")]

use std::{
    env, fs,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};
use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;
use wattle_capability::messaging::Silent;
use wattle_capability::secrets::NoSecrets;
use wattle_capability::{
    CallContext, StoreScope, keyvalue::testing::InMemoryStores, log::ToTracing, outbound::Closed,
};
use wattle_engine::{Actor, ActorConfig, ActorLimits, Engine, EngineConfig, bench};
use wattle_trust::{KeyPair, SignRequest, TrustFile, TrustPolicy, claims, verify};
use wattle_types::{ActorId, InstancePolicy, Role};

/// After so many the pool, the caches and the branch predictor are as they are in service.
const WARM_UP: u32 = 5_000;

const ROUNDS: usize = 5;
const CALLS: u32 = 20_000;

fn main() -> Result<()> {
    let file = env::args().nth(1).context("usage: bench-instance FILE")?;
    let component = fs::read(&file).with_context(|| format!("read {file}"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut rounds = runtime.block_on(async {
        let actor = actor(&component).await?;
        calls(&actor, WARM_UP).await?;
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            rounds.push(calls(&actor, CALLS).await?);
        }
        anyhow::Ok(rounds)
    })?;
    rounds.sort_by(f64::total_cmp);
    println!("{}", serde_json::json!({"call_us": rounds[ROUNDS / 2], "rounds_us": rounds}));
    Ok(())
}

/// Microseconds of this thread's CPU time per call.
async fn calls(actor: &Actor, count: u32) -> Result<f64> {
    let start = cpu_time();
    for _ in 0..count {
        let deadline = Instant::now() + Duration::from_secs(10);
        let ctx = CallContext::outside(actor.id().clone(), deadline);
        let greeting = bench::greet(actor, ctx, "wattle").await?;
        ensure!(greeting == "Hello, wattle!", "it says {greeting:?}");
    }
    Ok((cpu_time() - start).as_secs_f64() * 1e6 / f64::from(count))
}

fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(now.tv_sec).expect("CPU time is not negative");
    let nanos = u32::try_from(now.tv_nsec).expect("a second has fewer nanoseconds");
    Duration::new(seconds, nanos)
}

/// The component as a host would run it: signed, verified, with every limit set.
async fn actor(component: &[u8]) -> Result<Actor> {
    let issuer = KeyPair::generate(Role::Account)?;
    let module = KeyPair::generate(Role::Module)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let request = SignRequest::new(module.public().try_into()?, "greet");
    let signed = claims::sign(component, &request, &issuer, now)?;
    let trust = TrustFile::new().with_issuer(&issuer.public().try_into()?, "bench");
    let verified = verify(signed.into(), &TrustPolicy::try_from(&trust)?, now)?;
    let loaded = Engine::new(EngineConfig::default())?.load(verified).await?;
    let id: ActorId = "greet".parse()?;
    let config = ActorConfig {
        scope: StoreScope::Actor(id.clone()),
        id,
        config: Default::default(),
        keyvalue: Arc::new(InMemoryStores::default()),
        outbound: Arc::new(Closed),
        messaging: Arc::new(Silent),
        secrets: Arc::new(NoSecrets),
        log: Arc::new(ToTracing),
        limits: ActorLimits::default(),
        instances: InstancePolicy::Fresh,
        count: 1,
    };
    Ok(Actor::new(loaded, config))
}
