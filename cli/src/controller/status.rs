//! `wattle controller status`: from the controllers themselves.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use bytes::Bytes;
use wattle_lattice::Subject;
use wattle_types::{ControllerReport, stored};

use crate::lattice::{Lattice, LatticeArgs};
use crate::output::{OutputArgs, table};

/// Show who leads, whether the store takes writes, and what is wrong.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wattle controller status
  wattle controller status -o json | jq '.[] | select(.leads) | .name'

Exit codes: 0 all is well, 1 nobody leads, or a controller cannot write to the store.")]
pub(crate) struct Args {
    /// How long to collect answers, in milliseconds; nobody knows how many controllers there are.
    #[arg(long, default_value_t = 500, value_name = "MS")]
    window: u64,
    #[command(flatten)]
    lattice: LatticeArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    let lattice = args.lattice.connect().await?;
    let reports = reports(&lattice, Duration::from_millis(args.window)).await?;
    if reports.is_empty() {
        bail!(
            "no controller answers in lattice {}; start one with `wattle up` or \
             `wattle controller`",
            lattice.connection.lattice()
        );
    }
    args.output.print(&reports, |reports| told(reports));
    let leads = reports.iter().any(|report| report.leads);
    let well = reports.iter().all(|report| report.canary.well);
    Ok(if leads && well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Every controller that answers within `window`, by name.
pub(crate) async fn reports(lattice: &Lattice, window: Duration) -> Result<Vec<ControllerReport>> {
    let asked = &Subject::AskControllers;
    let replies = lattice.connection.gather(asked, Bytes::new(), window, usize::MAX).await?;
    // One of another version may say what this one cannot read; the others are of use all the same.
    let read = |payload: &[u8]| stored::decode::<ControllerReport>("a report", payload).ok();
    let mut reports: Vec<_> = replies.iter().filter_map(|reply| read(&reply.payload)).collect();
    reports.sort_by(|a, b| (&a.name, a.boot).cmp(&(&b.name, b.boot)));
    Ok(reports)
}

fn told(reports: &[ControllerReport]) -> String {
    let newest = reports.iter().map(|report| report.followed.max(report.wrote)).max();
    let rows = reports.iter().map(|report| {
        let lag = newest.unwrap_or_default().saturating_sub(report.followed);
        let leads = if report.leads { "yes" } else { "no" };
        [
            report.name.to_string(),
            leads.to_owned(),
            report.epoch.to_string(),
            lag.to_string(),
            canary(report),
            hosts(report),
            report.version.clone(),
        ]
    });
    let headings = ["NAME", "LEADS", "EPOCH", "LAG", "CANARY", "HOSTS", "VERSION"];
    let mut text = table(headings, rows);
    for report in reports {
        for alarm in &report.alarms {
            let since = alarm.for_ms / 1_000;
            text += &format!("{}: for {since} s: {}\n", report.name, alarm.message);
        }
    }
    if !reports.iter().any(|report| report.leads) {
        text += "nobody leads: what runs goes on, and nothing new is decided\n";
    }
    text
}

/// The last write that succeeded.
fn canary(report: &ControllerReport) -> String {
    match (report.canary.took_ms, report.canary.ok_ms_ago) {
        (Some(took), Some(_)) if report.canary.well => format!("{took} ms"),
        (_, Some(ago)) => format!("none for {} s", ago / 1_000),
        (_, None) => "none yet".to_owned(),
    }
}

fn hosts(report: &ControllerReport) -> String {
    let counts = report.hosts;
    let others = [(counts.suspect, "suspect"), (counts.draining, "leaving"), (counts.lost, "lost")];
    let others = others.iter().filter(|(count, _)| *count != 0);
    let others = others.map(|(count, what)| format!(", {count} {what}"));
    format!("{} ready{}", counts.ready, others.collect::<String>())
}
