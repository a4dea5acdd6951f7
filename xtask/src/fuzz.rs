//! Runs the decoders under libFuzzer, each for a bounded time: `cargo fuzz` over `tests/fuzz`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::{place::Places, run, say::Story};

/// Pinned, so that the harness builds the same everywhere.
const CARGO_FUZZ: &str = "0.13.2";

/// An input that takes longer makes a decoder a way to stop a host.
const INPUT_SECONDS_MAX: u32 = 1;
/// Inputs come in messages, and no message is longer than this by default.
const INPUT_BYTES_MAX: u32 = 64 << 10;
const MEMORY_MIB_MAX: u32 = 512;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only these; every folder of `tests/fuzz/corpus` is a target. All of them if none is named.
    targets: Vec<String>,
    /// How long each runs.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

pub(crate) fn run(places: &Places, story: &Story, options: &Options) -> Result<()> {
    let home = places.root.join("tests/fuzz");
    let known = targets(&home)?;
    if let Some(unknown) = options.targets.iter().find(|name| !known.contains(name)) {
        bail!("there is no target {unknown}; the targets are: {}", known.join(", "));
    }
    let chosen = if options.targets.is_empty() { &known } else { &options.targets };
    let program = cargo_fuzz(places, story)?;
    for (number, target) in chosen.iter().enumerate() {
        let seconds = options.seconds;
        story.step(format_args!("{target} ({} of {}), {seconds} s", number + 1, chosen.len()));
        one(places, &program, &home, target, seconds)
            .with_context(|| format!("fuzz {target}; what broke it is now in its corpus"))?;
    }
    story.good(format_args!("{} targets ran without a finding", chosen.len()));
    Ok(())
}

fn one(places: &Places, program: &Path, home: &Path, target: &str, seconds: u32) -> Result<()> {
    let corpus = home.join("corpus").join(target);
    let mut fuzz = std::process::Command::new(program);
    fuzz.current_dir(&places.root)
        // The coverage flags are unstable; this lets the pinned compiler take them.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("WATTLE_FUZZ_TARGET", target)
        .args(["run", "--fuzz-dir", "tests/fuzz/libfuzzer", "--sanitizer", "none", "--target-dir"])
        .arg(places.target.join("fuzz"))
        .arg("decoders")
        .arg(&corpus)
        .arg("--")
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={INPUT_SECONDS_MAX}"))
        .arg(format!("-max_len={INPUT_BYTES_MAX}"))
        .arg(format!("-rss_limit_mb={MEMORY_MIB_MAX}"))
        // Where a crash is kept: beside what is tried again on every test run.
        .arg(format!("-artifact_prefix={}/", corpus.display()));
    run::shown(&mut fuzz)
}

/// A target has a folder of inputs; a test holds these against the table in `wattle-fuzz`.
fn targets(home: &Path) -> Result<Vec<String>> {
    let folder = home.join("corpus");
    let entries = fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    ensure!(!names.is_empty(), "{} is empty", folder.display());
    Ok(names)
}

/// `cargo fuzz` of the pinned version, from our cache.
fn cargo_fuzz(places: &Places, story: &Story) -> Result<PathBuf> {
    let root = places.tools().join("cargo-fuzz");
    let program = root.join("bin/cargo-fuzz");
    let is_right = |path: &Path| {
        let said = run::output(std::process::Command::new(path).arg("--version"));
        said.is_ok_and(|said| said.split_whitespace().nth(1) == Some(CARGO_FUZZ))
    };
    if !is_right(&program) {
        story.step(format_args!("installing cargo-fuzz {CARGO_FUZZ}"));
        let mut cargo = places.cargo();
        cargo.args(["install", "cargo-fuzz", "--locked", "--version", CARGO_FUZZ, "--root"]);
        run::shown(cargo.arg(&root).env_remove("CARGO_TARGET_DIR"))?;
    }
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_targets_are_the_folders_of_the_corpus() {
        let home = tempfile::tempdir().unwrap();
        for name in ["subject", "beat"] {
            fs::create_dir_all(home.path().join("corpus").join(name)).unwrap();
        }
        assert_eq!(targets(home.path()).unwrap(), ["beat", "subject"]);
        assert!(targets(&home.path().join("nowhere")).is_err());
    }
}
