//! `wattle app`: applications, by the API that wadm's clients use.

mod deploy;
mod diff;
mod editor;
mod history;
mod import;
mod lines;
mod progress;
mod remove;
mod seen;
mod show;
mod validate;
mod yaml;

use std::process::ExitCode;

use anyhow::Result;
use wattle_types::AppName;

pub(crate) use seen::Seen;

/// Validate, deploy, list, inspect, compare, roll back, import and remove applications.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Validate(validate::ValidateArgs),
    Deploy(deploy::DeployArgs),
    List(show::ListArgs),
    Status(show::StatusArgs),
    History(history::HistoryArgs),
    Diff(diff::DiffArgs),
    Rollback(history::RollbackArgs),
    Import(import::ImportArgs),
    Undeploy(remove::NameArgs),
    Delete(remove::DeleteArgs),
}

pub(crate) async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Validate(args) => validate::validate(&args)?,
        Command::Deploy(args) => return deploy::deploy(args).await,
        Command::List(args) => show::list(args).await?,
        Command::Status(args) => return show::status(args).await,
        Command::History(args) => history::history(args).await?,
        Command::Diff(args) => diff::diff(args).await?,
        Command::Rollback(args) => return history::rollback(args).await,
        Command::Import(args) => return import::import(args).await,
        Command::Undeploy(args) => remove::undeploy(args).await?,
        Command::Delete(args) => remove::delete(args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn not_found(name: &AppName) -> String {
    format!("there is no application {name}; `wattle app list` shows those that there are")
}
