//! A lattice of processes on this machine, in one temporary folder: nats-server, a controller and hosts. All
//! ports are chosen by the system.

mod small;
mod wattle;

use std::{
    collections::BTreeMap,
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) use wattle::{HostView, Wattle};

use crate::{
    process::{Interrupt, Look, Process},
    say::Story,
};

const LATTICE: &str = "demo";

/// Two hosts in a cloud and one at the edge: name and zone.
pub(crate) const THREE_HOSTS: &[(&str, &str)] =
    &[("cloud-1", "cloud"), ("cloud-2", "cloud"), ("edge-1", "edge")];

/// A process that does not come up within this is broken.
const UP_WITHIN: Duration = Duration::from_secs(30);

/// The name of that process.
const CONTROLLER: &str = "controller";

/// Longer than the drain of a host with nothing in flight and nobody who leads.
const STOP_GRACE: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub(crate) struct LocalLattice {
    wattle: Wattle,
    hosts: &'static [(&'static str, &'static str)],
    /// What every host is started with, beside what it needs.
    host_arguments: &'static [&'static str],
    /// The binary of the hosts, if it is another one.
    host_binary: Option<PathBuf>,
    /// In the order in which they are to be stopped: hosts, controller, nats-server.
    processes: Vec<Process>,
    /// Where each host listens for HTTP.
    listeners: BTreeMap<&'static str, SocketAddr>,
    /// Names of processes whose end was told already.
    ended: Vec<String>,
    // Last, so that it goes after everybody who writes into it.
    folder: TempDir,
}

/// Where the actor is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) on: HostView,
    /// A host that does not run it, and its listener.
    pub(crate) elsewhere: (HostView, SocketAddr),
}

