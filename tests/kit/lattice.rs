//! A lattice of processes: nats-server, controllers, and hosts with names and zones.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use wattle_lattice::testing::NatsCluster;
use wattle_trust::KeyPair;

use crate::{
    binary::{Said, binary},
    component::Component,
    process::Process,
    wait::{Look, wait_until},
};

/// In debug builds, with everything else that runs on the machine.
const UP_WITHIN: Duration = Duration::from_secs(60);

const NAME: &str = "story";

/// How much of what there is one of in the smallest lattice.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// NATS nodes; with three of them, the store has three copies.
    pub nodes: usize,
    pub controllers: usize,
}

impl Shape {
    pub const SMALLEST: Self = Self { nodes: 1, controllers: 1 };
}

/// Ended when dropped: hosts first, the servers last, and then their folder.
#[derive(Debug)]
pub struct Lattice {
    pub hosts: BTreeMap<String, Host>,
    /// Named `controller-0` and so on.
    pub controllers: Vec<Process>,
    pub nats: NatsCluster,
    issuer: KeyPair,
    folder: TempDir,
}

#[derive(Debug)]
pub struct Host {
    pub process: Process,
    /// Where it listens for HTTP.
    pub listener: SocketAddr,
    zone: String,
}

impl Lattice {
    /// Starts everything and waits until all of the hosts, given by name and zone, have joined.
    pub async fn start(hosts: &[(&str, &str)]) -> Self {
        Self::start_with(hosts, |_| Vec::new()).await
    }

    /// The same; the hosts get more flags, which may name files that `flags` writes into the folder.
    pub async fn start_with(
        hosts: &[(&str, &str)],
        flags: impl FnOnce(&Path) -> Vec<String>,
    ) -> Self {
        Self::start_as(Shape::SMALLEST, hosts, flags).await
    }

    /// The same in another shape.
    pub async fn start_as(
        shape: Shape,
        hosts: &[(&str, &str)],
        flags: impl FnOnce(&Path) -> Vec<String>,
    ) -> Self {
        let folder = tempfile::tempdir().expect("make a folder for the lattice");
        let home = folder.path();
        let issuer = home.join("issuer.nk");
        for (kind, file) in [("account", &issuer), ("controller", &home.join("controller.nk"))] {
            let file = file.as_os_str();
            Said::by(
                home,
                ["keys".as_ref(), "gen".as_ref(), kind.as_ref(), "--output".as_ref(), file],
            )
            .await
            .fine();
        }
        trust(home, &issuer).await;
        let seed = fs::read_to_string(&issuer).expect("read the key that was made");
        let issuer = KeyPair::from_seed(&seed).expect("the key that was made is one");
        let nats = NatsCluster::start(shape.nodes).await;
        let flags = flags(home);
        let controllers = (0..shape.controllers)
            .map(|index| start_controller(index, shape.nodes, &nats.url(), home))
            .collect();
        let hosts = hosts
            .iter()
            .map(|(name, zone)| {
                let copies = ["--data-replicas".to_owned(), shape.nodes.to_string()];
                let flags = [&flags[..], &copies].concat();
                let host = Host::start_with(name, zone, &nats.url(), home, &flags);
                ((*name).to_owned(), host)
            })
            .collect();
        let lattice = Self { hosts, controllers, nats, issuer, folder };
        lattice.until_joined(lattice.hosts.len()).await;
        lattice.until_led().await;
        lattice
    }

    /// Waits until a controller leads: before that nothing can be changed.
    pub async fn until_led(&self) {
        wait_until("a controller leads", UP_WITHIN, async || {
            let said = self.wattle(["controller", "status", "--window", "100"]).await;
            Look::some((said.code == Some(0)).then_some(()), || {
                format!("{said:?}; {}", self.logs())
            })
        })
        .await;
    }

    /// Waits until so many hosts answer.
    pub async fn until_joined(&self, count: usize) {
        wait_until(&format!("{count} hosts answer"), UP_WITHIN, async || {
            let said = self.wattle(["get", "hosts", "-o", "json"]).await;
            let hosts = serde_json::from_str::<Value>(&said.out).ok();
            let found = hosts.and_then(|hosts| hosts.as_array().map(Vec::len));
            Look::some(found.filter(|found| *found == count), || {
                format!("{said:?}; {}", self.logs())
            })
        })
        .await;
    }

