//! `wattle up`: a lattice on this machine. nats-server is a child; controller and host are tasks
//! of this process.

mod detached;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use wattle_host::Host;
use wattle_host::sandbox::Sandbox;
use wattle_tasks::{CancellationToken, Tasks};
use wattle_types::LatticeId;

use crate::home::{Home, HomeArgs};
use crate::lattice::LatticeArgs;
use crate::local::{Running, State};
use crate::nats_server::NatsServer;
use crate::output::{complain, line};
use crate::sandbox::{self, SandboxArgs};
use crate::{controller, host, process};

/// Run a lattice on this machine: nats-server, a controller and a host.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  wattle up                                            until Ctrl-C
  wattle up --detach                                   in the background; `wattle down` ends it
  wattle up --nats-url nats://127.0.0.1:4222           with a server that runs already
  wattle up --detach --http-addr 0.0.0.0:80            requests from other machines")]
pub(crate) struct Args {
    /// Go on in the background once everything is ready.
    #[arg(long)]
    detach: bool,
    /// Where the shared HTTP listener is.
    #[arg(long, default_value = "127.0.0.1:8000", value_name = "HOST:PORT")]
    http_addr: SocketAddr,
    /// Use this NATS server instead of starting one.
    #[arg(long, env = "WATTLE_NATS_URL", value_name = "URL", conflicts_with = "nats_port")]
    nats_url: Option<String>,
    /// The port of the nats-server that is started; 0 lets the system choose.
    #[arg(long, default_value_t = 4222, value_name = "PORT")]
    nats_port: u16,
    /// What the lattice is called.
    #[arg(long, env = "WATTLE_LATTICE", default_value = "default", value_name = "NAME")]
    lattice: LatticeId,
    /// A label of the host, for placement; repeatable.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = host::parse_label)]
    labels: Vec<(String, String)>,
    #[command(flatten)]
    grants: host::GrantArgs,
    #[command(flatten)]
    sandbox: SandboxArgs,
    #[command(flatten)]
    home: HomeArgs,
}

/// Everything ends within this time of being asked to, or is ended.
const STOP_GRACE: Duration = Duration::from_secs(40);

pub(crate) async fn run(args: Args, sandbox: Option<Sandbox>) -> Result<()> {
    let home = args.home.open()?;
    if args.detach {
        detached::start(&args, &home).await
    } else {
        foreground(&args, &home, sandbox).await
    }
}

async fn foreground(args: &Args, home: &Home, sandbox: Option<Sandbox>) -> Result<()> {
    let stop = process::stop_on_signal()?;
    let folder = home.folder("up")?;
    let running = Running::claim(&folder)?;
    let mut nats = match &args.nats_url {
        Some(_) => None,
        None => Some(NatsServer::start(&home.folder("nats")?, args.nats_port).await?),
    };
    let url = args.nats_url.as_deref().or(nats.as_ref().map(NatsServer::url));
    let url = url.expect("there is a server, ours or a given one").to_owned();
    let state = State {
        pid: std::process::id(),
        lattice: args.lattice.clone(),
        nats_url: url,
        http_addr: args.http_addr,
    };
    let parts = Parts { running: &running, nats: nats.as_mut(), sandbox };
    let outcome = serve(args, home, &state, parts, &stop).await;
    running.forget();
    if let Some(nats) = nats {
        nats.stop().await?;
    }
    outcome
}

/// What there is before controller and host.
struct Parts<'a> {
    running: &'a Running,
    /// None: a given one is used.
    nats: Option<&'a mut NatsServer>,
    sandbox: Option<Sandbox>,
}

