//! Everything a change must pass, in the order in which a mistake is cheapest to find.

use std::{env, path::PathBuf, time::Instant};

use anyhow::{Context, Result};
use clap::Args;

use crate::{guests, place::Places, run, say::Story, setup, tidy};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Passed on to `cargo test`: `-p CRATE`, part of a test's name, `-- --nocapture`. With any of these,
    /// the checks before the tests are left out.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    filter: Vec<String>,
}

pub(crate) fn run(places: &Places, story: &Story, options: &Options) -> Result<()> {
    let tools = timed(story, "setup", || setup::run(places, story))?;
    if options.filter.is_empty() {
        timed(story, "format", || run::shown(places.cargo().args(["fmt", "--all", "--check"])))?;
        timed(story, "tidy", || tidy::check(places, story))?;
        let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
        timed(story, "clippy", || run::shown(places.cargo().args(clippy)))?;
        // What the whole workspace never builds: the binary for small machines has fewer features.
        let mut small = places.cargo();
        small.arg("clippy").args(EDGE_BINARY).args(EDGE_FEATURES);
        small.args(["--locked", "--", "-D", "warnings"]);
        timed(story, "clippy, small hosts", || run::shown(&mut small))?;
    } else {
        story.step("with a filter: format, tidy and clippy are left out");
    }
    let guests = timed(story, "guests", || guests::build(places, &tools, story))?;
    let binary = binary_path(places, Profile::Dev);
    timed(story, "build", || {
        if options.filter.is_empty() {
            // The tests decide which features dependencies have; the binary is built with the same, or
            // half of them would be built twice.
            run::shown(places.cargo().args(["build", "--workspace", "--all-targets", "--locked"]))
        } else {
            wattle(places, Profile::Dev).map(drop)
        }
    })?;
    let mut cargo = places.cargo();
    cargo
        .args(test_arguments(&options.filter))
        .env("WATTLE_NATS_SERVER", &tools.nats_server)
        .env("WATTLE_GUESTS", guests)
        .env("WATTLE_BIN", binary);
    timed(story, "tests", || run::shown(&mut cargo))?;
    story.good("everything passed");
    Ok(())
}

/// All tests and doc tests of the workspace, unless the filter names a crate.
fn test_arguments(filter: &[String]) -> Vec<String> {
    let names_crate = filter.iter().take_while(|word| *word != "--").any(|word| {
        matches!(word.as_str(), "--package" | "--workspace")
            || word.starts_with("-p")
            || word.starts_with("--package=")
    });
    let mut arguments = vec!["test".to_owned()];
    arguments.extend((!names_crate).then(|| "--workspace".to_owned()));
    arguments.extend_from_slice(filter);
    arguments
}

/// How the binary is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    Dev,
    Release,
    /// For small machines: what only the operator's machine needs is left out.
    Edge,
}

/// How `docs/guide-small-hosts.md` tells people to build it, with `--profile=edge`.
const EDGE_BINARY: [&str; 4] = ["--package", "wattle", "--bin", "wattle"];
const EDGE_FEATURES: [&str; 3] = ["--no-default-features", "--features", "edge"];

/// Builds the binary `wattle` and says where it is.
pub(crate) fn wattle(places: &Places, profile: Profile) -> Result<PathBuf> {
    // In development the whole workspace decides which features dependencies have, so that switching
    // between tasks builds little. What is released is built for itself.
    let mut build = places.cargo();
    build.arg("build");
    match profile {
        Profile::Dev => build.args(["--workspace", "--bin", "wattle"]),
        Profile::Release => build.args(["--package", "wattle", "--bin", "wattle", "--release"]),
        Profile::Edge => build.args(EDGE_BINARY).arg("--profile=edge").args(EDGE_FEATURES),
    };
    run::shown(&mut build)?;
    Ok(binary_path(places, profile))
}

fn binary_path(places: &Places, profile: Profile) -> PathBuf {
    let folder = match profile {
        Profile::Dev => "debug",
        Profile::Release => "release",
        Profile::Edge => "edge",
    };
    places.target.join(folder).join(format!("wattle{}", env::consts::EXE_SUFFIX))
}

fn timed<T>(story: &Story, what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    story.step(format_args!("{}", story.strong(what)));
    let start = Instant::now();
    let result = work().with_context(|| format!("step `{what}`"))?;
    story.detail(format_args!("{what}: {:.1} s", start.elapsed().as_secs_f64()));
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_passed_on_and_the_workspace_is_meant_unless_it_names_a_crate() {
        for (filter, expected) in [
            (&[][..], &["test", "--workspace"][..]),
            (&["a_lost_host"], &["test", "--workspace", "a_lost_host"]),
            (&["-p", "wattle-trust"], &["test", "-p", "wattle-trust"]),
            (&["--package=wattle", "run"], &["test", "--package=wattle", "run"]),
            (&["--", "-p"], &["test", "--workspace", "--", "-p"]),
        ] {
            let filter: Vec<String> = filter.iter().map(|&word| word.to_owned()).collect();
            assert_eq!(test_arguments(&filter), expected);
        }
    }
}
