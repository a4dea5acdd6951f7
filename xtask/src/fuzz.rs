//! Runs the decoders under libFuzzer, each for a bounded time: `cargo fuzz` over `tests/fuzz`.
//!
//! What a run tries is kept in the target folder, and the next one goes on from there. Into the repository
//! comes only what broke a decoder, made as small as it can be, and, when it is asked for, what reaches code
//! that the corpus does not.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::{place::Places, run, say::Story, setup::cargo};

/// Pinned, so that the harness builds the same everywhere.
const CARGO_FUZZ: &str = "0.13.2";

/// An input that takes longer makes a decoder a way to stop a host.
const INPUT_SECONDS_MAX: u32 = 1;
/// Inputs come in messages, and no message is longer than this by default.
const INPUT_BYTES_MAX: u32 = 64 << 10;
const MEMORY_MIB_MAX: u32 = 512;
/// Tries to make an input that broke something smaller.
const SHRINKING_RUNS: u32 = 100_000;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only these; every folder of `tests/fuzz/corpus` is a target. All of them if none is named.
    targets: Vec<String>,
    /// How long each runs.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Add to the corpus in the repository what reaches code that it does not.
    #[arg(long)]
    keep: bool,
}

/// One target, and where its inputs are.
struct Fuzzing<'a> {
    places: &'a Places,
    program: PathBuf,
    target: &'a str,
    /// In the repository.
    corpus: PathBuf,
    /// What libFuzzer came upon; outside of the repository.
    inputs: PathBuf,
    /// What broke it, as it was found; outside of the repository.
    findings: PathBuf,
}

pub(crate) fn run(places: &Places, story: &Story, options: &Options) -> Result<()> {
    let home = places.root.join("tests/fuzz");
    let known = targets(&home)?;
    if let Some(unknown) = options.targets.iter().find(|name| !known.contains(name)) {
        bail!("there is no target {unknown}; the targets are: {}", known.join(", "));
    }
    let chosen = if options.targets.is_empty() { &known } else { &options.targets };
    let program = cargo::subcommand(places, story, "cargo-fuzz", CARGO_FUZZ)?;
    let mut broken = Vec::new();
    for (number, target) in chosen.iter().enumerate() {
        let seconds = options.seconds;
        story.step(format_args!("{target} ({} of {}), {seconds} s", number + 1, chosen.len()));
        let fuzzing = Fuzzing::of(places, program.clone(), &home, target)?;
        broken.extend(fuzzing.hunt(seconds, story)?);
        if options.keep {
            fuzzing.keep()?;
        }
    }
    ensure!(broken.is_empty(), "what broke a decoder is now in the corpus: {}", broken.join(", "));
    story.good(format_args!("{} targets ran without a finding", chosen.len()));
    Ok(())
}

impl<'a> Fuzzing<'a> {
    fn of(places: &'a Places, program: PathBuf, home: &Path, target: &'a str) -> Result<Self> {
        let ours = |what: &str| places.target.join("fuzz").join(what).join(target);
        let corpus = home.join("corpus").join(target);
        let fuzzing = Self {
            places,
            program,
            target,
            corpus,
            inputs: ours("inputs"),
            findings: ours("findings"),
        };
        for folder in [&fuzzing.inputs, &fuzzing.findings] {
            fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        }
        Ok(fuzzing)
    }

    /// Runs it; what broke it is put into the corpus, and named.
    fn hunt(&self, seconds: u32, story: &Story) -> Result<Vec<String>> {
        let before = files(&self.findings)?;
        // New inputs go to the first folder.
        let mut fuzz = self.cargo_fuzz("run");
        fuzz.arg(&self.inputs).arg(&self.corpus).arg("--");
        fuzz.arg(format!("-max_total_time={seconds}"));
        let Err(error) = run::shown(fuzz.args(bounds()).arg(self.prefix())) else {
            return Ok(Vec::new());
        };
        let found: Vec<String> = files(&self.findings)?.difference(&before).cloned().collect();
        if found.is_empty() {
            return Err(error).with_context(|| format!("fuzz {}", self.target));
        }
        for name in &found {
            story.detail(format_args!("{name}: making it smaller"));
            self.shrink(name)?;
        }
        Ok(found.iter().map(|name| format!("{}/{name}", self.target)).collect())
    }

    /// Puts a finding into the corpus, smaller if it can be.
    fn shrink(&self, name: &str) -> Result<()> {
        let (found, kept) = (self.findings.join(name), self.corpus.join(name));
        fs::copy(&found, &kept).with_context(|| format!("write {}", kept.display()))?;
        let mut shrink = self.cargo_fuzz("tmin");
        shrink.args(["--runs", &SHRINKING_RUNS.to_string()]).arg(&found).arg("--").args(bounds());
        // Fails when nothing smaller breaks it, and then the finding stays as it is.
        let _ = run::shown(shrink.arg(format!("-exact_artifact_path={}", kept.display())));
        Ok(())
    }

    fn keep(&self) -> Result<()> {
        let mut merge = self.cargo_fuzz("run");
        merge.arg(&self.corpus).arg(&self.inputs).args(["--", "-merge=1"]);
        run::shown(merge.args(bounds()).arg(self.prefix()))
    }

    fn cargo_fuzz(&self, command: &str) -> Command {
        let mut fuzz = Command::new(&self.program);
        fuzz.current_dir(&self.places.root)
            // The coverage flags are unstable; this lets the pinned compiler take them.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("WATTLE_FUZZ_TARGET", self.target)
            .arg(command)
            .args(["--fuzz-dir", "tests/fuzz/libfuzzer", "--sanitizer", "none", "--target-dir"])
            .arg(self.places.target.join("fuzz"))
            .arg("decoders");
        fuzz
    }

    /// Where libFuzzer writes what broke it.
    fn prefix(&self) -> String {
        format!("-artifact_prefix={}/", self.findings.display())
    }
}

/// What an input may take.
fn bounds() -> [String; 3] {
    [
        format!("-timeout={INPUT_SECONDS_MAX}"),
        format!("-max_len={INPUT_BYTES_MAX}"),
        format!("-rss_limit_mb={MEMORY_MIB_MAX}"),
    ]
}

/// The names of what is in a folder.
fn files(folder: &Path) -> Result<BTreeSet<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

/// A target has a folder of inputs; a test holds these against the table in `wattle-fuzz`.
fn targets(home: &Path) -> Result<Vec<String>> {
    let folder = home.join("corpus");
    let names: Vec<String> = files(&folder)?.into_iter().collect();
    ensure!(!names.is_empty(), "{} is empty", folder.display());
    Ok(names)
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
