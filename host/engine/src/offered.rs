//! What a host provides itself, in which versions, and what a component is told that wants another.
//!
//! `docs/interfaces.md` is this table for people, and tests keep the two together and the table with
//! what can really be linked.

use wattle_types::InterfaceName;

/// An interface and its versions; `""` is the name without one.
///
/// A version serves every importer of its compatible line (`0.2.12` serves all of 0.2.x), a draft
/// only itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    pub interface: &'static str,
    pub versions: &'static [&'static str],
}

const fn of(interface: &'static str, versions: &'static [&'static str]) -> Offer {
    Offer { interface, versions }
}

const WASI: &[&str] = &["0.2.12"];
const P3: &[&str] = &["0.3.0"];
const BOTH: &[&str] = &["0.2.12", "0.3.0"];
const KEYVALUE: &[&str] = &["0.2.0-draft", "0.2.0-draft2"];

/// What a component may import from its host.
pub const IMPORTS: &[Offer] = &[
    of("wasi:cli/environment", BOTH),
    of("wasi:cli/exit", BOTH),
    of("wasi:cli/stderr", BOTH),
    of("wasi:cli/stdin", BOTH),
    of("wasi:cli/stdout", BOTH),
    of("wasi:cli/terminal-input", BOTH),
    of("wasi:cli/terminal-output", BOTH),
    of("wasi:cli/terminal-stderr", BOTH),
    of("wasi:cli/terminal-stdin", BOTH),
    of("wasi:cli/terminal-stdout", BOTH),
    of("wasi:cli/types", P3),
    of("wasi:clocks/monotonic-clock", BOTH),
    of("wasi:clocks/system-clock", P3),
    of("wasi:clocks/types", P3),
    of("wasi:clocks/wall-clock", WASI),
    of("wasi:config/runtime", &["0.2.0-draft"]),
    of("wasi:config/store", &["0.2.0-draft", "0.2.0-rc.1"]),
    of("wasi:filesystem/preopens", BOTH),
    of("wasi:filesystem/types", BOTH),
    of("wasi:http/client", P3),
    of("wasi:http/outgoing-handler", WASI),
    of("wasi:http/types", BOTH),
    of("wasi:io/error", WASI),
    of("wasi:io/poll", WASI),
    of("wasi:io/streams", WASI),
    of("wasi:keyvalue/atomics", KEYVALUE),
    of("wasi:keyvalue/batch", KEYVALUE),
    of("wasi:keyvalue/store", KEYVALUE),
    of("wasi:logging/logging", &["", "0.1.0-draft"]),
    of("wasi:random/insecure", BOTH),
    of("wasi:random/insecure-seed", BOTH),
    of("wasi:random/random", BOTH),
    of("wasi:sockets/instance-network", WASI),
    of("wasi:sockets/ip-name-lookup", BOTH),
    of("wasi:sockets/network", WASI),
    of("wasi:sockets/tcp", WASI),
    of("wasi:sockets/tcp-create-socket", WASI),
    of("wasi:sockets/types", P3),
    of("wasi:sockets/udp", WASI),
    of("wasi:sockets/udp-create-socket", WASI),
    of("wasmcloud:bus/lattice", &["1.0.0", "2.0.0"]),
    of("wasmcloud:messaging/consumer", &["0.2.0"]),
    of("wasmcloud:messaging/types", &["0.2.0"]),
    of("wasmcloud:secrets/reveal", &["0.1.0-draft"]),
    of("wasmcloud:secrets/store", &["0.1.0-draft"]),
];

/// What a host calls of a component that exports it.
pub const EXPORTS: &[Offer] = &[
    of("wasi:http/handler", P3),
    of("wasi:http/incoming-handler", WASI),
    of("wasmcloud:messaging/handler", &["0.2.0"]),
];

/// Packages that people know from elsewhere and for which there is no provider here.
const ABSENT: &[&str] = &["wasi:blobstore", "wasi:messaging", "wasi:otel", "wasmcloud:postgres"];

fn offer<'a>(offers: &'a [Offer], path: &str) -> Option<&'a Offer> {
    offers.iter().find(|offer| offer.interface == path)
}

/// Whether a host provides `namespace:package/interface` in some version.
pub(crate) fn is_offered(path: &str) -> bool {
    offer(IMPORTS, path).is_some()
}

/// Whether a name is one of WASI 0.3.
pub(crate) fn is_p3(name: &str) -> bool {
    name.starts_with("wasi:") && name.split_once('@').is_some_and(|(_, v)| v.starts_with("0.3."))
}

/// Whether a host provides this import, in this version.
pub(crate) fn provides(import: &str) -> bool {
    serves(IMPORTS, import)
}

/// Whether a host calls this export, in this version.
pub(crate) fn calls(export: &str) -> bool {
    serves(EXPORTS, export)
}