    /// A subcommand that speaks to this lattice.
    pub async fn wattle<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Said {
        let url = self.nats.url();
        let mut all: Vec<_> = arguments.into_iter().map(|word| word.as_ref().to_owned()).collect();
        all.extend(["--nats-url", &url, "--lattice", NAME].map(Into::into));
        Said::by(self.folder.path(), all).await
    }

    /// A subcommand that does not end by itself; what it says is in its log.
    pub fn process(&self, name: &str, arguments: &[&str]) -> Process {
        let mut all: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
        let home = text(&self.folder.path().join("wattle"));
        all.extend(
            ["--nats-url", &self.nats.url(), "--lattice", NAME, "--data-dir", &home]
                .map(str::to_owned),
        );
        Process::start(name, binary(), &all, self.folder.path())
    }

    /// The folder of everybody's keys, logs and data.
    pub fn home(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file where every process of the lattice can read it.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).expect("write into the folder of the lattice");
        path
    }

    /// Where to fetch these bytes, as they are.
    pub fn image(&self, name: &str, component: &Component) -> String {
        format!("file://{}", self.file(&format!("{name}.wasm"), &component.0).display())
    }

    /// Where to fetch this component, signed by an issuer that the hosts trust.
    pub fn signed(&self, name: &str, component: &Component) -> String {
        self.image(name, &component.signed(name, &self.issuer))
    }

    /// `wattle app deploy`, without waiting until it runs.
    pub async fn deploy(&self, manifest: &Value) -> Said {
        let name = manifest["metadata"]["name"].as_str().expect("a manifest names its application");
        let file = self.file(&format!("{name}.json"), manifest.to_string());
        self.wattle(["app".as_ref(), "deploy".as_ref(), "--no-wait".as_ref(), file.as_os_str()])
            .await
    }

    /// Deploys a manifest as this version, and waits until it runs.
    pub async fn deployed(&self, manifest: &mut Value, version: &str) {
        manifest["metadata"]["annotations"]["version"] = version.into();
        self.deploy(manifest).await.fine();
        let app = manifest["metadata"]["name"].as_str().expect("a manifest has a name").to_owned();
        self.until_status(&app, "deployed").await;
    }

    /// What `wattle app status` says, as JSON.
    pub async fn status(&self, app: &str) -> Value {
        let said = self.wattle(["app", "status", app, "-o", "json"]).await;
        // An application that failed is told by the exit code as well.
        serde_json::from_str(&said.out).unwrap_or_else(|_| json!({"unanswered": said.err}))
    }

    /// Waits until an application has a status.
    pub async fn until_status(&self, app: &str, wanted: &str) -> Value {
        wait_until(&format!("{app} is {wanted}"), UP_WITHIN, async || {
            let status = self.status(app).await;
            let met = status["status"]["type"] == wanted;
            Look::some(met.then(|| status.clone()), || format!("{status}; {}", self.logs()))
        })
        .await
    }

    /// The names of the hosts that run an actor, by what they say themselves.
    pub async fn hosts_of(&self, actor: &str) -> Vec<String> {
        let inventory = self.wattle(["get", "inventory", "-o", "json"]).await.json();
        let hosts = inventory.as_array().expect("an inventory is a list").iter();
        let runs = |host: &&Value| {
            let actors = host["components"].as_array().expect("a host lists its actors");
            actors.iter().any(|known| known["id"] == actor)
        };
        hosts
            .filter(runs)
            .map(|host| host["friendly_name"].as_str().expect("a host has a name").to_owned())
            .collect()
    }

    /// Starts a controller again that has ended; what it keeps on disk is still there.
    pub fn restart_controller(&mut self, index: usize) {
        let nodes = self.nats.nodes.len();
        self.controllers[index] =
            start_controller(index, nodes, &self.nats.url(), self.folder.path());
    }

    /// Starts a host again that has ended, with what it had on disk.
    pub fn restart_host(&mut self, name: &str) {
        let zone = self.host(name).zone.clone();
        let copies = ["--data-replicas".to_owned(), self.nats.nodes.len().to_string()];
        let host = Host::start_with(name, &zone, &self.nats.url(), self.folder.path(), &copies);
        self.hosts.insert(name.to_owned(), host);
    }

    pub fn host(&self, name: &str) -> &Host {
        self.hosts.get(name).unwrap_or_else(|| panic!("there is no host {name}"))
    }

    pub fn host_mut(&mut self, name: &str) -> &mut Host {
        self.hosts.get_mut(name).unwrap_or_else(|| panic!("there is no host {name}"))
    }

    /// What all processes said, for the message of a story that fails.
    pub fn logs(&self) -> String {
        let hosts =
            self.hosts.iter().map(|(name, host)| format!("{name}:\n{}", host.process.log()));
        let controllers = self.controllers.iter().enumerate();
        let controllers =
            controllers.map(|(index, process)| format!("controller-{index}:\n{}\n", process.log()));
        controllers.chain(hosts).collect()
    }
}

