//! `wattle host forget`: takes a host out of a lattice that will not return.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use wattle_lattice::Subject;
use wattle_lattice::subject::ControllerOp;
use wattle_types::{ControllerAnswer, ForgetRequest, HostId, stored};

use crate::controller;
use crate::lattice::{Lattice, LatticeArgs};
use crate::output::line;

/// Take a host out of the lattice that will not return.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wattle host forget NC2R…        a host that is lost
  wattle host forget gate-1 --yes    one that is alive: all it runs ends there

What it ran runs elsewhere. A host that returns after that is a new one. One that is alive is told
nothing until it is started again; stop it first, so that others take over before it ends.")]
pub(crate) struct Args {
    /// Its id, or its name while it is alive.
    #[arg(value_name = "NAME|ID")]
    host: String,
    /// Also if it is alive, or not known to be lost.
    #[arg(long)]
    yes: bool,
    /// How long to wait until it is done, in seconds.
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    wait: u64,
    #[command(flatten)]
    lattice: LatticeArgs,
}

/// For the answers of all hosts or controllers.
const WINDOW: Duration = Duration::from_millis(500);

const PAUSE: Duration = Duration::from_millis(200);

pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    let lattice = args.lattice.connect().await?;
    let host = named(&lattice, &args.host).await?;
    let request = stored::encode(&ForgetRequest::new(host, args.yes));
    let until = Instant::now() + Duration::from_secs(args.wait);
    loop {
        // Whoever leads next goes on from what is stored, when it is asked.
        let reports = controller::reports(&lattice, WINDOW).await?;
        let Some(leader) = reports.into_iter().find(|report| report.leads) else {
            if until < Instant::now() {
                bail!("nobody leads; `wattle controller status` says what is wrong");
            }
            continue;
        };
        let subject = Subject::Controller { name: leader.name, op: ControllerOp::ForgetHost };
        let asked = lattice.connection.request(&subject, request.clone().into(), lattice.within);
        let reply = asked.await.context("the controller did not answer")?;
        let answer: ControllerAnswer = stored::decode("an answer", &reply.payload)
            .context("the controller's answer is not one of this protocol")?;
        if answer.done {
            line(&answer.message);
            return Ok(ExitCode::SUCCESS);
        }
        if !answer.underway || until < Instant::now() {
            bail!("{}", answer.message);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn named(lattice: &Lattice, host: &str) -> Result<HostId> {
    if let Ok(id) = host.parse() {
        return Ok(id);
    }
    let hosts = lattice.hosts(WINDOW).await?;
    let mut found = hosts.iter().filter(|known| known.friendly_name == host);
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one.id),
        (Some(_), Some(_)) => bail!("several hosts are called {host}; give the id of one"),
        (None, _) => bail!("no host called {host} answers; give its id"),
    }
}
