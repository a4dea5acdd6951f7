//! A call between hosts beside a bare request and reply of the NATS client, of the same size, in the
//! same run.
//!
//! `bench-wire URL LATTICE HOST ACTOR` prints one JSON object. On the far side is a native echo behind the
//! same seam a host has: `Connection::accept` and `Answering::reply`. Both sides of both ways are in this
//! process, each with a connection of its own to the server at URL. The third way goes to ACTOR, the echo
//! of the test guests, on HOST. Rounds alternate between the three, so that a noisy second harms all.

#![allow(clippy::print_stdout, reason = "what it prints is its result")]

use std::{
    env,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use bytes::Bytes;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use wattle_lattice::{
    ConnectConfig, Connection, Pattern, Subject,
    call::{
        CallBody, CallReply, CallRequest, Caller, InvokeRequest, Limits, Outcome, ReplyBody, Trace,
    },
};
use wattle_types::{ActorId, HostId, InterfaceName, LatticeId, PublicKey, Role};
use wattle_value::packed::Writer;

/// Bytes of `list<u8>` in each direction. The largest exceeds one message together with its
/// envelope, so it also measures the way of what does not fit.
const SIZES: [usize; 4] = [16, 4 << 10, 64 << 10, 1 << 20];

const ROUNDS: usize = 5;
/// How long one round lasts.
const ROUND: Duration = Duration::from_millis(800);
const IN_FLIGHT: usize = 64;
const WITHIN: Duration = Duration::from_secs(10);

fn main() -> Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [url, lattice, host, actor] = words.as_slice() else {
        bail!("usage: bench-wire URL LATTICE HOST ACTOR")
    };
    let fresh = (lattice.parse()?, host.parse()?, actor.parse()?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let figures = runtime.block_on(async {
        let (ours, bare) = (Ours::start(url).await?, Bare::start(url).await?);
        let fresh = Ours::to(url, fresh, "wattle-test:echo/echo@0.1.0", "bytes").await?;
        let mut figures = Vec::new();
        for size in SIZES {
            figures.push(measure(&ours, &bare, &fresh, size).await?);
        }
        anyhow::Ok(figures)
    })?;
    println!("{}", json!(figures));
    Ok(())
}

/// One way to ask for an echo.
trait Way {
    async fn ask(&self, payload: &Bytes) -> Result<()>;
}

async fn measure(ours: &Ours, bare: &Bare, fresh: &Ours, size: usize) -> Result<Value> {
    let raw = Bytes::from(vec![7; size]);
    let args = args(size);
    // The first round warms connections and caches, and does not count.
    let mut rounds = [const { Vec::new() }; 6];
    for number in 0..=ROUNDS {
        let round = [
            serial(ours, &args).await?,
            serial(bare, &raw).await?,
            serial(fresh, &args).await?,
            rate(ours, &args).await?,
            rate(bare, &raw).await?,
            rate(fresh, &args).await?,
        ];
        for (all, one) in rounds.iter_mut().zip(round) {
            if 0 < number {
                all.push(one);
            }
        }
    }
    let [p50, bare_p50, fresh_p50, rate, bare_rate, fresh_rate] = rounds.map(median);
    Ok(json!({
        "bytes": size,
        "p50_us": p50, "bare_p50_us": bare_p50, "fresh_p50_us": fresh_p50,
        "per_second": rate, "bare_per_second": bare_rate, "fresh_per_second": fresh_rate,
    }))
}

/// The median time of one call after another, in microseconds.
async fn serial(way: &impl Way, payload: &Bytes) -> Result<f64> {
    let until = Instant::now() + ROUND;
    let mut times = Vec::new();
    while Instant::now() < until {
        let asked = Instant::now();
        way.ask(payload).await?;
        times.push(asked.elapsed().as_secs_f64() * 1e6);
    }
    Ok(median(times))
}

/// Calls per second with as many in flight as one busy host has.
async fn rate(way: &impl Way, payload: &Bytes) -> Result<f64> {
    let start = Instant::now();
    let asking = stream::iter(0..IN_FLIGHT).map(async |_| {
        let mut count = 0_u32;
        while start.elapsed() < ROUND {
            way.ask(payload).await?;
            count += 1;
        }
        anyhow::Ok(count)
    });
    let counts: Vec<Result<u32>> = asking.buffer_unordered(IN_FLIGHT).collect().await;
    let count: u32 = counts.into_iter().sum::<Result<u32>>()?;
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// The arguments of `echo: func(bytes: list<u8>) -> list<u8>`.
fn args(size: usize) -> Bytes {
    let mut writer = Writer::new();
    writer.array(1);
    writer.bin(&vec![7; size]);
    writer.into_bytes()
}

/// A call as a host makes it.
struct Ours {
    connection: Connection,
    limits: Limits,
    subject: Subject,
    callee: (InterfaceName, Arc<str>),
    call: CallRequest,
}

impl Ours {
    /// The native echo, and a caller of it.
    async fn start(url: &str) -> Result<Self> {
        let lattice: LatticeId = "bench".parse()?;
        let host = HostId::try_from(PublicKey::new(Role::Server, [7; 32]))?;
        let config = ConnectConfig::member(url, lattice.clone(), host.to_string().parse()?);
        let callee = Connection::connect(config, |_| ()).await?;
        let limits = limits(&callee);
        let calls = callee.subscribe(&Pattern::CallsTo { host }).await?;
        callee.flush(WITHIN).await?;
        // As the bare responder answers: one task, and no other for each call.
        tokio::spawn(calls.for_each_concurrent(IN_FLIGHT, move |message| {
            let callee = callee.clone();
            async move {
                let accepted = callee.accept(message, &limits).await;
                let accepted = accepted.expect("what we send can be read");
                let CallBody::Invoke(invoke) = accepted.request.body else {
                    panic!("only functions are called here")
                };
                let reply = CallReply::ok(ReplyBody::Value(result_of(&invoke.args)));
                // Its caller is this very process.
                let _ = accepted.answering.reply(reply, Vec::new()).await;
            }
        }));
        let echo = (lattice, host, "echo".parse()?);
        Self::to(url, echo, "bench:echo/echo@0.1.0", "echo").await
    }

    /// A caller of one function of an actor on a host.
    async fn to(
        url: &str,
        (lattice, host, actor): (LatticeId, HostId, ActorId),
        interface: &str,
        function: &str,
    ) -> Result<Self> {
        let connection = Connection::connect(ConnectConfig::client(url, lattice), |_| ()).await?;
        let limits = limits(&connection);
        let call = CallRequest {
            actor: actor.clone(),
            instance: String::new(),
            revision: None,
            fence: 0,
            hop: 0,
            attempt: 1,
            idempotency: String::new(),
            remaining_ms: WITHIN.as_millis() as u64,
            caller: Caller::default(),
            trace: Trace::default(),
            fingerprint: None,
            body: CallBody::Describe,
        };
        let callee = (interface.parse()?, Arc::from(function));
        Ok(Self { connection, limits, subject: Subject::Call { host, actor }, callee, call })
    }
}

/// As a host has them: NATS's own headers count towards the message too.
fn limits(connection: &Connection) -> Limits {
    let message_bytes_max = connection.max_payload().saturating_sub(4 << 10);
    Limits { message_bytes_max, ..Limits::default() }
}

/// The one argument, which is the result: an array of one has a header of one byte.
fn result_of(args: &Bytes) -> Bytes {
    args.slice(1..)
}

impl Way for Ours {
    async fn ask(&self, payload: &Bytes) -> Result<()> {
        let (interface, function) = self.callee.clone();
        let body = CallBody::Invoke(InvokeRequest { interface, function, args: payload.clone() });
        let call = CallRequest { body, ..self.call.clone() };
        let answer =
            self.connection.exchange(&self.subject, call, Vec::new(), &self.limits, WITHIN);
        match answer.await?.reply.outcome {
            Outcome::Ok(ReplyBody::Value(value)) => {
                ensure!(value.len() + 1 == payload.len(), "the echo has {} bytes", value.len());
                Ok(())
            }
            other => bail!("{other:?}"),
        }
    }
}

/// A request and a reply, and nothing else.
struct Bare {
    client: async_nats::Client,
}

impl Bare {
    async fn start(url: &str) -> Result<Self> {
        let responder = async_nats::connect(url).await?;
        let mut requests = responder.subscribe("bench.bare").await?;
        responder.flush().await?;
        tokio::spawn(async move {
            while let Some(request) = requests.next().await {
                let Some(reply) = request.reply else { continue };
                let _ = responder.publish(reply, request.payload).await;
            }
        });
        Ok(Self { client: async_nats::connect(url).await? })
    }
}

impl Way for Bare {
    async fn ask(&self, payload: &Bytes) -> Result<()> {
        let reply = self.client.request("bench.bare", payload.clone()).await?;
        ensure!(reply.payload.len() == payload.len(), "the echo is another");
        Ok(())
    }
}
