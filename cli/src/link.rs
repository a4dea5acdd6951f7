//! `wattle link`: where the calls of an actor go.

mod query;

use anyhow::Result;
use wattle_lattice::ctl;
use wattle_lattice::subject::ControlSubject;
use wattle_types::{ActorId, ConfigName, LinkName, Token};

use crate::lattice::LatticeArgs;
use crate::output::line;

/// Link what an actor imports to who exports it, while both run.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Put(PutArgs),
    Del(DelArgs),
    Query(query::Args),
}

/// Make a link, or change the one that there is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wattle link put shop-web shop-orders acme shop --interface orders
  wattle link put web redis-cache wasi keyvalue --interface store --interface atomics \\
      --link-name cache --source-config cache-settings
  wattle link put shop-web shop-archive acme shop --interface orders --replace

Calls that are under way finish where they went; the next one goes to the new target.
A link of an application is changed by its manifest, not here.")]
pub(crate) struct PutArgs {
    /// The actor that calls.
    source: ActorId,
    /// The actor or provider that is called.
    target: ActorId,
    /// The first part of `namespace:package/interface`.
    namespace: Token,
    /// The second part of it.
    package: Token,
    /// The third part of it; repeatable.
    #[arg(long = "interface", required = true, value_name = "NAME")]
    interfaces: Vec<Token>,
    /// Tells links of one interface apart; a component chooses by it.
    #[arg(long, default_value_t, value_name = "NAME")]
    link_name: LinkName,
    /// Named configuration of the link for who calls; repeatable.
    #[arg(long, value_name = "NAME")]
    source_config: Vec<ConfigName>,
    /// Named configuration of the link for who is called; repeatable.
    #[arg(long, value_name = "NAME")]
    target_config: Vec<ConfigName>,
    /// Calls may be repeated when nobody knows whether they were done.
    #[arg(long)]
    idempotent: bool,
    /// Turn what leads to another target to this one, without a gap; without this it is refused.
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    lattice: LatticeArgs,
}

/// Remove a link; what it carried fails from then on, or waits for another.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  wattle link del shop-web acme shop")]
pub(crate) struct DelArgs {
    /// The actor that calls.
    source: ActorId,
    namespace: Token,
    package: Token,
    #[arg(long, default_value_t, value_name = "NAME")]
    link_name: LinkName,
    #[command(flatten)]
    lattice: LatticeArgs,
}

pub(crate) async fn run(command: Command) -> Result<()> {
    match command {
        Command::Put(args) => put(args).await,
        Command::Del(args) => del(args).await,
        Command::Query(args) => query::run(args).await,
    }
}

async fn put(args: PutArgs) -> Result<()> {
    let lattice = args.lattice.connect().await?;
    let names = |names: Vec<ConfigName>| names.iter().map(ToString::to_string).collect();
    let link = ctl::Link {
        source_id: args.source.to_string(),
        target: args.target.to_string(),
        name: args.link_name.to_string(),
        wit_namespace: args.namespace.to_string(),
        wit_package: args.package.to_string(),
        interfaces: args.interfaces.iter().map(ToString::to_string).collect(),
        source_config: names(args.source_config),
        target_config: names(args.target_config),
        idempotent: args.idempotent,
        replace: args.replace,
    };
    lattice.command(ControlSubject::LinkPut, ctl::encode(&link)).await?;
    line(format_args!(
        "{} is linked to {} for {}:{}; `wattle link query {}` shows whether calls get through",
        args.source, args.target, args.namespace, args.package, args.source,
    ));
    Ok(())
}

async fn del(args: DelArgs) -> Result<()> {
    let lattice = args.lattice.connect().await?;
    let key = ctl::LinkKey {
        source_id: args.source.to_string(),
        name: args.link_name.to_string(),
        wit_namespace: args.namespace.to_string(),
        wit_package: args.package.to_string(),
    };
    lattice.command(ControlSubject::LinkDel, ctl::encode(&key)).await?;
    line(format_args!(
        "{} has no link {} for {}:{} any more",
        args.source, args.link_name, args.namespace, args.package,
    ));
    Ok(())
}