/// Controller and host, until told to stop or until one of them fails.
async fn serve(
    args: &Args,
    home: &Home,
    state: &State,
    parts: Parts<'_>,
    stop: &CancellationToken,
) -> Result<()> {
    let Parts { running, nats, sandbox } = parts;
    let started = Instant::now();
    let controller = controller::local_config(&state.nats_url, &state.lattice, home)?;
    let host = host::local_config(state, &args.labels, &args.grants, home)?;
    let host = Host::open(host).await.context("the host could not start")?;
    // The server runs by now; it is the one other process that this one may end.
    let children: Vec<u32> = nats.as_ref().and_then(|nats| nats.pid()).into_iter().collect();
    sandbox::close(sandbox, &children)?;
    let tasks = Tasks::under(stop);
    let (failed, mut failures) = tokio::sync::mpsc::channel(2);
    let report = failed.clone();
    // The controller goes on until the host has left, so that its leaving is noticed.
    let control_stop = CancellationToken::new();
    let control = control_stop.clone();
    tasks.spawn_essential("controller", |_| async move {
        if let Err(error) = Box::pin(wattle_controller::run(controller, control)).await {
            let error = anyhow::Error::new(error).context("the controller ended");
            let _ = report.send(error).await;
        }
    });
    tasks.spawn_essential("host", |stop| async move {
        let outcome = host.run(stop).await;
        control_stop.cancel();
        if let Err(error) = outcome {
            let error = anyhow::Error::new(error).context("the host ended");
            let _ = failed.send(error).await;
        }
    });
    let ready = tokio::select! {
        ready = until_ready(state) => ready,
        () = tasks.stopping() => Ok(()),
    };
    if ready.is_ok() && !tasks.stop().is_cancelled() {
        running.ready(state)?;
        announce(state, nats.is_some(), started.elapsed());
    }
    let nats_ended = async {
        match nats {
            Some(nats) => nats.ended().await,
            None => std::future::pending().await,
        }
    };
    let outcome = tokio::select! {
        () = tasks.stopping() => ready,
        () = nats_ended => Err(anyhow!("nats-server ended; its log is beside its data")),
    };
    if stop.is_cancelled() {
        complain("stopping: requests in flight finish first");
    }
    tasks.shut_down(STOP_GRACE).await?;
    match failures.try_recv() {
        Ok(error) => Err(error),
        Err(_) => outcome,
    }
}

/// Ready when the controller answers and the host is in the lattice.
async fn until_ready(state: &State) -> Result<()> {
    let lattice = LatticeArgs::of(&state.nats_url, &state.lattice);
    let lattice = lattice.connect().await?;
    lattice.until_usable().await.context("the lattice did not become ready")
}

fn announce(state: &State, own_nats: bool, took: Duration) {
    let nats = if own_nats { "started" } else { "given" };
    line(format_args!("lattice {} is up after {:.1} s", state.lattice, took.as_secs_f64()));
    line(format_args!("  nats  {} ({nats})", state.nats_url));
    line(format_args!("  http  http://{}", state.http_addr));
    line("next: wattle app deploy wattle.yaml, wattle get hosts, wattle down");
}

impl Args {
    /// Of the process that serves; the one that only starts another in the background ends soon.
    pub(crate) fn sandbox(&self) -> Result<Option<Sandbox>> {
        if self.detach { Ok(None) } else { self.sandbox.begin(&self.home) }
    }

    /// The same command again, without `--detach`.
    fn again(&self, home: &Home) -> Vec<String> {
        let mut again = vec!["up".to_owned()];
        let mut flag = |name: &str, value: String| again.extend([format!("--{name}"), value]);
        flag("http-addr", self.http_addr.to_string());
        flag("lattice", self.lattice.to_string());
        flag("data-dir", home.dir().display().to_string());
        match &self.nats_url {
            Some(url) => flag("nats-url", url.clone()),
            None => flag("nats-port", self.nats_port.to_string()),
        }
        for (key, value) in &self.labels {
            flag("label", format!("{key}={value}"));
        }
        again.extend(self.grants.again());
        again.extend(self.sandbox.again());
        again
    }
}

/// The log of a lattice in the background.
fn log_file(home: &Home) -> Result<PathBuf> {
    Ok(home.folder("up")?.join("wattle.log"))
}
