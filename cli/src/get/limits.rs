//! `wattle get limits`: what an actor may take on each host that runs it, who set that, and what it
//! takes.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use tokio::task::JoinSet;
use wattle_lattice::Subject;
use wattle_lattice::ctl::HostSummary;
use wattle_lattice::subject::HostOp;
use wattle_types::{
    ActorId, HostId, LimitReport, LimitsReport, LimitsRequest, RunReport, Unit, UsageReport, stored,
};

use super::WindowArgs;
use crate::lattice::{Lattice, LatticeArgs};
use crate::output::{OutputArgs, complain, table};

/// Show what an actor may take on each host, who set it, and what it takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wattle get limits shop-web
  wattle get limits shop-web -o json

A limit comes from the manifest's trait `limits`, from a host that grants less than the default
(`wattle host --cap`), or is the default. What is counted is counted since the host started this
revision of the actor. Every limit and what a guest sees beyond it: docs/limits.md.")]
pub(crate) struct Args {
    /// The actor's id, such as `APPLICATION-COMPONENT`.
    id: ActorId,
    #[command(flatten)]
    window: WindowArgs,
    #[command(flatten)]
    lattice: LatticeArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// What one host says.
#[derive(Debug, Serialize)]
struct OnHost {
    host: HostId,
    name: String,
    runs: Vec<RunReport>,
}

pub(super) async fn run(args: Args) -> Result<()> {
    let lattice = args.lattice.connect().await?;
    let hosts = args.window.hosts(&lattice).await?;
    let (said, silent) = ask(&lattice, &args.id, hosts).await;
    for (name, error) in silent {
        complain(format_args!("host {name} did not say: {error:#}"));
    }
    if said.is_empty() {
        bail!("no host that answers runs {}; `wattle get inventory` shows what runs", args.id);
    }
    args.output.print(&said, |said| text(said));
    Ok(())
}

/// All at once; hosts that do not run the actor are left out, those that do not answer are named.
async fn ask(
    lattice: &Lattice,
    id: &ActorId,
    hosts: Vec<HostSummary>,
) -> (Vec<OnHost>, Vec<(String, anyhow::Error)>) {
    let request = bytes::Bytes::from(stored::encode(&LimitsRequest::new(id.clone())));
    let mut asking = JoinSet::new();
    for host in hosts {
        let (connection, within) = (lattice.connection.clone(), lattice.within);
        let subject = Subject::Host { host: host.id, op: HostOp::Limits };
        let request = request.clone();
        asking.spawn(async move {
            let reply = connection.request(&subject, request, within).await;
            (host.friendly_name, reply)
        });
    }
    let (mut said, mut silent) = (Vec::new(), Vec::new());
    while let Some(asked) = asking.join_next().await {
        let Ok((name, reply)) = asked else { continue };
        let report = reply.map_err(anyhow::Error::new).and_then(|reply| {
            stored::decode::<LimitsReport>("limits", &reply.payload)
                .context("the host's answer is not one of this protocol")
        });
        match report {
            Ok(report) if report.runs.is_empty() => {}
            Ok(LimitsReport { host, runs, .. }) => said.push(OnHost { host, name, runs }),
            Err(error) => silent.push((name, error)),
        }
    }
    said.sort_by(|a, b| (&a.name, &a.host).cmp(&(&b.name, &b.host)));
    silent.sort_by(|a, b| a.0.cmp(&b.0));
    (said, silent)
}

/// Two tables: the limits with what is used of them, and what is counted.
fn text(said: &[OnHost]) -> String {
    let runs = || {
        said.iter().flat_map(|host| {
            host.runs.iter().map(|run| {
                let next = if run.serving { "" } else { " (not serving)" };
                (format!("{}{next}", host.name), run)
            })
        })
    };
    let limits = runs().flat_map(|(host, run)| {
        run.limits.iter().map(move |limit| {
            let show = |value| limit.unit.show(value).to_string();
            let source = limit.source.to_string();
            let used = used(limit, &run.usage);
            let name = limit.name.clone();
            [host.clone(), name, show(limit.value), source, show(limit.max), used]
        })
    });
    let counted = runs().flat_map(|(host, run)| {
        counted(run).into_iter().map(move |(what, value)| [host.clone(), what, value])
    });
    let limits = table(["HOST", "LIMIT", "VALUE", "FROM", "AT MOST", "USED"], limits);
    let counted = table(["HOST", "WHAT", "VALUE"], counted);
    format!("{limits}\n{counted}")
}

/// Beside a limit, where it is one of something that is counted.
fn used(limit: &LimitReport, usage: &UsageReport) -> String {
    match limit.name.as_str() {
        "memory" => format!("{} by one instance", size(usage.memory_bytes_peak)),
        "concurrency" => format!("{} of {} calls", usage.load.in_flight, usage.load.limit),
        "execution" => format!("{} calls too late", usage.calls.late),
        _ => String::new(),
    }
}

fn counted(run: &RunReport) -> Vec<(String, String)> {
    let UsageReport { calls, instances, .. } = &run.usage;
    let mut rows = vec![
        ("revision".to_owned(), run.spec.to_string()),
        ("instances".to_owned(), run.instances.to_string()),
        ("memory now".to_owned(), size(run.usage.memory_bytes)),
        ("processor time".to_owned(), seconds(run.usage.processor_us)),
    ];
    let one = |what: &str, count: u64| (what.to_owned(), count.to_string());
    rows.extend([
        one("calls begun", calls.begun),
        one("calls done", calls.done),
        one("calls failed", calls.failed),
        one("calls abandoned", calls.abandoned),
        one("calls refused", calls.refused),
        one("calls late", calls.late),
    ]);
    let by_reason = |what: &'static str, counts: &BTreeMap<String, u64>| {
        let rows = counts.iter().map(|(reason, n)| (format!("{what} {reason}"), n.to_string()));
        rows.collect::<Vec<_>>()
    };
    rows.extend(by_reason("traps", &run.usage.traps));
    rows.extend([
        one("instances live", instances.live),
        one("instances made", instances.made),
        one("instances reused", instances.reused),
    ]);
    rows.extend(by_reason("instances gone", &instances.retired));
    rows
}

