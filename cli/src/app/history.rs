//! `wattle app history` and `rollback`: what was stored, by whom, and going back.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use wattle_lattice::subject::AppSubject;
use wattle_lattice::wadm::{self, RevisionInfo};
use wattle_types::AppName;

use super::deploy::until_it_runs;
use super::editor::{Editor, ForceArgs};
use super::not_found;
use super::seen::Seen;
use crate::lattice::{Lattice, LatticeArgs};
use crate::output::{OutputArgs, table};

/// Show what was stored of an application, when and by whom, and which of it runs.
#[derive(Debug, clap::Args)]
pub(crate) struct HistoryArgs {
    name: AppName,
    #[command(flatten)]
    lattice: LatticeArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Run the version again that ran before.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wattle app rollback http-counter            what was deployed before; twice is back again
  wattle app rollback http-counter --to v2    a certain version")]
pub(crate) struct RollbackArgs {
    name: AppName,
    /// Which version to run [default: the one that was deployed before].
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
    /// Return once it is accepted.
    #[arg(long)]
    no_wait: bool,
    /// How long to wait until everything runs, in seconds.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    wait: u64,
    #[command(flatten)]
    force: ForceArgs,
    #[command(flatten)]
    lattice: LatticeArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) async fn history(args: HistoryArgs) -> Result<()> {
    let lattice = args.lattice.connect().await?;
    let revisions = look(&args.lattice, &lattice, &args.name).await?;
    args.output.print(&revisions, |revisions| {
        let rows = revisions.iter().map(|of| {
            [
                of.revision.to_string(),
                of.version.clone(),
                if of.deployed { "yes" } else { "-" }.to_owned(),
                stored_at(of.stored_unix_s),
                of.by.map_or_else(|| "-".to_owned(), |key| key.to_string()),
            ]
        });
        table(["REVISION", "VERSION", "DEPLOYED", "STORED", "BY"], rows)
    });
    Ok(())
}

/// All revisions of an application, oldest first. Whoever looks has seen what is there.
pub(super) async fn look(
    args: &LatticeArgs,
    lattice: &Lattice,
    name: &AppName,
) -> Result<Vec<RevisionInfo>> {
    let subject = AppSubject::History { app: name.clone() };
    lattice
        .app_parts(subject, |asked| {
            let part: wadm::HistoryReply = asked.read()?;
            if part.result == wadm::GetResult::NotFound {
                bail!("{}", not_found(name));
            }
            if let Some(change) = asked.change {
                let home = args.home.open()?;
                Seen::of(&home, lattice.connection.lattice()).remember(name, change)?;
            }
            Ok(part.revisions)
        })
        .await
}

pub(super) async fn rollback(args: RollbackArgs) -> Result<ExitCode> {
    let lattice = args.lattice.connect().await?;
    let mut editor = Editor::open(&args.lattice, &lattice, &args.force)?;
    let app = args.name.clone();
    let (subject, request) = match args.to {
        Some(version) => {
            let request = wadm::DeployRequest { version: Some(version), takeover: false };
            (AppSubject::Deploy { app }, serde_json::to_vec(&request)?)
        }
        None => (AppSubject::Rollback { app }, Vec::new()),
    };
    let reply: wadm::DeployReply = editor.change(&args.name, subject, request).await?;
    if reply.result != wadm::DeployResult::Acknowledged {
        bail!("{}", reply.message);
    }
    if args.no_wait {
        args.output.print(&reply, |reply| reply.message.clone());
        return Ok(ExitCode::SUCCESS);
    }
    until_it_runs(&lattice, &args.name, Duration::from_secs(args.wait), &args.output).await
}

/// A time of day in UTC: `2026-03-01 12:30:05Z`.
fn stored_at(unix_s: u64) -> String {
    let (days, second) = (unix_s / 86_400, unix_s % 86_400);
    // Years that begin in March have their odd day at the end; eras of 400 years are alike.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, over) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + over;
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        let cases = [
            (0, "1970-01-01 00:00:00Z"),
            (951_782_399, "2000-02-28 23:59:59Z"),
            (951_782_400, "2000-02-29 00:00:00Z"),
            (951_868_800, "2000-03-01 00:00:00Z"),
            (1_700_000_000, "2023-11-14 22:13:20Z"),
            (4_107_542_399, "2100-02-28 23:59:59Z"),
            (4_107_542_400, "2100-03-01 00:00:00Z"),
        ];
        for (unix_s, text) in cases {
            assert_eq!(stored_at(unix_s), text);
        }
    }
}
