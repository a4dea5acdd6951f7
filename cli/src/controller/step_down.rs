//! `wattle controller step-down`: before a controller is updated, or to see that another can lead.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use wattle_lattice::Subject;
use wattle_lattice::subject::ControllerOp;
use wattle_types::{ControllerAnswer, Token, stored};

use super::status;
use crate::lattice::LatticeArgs;
use crate::output::{complain, line};

/// Let another controller lead.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wattle controller step-down            whoever leads
  wattle controller step-down ctl-a      only if that one leads

What runs goes on. The one that stepped down takes the lease again if nobody else does.")]
pub(crate) struct Args {
    /// Which controller [default: the one that leads].
    name: Option<Token>,
    #[command(flatten)]
    lattice: LatticeArgs,
}

/// For the answers of all controllers.
const WINDOW: Duration = Duration::from_millis(500);

pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    let lattice = args.lattice.connect().await?;
    let before = status::reports(&lattice, WINDOW).await?;
    let leads = before.iter().find(|report| report.leads).map(|report| report.name.clone());
    let name = match args.name.or(leads) {
        Some(name) => name,
        None => bail!("nobody leads; `wattle controller status` says what is wrong"),
    };
    let subject = Subject::Controller { name: name.clone(), op: ControllerOp::StepDown };
    let asked = lattice.connection.request(&subject, Bytes::new(), lattice.within).await;
    let reply = asked.with_context(|| format!("controller {name} did not answer"))?;
    let answer: ControllerAnswer = stored::decode("an answer", &reply.payload)
        .context("the controller's answer is not one of this protocol")?;
    if !answer.done {
        bail!("{name}: {}", answer.message);
    }
    complain(format_args!("{name}: {}", answer.message));
    let until = Instant::now() + lattice.within;
    loop {
        let now = status::reports(&lattice, WINDOW).await?;
        match now.iter().find(|report| report.leads) {
            Some(leader) => {
                line(format_args!("{} leads with epoch {}", leader.name, leader.epoch));
                return Ok(ExitCode::SUCCESS);
            }
            None if until < Instant::now() => {
                bail!("nobody leads yet; `wattle controller status` says what is wrong")
            }
            None => {}
        }
    }
}
