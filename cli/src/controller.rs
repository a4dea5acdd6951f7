//! `wattle controller`: decides what runs where in one lattice; and how those that do are.

#[cfg(feature = "operate")]
mod archive;
mod run;
#[cfg(feature = "operate")]
mod status;
#[cfg(feature = "operate")]
mod step_down;

use std::process::ExitCode;

use anyhow::Result;

#[cfg(feature = "operate")]
pub(crate) use run::local_config;
#[cfg(feature = "operate")]
pub(crate) use status::reports;

/// Keep a lattice's applications running: store manifests, plan, assign.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  wattle controller --nats-url nats://10.0.0.1:4222 --key ctl.nk
  wattle controller --nats-url nats://n1:4222,nats://n2:4222,nats://n3:4222 --replicas 3
  wattle controller status               who leads, and whether the store takes writes
  wattle controller step-down            let another one lead
  wattle controller export -o FILE       what people wrote; restore FILE puts it back

Several may run; one leads. Hosts must trust its key (wattle trust init --controller), and if
each has a key of its own, give them all the hosts' trust file with --trust."
)]
pub(crate) struct Args {
    #[cfg(feature = "operate")]
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: run::RunArgs,
}

#[cfg(feature = "operate")]
#[derive(Debug, clap::Subcommand)]
enum Command {
    Status(status::Args),
    StepDown(step_down::Args),
    Export(archive::ExportArgs),
    Restore(archive::RestoreArgs),
}

impl Args {
    pub(crate) fn default_filter(&self) -> &'static str {
        #[cfg(feature = "operate")]
        if self.command.is_some() {
            return "error";
        }
        "info"
    }
}

pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    #[cfg(feature = "operate")]
    match args.command {
        Some(Command::Status(args)) => return status::run(args).await,
        Some(Command::StepDown(args)) => return step_down::run(args).await,
        Some(Command::Export(args)) => return archive::export(args).await,
        Some(Command::Restore(args)) => return archive::restore(args).await,
        None => {}
    }
    run::run(args.run).await?;
    Ok(ExitCode::SUCCESS)
}