/// To a tenth, because memory is seldom a round number.
fn size(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    if bytes < MIB {
        return Unit::Bytes.show(bytes.next_multiple_of(1 << 10)).to_string();
    }
    let tenths = bytes.saturating_mul(10).div_ceil(MIB);
    format!("{}.{}MiB", tenths / 10, tenths % 10)
}

fn seconds(us: u64) -> String {
    format!("{}.{:03}s", us / 1_000_000, us / 1_000 % 1_000)
}

#[cfg(test)]
mod tests {
    use wattle_types::{ActorSpec, CallCounts, InstancePolicy, LimitSource, Load, PublicKey, Role};

    use super::*;

    #[test]
    fn each_limit_is_shown_with_its_source_and_what_is_used_beside_it() {
        let limit = |name: &str, unit, value, max, source| LimitReport {
            name: name.to_owned(),
            unit,
            value,
            max,
            source,
        };
        let usage = UsageReport {
            load: Load { in_flight: 2, limit: 64 },
            calls: CallCounts { begun: 7, done: 4, failed: 1, ..CallCounts::default() },
            memory_bytes: 3 << 20,
            memory_bytes_peak: (1 << 20) + 1,
            processor_us: 1_234_567,
            traps: BTreeMap::from([("unreachable".to_owned(), 1)]),
            ..UsageReport::default()
        };
        let run = RunReport {
            spec: ActorSpec::hash_of(b"x"),
            serving: true,
            instances: InstancePolicy::Fresh,
            limits: vec![
                limit("memory", Unit::Bytes, 16 << 20, 64 << 20, LimitSource::Manifest),
                limit("handles", Unit::Count, 100, 100, LimitSource::HostCap),
            ],
            usage,
        };
        let host = PublicKey::new(Role::Server, [7; 32]).try_into().unwrap();
        let text = text(&[OnHost { host, name: "edge-1".to_owned(), runs: vec![run] }]);
        let lines: Vec<Vec<&str>> = text.lines().map(|l| l.split_whitespace().collect()).collect();
        for line in [
            "HOST LIMIT VALUE FROM AT MOST USED",
            "edge-1 memory 16MiB manifest 64MiB 1.1MiB by one instance",
            "edge-1 handles 100 host cap 100",
            "edge-1 memory now 3.0MiB",
            "edge-1 processor time 1.234s",
            "edge-1 calls failed 1",
            "edge-1 traps unreachable 1",
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            assert!(lines.contains(&words), "{line} is not in\n{text}");
        }
    }
}
