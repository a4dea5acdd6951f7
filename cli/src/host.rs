//! `wattle host`: one host, joining a lattice; and taking one out of it.

#[cfg(feature = "operate")]
mod forget;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use wattle_host::sandbox::Sandbox;
use wattle_host::{Host, HostConfig};
use wattle_types::{Labels, Limit, UnknownLimit};

use crate::code::CodeArgs;
use crate::home::{self, HomeArgs, NATS_URL};
use crate::sandbox::{self, SandboxArgs};
use crate::{process, size};

/// Join a lattice and run what is assigned to this host.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  wattle host --nats-url nats://10.0.0.1:4222 --trust trust.toml --label zone=edge
  wattle host --trust trust.toml --http-addr 0.0.0.0:8000 --name gate-1
  wattle host --trust trust.toml --secrets /etc/wattle/secrets
  wattle host --trust trust.toml --cap memory=64MiB --cap execution=10s
  wattle host --trust trust.toml --data-dir /var/lib/wattle --sandbox
  wattle host --trust trust.toml --no-compiler --artifacts /srv/code
  wattle host forget ID                  one that will not return

SIGTERM drains: others take over what it serves, requests in flight finish, then it exits with 0."
)]
pub(crate) struct Args {
    #[cfg(feature = "operate")]
    #[command(subcommand)]
    command: Option<Command>,
    /// The NATS server; several of one cluster are separated by commas.
    #[arg(long, env = "WATTLE_NATS_URL", default_value = NATS_URL, value_name = "URL")]
    nats_url: String,
    /// A NATS credentials file.
    #[arg(long, env = "WATTLE_NATS_CREDS", value_name = "FILE")]
    nats_creds: Option<PathBuf>,
    /// Which lattice; several can share a NATS server.
    #[arg(long, env = "WATTLE_LATTICE", default_value = "default", value_name = "NAME")]
    lattice: wattle_types::LatticeId,
    /// What people call this host [default: the machine's name].
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// A label, for placement; repeatable.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = parse_label)]
    labels: Vec<(String, String)>,
    /// Whom this host believes [default: the trust file of this machine].
    #[arg(long, env = "WATTLE_TRUST", value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Where the shared HTTP listener is; without it this host answers no HTTP requests itself.
    #[arg(long, value_name = "HOST:PORT")]
    http_addr: Option<SocketAddr>,
    /// How long leaving may take after SIGTERM, in seconds: half of it until others have taken over, and the
    /// rest for requests in flight.
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    drain_grace: u64,
    /// Copies of what actors store in NATS on different servers: 3 where losing one must not matter.
    /// Only for making the stream, by whichever host is first; what exists is not changed.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=5))]
    data_replicas: u8,
    #[command(flatten)]
    grants: GrantArgs,
    #[command(flatten)]
    sandbox: SandboxArgs,
    #[command(flatten)]
    home: HomeArgs,
}

#[cfg(feature = "operate")]
#[derive(Debug, clap::Subcommand)]
enum Command {
    Forget(forget::Args),
}

/// What actors of a host get and may, beyond what their specs say. Of `wattle host` and
/// `wattle up`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct GrantArgs {
    /// A server that actors may reach over HTTP if their specs ask for it; repeatable.
    #[arg(long, value_name = "HOST[:PORT]")]
    outbound: Vec<String>,
    /// The folder of secrets that specs refer to, one file each [default: there are none].
    #[arg(long, env = "WATTLE_SECRETS", value_name = "DIR")]
    secrets: Option<PathBuf>,
    /// The longest body that the HTTP listener takes, such as 64MiB [default: 8MiB].
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    body_max: Option<u64>,
    /// The most that an actor gets of a limit, such as memory=64MiB, execution=5s or handles=1000;
    /// repeatable. A manifest that asks for more is refused. `docs/limits.md` has their names.
    #[arg(long = "cap", value_name = "LIMIT=VALUE", value_parser = parse_cap)]
    caps: Vec<(Limit, u64)>,
    #[command(flatten)]
    code: CodeArgs,
}

impl GrantArgs {
    fn apply(&self, config: &mut HostConfig) -> Result<()> {
        config.outbound.clone_from(&self.outbound);
        if let Some(dir) = &self.secrets {
            anyhow::ensure!(dir.is_dir(), "--secrets: there is no folder {}", dir.display());
            config.secrets_dir = Some(std::path::absolute(dir)?);
        }
        config.body_bytes_max = self.body_max.unwrap_or(config.body_bytes_max);
        for (limit, max) in &self.caps {
            config.caps.set(*limit, *max).map_err(|error| anyhow!("--cap {limit}: {error}"))?;
        }
        config.code = self.code.config()?;
        Ok(())
    }

