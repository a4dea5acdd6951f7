//! Applications of the benchmarks, as manifests: guests of the tests, each on the host it is meant for.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;

use super::Bench;
use crate::{
    http,
    local::LocalLattice,
    process::{Interrupt, Look},
};

const APPLICATION: &str = "bench";

const UP_WITHIN: Duration = Duration::from_secs(60);

/// One component of it.
#[derive(Clone, Debug)]
pub(super) struct Part {
    guest: &'static str,
    /// Of the component; that of its guest, unless several have the same.
    name: &'static str,
    zone: &'static str,
    path: Option<&'static str>,
    target: Option<&'static str>,
    places: Option<u32>,
    instances: Option<&'static str>,
}

/// Of the actor that a component becomes.
pub(super) fn id(name: &str) -> String {
    format!("{APPLICATION}-{}", name.replace('-', "_"))
}

impl Part {
    pub(super) const fn new(guest: &'static str, zone: &'static str) -> Self {
        let (name, path, target, places, instances) = (guest, None, None, None, None);
        Self { guest, name, zone, path, target, places, instances }
    }

    pub(super) const fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// With a route.
    pub(super) const fn at(self, path: &'static str) -> Self {
        Self { path: Some(path), ..self }
    }

    /// What it imports of the tests' own interfaces comes from that part.
    pub(super) const fn linked_to(self, name: &'static str) -> Self {
        Self { target: Some(name), ..self }
    }

    /// Calls at once.
    pub(super) const fn places(self, places: u32) -> Self {
        Self { places: Some(places), ..self }
    }

    /// How instances serve calls, as properties of the trait: `policy: reused, requests: 128`.
    pub(super) const fn instances(self, properties: &'static str) -> Self {
        Self { instances: Some(properties), ..self }
    }

    fn write(&self, image: &str, to: &mut String) {
        let Self { name, zone, .. } = self;
        let mut line = |text: &str| {
            writeln!(to, "{text}").expect("text can be appended to text");
        };
        line(&format!("    - name: {name}\n      type: component"));
        line(&format!("      properties:\n        image: file://{image}\n      traits:"));
        line("        - type: spreadscaler\n          properties:\n            instances: 1");
        line(&format!(
            "            spread:\n              - name: only\n                requirements:\n                  zone: {zone}"
        ));
        if let Some(path) = self.path {
            line(&format!("        - type: http\n          properties:\n            path: {path}"));
        }
        if let Some(places) = self.places {
            line(&format!(
                "        - type: limits\n          properties:\n            concurrency: {places}"
            ));
        }
        if let Some(properties) = self.instances {
            line(&format!("        - type: instances\n          properties: {{{properties}}}"));
        }
        if let Some(target) = self.target {
            line(&format!(
                "        - type: link\n          properties:\n            namespace: wattle-test\n            package: echo\n            interfaces: [echo, values, streams]\n            target:\n              name: {target}"
            ));
        }
    }
}

/// A lattice that runs these parts as one application: of hosts, given by name and zone, which have these
/// arguments beside those they need.
pub(super) fn deployed(
    bench: &Bench<'_>,
    hosts: &'static [(&'static str, &'static str)],
    host_arguments: &'static [&'static str],
    parts: &[Part],
) -> Result<LocalLattice> {
    let lattice = LocalLattice::prepare(&bench.binary, hosts, bench.story)?;
    let mut lattice = lattice.with_host_arguments(host_arguments);
    let config = bench.places.root.join("deploy/nats/local.conf");
    lattice.start(&bench.nats_server, &config, bench.story, bench.interrupt)?;
    let mut images = std::collections::BTreeMap::new();
    for part in parts {
        if !images.contains_key(part.guest) {
            let component = bench.guests.join(format!("{}.wasm", part.guest));
            images.insert(part.guest, lattice.signed(&component)?);
        }
    }
    let manifest = manifest(parts, |guest| &images[guest]);
    let manifest = lattice.write("parts.yaml", &manifest)?;
    lattice.deploy(&manifest, bench.story)?;
    for (name, _) in hosts {
        for path in parts.iter().filter_map(|part| part.path) {
            until_routed(bench.interrupt, &lattice, name, path)?;
        }
    }
    Ok(lattice)
}

/// Waits until a host knows the way: the announcement may come after the deployment is done.
fn until_routed(
    interrupt: &Interrupt,
    lattice: &LocalLattice,
    name: &str,
    path: &str,
) -> Result<()> {
    let listener = lattice.listener(name)?;
    interrupt.wait_for("an answer", UP_WITHIN, || {
        Ok(match http::get(listener, path, Duration::from_secs(2)) {
            // Whatever an actor says to its path, it is an actor that says it.
            Ok(answer) if !answer.body.contains("(WT-") => Look::Met(()),
            other => Look::NotYet(format!("{other:?}")),
        })
    })
}

/// The manifest of all parts; `image` says where the signed file of a guest is.
fn manifest<'a>(parts: &[Part], image: impl Fn(&str) -> &'a PathBuf) -> String {
    let mut text = format!(
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata:\n  name: {APPLICATION}\nspec:\n  components:\n"
    );
    for part in parts {
        let image: &Path = image(part.guest);
        part.write(&image.display().to_string(), &mut text);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_in_the_manifest_with_what_it_needs() {
        let parts = [
            Part::new("relay", "a").at("/").linked_to("other").places(3),
            Part::new("echo", "b").named("other").instances("policy: reused"),
        ];
        let image = PathBuf::from("/x/y.wasm");
        let text = manifest(&parts, |_| &image);
        for wanted in [
            "name: relay\n",
            "name: other\n",
            "image: file:///x/y.wasm\n",
            "zone: b\n",
            "path: /\n",
            "concurrency: 3\n",
            "type: instances\n          properties: {policy: reused}\n",
            "target:\n              name: other\n",
        ] {
            assert!(text.contains(wanted), "{wanted:?} is not in\n{text}");
        }
        assert_eq!(id("http-hello"), "bench-http_hello");
    }
}
