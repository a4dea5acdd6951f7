//! One host with everybody on it: the neighbour, the attackers, and a server they may ask.

use std::{net::SocketAddr, time::Duration};

use serde_json::{Value, json};
use wattle_lattice::{ConnectConfig, Connection};
use wattle_tests::{
    Component, Lattice, Look, callers::add_trait, guest, link, manifest, wait_until,
};

use crate::{
    bombs::Bomb,
    cases::{self, By, Case},
    component,
    sink::Sink,
};

pub(crate) const APP: &str = "hostile";

/// Who is asked as the well-behaved one.
pub(crate) const NEIGHBOUR: &str = "neighbour.test";

/// How long attackers may run; those that end by themselves get more, because a busy machine is slow.
pub(crate) const BRIEF: Duration = Duration::from_secs(1);
pub(crate) const PATIENT: Duration = Duration::from_secs(8);

/// In debug builds, with everything else that runs on the machine.
const WITHIN: Duration = Duration::from_secs(60);

/// Spellings of places that no host reaches; the manifest asks for all of them.
const FORBIDDEN: [&str; 10] = [
    "2130706433",
    "0x7f.1",
    "127.1",
    "0177.0.0.1",
    "127.0.0.1",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "169.254.169.254",
    "metadata.google.internal",
    "localhost",
];

pub(crate) struct Stage {
    pub(crate) lattice: Lattice,
    pub(crate) sink: Sink,
    /// For calls of functions.
    pub(crate) connection: Connection,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let sink = Sink::start().await;
        let allowed = sink.address.to_string();
        let flags = vec!["--outbound".to_owned(), allowed.clone()];
        let lattice = Lattice::start_with(&[("one", "a")], |_| flags).await;
        let lattice_id = "story".parse().expect("the name of the lattice");
        let config = ConnectConfig::client(lattice.nats.url(), lattice_id);
        let connection = Connection::connect(config, |_| {}).await.expect("NATS is there");
        let stage = Self { lattice, sink, connection };
        stage.lattice.deployed(&mut stage.application(&allowed), "v1").await;
        stage
    }

    pub(crate) fn door(&self) -> SocketAddr {
        self.lattice.host("one").listener
    }

    pub(crate) fn pid(&self) -> u32 {
        self.lattice.host("one").process.pid()
    }

    pub(crate) fn log_of_host(&self) -> String {
        self.lattice.host("one").process.log()
    }

    /// Everybody, each at a name of its own.
    fn application(&self, allowed: &str) -> Value {
        let signed = |name: &str, component: &Component| self.lattice.signed(name, component);
        let attacker = signed("attacker", &guest("hostile"));
        let modern = signed("modern", &guest("hostile-p3"));
        let neighbour = signed("neighbour", &guest("http-hello"));
        let callee = signed("answers", &component::callee());
        let modules: Vec<(&str, String)> = cases::all()
            .filter(|case| matches!(case.by, By::Module))
            .map(|case| (case.id, signed(case.id, &component::module(case.id))))
            .collect();
        let mut all = vec![("neighbour", neighbour.as_str()), ("answers", callee.as_str())];
        let attackers = [
            "brief",
            "patient",
            "asker",
            "caller",
            "flood",
            "crowd",
            "circle",
            "circle-back",
            "again",
        ];
        all.extend(attackers.map(|name| (name, attacker.as_str())));
        let modern_ones = ["modern", "modern-patient", "together"];
        all.extend(modern_ones.map(|name| (name, modern.as_str())));
        all.extend(modules.iter().map(|(id, image)| (*id, image.as_str())));

        let plain: Vec<_> = all.iter().map(|(name, image)| (*name, *image, None)).collect();
        let mut app = manifest(APP, &plain);
        for (name, _) in &all {
            let limit = if is_patient(name) { PATIENT } else { BRIEF };
            let limits = json!({"execution": format!("{}s", limit.as_secs())});
            add_trait(&mut app, name, json!({"type": "limits", "properties": limits}));
            // The callee is called by its functions.
            if *name != "answers" {
                let route = json!({"host": format!("{name}.test")});
                add_trait(&mut app, name, json!({"type": "http", "properties": route}));
            }
        }
        for name in ["asker", "caller", "flood", "crowd"] {
            let hosts: Vec<&str> = FORBIDDEN.into_iter().chain([allowed]).collect();
            let outbound = json!({"type": "outbound", "properties": {"hosts": hosts}});
            add_trait(&mut app, name, outbound);
        }
        for (name, policy) in [("again", "reused"), ("together", "concurrent")] {
            let instances = json!({"type": "instances", "properties": {"policy": policy}});
            add_trait(&mut app, name, instances);
        }
        for (from, to) in [("circle", "circle-back"), ("circle-back", "circle")] {
            add_trait(&mut app, from, link(to, ("wasi", "http"), &["outgoing-handler"]));
        }
        app
    }

    /// Deploys files that must not run, each as an application of its own, and waits until the status
    /// of each says why. Gives what they said.
    pub(crate) async fn offer(&self, files: &[(&Case, Bomb)]) -> Vec<String> {
        let images: Vec<String> = files
            .iter()
            .map(|(case, bomb)| {
                let component = Component(bomb.bytes.clone());
                match bomb.signed {
                    true => self.lattice.signed(case.id, &component),
                    false => self.lattice.image(case.id, &component),
                }
            })
            .collect();
        let all = files.iter().zip(&images).map(|((case, _), image)| (case.id, &**image, None));
        let app = manifest("files", &all.collect::<Vec<_>>());
        self.lattice.deploy(&app).await.fine();
        let mut said = Vec::new();
        for (case, _) in files {
            let what = format!("the status says why {} does not run", case.id);
            let why = wait_until(&what, WITHIN, async || {
                let status = self.lattice.status("files").await;
                Look::some(message(&status, case.id), || status.to_string())
            });
            said.push(why.await);
        }
        said
    }
}

fn is_patient(name: &str) -> bool {
    matches!(name, "neighbour" | "patient" | "asker" | "circle" | "circle-back" | "modern-patient")
}

/// What the status of an application says of one of its components that failed.
fn message(status: &Value, name: &str) -> Option<String> {
    let scalers = status["scalers"].as_array()?;
    let scaler = scalers.iter().find(|scaler| scaler["name"] == name)?;
    let failed = scaler["status"]["type"] == "failed";
    failed.then(|| scaler["status"]["message"].as_str().unwrap_or_default().to_owned())
}
