//! A real nats-server for one test: its own port, its own directory, gone when dropped.
//!
//! The binary is `WATTLE_NATS_SERVER` if set (`cargo xtask setup` says where it put one), else
//! `nats-server` on the path. Everything here panics with a sentence instead of returning an
//! error: without a server the test has failed.

mod cluster;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use wattle_types::LatticeId;

pub use self::cluster::NatsCluster;
use crate::{ConnectConfig, Connection};

/// Long enough for a loaded machine; a server that is well takes 30 ms.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// A nats-server with JetStream on loopback.
#[derive(Debug)]
pub struct NatsServer {
    child: Child,
    port: u16,
    dir: TempDir,
    arguments: Vec<String>,
}

impl NatsServer {
    /// Starts one on a free port.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one on a free port, with further arguments.
    pub fn start_with(arguments: &[&str]) -> Self {
        let arguments: Vec<String> = arguments.iter().map(|one| (*one).to_owned()).collect();
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let child = spawn(dir.path(), -1, &arguments);
        let mut server = Self { child, port: 0, dir, arguments };
        server.port = server.wait_for_port();
        server
    }

    /// A port on which nothing listens, and where [`NatsServer::start_at`] can start one later.
    pub fn free_port() -> u16 {
        let probe = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        probe.local_addr().expect("a bound socket has an address").port()
    }

    /// Starts one on that port.
    pub fn start_at(port: u16) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let child = spawn(dir.path(), port.into(), &[]);
        let mut server = Self { child, port, dir, arguments: Vec::new() };
        assert_eq!(server.wait_for_port(), port, "nats-server listens where it was told to");
        server
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Joins `lattice` as a client.
    pub async fn join(&self, lattice: &LatticeId) -> Connection {
        let config = ConnectConfig::client(self.url(), lattice.clone());
        Connection::connect(config, |_| {}).await.expect("a running server takes connections")
    }

    /// Ends it at once, as a power cut would end the process.
    pub fn kill(&mut self) {
        // Fails only for a process that has ended already.
        let _ = self.child.kill();
        self.child.wait().expect("a child of ours can be waited for");
    }

    /// Kills it, if it still runs, and starts it again on the same port with the same streams.
    pub fn restart(&mut self) {
        self.kill();
        remove_ports_files(self.dir.path());
        self.child = spawn(self.dir.path(), self.port.into(), &self.arguments);
        let port = self.wait_for_port();
        assert_eq!(port, self.port, "nats-server listens where it did before");
    }

    /// As [`NatsServer::restart`], but everything stored is lost.
    pub fn restart_empty(&mut self) {
        self.kill();
        std::fs::remove_dir_all(self.dir.path().join("jetstream"))
            .expect("the server kept its streams there");
        self.restart();
    }

    /// A copy of everything stored, as a backup would have it. The server is down meanwhile.
    pub fn back_up(&mut self) -> TempDir {
        self.kill();
        let backup = tempfile::tempdir().expect("a temporary directory can be made");
        copy(&self.dir.path().join("jetstream"), &backup.path().join("jetstream"));
        self.restart();
        backup
    }

    /// As [`NatsServer::restart`], but what is stored is what the backup has.
    pub fn restart_from(&mut self, backup: &TempDir) {
        self.kill();
        let streams = self.dir.path().join("jetstream");
        std::fs::remove_dir_all(&streams).expect("the server kept its streams there");
        copy(&backup.path().join("jetstream"), &streams);
        self.restart();
    }

    /// Lets it hang: connections stay open, and nothing is answered.
    pub fn pause(&self) {
        self.signal("-STOP");
        // The signal was sent; each thread stops when it is next looked at.
        let until = Instant::now() + READY_WITHIN;
        while !self.is_stopped() {
            assert!(Instant::now() < until, "a stopped process stops");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub fn resume(&self) {
        self.signal("-CONT");
    }

    /// Whether every thread has stopped, as far as this system says so.
    fn is_stopped(&self) -> bool {
        let Ok(threads) = std::fs::read_dir(format!("/proc/{}/task", self.child.id())) else {
            return true;
        };
        threads.flatten().all(|thread| {
            // The state follows the name, which is in brackets and may hold anything.
            let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            stat.rsplit(')').next().is_none_or(|rest| rest.trim_start().starts_with('T'))
        })
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").arg(signal).arg(self.child.id().to_string()).status();
        assert!(sent.is_ok_and(|status| status.success()), "a child of ours can be signalled");
    }

    /// The server writes the file once it listens.
    fn wait_for_port(&mut self) -> u16 {
        let until = Instant::now() + READY_WITHIN;
        loop {
            if let Some(port) = ports_files(self.dir.path()).iter().find_map(|file| port_in(file)) {
                return port;
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("nats-server ended with {status}: {}", log(self.dir.path()));
            }
            assert!(Instant::now() < until, "no port: {}", log(self.dir.path()));
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(dir: &Path, port: i32, arguments: &[String]) -> Child {
    let binary = std::env::var_os("WATTLE_NATS_SERVER").unwrap_or_else(|| "nats-server".into());
    let log = std::fs::File::create(dir.join("log")).expect("a file in our own directory");
    Command::new(&binary)
        .args(["--jetstream", "--addr", "127.0.0.1", "--port", &port.to_string()])
        .arg("--store_dir")
        .arg(dir)
        .arg("--ports_file_dir")
        .arg(dir)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap_or_else(|error| {
            panic!(
                "{binary:?} cannot be started ({error}); `cargo xtask setup` finds or installs it"
            )
        })
}

fn ports_files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).expect("our own directory can be listed");
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "ports")).collect()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder can be made");
    for entry in std::fs::read_dir(from).expect("the server kept its streams there") {
        let entry = entry.expect("a folder of ours can be read");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match from.is_dir() {
            true => copy(&from, &to),
            false => drop(std::fs::copy(from, to).expect("a file can be copied")),
        }
    }
}

fn remove_ports_files(dir: &Path) {
    for file in ports_files(dir) {
        std::fs::remove_file(file).expect("a file in our own directory");
    }
}

/// None while the file is being written.
fn port_in(file: &Path) -> Option<u16> {
    let text = std::fs::read(file).ok()?;
    let ports: serde_json::Value = serde_json::from_slice(&text).ok()?;
    ports["nats"][0].as_str()?.rsplit(':').next()?.parse().ok()
}

fn log(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("log")).unwrap_or_default()
}
