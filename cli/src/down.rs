//! `wattle down`: end the lattice that `wattle up --detach` started.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::home::HomeArgs;
use crate::local::State;
use crate::output::line;

/// End the lattice that `wattle up --detach` started; requests in flight finish first.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    home: HomeArgs,
}

/// A little more than `wattle up` gives its own parts.
const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) async fn run(args: Args) -> Result<()> {
    let home = args.home.open()?;
    let Some(state) = State::of_running(&home)? else {
        line("no lattice runs from this data folder");
        return Ok(());
    };
    let pid = i32::try_from(state.pid).ok().and_then(Pid::from_raw);
    let pid = pid.context("the state file holds no process id")?;
    kill_process(pid, Signal::TERM).context("could not ask it to stop")?;
    let ended = tokio::task::spawn_blocking(move || State::wait_for_end(&home));
    match tokio::time::timeout(DEADLINE, ended).await {
        Ok(ended) => ended??,
        Err(_) => bail!("process {} did not end within {DEADLINE:?}; see its log", state.pid),
    }
    line(format_args!("lattice {} is down", state.lattice));
    Ok(())
}