fn serves(offers: &[Offer], name: &str) -> bool {
    let (path, version) = name.split_once('@').unwrap_or((name, ""));
    let Some(offer) = offer(offers, path) else { return false };
    if version.is_empty() {
        return offer.versions.contains(&"");
    }
    let Ok(wanted) = name.parse::<InterfaceName>() else { return false };
    let versions = offer.versions.iter().filter(|version| !version.is_empty());
    versions.map(|version| named(path, version)).any(|offered| wanted.fits(&offered))
}

fn named(path: &str, version: &str) -> InterfaceName {
    format!("{path}@{version}").parse().expect("the table holds names")
}

/// Namespaces whose interfaces a host provides, or nobody.
const RESERVED: &[&str] = &["wasi", "wasmcloud", "wattle"];

/// The name of an import that a link may lead to another actor: an interface that its author named.
pub(crate) fn linkable(import: &str) -> Option<InterfaceName> {
    let name: InterfaceName = import.parse().ok()?;
    (!RESERVED.contains(&name.namespace())).then_some(name)
}

fn package_of(path: &str) -> &str {
    path.split('/').next().unwrap_or(path)
}

/// What would help a component that imports what [`provides`] denies and no link can serve.
pub(crate) fn help(import: &str) -> String {
    let (path, _) = import.split_once('@').unwrap_or((import, ""));
    let package = package_of(path);
    if let Some(offer) = offer(IMPORTS, path) {
        return format!("hosts here offer {}", listed(offer.versions));
    }
    let of_package = |offer: &&Offer| package_of(offer.interface) == package;
    let siblings: Vec<&str> = IMPORTS.iter().filter(of_package).map(|o| o.interface).collect();
    if !siblings.is_empty() {
        return format!("hosts here offer {} of that package", siblings.join(", "));
    }
    if ABSENT.contains(&package) {
        return "hosts here have no provider for it".to_owned();
    }
    "compose the component with one that exports it, with `wac plug`".to_owned()
}

/// `0.2.12`, `1.0.0 and 2.0.0`, `it without a version and 0.1.0-draft`.
fn listed(versions: &[&str]) -> String {
    let words = versions.iter().map(|&version| match version {
        "" => "it without a version",
        version => version,
    });
    words.collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_serves_its_compatible_line_and_a_draft_itself() {
        let cases = [
            ("wasi:io/streams@0.2.0", true),
            ("wasi:io/streams@0.2.99", true),
            ("wasi:io/streams@0.3.0", false),
            ("wasi:http/types@0.3.2", true),
            ("wasi:http/client@0.3.0", true),
            ("wasi:io/streams@0.2.0-rc-2023-11-10", false),
            ("wasi:io/streams", false),
            ("wasi:keyvalue/store@0.2.0-draft", true),
            ("wasi:keyvalue/store@0.2.0-draft2", true),
            ("wasi:keyvalue/store@0.2.0", false),
            ("wasi:logging/logging", true),
            ("wasi:logging/logging@0.1.0-draft", true),
            ("wasmcloud:bus/lattice@1.4.0", true),
            ("wasmcloud:bus/lattice@2.0.1", true),
            ("wasmcloud:bus/lattice@3.0.0", false),
            ("wasmcloud:messaging/consumer@0.2.1", true),
            ("greet", false),
        ];
        for (import, expected) in cases {
            assert_eq!(provides(import), expected, "{import}");
        }
    }

    #[test]
    fn the_tables_are_in_order_and_hold_names() {
        for offers in [IMPORTS, EXPORTS] {
            assert!(offers.is_sorted_by_key(|offer| offer.interface));
            for offer in offers {
                let mut named = offer.versions.iter().filter(|version| !version.is_empty());
                assert!(named.all(|version| named_like(offer, version)), "{offer:?}");
            }
        }
    }

    fn named_like(offer: &Offer, version: &str) -> bool {
        let name = format!("{}@{version}", offer.interface);
        name.parse::<InterfaceName>().is_ok_and(|name| name.path() == offer.interface)
    }

    #[test]
    fn the_page_for_people_says_what_the_code_does() {
        let page = include_str!("../../../docs/interfaces.md");
        let rows = |heading: &str| -> Vec<(String, String)> {
            let section = page.split("\n## ").find(|section| section.starts_with(heading));
            let rows = section.expect("the page has that section").lines();
            rows.filter_map(|row| {
                let cells: Vec<&str> = row.strip_prefix("| `")?.split(" | ").collect();
                Some((cells[0].trim_end_matches('`').to_owned(), cells[1].to_owned()))
            })
            .collect()
        };
        let written = |offers: &[Offer]| -> Vec<(String, String)> {
            let version = |version: &&str| match *version {
                "" => "none".to_owned(),
                version => format!("`{version}`"),
            };
            let row = |offer: &Offer| {
                let versions: Vec<String> = offer.versions.iter().map(version).collect();
                (offer.interface.to_owned(), versions.join(", "))
            };
            offers.iter().map(row).collect()
        };
        assert_eq!(rows("What a component may import"), written(IMPORTS));
        assert_eq!(rows("What a host calls"), written(EXPORTS));
    }
}
