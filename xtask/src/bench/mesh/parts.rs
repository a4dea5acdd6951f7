//! Applications of the benchmarks, as manifests: guests of the tests, each on the host it is meant for.

use std::{fmt::Write as _, path::PathBuf};

use anyhow::Result;

pub(super) const APPLICATION: &str = "bench";

/// One component of it.
#[derive(Clone, Debug)]
pub(super) struct Part {
    guest: &'static str,
    zone: &'static str,
    path: Option<&'static str>,
    target: Option<&'static str>,
    places: Option<u32>,
}

/// Of the actor that a guest becomes.
pub(super) fn id(guest: &str) -> String {
    format!("{APPLICATION}-{}", guest.replace('-', "_"))
}

impl Part {
    pub(super) const fn new(guest: &'static str, zone: &'static str) -> Self {
        Self { guest, zone, path: None, target: None, places: None }
    }

    /// With a route.
    pub(super) const fn at(self, path: &'static str) -> Self {
        Self { path: Some(path), ..self }
    }

    /// What it imports of the tests' own interfaces comes from that guest.
    pub(super) const fn linked_to(self, guest: &'static str) -> Self {
        Self { target: Some(guest), ..self }
    }

    /// Calls at once.
    pub(super) const fn places(self, places: u32) -> Self {
        Self { places: Some(places), ..self }
    }

    pub(super) const fn has_route(&self) -> bool {
        self.path.is_some()
    }

    fn write(&self, image: &str, to: &mut String) {
        let Self { guest, zone, .. } = self;
        let mut line = |text: &str| {
            writeln!(to, "{text}").expect("text can be appended to text");
        };
        line(&format!("    - name: {guest}\n      type: component"));
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
        if let Some(target) = self.target {
            line(&format!(
                "        - type: link\n          properties:\n            namespace: wattle-test\n            package: echo\n            interfaces: [echo, values, streams]\n            target:\n              name: {target}"
            ));
        }
    }
}

/// The manifest of all parts; `image` says where the signed file of a guest is.
pub(super) fn manifest(parts: &[Part], image: impl Fn(&str) -> Result<PathBuf>) -> Result<String> {
    let mut text = format!(
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata:\n  name: {APPLICATION}\nspec:\n  components:\n"
    );
    for part in parts {
        part.write(&image(part.guest)?.display().to_string(), &mut text);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_in_the_manifest_with_what_it_needs() {
        let parts =
            [Part::new("relay", "a").at("/").linked_to("echo").places(3), Part::new("echo", "b")];
        let text = manifest(&parts, |guest| Ok(format!("/x/{guest}.wasm").into())).unwrap();
        for wanted in [
            "name: relay\n",
            "image: file:///x/echo.wasm\n",
            "zone: b\n",
            "path: /\n",
            "concurrency: 3\n",
            "target:\n              name: echo\n",
        ] {
            assert!(text.contains(wanted), "{wanted:?} is not in\n{text}");
        }
        assert_eq!(id("http-hello"), "bench-http_hello");
    }
}
