//! nats-server as a managed child: found, started on loopback, ended with us.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use tokio::process::{Child, Command};

/// The settings that `wattle up` needs and flags cannot say.
const CONFIG: &str = include_str!("../../deploy/nats/local.conf");

/// A server that does not listen by then will not.
const START_DEADLINE: Duration = Duration::from_secs(10);
const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// A running nats-server. Ended by [`NatsServer::stop`]; killed if that is never called, also
/// when this process is killed.
#[derive(Debug)]
pub(crate) struct NatsServer {
    child: Child,
    url: String,
}

impl NatsServer {
    /// Starts one that keeps its streams in `dir`; `port` 0 lets the system choose.
    pub(crate) async fn start(dir: &Path, port: u16) -> Result<Self> {
        let program = find()?;
        let config = dir.join("nats-server.conf");
        let log = dir.join("nats-server.log");
        std::fs::write(&config, CONFIG)
            .with_context(|| format!("could not write {}", config.display()))?;
        let port_flag = if port == 0 { "-1".to_owned() } else { port.to_string() };
        let mut command = Command::new(&program);
        command
            .args(["--addr", "127.0.0.1", "--port", &port_flag, "--jetstream"])
            .arg("--config")
            .arg(&config)
            .arg("--store_dir")
            .arg(dir)
            .arg("--ports_file_dir")
            .arg(dir)
            .arg("--log")
            .arg(&log)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C in a terminal goes to the whole group; the server must outlive our drain.
            .process_group(0)
            .kill_on_drop(true);
        die_with_us(&mut command);
        let mut child =
            command.spawn().with_context(|| format!("could not start {}", program.display()))?;
        let pid = child.id().context("nats-server ended at once")?;
        let ports = dir.join(format!("nats-server_{pid}.ports"));
        let listening = tokio::time::timeout(START_DEADLINE, listening_url(&ports));
        tokio::select! {
            url = listening => {
                let url = url.with_context(|| format!(
                    "nats-server did not listen within {START_DEADLINE:?}; see {}", log.display()
                ))?;
                Ok(Self { child, url })
            }
            _ = child.wait() => bail!("{}", why_it_ended(&log, port)),
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// None once it has ended.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Lets it write what it has, and waits for its end.
    pub(crate) async fn stop(mut self) -> Result<()> {
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) {
            let pid =
                rustix::process::Pid::from_raw(pid).context("nats-server has no process id")?;
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        }
        let ended = tokio::time::timeout(STOP_DEADLINE, self.child.wait()).await;
        ended.with_context(|| format!("nats-server did not end within {STOP_DEADLINE:?}"))??;
        Ok(())
    }

    /// Completes when the server has ended by itself.
    pub(crate) async fn ended(&mut self) {
        // Whether it exited or cannot be waited for, it is not there any more.
        let _ = self.child.wait().await;
    }
}

/// The kernel kills the server when this process ends, however it ends.
fn die_with_us(command: &mut Command) {
    let set = || {
        let signal = Some(rustix::process::Signal::KILL);
        Ok(rustix::process::set_parent_process_death_signal(signal)?)
    };
    // SAFETY: runs between fork and exec and makes one system call, which is async-signal-safe.
    #[expect(unsafe_code)]
    unsafe {
        command.pre_exec(set);
    }
}

/// The server writes this file once it listens; until then it is absent or incomplete.
async fn listening_url(ports_file: &Path) -> String {
    #[derive(Deserialize)]
    struct Ports {
        nats: Vec<String>,
    }
    loop {
        let ports = std::fs::read(ports_file).ok();
        let ports = ports.and_then(|bytes| serde_json::from_slice::<Ports>(&bytes).ok());
        if let Some(url) = ports.and_then(|ports| ports.nats.into_iter().next()) {
            return url;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn why_it_ended(log: &Path, port: u16) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    if text.contains("address already in use") {
        return format!(
            "port {port} is taken, perhaps by another nats-server; use that one with \
             `--nats-url nats://127.0.0.1:{port}`, or choose another port with `--nats-port`"
        );
    }
    let last = text.lines().rev().find(|line| line.contains("[FTL]") || line.contains("[ERR]"));
    format!(
        "nats-server ended at once: {} (see {})",
        last.unwrap_or("no reason given"),
        log.display()
    )
}

/// The server named by `WATTLE_NATS_SERVER`, the one on `PATH`, or the one that
/// `cargo xtask setup` installed.
fn find() -> Result<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(named) = set("WATTLE_NATS_SERVER").map(PathBuf::from) {
        ensure!(
            named.is_file(),
            "WATTLE_NATS_SERVER is {}, and there is no such file",
            named.display()
        );
        return Ok(named);
    }
    let on_path = std::env::split_paths(&set("PATH").unwrap_or_default())
        .map(|dir| dir.join("nats-server"))
        .find(|path| path.is_file());
    if let Some(found) = on_path {
        return Ok(found);
    }
    let cache = set("WATTLE_CACHE").map(PathBuf::from).or_else(|| {
        let cache = set("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| Some(PathBuf::from(set("HOME")?).join(".cache")));
        Some(cache?.join("wattle"))
    });
    let installed = cache.map(|cache| cache.join("tools/nats-venv/bin/nats-server"));
    if let Some(found) = installed.filter(|path| path.is_file()) {
        return Ok(found);
    }
    bail!(
        "nats-server 2.12 or newer was not found; three ways to get it:\n  \
         put it on PATH,\n  \
         name it by WATTLE_NATS_SERVER,\n  \
         or use a server that runs already: --nats-url nats://HOST:PORT"
    )
}
