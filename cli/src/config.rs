//! `wattle config`: configuration that is kept in the lattice under a name.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use wattle_lattice::ctl;
use wattle_lattice::subject::ControlSubject;
use wattle_types::ConfigName;

use crate::host::parse_label;
use crate::lattice::LatticeArgs;
use crate::output::{OutputArgs, line, table};

/// Put, show and delete configuration that manifests and links refer to by name.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Put(PutArgs),
    Get(GetArgs),
    Del(DelArgs),
}

/// Store configuration, in place of what has this name; actors that run get it without a restart.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wattle config put greetings colour=red size=7
  wattle config put greetings                     nothing is set any more, and the name stays")]
pub(crate) struct PutArgs {
    name: ConfigName,
    /// All of its values; those that are not named are gone.
    #[arg(value_name = "KEY=VALUE", value_parser = parse_label)]
    values: Vec<(String, String)>,
    #[command(flatten)]
    lattice: LatticeArgs,
}

/// Show the values that are stored under a name.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  wattle config get greetings -o json")]
pub(crate) struct GetArgs {
    name: ConfigName,
    #[command(flatten)]
    lattice: LatticeArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Delete what is stored under a name.
#[derive(Debug, clap::Args)]
pub(crate) struct DelArgs {
    name: ConfigName,
    #[command(flatten)]
    lattice: LatticeArgs,
}

pub(crate) async fn run(command: Command) -> Result<()> {
    match command {
        Command::Put(args) => put(args).await,
        Command::Get(args) => get(args).await,
        Command::Del(args) => del(args).await,
    }
}

async fn put(args: PutArgs) -> Result<()> {
    let lattice = args.lattice.connect().await?;
    let values: ctl::Config = BTreeMap::from_iter(args.values);
    let subject = ControlSubject::ConfigPut { name: args.name.token().clone() };
    lattice.command(subject, ctl::encode(&values)).await?;
    line(format_args!("{} is stored, with {} values", args.name, values.len()));
    Ok(())
}

async fn get(args: GetArgs) -> Result<()> {
    let lattice = args.lattice.connect().await?;
    let subject = ControlSubject::ConfigGet { name: args.name.token().clone() };
    // Success without an answer is how the 1.x interface says that there is none.
    let values: Option<ctl::Config> = lattice.ask(subject).await?;
    let values = values.with_context(|| {
        let name = &args.name;
        format!("there is no configuration {name}; `wattle config put {name} KEY=VALUE` makes it")
    })?;
    args.output.print(&values, |values| {
        let rows = values.iter().map(|(key, value)| [key.clone(), value.clone()]);
        table(["KEY", "VALUE"], rows)
    });
    Ok(())
}

async fn del(args: DelArgs) -> Result<()> {
    let lattice = args.lattice.connect().await?;
    let subject = ControlSubject::ConfigDel { name: args.name.token().clone() };
    lattice.command(subject, bytes::Bytes::new()).await?;
    line(format_args!("{} is deleted", args.name));
    Ok(())
}
