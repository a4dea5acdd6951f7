//! Running a controller.

use std::path::PathBuf;

use anyhow::{Context, Result};
use wattle_controller::ControllerConfig;
use wattle_trust::TrustPolicy;
use wattle_types::{LatticeId, Role};

use crate::home::{self, HomeArgs, NATS_URL};
use crate::process;

/// How a controller is run.
#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// The NATS server; several of one cluster are separated by commas.
    #[arg(long, env = "WATTLE_NATS_URL", default_value = NATS_URL, value_name = "URL")]
    nats_url: String,
    /// A NATS credentials file.
    #[arg(long, env = "WATTLE_NATS_CREDS", value_name = "FILE")]
    nats_creds: Option<PathBuf>,
    /// Which lattice; several can share a NATS server.
    #[arg(long, env = "WATTLE_LATTICE", default_value = "default", value_name = "NAME")]
    lattice: LatticeId,
    /// The file of the key that signs assignments [default: the local key of this machine].
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The trust file of the hosts, which names the keys of the other controllers [default: only
    /// this controller's own key counts].
    #[arg(long, env = "WATTLE_TRUST", value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Under which name it leads [default: the first letters of its key].
    #[arg(long, value_name = "NAME")]
    name: Option<wattle_types::Token>,
    /// Copies of the control stream on different NATS servers: 3 where losing one must not matter.
    /// Only for making the stream; what exists is not changed.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=5))]
    replicas: u8,
    #[command(flatten)]
    home: HomeArgs,
}

pub(crate) async fn run(args: RunArgs) -> Result<()> {
    let home = args.home.open()?;
    let key = match &args.key {
        Some(path) => home::read_key(path, Role::Cluster)?,
        None => home.local_controller()?,
    };
    let name = match args.name {
        Some(name) => name,
        None => key.public().to_string()[..12].parse().expect("base32 makes a token"),
    };
    let mut config =
        ControllerConfig::new(args.lattice, args.nats_url, name, key, home.folder("controller")?);
    config.nats_creds = args.nats_creds;
    config.replicas = args.replicas;
    if let Some(path) = &args.trust {
        let policy = TrustPolicy::try_from(&home::read_trust(path)?)?;
        config.controllers = policy.controllers(&config.lattice);
    }
    let stop = process::stop_on_signal()?;
    Box::pin(wattle_controller::run(config, stop)).await.context("the controller ended")
}

/// The controller of `wattle up`.
#[cfg(feature = "operate")]
pub(crate) fn local_config(
    nats_url: &str,
    lattice: &LatticeId,
    home: &home::Home,
) -> Result<ControllerConfig> {
    Ok(ControllerConfig::new(
        lattice.clone(),
        nats_url.to_owned(),
        "local".parse().expect("a word is a token"),
        home.local_controller()?,
        home.folder("controller")?,
    ))
}
