//! `wattle start`, `stop`, `scale` and `update`: components on one host, by hand.
//!
//! What is started so belongs to no application and stays until it is stopped, also when its host
//! starts again. Hosts decide what may be done; here is who is asked, and what came of it.

mod host;
mod told;

use std::path::Path;

use anyhow::Result;
use wattle_lattice::ctl::{self, ScaleComponent, UpdateComponent};
use wattle_lattice::subject::ControlSubject;
use wattle_types::{ActorId, ConfigName};

use crate::host::parse_label;
use crate::lattice::LatticeArgs;
use crate::output::line;
use host::HostArgs;
use told::{Told, WaitArgs};

/// Start something on one host, by hand.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Start {
    Component(StartArgs),
}

/// Stop something that was started by hand.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Stop {
    Component(StopArgs),
}

/// Change how many instances there are of something that was started by hand.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Scale {
    Component(ScaleArgs),
}

/// Give something that was started by hand another component.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Update {
    Component(UpdateArgs),
}

/// Which host is told, and how long what comes of it is waited for.
#[derive(Debug, clap::Args)]
struct OnHost {
    #[command(flatten)]
    host: HostArgs,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    lattice: LatticeArgs,
}

/// Start a component on one host; it stays until it is stopped.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wattle start component hello.s.wasm hello
  wattle start component file:///srv/web.wasm web --host edge-1 --max-instances 8 --config web

What an application owns is changed by its manifest (`wattle app deploy`), not here.")]
pub(crate) struct StartArgs {
    /// The component: a file of the host's machine, as a path or as `file://…`.
    image: String,
    /// What it is called by others.
    id: ActorId,
    /// How many instances there may be at once.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_instances: u32,
    /// Named configuration (`wattle config`), later ones over earlier ones; repeatable.
    #[arg(long, value_name = "NAME")]
    config: Vec<ConfigName>,
    /// What its events carry; repeatable.
    #[arg(long = "annotation", value_name = "KEY=VALUE", value_parser = parse_label)]
    annotations: Vec<(String, String)>,
    #[command(flatten)]
    on: OnHost,
}

/// Stop a component that was started by hand.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  wattle stop component hello")]
pub(crate) struct StopArgs {
    id: ActorId,
    #[command(flatten)]
    on: OnHost,
}

/// Change how many instances a component may have at once; none stops it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  wattle scale component hello 5")]
pub(crate) struct ScaleArgs {
    id: ActorId,
    #[arg(value_name = "N")]
    max_instances: u32,
    #[command(flatten)]
    on: OnHost,
}

/// Give a running component another file; what runs serves until the new one is ready.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  wattle update component hello hello-2.s.wasm")]
pub(crate) struct UpdateArgs {
    id: ActorId,
    /// The new component, as `wattle start component` takes it.
    image: String,
    #[command(flatten)]
    on: OnHost,
}

pub(crate) async fn start(command: Start) -> Result<()> {
    let Start::Component(args) = command;
    let lattice = args.on.lattice.connect().await?;
    let host = args.on.host.to_start(&lattice).await?;
    let asked = ScaleComponent {
        component_ref: image(&args.image)?,
        component_id: args.id.to_string(),
        annotations: Some(args.annotations.into_iter().collect()),
        count: args.max_instances,
        component_limits: None,
        host_id: host.id.to_string(),
        config: args.config.iter().map(ToString::to_string).collect(),
        allow_update: false,
    };
    let told = Told::begin(&lattice, host.id, &args.id).await?;
    let subject = ControlSubject::ComponentScale { host: host.id };
    let said = lattice.told(subject, ctl::encode(&asked)).await?;
    told.wait(&args.on.wait).await?;
    line(format_args!("{}", or(said, format!("{} runs on {}", args.id, host.name))));
    Ok(())
}

pub(crate) async fn stop(command: Stop) -> Result<()> {
    let Stop::Component(args) = command;
    let lattice = args.on.lattice.connect().await?;
    let found = args.on.host.running(&lattice, &args.id).await?;
    let asked = scaled(&args.id, &found, 0);
    let told = Told::begin(&lattice, found.host.id, &args.id).await?;
    let subject = ControlSubject::ComponentScale { host: found.host.id };
    let said = lattice.told(subject, ctl::encode(&asked)).await?;
    told.wait(&args.on.wait).await?;
    let done = format!("{} is stopped on {}", args.id, found.host.name);
    line(format_args!("{}", or(said, done)));
    Ok(())
}

pub(crate) async fn scale(command: Scale) -> Result<()> {
    let Scale::Component(args) = command;
    let lattice = args.on.lattice.connect().await?;
    let found = args.on.host.running(&lattice, &args.id).await?;
    let mut asked = scaled(&args.id, &found, args.max_instances);
    if 0 < args.max_instances {
        // What runs, whatever that is.
        asked.component_ref = String::new();
    }
    let told = Told::begin(&lattice, found.host.id, &args.id).await?;
    let subject = ControlSubject::ComponentScale { host: found.host.id };
    let said = lattice.told(subject, ctl::encode(&asked)).await?;
    told.wait(&args.on.wait).await?;
    let (count, name) = (args.max_instances, &found.host.name);
    let done = format!("{} has at most {count} instances on {name}", args.id);
    line(format_args!("{}", or(said, done)));
    Ok(())
}

pub(crate) async fn update(command: Update) -> Result<()> {
    let Update::Component(args) = command;
    let lattice = args.on.lattice.connect().await?;
    let found = args.on.host.running(&lattice, &args.id).await?;
    let asked = UpdateComponent {
        component_id: args.id.to_string(),
        annotations: None,
        host_id: found.host.id.to_string(),
        new_component_ref: image(&args.image)?,
    };
    let told = Told::begin(&lattice, found.host.id, &args.id).await?;
    let subject = ControlSubject::ComponentUpdate { host: found.host.id };
    let said = lattice.told(subject, ctl::encode(&asked)).await?;
    told.wait(&args.on.wait).await?;
    let done = format!("{} is {} on {}", args.id, asked.new_component_ref, found.host.name);
    line(format_args!("{}", or(said, done)));
    Ok(())
}

fn scaled(id: &ActorId, found: &host::Found, count: u32) -> ScaleComponent {
    ScaleComponent {
        component_ref: found.image.clone(),
        component_id: id.to_string(),
        annotations: Some(found.annotations.clone()),
        count,
        component_limits: None,
        host_id: found.host.id.to_string(),
        config: Vec::new(),
        allow_update: false,
    }
}

/// What the host says in place of what was expected, if it says anything.
fn or(said: String, done: String) -> String {
    if said.is_empty() { done } else { said }
}

/// A path is a file of this machine, which is the host's too, or is mounted there alike.
fn image(raw: &str) -> Result<String> {
    if raw.contains("://") || !Path::new(raw).exists() {
        return Ok(raw.to_owned());
    }
    let path = std::path::absolute(raw)?;
    Ok(format!("file://{}", path.display()))
}
