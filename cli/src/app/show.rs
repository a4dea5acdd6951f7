//! `wattle app list` and `status`: what there is, and how it is.

use std::process::ExitCode;

use anyhow::{Context, Result};
use wattle_lattice::subject::AppSubject;
use wattle_lattice::wadm;
use wattle_types::AppName;

use super::not_found;
use crate::lattice::{Lattice, LatticeArgs};
use crate::output::{OutputArgs, table};

/// List all applications.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    lattice: LatticeArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Show how an application is, and what would help where it is not well.
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    name: AppName,
    #[command(flatten)]
    lattice: LatticeArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) async fn list(args: ListArgs) -> Result<()> {
    let lattice = args.lattice.connect().await?;
    let apps: Vec<wadm::Summary> =
        lattice.app_parts(AppSubject::List, |reply| reply.read()).await?;
    args.output.print(&apps, |apps| {
        let rows = apps.iter().map(|app| {
            let deployed = app.deployed_version.clone().unwrap_or_else(|| "-".to_owned());
            let status = app.detailed_status.status.kind.as_str().to_owned();
            [
                app.name.clone(),
                app.version.clone(),
                deployed,
                status,
                app.description.clone().unwrap_or_default(),
            ]
        });
        table(["NAME", "LATEST", "DEPLOYED", "STATUS", "DESCRIPTION"], rows)
    });
    Ok(())
}

pub(super) async fn status(args: StatusArgs) -> Result<ExitCode> {
    let lattice = args.lattice.connect().await?;
    let status = status_of(&lattice, &args.name).await?;
    args.output.print(&status, |status| describe(&args.name, status));
    Ok(code_of(&status))
}

pub(super) async fn status_of(lattice: &Lattice, name: &AppName) -> Result<wadm::Status> {
    let reply: wadm::StatusReply =
        lattice.app(AppSubject::Status { app: name.clone() }, "").await?;
    reply.status.with_context(|| not_found(name))
}

/// One line per component, then what is wrong with it.
pub(super) fn describe(name: &AppName, status: &wadm::Status) -> String {
    let mut text = told(name.as_str(), &status.status);
    for component in &status.components {
        text += &format!("  {}", told(&component.name, &component.status));
    }
    text
}

fn told(name: &str, info: &wadm::StatusInfo) -> String {
    let (kind, message) = (info.kind.as_str(), &info.message);
    if message.is_empty() {
        format!("{name}: {kind}\n")
    } else {
        format!("{name}: {kind}: {message}\n")
    }
}

fn code_of(status: &wadm::Status) -> ExitCode {
    if status.status.kind == wadm::StatusType::Failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}
