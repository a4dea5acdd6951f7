//! Programs that run as long as a task does, and not a moment longer.
//!
//! Each is in a process group of its own, so that a Ctrl-C reaches us alone and we end them in order; each is
//! ended by its pid, and the kernel kills it if we die without having done so.

use std::{
    fs::File,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::run;

/// How often a condition is looked at again; benchmarks read times off it.
const POLL: Duration = Duration::from_millis(2);

/// A running program, killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program whose output goes to a file of its name in `folder`.
    ///
    /// Call it from the main thread: the kernel takes the end of the calling thread for ours.
    pub(crate) fn start(name: &str, command: &Command, folder: &Path) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log).with_context(|| format!("write {}", log.display()))?;
        let mut command = tied_to_us(command);
        command.process_group(0).stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("start {name}"))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    pub(crate) fn log(&self) -> String {
        run::tail(&self.log)
    }

    /// SIGKILL: it gets no chance to say goodbye.
    pub(crate) fn kill(&mut self) {
        // Both fail only if it has ended already, which is what we want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, and SIGKILL if that did not help within `grace`.
    pub(crate) fn stop(&mut self, grace: Duration) -> Result<ExitStatus> {
        if let Some(status) = self.ended() {
            return Ok(status);
        }
        let pid = i32::try_from(self.pid())
            .ok()
            .and_then(Pid::from_raw)
            .context("a process has a pid")?;
        kill_process(pid, Signal::TERM).with_context(|| format!("stop {}", self.name))?;
        let deadline = Instant::now() + grace;
        while Instant::now() < deadline {
            if let Some(status) = self.ended() {
                return Ok(status);
            }
            thread::sleep(POLL);
        }
        self.kill();
        bail!("{} did not stop within {} s and was killed", self.name, grace.as_secs())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The same command, killed by the kernel when our main thread ends. Where the tool for it is missing (it is
/// part of every Linux, and of nothing else), only an orderly end of ours ends the command.
fn tied_to_us(command: &Command) -> Command {
    let Some(setpriv) = run::on_path("setpriv") else {
        return copy(command, Command::new(command.get_program()));
    };
    let mut tied = Command::new(setpriv);
    tied.args(["--pdeathsig", "KILL", "--"]).arg(command.get_program());
    copy(command, tied)
}

fn copy(from: &Command, mut to: Command) -> Command {
    to.args(from.get_args());
    for (name, value) in from.get_envs() {
        match value {
            Some(value) => to.env(name, value),
            None => to.env_remove(name),
        };
    }
    if let Some(folder) = from.get_current_dir() {
        to.current_dir(folder);
    }
    to
}

/// What a look at a condition found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Look<T> {
    Met(T),
    /// What there was instead, for the person who waits in vain.
    NotYet(String),
}

/// Whether somebody asked us to stop: Ctrl-C, or a polite signal.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

/// Somebody asked us to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

impl Interrupt {
    /// From now on those signals end nothing by themselves.
    pub(crate) fn listen() -> Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
            signal_hook::flag::register(signal.as_raw(), Arc::clone(&flag))
                .context("listen for Ctrl-C")?;
        }
        Ok(Self(flag))
    }

    pub(crate) fn was_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Looks at a condition until it is met, and no longer than `patience`. An error ends it at once.
    pub(crate) fn wait_for<T>(
        &self,
        what: &str,
        patience: Duration,
        mut condition: impl FnMut() -> Result<Look<T>>,
    ) -> Result<T> {
        let deadline = Instant::now() + patience;
        loop {
            let seen = match condition()? {
                Look::Met(found) => return Ok(found),
                Look::NotYet(seen) => seen,
            };
            if self.was_asked() {
                return Err(Interrupted.into());
            }
            if deadline <= Instant::now() {
                bail!("waited {} s for {what}; seen last: {seen}", patience.as_secs());
            }
            thread::sleep(POLL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(folder: &Path) -> Process {
        Process::start("sleeper", Command::new("sleep").arg("600"), folder).unwrap()
    }

    fn runs(pid: u32) -> bool {
        Path::new("/proc").join(pid.to_string()).exists()
    }

    #[test]
    fn a_process_does_not_outlive_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let process = sleeper(folder.path());
        let pid = process.pid();
        assert!(runs(pid));
        drop(process);
        assert!(!runs(pid));
    }

    #[test]
    fn a_polite_stop_ends_a_process_by_sigterm() {
        use std::os::unix::process::ExitStatusExt;
        let folder = tempfile::tempdir().unwrap();
        let status = sleeper(folder.path()).stop(Duration::from_secs(10)).unwrap();
        assert_eq!(status.signal(), Some(Signal::TERM.as_raw()));
    }

    #[test]
    fn a_condition_that_is_never_met_is_named_with_what_was_seen_last() {
        let interrupt = Interrupt(Arc::default());
        let sun = || Ok(Look::<()>::NotYet("the sun shines".to_owned()));
        let error = interrupt.wait_for("rain", Duration::ZERO, sun).unwrap_err();
        assert_eq!(error.to_string(), "waited 0 s for rain; seen last: the sun shines");
    }

    #[test]
    fn a_wait_ends_when_somebody_asks_to_stop() {
        let interrupt = Interrupt(Arc::new(AtomicBool::new(true)));
        let never = || Ok(Look::<()>::NotYet(String::new()));
        let error = interrupt.wait_for("rain", Duration::from_secs(600), never).unwrap_err();
        assert!(error.is::<Interrupted>());
    }
}