impl Host {
    /// Starts a host; whether it joins is another question. `home` has the trust file of [`trust`].
    pub fn start(name: &str, zone: &str, nats_url: &str, home: &Path) -> Self {
        Self::start_with(name, zone, nats_url, home, &[])
    }

    fn start_with(name: &str, zone: &str, nats_url: &str, home: &Path, more: &[String]) -> Self {
        let listener = free_address();
        let arguments = [
            "host",
            "--name",
            name,
            "--label",
            &format!("zone={zone}"),
            "--nats-url",
            nats_url,
            "--lattice",
            NAME,
            "--http-addr",
            &listener.to_string(),
            "--data-dir",
            &text(&home.join(name)),
            "--trust",
            &text(&home.join("trust.toml")),
        ];
        let arguments = [&arguments.map(str::to_owned), more].concat();
        let process = Process::start(name, binary(), &arguments, home);
        Self { process, listener, zone: zone.to_owned() }
    }
}

/// Writes `trust.toml`, which believes this issuer and the controller in `controller.nk`.
async fn trust(home: &Path, issuer: &Path) {
    let (issuer, controller, output) =
        (text(issuer), text(&home.join("controller.nk")), text(&home.join("trust.toml")));
    let files = ["--issuer", &issuer, "--controller", &controller, "--output", &output];
    Said::by(home, [&["trust", "init"], &files[..]].concat()).await.fine();
}

fn start_controller(index: usize, nodes: usize, nats_url: &str, home: &Path) -> Process {
    let name = format!("controller-{index}");
    let mut arguments = controller_arguments(nats_url, home, &name);
    arguments.extend(["--name".to_owned(), name.clone()]);
    arguments.extend(["--replicas".to_owned(), nodes.to_string()]);
    Process::start(&name, binary(), &arguments, home)
}

/// The arguments of a controller whose key is in `home`, and its data in a folder there.
pub fn controller_arguments(nats_url: &str, home: &Path, folder: &str) -> Vec<String> {
    [
        "controller",
        "--nats-url",
        nats_url,
        "--lattice",
        NAME,
        "--key",
        &text(&home.join("controller.nk")),
        "--data-dir",
        &text(&home.join(folder)),
    ]
    .map(str::to_owned)
    .to_vec()
}

/// An address that nobody listens at.
pub fn free_address() -> SocketAddr {
    let probe = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    probe.local_addr().expect("a bound socket has an address")
}

fn text(path: &Path) -> String {
    path.to_str().expect("the path of a temporary folder is text").to_owned()
}

/// A trait of the source: its calls through these interfaces go to another component of the manifest.
pub fn link(target: &str, (namespace, package): (&str, &str), interfaces: &[&str]) -> Value {
    json!({"type": "link", "properties": {
        "namespace": namespace, "package": package, "interfaces": interfaces,
        "target": {"name": target},
    }})
}

/// A manifest of components given by name, image and, where they answer requests, path.
pub fn manifest(app: &str, components: &[(&str, &str, Option<&str>)]) -> Value {
    let components = components.iter().map(|(name, image, path)| {
        let scaler = json!({"type": "spreadscaler", "properties": {"instances": 1}});
        let route = path.map(|path| json!({"type": "http", "properties": {"path": path}}));
        let traits: Vec<Value> = [Some(scaler), route].into_iter().flatten().collect();
        json!({"name": name, "type": "component", "properties": {"image": image}, "traits": traits})
    });
    json!({
        "apiVersion": "core.oam.dev/v1beta1",
        "kind": "Application",
        "metadata": {"name": app, "annotations": {"version": "v1"}},
        "spec": {"components": components.collect::<Vec<_>>()},
    })
}
