//! Many hosts under one controller.

use std::{
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use wattle_lattice::{Store, Subject, subject::AppSubject, testing::NatsCluster};
use wattle_tests::{Lattice, Look, Shape, manifest, wait_until};
use wattle_trust::KeyPair;
use wattle_types::{ControllerKey, LatticeId};

use crate::thin::{self, Served};

const SHAPE: Shape = Shape { nodes: 3, controllers: 1 };
const WITHIN: Duration = Duration::from_secs(180);
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Of each application.
const INSTANCES: usize = 100;
/// After the last change, before rest is measured.
const SETTLED: Duration = Duration::from_secs(10);
const REST: Duration = Duration::from_secs(60);
/// The kernel counts processor time in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;

pub(crate) async fn measure((hosts, instances, most): (usize, usize, usize)) -> Result<Value> {
    let lattice = Lattice::start_as(SHAPE, &[], |_| Vec::new()).await;
    let name: LatticeId = "story".parse()?;
    let controller = controller_key(lattice.home())?;
    let (url, served) = (lattice.nats.url(), Served::default());
    let join = async |from: usize, to: usize| -> Result<f64> {
        let begun = Instant::now();
        for index in from..to {
            thin::join(&url, &name, controller, index, Arc::clone(&served)).await?;
        }
        until_ready(&lattice, to).await;
        Ok(begun.elapsed().as_secs_f64())
    };
    let joined_s = join(0, hosts).await?;

    let client = lattice.nats.join(&name).await;
    let apps = instances / INSTANCES;
    let begun = Instant::now();
    for number in 0..apps {
        let app = format!("app-{number}");
        let mut text = manifest(&app, &[("part", "file:///nowhere.wasm", None)]);
        text["spec"]["components"][0]["traits"][0]["properties"]["instances"] = INSTANCES.into();
        for (op, body) in [
            (AppSubject::Put, text.to_string()),
            (AppSubject::Deploy { app: app.parse()? }, String::new()),
        ] {
            let reply = client.request(&Subject::App(op), body.into(), ANSWER_WITHIN).await;
            let reply = reply.context("the controller answers")?;
            let said: Value = serde_json::from_slice(&reply.payload)?;
            anyhow::ensure!(said["result"] != "error", "{said}");
        }
    }
    let asked_s = begun.elapsed().as_secs_f64();
    let wanted = u32::try_from(apps * INSTANCES)?;
    wait_until("all instances are served", WITHIN, async || {
        let now = served.load(Ordering::Relaxed);
        Look::some((now == wanted).then_some(()), || format!("{now} of {wanted}"))
    })
    .await;
    let converged_s = begun.elapsed().as_secs_f64();

    tokio::time::sleep(SETTLED).await;
    let pid = lattice.controllers[0].pid();
    let before = processor_ticks(pid)?;
    tokio::time::sleep(REST).await;
    let rest = (processor_ticks(pid)? - before) / TICKS_PER_SECOND / REST.as_secs_f64();

    let more_s = join(hosts, most).await?;
    Ok(json!({
        "hosts": hosts,
        "instances": wanted,
        "most": most,
        "joined_s": joined_s,
        "asked_s": asked_s,
        "converged_s": converged_s,
        "rest": rest,
        "more_s": more_s,
        "consumers": consumers(&lattice.nats).await?,
    }))
}

fn controller_key(home: &Path) -> Result<ControllerKey> {
    let seed = std::fs::read_to_string(home.join("controller.nk"))?;
    Ok(ControllerKey::try_from(KeyPair::from_seed(seed.trim())?.public())?)
}

async fn until_ready(lattice: &Lattice, hosts: usize) {
    wait_until(&format!("{hosts} hosts are ready"), WITHIN, async || {
        let said = lattice.wattle(["controller", "status", "-o", "json"]).await;
        let reports: Value = serde_json::from_str(&said.out).unwrap_or_default();
        let ready = reports[0]["hosts"]["ready"] == hosts;
        Look::some(ready.then_some(()), || format!("{}{}", said.out, said.err))
    })
    .await;
}

/// Processor time of a process so far, in ticks.
fn processor_ticks(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name is in brackets, and may hold anything; 14 and 15 of `proc_pid_stat(5)` follow it.
    let after = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<f64> =
        after.split_whitespace().map(|field| field.parse().unwrap_or_default()).collect();
    let both = fields.get(11).zip(fields.get(12));
    both.map(|(user, system)| user + system).context("the kernel says what a process used")
}

/// Who follows the control stream.
async fn consumers(nats: &NatsCluster) -> Result<Value> {
    let client = async_nats::connect(nats.nodes[0].url()).await?;
    let stream = Store::bucket_name(&"story".parse()?);
    let asked = client.request(format!("$JS.API.STREAM.INFO.KV_{stream}"), "".into());
    let info: Value = serde_json::from_slice(&asked.await?.payload)?;
    Ok(info["state"]["consumer_count"].clone())
}
