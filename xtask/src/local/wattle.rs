//! The binary as a local lattice uses it: arguments in, JSON out. Nothing here knows the lattice but through it.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::run;

/// The binary, and the lattice to speak to.
#[derive(Clone, Debug)]
pub(crate) struct Wattle {
    pub(crate) binary: PathBuf,
    pub(crate) nats_url: String,
    pub(crate) lattice: String,
}

/// A host as the lattice sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostView {
    pub(crate) name: String,
    pub(crate) zone: String,
    /// Ids of the actors it runs.
    pub(crate) actors: Vec<String>,
}

impl Wattle {
    /// A subcommand that needs no lattice.
    pub(crate) fn offline(&self, arguments: &[&str], paths: &[(&str, &Path)]) -> Result<String> {
        let mut command = Command::new(&self.binary);
        command.args(arguments);
        for (flag, path) in paths {
            command.arg(flag).arg(path);
        }
        run::output(&mut command)
    }

    /// A subcommand that speaks to the lattice.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).args(["--nats-url", &self.nats_url, "--lattice", &self.lattice]);
        command
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Result<Value> {
        let said = run::output(self.command(arguments).args(["-o", "json"]))?;
        serde_json::from_str(&said)
            .with_context(|| format!("read the answer of `{}`: {said}", self.line(arguments)))
    }

    /// Every host that answers, with what it runs.
    pub(crate) fn hosts(&self) -> Result<Vec<HostView>> {
        let inventory = self.json(&["get", "inventory"])?;
        let hosts = inventory
            .as_array()
            .with_context(|| format!("the inventory is no list: {inventory}"))?;
        hosts
            .iter()
            .map(|host| {
                host_view(host)
                    .with_context(|| format!("a host whose inventory is not understood: {host}"))
            })
            .collect()
    }

    /// The command as a person would type it.
    pub(crate) fn line(&self, arguments: &[&str]) -> String {
        let Self { binary, nats_url, lattice } = self;
        format!(
            "{} {} --nats-url {nats_url} --lattice {lattice}",
            binary.display(),
            arguments.join(" ")
        )
    }
}

fn host_view(host: &Value) -> Option<HostView> {
    let actors = host["components"].as_array()?.iter();
    Some(HostView {
        name: host["friendly_name"].as_str()?.to_owned(),
        zone: host["labels"]["zone"].as_str()?.to_owned(),
        actors: actors.filter_map(|actor| Some(actor["id"].as_str()?.to_owned())).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_read_from_the_inventory_with_the_actors_it_runs() {
        let host = serde_json::json!({
            "friendly_name": "cloud-1",
            "labels": {"zone": "cloud", "hostcore.os": "linux"},
            "components": [{"id": "http_counter-counter", "max_instances": 1}],
        });
        let expected = HostView {
            name: "cloud-1".to_owned(),
            zone: "cloud".to_owned(),
            actors: vec!["http_counter-counter".to_owned()],
        };
        assert_eq!(host_view(&host), Some(expected));
        assert_eq!(host_view(&serde_json::json!({"friendly_name": "cloud-1"})), None);
    }
}
