//! A copy of the crates that are simulated, where they can be spoilt.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result};
use serde_json::Value;

use super::Patch;
use crate::{place::Places, run, say::Story};

const MEMBERS: [&str; 6] = [
    "core/types",
    "core/trust",
    "control-plane/planner",
    "control-plane/brain",
    "host/agent",
    "control-plane/sim",
];
const FILES: [&str; 2] = ["Cargo.lock", "rust-toolchain.toml"];

pub(super) struct Tree {
    root: PathBuf,
    target: PathBuf,
    places: Places,
}

/// What came of a simulation.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Kept,
    /// The last of so many seeds broke it.
    Broken {
        seeds: u64,
        property: String,
    },
}

impl Tree {
    pub(super) fn copy(places: &Places) -> Result<Self> {
        let home = places.target.join("mutants");
        let tree =
            Self { root: home.join("tree"), target: home.join("target"), places: places.clone() };
        for file in FILES {
            copy_file(&places.root.join(file), &tree.root.join(file))?;
        }
        write_new(&tree.root.join("Cargo.toml"), &workspace(&places.root)?)?;
        for member in MEMBERS {
            copy_folder(&places.root.join(member), &tree.root.join(member))?;
        }
        Ok(tree)
    }

    /// Does `work` while the patch is in the copy.
    pub(super) fn with<T>(&self, patch: &Patch, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let mut spoilt = Vec::new();
        patch.apply(&self.places.root, |file, text| {
            spoilt.push(file.to_owned());
            write_new(&self.root.join(file), text)
        })?;
        let result = work();
        for file in spoilt {
            copy_file(&self.places.root.join(&file), &self.root.join(&file))?;
        }
        result
    }

    /// Builds the copy as it is, and runs seeds until one breaks a promise.
    pub(super) fn simulate(&self, story: &Story, seeds: u64) -> Result<Verdict> {
        let mut cargo = self.places.cargo();
        cargo
            .current_dir(&self.root)
            .args(["build", "--quiet", "--release", "--offline", "--package", "wattle-sim"])
            .env("CARGO_TARGET_DIR", &self.target)
            // Built thirty times and run for seconds.
            .env("CARGO_PROFILE_RELEASE_INCREMENTAL", "true")
            .env("CARGO_PROFILE_RELEASE_DEBUG", "false");
        run::logged(story, "building", &mut cargo, &self.target.join("build.log"))?;
        let mut sim = Command::new(self.target.join("release/wattle-sim"));
        sim.args(["--seeds", &seeds.to_string(), "--as-found", "--output", "json"]);
        // What a mutant says when it panics is part of its result.
        let output = sim.stdin(Stdio::null()).output().context("start wattle-sim")?;
        let said = String::from_utf8_lossy(&output.stdout);
        let summary: Value = serde_json::from_str(&said)
            .with_context(|| format!("read what wattle-sim says; {}: {said:?}", output.status))?;
        verdict(&summary)
    }
}

fn verdict(summary: &Value) -> Result<Verdict> {
    let failure = &summary["failure"];
    if failure.is_null() {
        return Ok(Verdict::Kept);
    }
    let seed = failure["seed"].as_u64().context("a failure has a seed")?;
    let property = failure["property"].as_str().context("a failure has a property")?.to_owned();
    Ok(Verdict::Broken { seeds: seed + 1, property })
}

/// The manifest of the workspace, with fewer members.
fn workspace(root: &Path) -> Result<String> {
    let text = fs::read_to_string(root.join("Cargo.toml")).context("read Cargo.toml")?;
    let mut manifest: toml::Table = text.parse().context("understand Cargo.toml")?;
    let workspace = manifest.get_mut("workspace").and_then(toml::Value::as_table_mut);
    let workspace = workspace.context("Cargo.toml is that of a workspace")?;
    let members = MEMBERS.iter().map(|member| toml::Value::from(*member)).collect();
    workspace.insert("members".to_owned(), toml::Value::Array(members));
    workspace.remove("exclude");
    Ok(toml::to_string(&manifest)?)
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("list {}", from.display()))? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_folder(&from, &to)?;
        } else {
            copy_file(&from, &to)?;
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> Result<()> {
    let text = fs::read(from).with_context(|| format!("read {}", from.display()))?;
    write_new(to, &text)
}

/// Writes only what differs: what was not touched is not built again.
fn write_new(to: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    let content = content.as_ref();
    if fs::read(to).is_ok_and(|found| found == content) {
        return Ok(());
    }
    let folder = to.parent().context("a file is in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    fs::write(to, content).with_context(|| format!("write {}", to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_tells_after_how_many_seeds_what_was_broken() {
        let kept = serde_json::json!({"seeds": 1_000, "failure": null});
        assert_eq!(verdict(&kept).unwrap(), Verdict::Kept);
        let broken = serde_json::json!({"failure": {"seed": 41, "property": "Fenced"}});
        let expected = Verdict::Broken { seeds: 42, property: "Fenced".to_owned() };
        assert_eq!(verdict(&broken).unwrap(), expected);
        assert!(verdict(&serde_json::json!({"failure": {}})).is_err());
    }

    #[test]
    fn what_is_the_same_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a/b.rs");
        write_new(&file, "1").unwrap();
        let written = || fs::metadata(&file).unwrap().modified().unwrap();
        let before = written();
        write_new(&file, "1").unwrap();
        assert_eq!(written(), before);
        write_new(&file, "2").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "2");
    }
}
