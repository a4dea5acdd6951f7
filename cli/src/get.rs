//! `wattle get`: what runs where, and what it may take, from the hosts themselves.

mod limits;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use wattle_lattice::ctl::{HostInventory, HostSummary};
use wattle_lattice::subject::ControlSubject;

use crate::lattice::{Lattice, LatticeArgs};
use crate::output::{OutputArgs, table};

/// Show hosts, what they run, and what that may take.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Hosts(HostsArgs),
    Inventory(InventoryArgs),
    Limits(limits::Args),
}

/// List the hosts of the lattice.
#[derive(Debug, clap::Args)]
pub(crate) struct HostsArgs {
    #[command(flatten)]
    window: WindowArgs,
    #[command(flatten)]
    lattice: LatticeArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// List what one host runs, or what all do.
#[derive(Debug, clap::Args)]
pub(crate) struct InventoryArgs {
    /// The id of a host, the beginning of it, or its name.
    host: Option<String>,
    #[command(flatten)]
    window: WindowArgs,
    #[command(flatten)]
    lattice: LatticeArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Clone, Copy, Debug, clap::Args)]
struct WindowArgs {
    /// How long to collect answers, in milliseconds; nobody knows how many hosts there are.
    #[arg(long, default_value_t = 500, value_name = "MS")]
    window: u64,
}

impl WindowArgs {
    async fn hosts(self, lattice: &Lattice) -> Result<Vec<HostSummary>> {
        lattice.hosts(Duration::from_millis(self.window)).await
    }
}

pub(crate) async fn run(command: Command) -> Result<()> {
    match command {
        Command::Hosts(args) => hosts(args).await,
        Command::Inventory(args) => inventory(args).await,
        Command::Limits(args) => limits::run(args).await,
    }
}

async fn hosts(args: HostsArgs) -> Result<()> {
    let hosts = args.window.hosts(&args.lattice.connect().await?).await?;
    args.output.print(&hosts, |hosts| {
        let rows = hosts.iter().map(|host| {
            let version = host.version.clone().unwrap_or_default();
            let uptime = format!("{} s", host.uptime_seconds);
            [host.friendly_name.clone(), host.id.to_string(), version, uptime, labels(host)]
        });
        table(["NAME", "ID", "VERSION", "UPTIME", "LABELS"], rows)
    });
    Ok(())
}

/// Those that a person gave; what every host has of itself is in the JSON.
fn labels(host: &HostSummary) -> String {
    let given = host.labels.iter().filter(|(key, _)| !key.starts_with("hostcore."));
    given.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

async fn inventory(args: InventoryArgs) -> Result<()> {
    let lattice = args.lattice.connect().await?;
    let hosts = args.window.hosts(&lattice).await?;
    let chosen = match &args.host {
        None => hosts.iter().collect(),
        Some(wanted) => vec![choose(&hosts, wanted)?],
    };
    let mut inventories = Vec::new();
    for host in chosen {
        let inventory: HostInventory = lattice
            .control(ControlSubject::HostGet { host: host.id })
            .await
            .with_context(|| format!("host {} gave no inventory", host.friendly_name))?;
        inventories.push(inventory);
    }
    args.output.print(&inventories, |inventories| {
        let rows = inventories.iter().flat_map(|host| {
            host.components.iter().map(|actor| {
                let count = actor.max_instances.to_string();
                [host.friendly_name.clone(), actor.id.clone(), count, actor.image_ref.clone()]
            })
        });
        table(["HOST", "ACTOR", "INSTANCES", "IMAGE"], rows)
    });
    Ok(())
}

/// By id, by the beginning of an id, or by name, whatever the case; several are an error.
pub(crate) fn choose<'a>(hosts: &'a [HostSummary], wanted: &str) -> Result<&'a HostSummary> {
    let wanted = wanted.to_ascii_lowercase();
    let by = |host: &&HostSummary| {
        host.id.to_string().to_ascii_lowercase().starts_with(&wanted)
            || host.friendly_name.to_ascii_lowercase() == wanted
    };
    let mut found = hosts.iter().filter(by);
    match (found.next(), found.next()) {
        (Some(host), None) => Ok(host),
        (Some(_), Some(_)) => bail!("{wanted:?} is several hosts; give more of the id"),
        (None, _) => bail!("no host {wanted:?} answers; `wattle get hosts` shows those that do"),
    }
}