    /// The same flags, for a command that starts another.
    #[cfg(feature = "operate")]
    pub(crate) fn again(&self) -> Vec<String> {
        let outbound = self.outbound.iter().map(|server| format!("--outbound={server}"));
        let secrets = self.secrets.iter().map(|dir| format!("--secrets={}", dir.display()));
        // Exact, because the smallest unit of the flag is KiB.
        let body = self.body_max.iter().map(|bytes| format!("--body-max={}KiB", bytes >> 10));
        let caps = self.caps.iter().map(|(limit, max)| {
            format!("--cap={limit}={}", limit.unit().show(*max)) // Shown as exactly as it was read.
        });
        outbound.chain(secrets).chain(body).chain(caps).chain(self.code.again()).collect()
    }
}

impl Args {
    pub(crate) fn default_filter(&self) -> &'static str {
        #[cfg(feature = "operate")]
        if self.command.is_some() {
            return "error";
        }
        "info"
    }

    pub(crate) fn sandbox(&self) -> Result<Option<Sandbox>> {
        #[cfg(feature = "operate")]
        if self.command.is_some() {
            return Ok(None);
        }
        self.sandbox.begin(&self.home)
    }
}

pub(crate) async fn run(args: Args, sandbox: Option<Sandbox>) -> Result<ExitCode> {
    #[cfg(feature = "operate")]
    if let Some(Command::Forget(args)) = args.command {
        return forget::run(args).await;
    }
    let home = args.home.open()?;
    let trust = match &args.trust {
        Some(path) => home::read_trust(path)?,
        None => home.local_trust()?,
    };
    let mut config = HostConfig {
        drain_grace: Duration::from_secs(args.drain_grace),
        data_replicas: args.data_replicas,
        nats_creds: args.nats_creds,
        http_addr: args.http_addr,
        ..HostConfig::new(
            args.lattice,
            args.nats_url,
            name(args.name)?,
            labels(&args.labels),
            home.folder("host")?,
            trust,
        )
    };
    args.grants.apply(&mut config)?;
    let stop = process::stop_on_signal()?;
    let host = Host::open(config).await.context("the host could not start")?;
    // This host has started nothing else.
    sandbox::close(sandbox, &[])?;
    host.run(stop).await.context("the host ended")?;
    Ok(ExitCode::SUCCESS)
}

/// The host of `wattle up`.
#[cfg(feature = "operate")]
pub(crate) fn local_config(
    state: &crate::local::State,
    given: &[(String, String)],
    grants: &GrantArgs,
    home: &home::Home,
) -> Result<HostConfig> {
    let mut config = HostConfig {
        http_addr: Some(state.http_addr),
        ..HostConfig::new(
            state.lattice.clone(),
            state.nats_url.clone(),
            name(None)?,
            labels(given),
            home.folder("host")?,
            home.local_trust()?,
        )
    };
    grants.apply(&mut config)?;
    Ok(config)
}

fn labels(given: &[(String, String)]) -> Labels {
    BTreeMap::from_iter(given.iter().cloned())
}

fn name(given: Option<String>) -> Result<String> {
    match given {
        Some(name) => Ok(name),
        None => machine_name(Path::new("/proc/sys/kernel/hostname")),
    }
}

fn machine_name(file: &Path) -> Result<String> {
    let name =
        std::fs::read_to_string(file).context("could not read this machine's name; pass --name")?;
    Ok(name.trim().to_owned())
}

/// `memory=64MiB`.
fn parse_cap(raw: &str) -> Result<(Limit, u64), String> {
    let form = || "it has the form LIMIT=VALUE, such as memory=64MiB".to_owned();
    let (name, value) = raw.split_once('=').ok_or_else(form)?;
    let limit: Limit = name.parse().map_err(|error: UnknownLimit| error.to_string())?;
    Ok((limit, limit.parse_value(value)?))
}

/// `zone=edge`; also for other flags of this form.
pub(crate) fn parse_label(raw: &str) -> Result<(String, String), String> {
    match raw.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("it has the form KEY=VALUE, such as zone=edge".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Alone {
        #[command(flatten)]
        grants: GrantArgs,
    }

    fn read<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<GrantArgs, String> {
        let alone = Alone::try_parse_from(std::iter::once("wattle").chain(words));
        alone.map(|alone| alone.grants).map_err(|error| error.to_string())
    }

    #[test]
    fn caps_are_passed_on_as_they_were_read() {
        let caps = ["--cap", "memory=96MiB", "--cap=execution=1500ms", "--cap=outgoing=0"];
        let first = read(caps).unwrap();
        let expected = [(Limit::Memory, 96 << 20), (Limit::Execution, 1_500), (Limit::Outgoing, 0)];
        assert_eq!(first.caps, expected);
        let again = first.again();
        assert_eq!(read(again.iter().map(String::as_str)).unwrap().caps, expected);
    }

    #[test]
    fn a_cap_that_makes_no_sense_is_refused_with_what_would() {
        let cases = [
            ("memory", "LIMIT=VALUE"),
            ("memmory=1MiB", "there are memory, execution"),
            ("memory=1GiB", "hosts grant 64KiB to 128MiB"),
            ("memory=64", "write a number with a unit"),
        ];
        for (cap, said) in cases {
            let error = read(["--cap", cap]).unwrap_err();
            assert!(error.contains(said), "{cap}: {error}");
        }
    }
}
