//! `wattle up --detach`: starts the same command in the background and waits until it is ready.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::{Args, announce, log_file};
use crate::home::Home;
use crate::local::State;

/// The first start compiles nothing; what is not ready by then waits for something.
const READY_DEADLINE: Duration = Duration::from_secs(30);

pub(super) async fn start(args: &Args, home: &Home) -> Result<()> {
    if let Some(state) = State::of_running(home)? {
        bail!("a lattice runs already, as process {}; `wattle down` ends it", state.pid);
    }
    let log_path = log_file(home)?;
    let log = std::fs::File::create(&log_path)
        .with_context(|| format!("could not write {}", log_path.display()))?;
    let started = Instant::now();
    let mut child = Command::new(std::env::current_exe()?)
        .args(args.again(home))
        // The given server is in the arguments; ours must not be looked for in the environment.
        .env_remove("WATTLE_NATS_URL")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        // A group of its own: Ctrl-C and hang-ups of this terminal are not meant for it.
        .process_group(0)
        .spawn()
        .context("could not start the background process")?;
    while started.elapsed() < READY_DEADLINE {
        if let Some(state) = State::of_running(home)?.filter(|state| state.pid == child.id()) {
            announce(&state, args.nats_url.is_none(), started.elapsed());
            return Ok(());
        }
        if child.try_wait()?.is_some() {
            let log = std::fs::read_to_string(&log_path).unwrap_or_default();
            let last = log.lines().rev().find(|line| line.starts_with("error: "));
            match last.and_then(|line| line.strip_prefix("error: ")) {
                Some(reason) => bail!("{reason}"),
                None => bail!("it ended at once; see {}", log_path.display()),
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bail!("it was not ready within {READY_DEADLINE:?}; see {}", log_path.display())
}