impl LocalLattice {
    /// A key that signs components, one that signs decisions, and a trust root that believes in both.
    pub(crate) fn prepare(
        binary: &Path,
        hosts: &'static [(&'static str, &'static str)],
        story: &Story,
    ) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("wattle-demo-")
            .tempdir()
            .context("make a folder for the demo")?;
        let wattle = Wattle {
            binary: binary.to_owned(),
            nats_url: String::new(),
            lattice: LATTICE.to_owned(),
        };
        let local = Self {
            wattle,
            hosts,
            host_arguments: &[],
            host_binary: None,
            processes: Vec::new(),
            listeners: BTreeMap::new(),
            ended: Vec::new(),
            folder,
        };
        let (issuer, controller, trust) =
            (local.path("issuer.nk"), local.path("controller.nk"), local.path("trust.toml"));
        local.wattle.offline(&["keys", "gen", "account"], &[("--output", &issuer)])?;
        local.wattle.offline(&["keys", "gen", "controller"], &[("--output", &controller)])?;
        let trusted: [(&str, &Path); 3] =
            [("--issuer", &issuer), ("--controller", &controller), ("--output", &trust)];
        local.wattle.offline(&["trust", "init"], &trusted)?;
        story.step(format_args!(
            "made a signing key, a controller key and a trust root in {}",
            local.folder.path().display()
        ));
        Ok(local)
    }

    /// The hosts get these arguments too.
    pub(crate) fn with_host_arguments(self, host_arguments: &'static [&'static str]) -> Self {
        Self { host_arguments, ..self }
    }

    /// `nats_config` holds the settings that `wattle up` gives its server as well.
    pub(crate) fn start(
        &mut self,
        nats_server: &Path,
        nats_config: &Path,
        story: &Story,
        interrupt: &Interrupt,
    ) -> Result<()> {
        self.start_nats(nats_server, nats_config, interrupt)?;
        story.step(format_args!("nats-server listens at {}", self.wattle.nats_url));
        let mut controller = self.wattle.command(&["controller"]);
        controller.arg("--key").arg(self.path("controller.nk"));
        controller.arg("--data-dir").arg(self.path("controller"));
        self.spawn(CONTROLLER, &controller)?;
        for (name, zone) in self.hosts {
            self.start_host(name, zone)?;
        }
        let hosts = self.until_joined(interrupt)?;
        self.until_led(interrupt)?;
        story.step("a controller and these hosts are in the lattice:");
        for host in hosts {
            let listener = self.listener(&host.name)?;
            story.detail(format_args!("{:<8} zone={:<6} http://{listener}", host.name, host.zone));
        }
        Ok(())
    }

    /// Waits until all hosts answer.
    fn until_joined(&mut self, interrupt: &Interrupt) -> Result<Vec<HostView>> {
        let count = self.hosts.len();
        interrupt.wait_for("the hosts to join", UP_WITHIN, || {
            self.fail_if_any_ended()?;
            Ok(match self.wattle.hosts() {
                Ok(hosts) if hosts.len() == count => Look::Met(hosts),
                Ok(hosts) => Look::NotYet(format!("{} of {count} hosts", hosts.len())),
                Err(error) => Look::NotYet(format!("{error:#}")),
            })
        })
    }

    /// Waits until the controller leads: before that nothing is decided.
    fn until_led(&mut self, interrupt: &Interrupt) -> Result<()> {
        interrupt.wait_for("the controller to lead", UP_WITHIN, || {
            self.fail_if_any_ended()?;
            Ok(match self.wattle.json(&["controller", "status", "--window", "100"]) {
                Ok(_) => Look::Met(()),
                Err(error) => Look::NotYet(format!("{error:#}")),
            })
        })
    }

    fn start_host(&mut self, name: &'static str, zone: &str) -> Result<()> {
        let listener = free_address()?;
        self.listeners.insert(name, listener);
        let binary = self.host_binary.as_ref().unwrap_or(&self.wattle.binary);
        let wattle = Wattle { binary: binary.clone(), ..self.wattle.clone() };
        let mut host = wattle.command(&["host", "--name", name]);
        host.args(self.host_arguments);
        host.arg("--label").arg(format!("zone={zone}"));
        host.arg("--http-addr").arg(listener.to_string());
        host.arg("--data-dir").arg(self.path(name)).arg("--trust").arg(self.path("trust.toml"));
        self.spawn(name, &host)?;
        Ok(())
    }

    fn start_nats(
        &mut self,
        nats_server: &Path,
        nats_config: &Path,
        interrupt: &Interrupt,
    ) -> Result<()> {
        let folder = self.path("nats");
        fs::create_dir(&folder).context("make a folder for nats-server")?;
        let mut command = Command::new(nats_server);
        command.args(["--addr", "127.0.0.1", "--port", "-1", "--jetstream"]);
        command.arg("--config").arg(nats_config);
        command.arg("--store_dir").arg(&folder).arg("--ports_file_dir").arg(&folder);
        let pid = self.spawn("nats-server", &command)?;
        let ports = folder.join(format!("nats-server_{pid}.ports"));
        self.wattle.nats_url = interrupt.wait_for("nats-server to listen", UP_WITHIN, || {
            self.fail_if_any_ended()?;
            // Absent or incomplete until the server listens.
            let ports: Option<Value> =
                fs::read(&ports).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
            Ok(match ports.as_ref().and_then(|ports| ports["nats"][0].as_str()) {
                Some(url) => Look::Met(url.to_owned()),
                None => Look::NotYet("it has not said where".to_owned()),
            })
        })?;
        Ok(())
    }

    /// Signs a component; the file keeps its name.
    pub(crate) fn signed(&self, component: &Path) -> Result<PathBuf> {
        let signed = self.signed_path(component)?;
        fs::create_dir_all(self.path("signed")).context("make a folder for signed components")?;
        let source = component.to_str().context("the path of the component is text")?;
        let issuer = self.path("issuer.nk");
        let keys: [(&str, &Path); 2] = [("--issuer", &issuer), ("--output", &signed)];
        self.wattle.offline(&["claims", "sign", source], &keys)?;
        Ok(signed)
    }

    /// Where a signed component is.
    pub(crate) fn signed_path(&self, component: &Path) -> Result<PathBuf> {
        let name = component.file_name().context("the component is a file")?;
        Ok(self.folder.path().join("signed").join(name))
    }

    /// A file of this lattice's folder.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.path(name);
        fs::write(&path, text).with_context(|| format!("write {name}"))?;
        Ok(path)
    }

    /// Signs the component, and gives the example's manifest with the signed file as its image.
    pub(crate) fn sign(&self, component: &Path, manifest: &Path, story: &Story) -> Result<PathBuf> {
        let signed = self.signed(component)?;
        story.step("signed the component");
        let text =
            fs::read_to_string(manifest).with_context(|| format!("read {}", manifest.display()))?;
        self.write("wattle.yaml", &with_image(&text, &signed)?)
    }

    /// `wattle app deploy`, which waits until the application runs.
    pub(crate) fn deploy(&self, manifest: &Path, story: &Story) -> Result<()> {
        let manifest = manifest.to_str().context("the path of the manifest is text")?;
        let mut deploy = self.wattle.command(&["app", "deploy", manifest]);
        story.waiting("deploying", || crate::run::output(&mut deploy))?;
        story.step("deployed the manifest");
        Ok(())
    }

    /// Whether the application is deployed, and where its actor runs.
    pub(crate) fn placed(&self, application: &str) -> Result<Look<Placed>> {
        let status = self.wattle.json(&["app", "status", application])?;
        if status["status"]["type"] != "deployed" {
            return Ok(Look::NotYet(format!("its status is {status}")));
        }
        let (mut running, mut others): (Vec<_>, Vec<_>) =
            self.wattle.hosts()?.into_iter().partition(|host| !host.actors.is_empty());
        let (Some(on), None) = (running.pop(), running.pop()) else {
            return Ok(Look::NotYet("it is deployed, and not on exactly one host".to_owned()));
        };
        let other = others.pop().context("a host that does not run the actor is left")?;
        let listener = self.listener(&other.name)?;
        Ok(Look::Met(Placed { on, elsewhere: (other, listener) }))
    }

    /// Where a host listens for HTTP.
    pub(crate) fn listener(&self, name: &str) -> Result<SocketAddr> {
        let known = self.listeners.get(name).copied();
        known.with_context(|| format!("{name} is none of our hosts"))
    }

    pub(crate) fn wattle(&self) -> &Wattle {
        &self.wattle
    }

    pub(crate) fn pid(&self, name: &str) -> Result<u32> {
        let process = self.processes.iter().find(|process| process.name == name);
        Ok(process.with_context(|| format!("{name} is none of our processes"))?.pid())
    }

    pub(crate) fn kill(&mut self, name: &str) -> Result<()> {
        let process = self.processes.iter_mut().find(|process| process.name == name);
        process.with_context(|| format!("{name} is none of our processes"))?.kill();
        self.ended.push(name.to_owned());
        Ok(())
    }

    /// Processes that ended since the last look.
    pub(crate) fn newly_ended(&mut self) -> Vec<(String, ExitStatus)> {
        let ended: Vec<(String, ExitStatus)> = self
            .processes
            .iter_mut()
            .filter(|process| !self.ended.contains(&process.name))
            .filter_map(|process| Some((process.name.clone(), process.ended()?)))
            .collect();
        self.ended.extend(ended.iter().map(|(name, _)| name.clone()));
        ended
    }

    fn fail_if_any_ended(&mut self) -> Result<()> {
        let ended = self.newly_ended();
        ensure!(ended.is_empty(), "{} ended: {}", ended[0].0, ended[0].1);
        Ok(())
    }

    /// What the processes said last: the folder with their logs goes with us.
    pub(crate) fn explain(&self, story: &Story) {
        for process in self.processes.iter().rev() {
            story.bad(format_args!("the end of the log of {}:\n{}", process.name, process.log()));
        }
    }

    /// Stops controller, hosts and server in this order: while somebody leads, a host that leaves waits
    /// for others to take over, and there will be none.
    pub(crate) fn stop(mut self, story: &Story) -> Result<()> {
        let mut failed = None;
        self.processes.sort_by_key(|process| process.name != CONTROLLER);
        for mut process in self.processes.drain(..) {
            let was_killed = self.ended.contains(&process.name);
            match process.stop(STOP_GRACE) {
                Ok(status) if status.success() || was_killed || process.name == "nats-server" => {}
                Ok(status) => failed = Some(format!("{} left with {status}", process.name)),
                Err(error) => failed = Some(format!("{error:#}")),
            }
        }
        match failed {
            None => story.step("everything has ended"),
            Some(failed) => anyhow::bail!(failed),
        }
        Ok(())
    }

    fn spawn(&mut self, name: &str, command: &Command) -> Result<u32> {
        let process = Process::start(name, command, self.folder.path())?;
        let pid = process.pid();
        self.processes.insert(0, process);
        Ok(pid)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// One that nobody listens at; the system chose it.
pub(crate) fn free_address() -> Result<SocketAddr> {
    let probe = TcpListener::bind("127.0.0.1:0").context("choose a port")?;
    Ok(probe.local_addr()?)
}

/// The manifest with another image in the place of its own; it has exactly one.
fn with_image(manifest: &str, image: &Path) -> Result<String> {
    let is_image = |line: &&str| line.trim_start().trim_start_matches("- ").starts_with("image:");
    ensure!(
        manifest.lines().filter(is_image).count() == 1,
        "the example's manifest has exactly one image"
    );
    let lines = manifest.lines().map(|line| {
        if !is_image(&line) {
            return line.to_owned();
        }
        let (before, _) = line.split_once("image:").expect("the line was chosen for its image");
        format!("{before}image: file://{}", image.display())
    });
    Ok(lines.collect::<Vec<_>>().join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_of_the_manifest_is_replaced_in_its_place() {
        let manifest = "spec:\n  components:\n    - name: counter\n      properties:\n        image: ./a.wasm\n";
        let expected = "spec:\n  components:\n    - name: counter\n      properties:\n        image: file:///b/c.wasm\n";
        assert_eq!(with_image(manifest, Path::new("/b/c.wasm")).unwrap(), expected);
        assert!(with_image("spec: {}\n", Path::new("/b")).is_err());
    }
}
