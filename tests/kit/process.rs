//! A program that runs as long as its story does.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::wait::{Look, wait_until};

/// A running program, with what it says in a file. Killed when dropped, and when the test's thread ends.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program; its output goes to `<name>.log` in `folder`, after what is there already.
    pub fn start(name: &str, program: &Path, arguments: &[String], folder: &Path) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .expect("open the log of a process");
        let child = tied_to_us(program)
            .args(arguments)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("use the log twice"))
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("start {}: {error}", program.display()));
        Self { name: name.to_owned(), child, log }
    }

    /// Everything it has said so far.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(&self.log).expect("read the log of a process");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until it says something, and returns the line.
    pub async fn says(&self, words: &str, deadline: Duration) -> String {
        wait_until(&format!("{} says {words:?}", self.name), deadline, async || {
            let log = self.log();
            let found = log.lines().find(|line| line.contains(words)).map(str::to_owned);
            Look::some(found, || tail(&log))
        })
        .await
    }

    /// Panics once it has ended.
    pub fn pid(&self) -> u32 {
        self.child
            .id()
            .unwrap_or_else(|| panic!("{} has ended; it said:\n{}", self.name, self.log()))
    }

    /// The most memory it has had at one moment, in bytes, by what the kernel says.
    pub fn memory_peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))
            .expect("read what the kernel says of a process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib.expect("a process has a peak, in kB") << 10
    }

    pub fn signal(&self, signal: Signal) {
        let pid =
            i32::try_from(self.pid()).ok().and_then(Pid::from_raw).expect("a process has a pid");
        kill_process(pid, signal).unwrap_or_else(|error| panic!("signal {}: {error}", self.name));
    }

    /// How it ends, within the deadline.
    pub async fn end(&mut self, deadline: Duration) -> ExitStatus {
        match tokio::time::timeout(deadline, self.child.wait()).await {
            Ok(status) => status.expect("wait for a process"),
            Err(_) => {
                panic!("{} did not end within {deadline:?}; it said:\n{}", self.name, self.log())
            }
        }
    }

    /// SIGKILL, and the end of it.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("kill a process");
    }
}

/// As much of a log as helps whoever reads why a story failed.
fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// The program, killed by the kernel when our thread ends, where there is the tool for it.
fn tied_to_us(program: &Path) -> Command {
    let setpriv = Path::new("/usr/bin/setpriv");
    if !setpriv.exists() {
        return Command::new(program);
    }
    let mut command = Command::new(setpriv);
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}
