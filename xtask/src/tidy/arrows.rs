//! The allowed arrows between our crates, and the outside crates that some of them must never know.
//!
//! The table is the one of the design, with what `docs/adr` added to it. Dependencies of every kind count:
//! an arrow that only a test uses is an arrow.

use anyhow::{Context, Result};
use serde_json::Value;

/// A crate of the workspace, as `cargo metadata` knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Crate {
    pub(super) name: String,
    pub(super) dependencies: Vec<String>,
}

const CORE: [&str; 5] =
    ["wattle-types", "wattle-value", "wattle-tasks", "wattle-trust", "wattle-lattice"];

/// A row: a crate, and those of ours it may use.
struct Row {
    of: &'static str,
    may_use: &'static [&'static [&'static str]],
}

const TABLE: &[Row] = &[
    Row { of: "wattle-types", may_use: &[] },
    Row { of: "wattle-value", may_use: &[&["wattle-types"]] },
    Row { of: "wattle-tasks", may_use: &[] },
    Row { of: "wattle-trust", may_use: &[&["wattle-types"]] },
    Row { of: "wattle-planner", may_use: &[&["wattle-types"]] },
    Row { of: "wattle-brain", may_use: &[&["wattle-types", "wattle-planner"]] },
    Row { of: "wattle-agent", may_use: &[&["wattle-types", "wattle-trust"]] },
    Row {
        of: "wattle-lattice",
        may_use: &[&["wattle-types", "wattle-value", "wattle-tasks", "wattle-trust"]],
    },
    Row { of: "wattle-capability", may_use: &[&["wattle-types", "wattle-value", "wattle-tasks"]] },
    Row {
        of: "wattle-engine",
        may_use: &[&[
            "wattle-types",
            "wattle-value",
            "wattle-trust",
            "wattle-tasks",
            "wattle-capability",
        ]],
    },
    Row {
        of: "wattle-keyvalue-redb",
        may_use: &[&["wattle-types", "wattle-tasks", "wattle-capability"]],
    },
    Row {
        of: "wattle-keyvalue-nats",
        may_use: &[&["wattle-types", "wattle-tasks", "wattle-capability", "wattle-lattice"]],
    },
    Row {
        of: "wattle-messaging-nats",
        may_use: &[&["wattle-types", "wattle-tasks", "wattle-capability", "wattle-lattice"]],
    },
    Row {
        of: "wattle-secrets-file",
        may_use: &[&["wattle-types", "wattle-tasks", "wattle-capability"]],
    },
    Row {
        of: "wattle-host",
        may_use: &[
            &CORE,
            &[
                "wattle-agent",
                "wattle-engine",
                "wattle-capability",
                "wattle-keyvalue-redb",
                "wattle-keyvalue-nats",
                "wattle-messaging-nats",
                "wattle-secrets-file",
            ],
        ],
    },
    Row { of: "wattle-controller", may_use: &[&CORE, &["wattle-brain", "wattle-planner"]] },
    // It signs assignments with a throwaway key: docs/adr/0001.
    Row {
        of: "wattle-sim",
        may_use: &[&[
            "wattle-types",
            "wattle-planner",
            "wattle-brain",
            "wattle-agent",
            "wattle-trust",
        ]],
    },
    Row { of: "wattle", may_use: &[&CORE, &["wattle-sim", "wattle-host", "wattle-controller"]] },
];

/// These may use anything, and nothing uses them.
const OUTERMOST: [&str; 3] = ["wattle-tests", "wattle-fuzz", "xtask"];

/// Outside crates that only one crate of ours may know, and benchmarks that measure them beside it.
const RESERVED: &[(&str, &[&str])] = &[
    ("async-nats", &["wattle-lattice", "wattle-tests"]),
    ("wasmtime", &["wattle-engine", "wattle-tests"]),
];

/// State machines: what they decide depends on their arguments and on nothing else.
const PURE: [&str; 6] = [
    "wattle-types",
    "wattle-value",
    "wattle-planner",
    "wattle-brain",
    "wattle-agent",
    "wattle-sim",
];

/// Async, I/O, clocks and randomness. The simulator has a generator of its own, seeded by a number.
const IMPURE: &[&str] = &[
    "async-trait",
    "futures",
    "getrandom",
    "hyper",
    "mio",
    "opentelemetry",
    "rand",
    "reqwest",
    "time",
    "tokio",
    "tracing",
];

/// What a room must never know, beside what is reserved or impure.
const NEVER: &[(&str, &[&str])] = &[
    ("wattle-trust", &["async-trait", "futures", "hyper", "tokio"]),
    ("wattle-capability", &["hyper"]),
    ("wattle-planner", &["fastrand"]),
    ("wattle-brain", &["fastrand"]),
    ("wattle-agent", &["fastrand"]),
    ("wattle-types", &["fastrand"]),
];

pub(super) fn crates(metadata: &Value) -> Result<Vec<Crate>> {
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    packages
        .iter()
        .map(|package| {
            let name = package["name"].as_str().context("a package has a name")?.to_owned();
            let dependencies = package["dependencies"].as_array().into_iter().flatten();
            let dependencies = dependencies.filter_map(|dependency| dependency["name"].as_str());
            // A crate may name itself to switch a feature on for its own tests.
            let dependencies =
                dependencies.filter(|used| *used != name).map(str::to_owned).collect();
            Ok(Crate { name, dependencies })
        })
        .collect()
}

/// One sentence for each arrow that must not be.
pub(super) fn check(crates: &[Crate]) -> Vec<String> {
    let ours = |name: &str| crates.iter().any(|known| known.name == name);
    let mut findings = Vec::new();
    for Crate { name, dependencies } in crates {
        let row = TABLE.iter().find(|row| row.of == name);
        let outermost = OUTERMOST.contains(&name.as_str());
        if row.is_none() && !outermost {
            findings.push(format!(
                "{name} has no row in the table of arrows (xtask/src/tidy/arrows.rs)"
            ));
        }
        for used in dependencies {
            let allowed = match row {
                _ if OUTERMOST.contains(&used.as_str()) => false,
                Some(row) => row.may_use.concat().contains(&used.as_str()),
                None => true,
            };
            if ours(used) && !allowed {
                findings.push(format!("{name} uses {used}: the design has no such arrow"));
            }
            findings.extend(forbidden(name, used).map(|why| format!("{name} uses {used}: {why}")));
        }
    }
    findings
}

/// Why a crate must not use one from outside, if so.
fn forbidden(name: &str, used: &str) -> Option<String> {
    // `wasmtime-wasi` and its like are parts of wasmtime.
    let is = |family: &str| {
        used == family || used.strip_prefix(family).is_some_and(|rest| rest.starts_with('-'))
    };
    let reserved = RESERVED.iter().find(|(family, by)| is(family) && !by.contains(&name));
    if let Some((_, by)) = reserved {
        return Some(format!("only {} may", by[0]));
    }
    if PURE.contains(&name) && IMPURE.iter().any(|family| is(family)) {
        return Some("what is decided there knows no async, no clock and no I/O".to_owned());
    }
    let never = NEVER
        .iter()
        .find(|(of, _)| *of == name)
        .is_some_and(|(_, families)| families.iter().any(|f| is(f)));
    never.then(|| "that room must never know it".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn krate(name: &str, dependencies: &[&str]) -> Crate {
        Crate {
            name: name.to_owned(),
            dependencies: dependencies.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    /// What is said about `name` if it uses `used`, in a workspace that has all rows.
    fn said(name: &str, used: &str) -> Vec<String> {
        let mut crates: Vec<Crate> = TABLE.iter().map(|row| krate(row.of, &[])).collect();
        crates.extend(OUTERMOST.map(|name| krate(name, &[])));
        match crates.iter_mut().find(|known| known.name == name) {
            Some(known) => known.dependencies.push(used.to_owned()),
            None => crates.push(krate(name, &[used])),
        }
        check(&crates)
    }

    #[test]
    fn an_arrow_of_the_design_is_allowed_and_any_other_is_not() {
        for (name, used, allowed) in [
            ("wattle-brain", "wattle-planner", true),
            ("wattle-planner", "wattle-brain", false),
            ("wattle-agent", "wattle-trust", true),
            ("wattle-agent", "wattle-engine", false),
            ("wattle-keyvalue-nats", "wattle-lattice", true),
            ("wattle-keyvalue-redb", "wattle-lattice", false),
            ("wattle-engine", "wattle-lattice", false),
            ("wattle-host", "wattle-controller", false),
            ("wattle-controller", "wattle-host", false),
            ("wattle-sim", "wattle-trust", true),
            ("wattle-sim", "wattle-lattice", false),
            ("wattle", "wattle-host", true),
            ("wattle", "wattle-engine", false),
            ("wattle-tests", "wattle-engine", true),
            ("wattle", "wattle-tests", false),
            ("wattle-tests", "xtask", false),
        ] {
            assert_eq!(
                said(name, used).is_empty(),
                allowed,
                "{name} -> {used}: {:?}",
                said(name, used)
            );
        }
    }

    #[test]
    fn a_crate_without_a_row_is_noticed() {
        assert_eq!(said("wattle-novelty", "serde").len(), 1);
    }

    #[test]
    fn what_only_one_crate_may_know_is_known_to_no_other() {
        for (name, used, allowed) in [
            ("wattle-lattice", "async-nats", true),
            ("wattle-host", "async-nats", false),
            ("wattle-tests", "async-nats", true),
            ("wattle", "async-nats", false),
            ("wattle-engine", "wasmtime-wasi-http", true),
            ("wattle-host", "wasmtime", false),
            ("wattle-tests", "wasmtime-wasi", true),
            ("wattle", "wasmtime-wasi", false),
            ("wattle-trust", "wasmparser", true),
        ] {
            assert_eq!(said(name, used).is_empty(), allowed, "{name} -> {used}");
        }
    }

    #[test]
    fn what_decides_knows_no_async_no_clock_and_no_chance() {
        for (name, used, allowed) in [
            ("wattle-brain", "tokio", false),
            ("wattle-brain", "tokio-util", false),
            ("wattle-brain", "fastrand", false),
            ("wattle-planner", "time", false),
            ("wattle-agent", "tracing", false),
            ("wattle-types", "serde", true),
            ("wattle-sim", "fastrand", true),
            ("wattle-sim", "tokio", false),
            ("wattle-trust", "tokio", false),
            ("wattle-capability", "hyper", false),
            ("wattle-capability", "http-body", true),
        ] {
            assert_eq!(said(name, used).is_empty(), allowed, "{name} -> {used}");
        }
    }

    #[test]
    fn dependencies_of_every_kind_are_read() {
        let metadata = serde_json::json!({"packages": [{
            "name": "wattle-lattice",
            "dependencies": [
                {"name": "wattle-types", "kind": null},
                {"name": "wattle-host", "kind": "dev"},
                {"name": "wattle-engine", "kind": "build"},
                {"name": "wattle-lattice", "kind": "dev"},
            ],
        }]});
        let expected = krate("wattle-lattice", &["wattle-types", "wattle-host", "wattle-engine"]);
        assert_eq!(crates(&metadata).unwrap(), [expected]);
    }
}
