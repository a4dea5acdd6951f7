//! Servers beside ours: how they are told to serve, started, and waited for until they answer.

use std::{net::SocketAddr, path::Path, process::Command, time::Duration};

use anyhow::{Result, bail};

use super::Bench;
use crate::{
    http,
    local::free_address,
    process::{Look, Process},
};

/// A component of 18 MB is compiled first.
const UP_WITHIN: Duration = Duration::from_secs(120);

// What `wasmtime serve` is told, by how its instances serve calls.
pub(super) const DEFAULTS: &[&str] = &["-S", "cli"];
/// Its best for fresh instances: what a slot keeps is as much as ours keep, and cleared as ours is.
pub(super) const TUNED: &[&str] = &[
    "-S",
    "cli",
    "-O",
    "pooling-allocator=y,pooling-memory-keep-resident=2097152,pooling-table-keep-resident=65536,\
     pooling-async-stack-keep-resident=65536,pooling-pagemap-scan=auto",
];
/// One call after another in the same instance.
pub(super) const REUSED: &[&str] = &["-S", "cli", "--max-instance-reuse-count", "128"];
/// Its defaults for WASI 0.3: 128 calls in an instance, 16 of them at once.
pub(super) const REUSED_P3: &[&str] = &["-S", "cli,p3", "-W", "component-model-async"];

/// One that answers; it ends with this.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) url: String,
    _process: Process,
}

impl Server {
    /// `command` gets an address that nobody listens at, where it is to listen; the log is in `folder`.
    pub(super) fn start(
        bench: &Bench<'_>,
        name: &str,
        folder: &Path,
        command: impl FnOnce(SocketAddr) -> Command,
    ) -> Result<Self> {
        let address = free_address()?;
        let mut process = Process::start(name, &command(address), folder)?;
        bench.interrupt.wait_for(&format!("{name} to answer"), UP_WITHIN, || {
            if let Some(status) = process.ended() {
                bail!("{name} ended: {status}\n{}", process.log());
            }
            Ok(match http::get(address, "/", Duration::from_secs(2)) {
                Ok(answer) if answer.status == 200 => Look::Met(()),
                other => Look::NotYet(format!("{other:?}")),
            })
        })?;
        Ok(Self { url: format!("http://{address}/"), _process: process })
    }
}

/// `wasmtime serve` of a component, with these arguments and under this name.
pub(super) fn peer(
    bench: &Bench<'_>,
    program: &Path,
    folder: &Path,
    (name, arguments): (&str, &[&str]),
    component: &Path,
) -> Result<Server> {
    Server::start(bench, name, folder, |address| {
        let mut serve = Command::new(program);
        serve.arg("serve").args(arguments).args(["--addr", &address.to_string()]).arg(component);
        serve
    })
}
