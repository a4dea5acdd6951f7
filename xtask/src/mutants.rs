//! Proves that the simulator would notice: defects are planted in planner, brain and agent, one at a
//! time, and each must break a promise within a thousand seeds.
//!
//! The shipped code has no switches for that. A mutant is a patch in `control-plane/sim/mutants`, which is
//! put into a copy of the crates below the target folder, built and simulated there, and taken out again.

mod patch;
mod tree;

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::{place::Places, say::Story};

pub(crate) use patch::Patch;
use tree::{Tree, Verdict};

const FOLDER: &str = "control-plane/sim/mutants";
/// A defect that a thousand storms do not show is not looked for.
const SEEDS_MAX: u64 = 1_000;
/// So many patches at least, or the table says little about a crate.
const PATCHES_MIN: usize = 9;
const CRATES: [&str; 3] = ["planner", "brain", "agent"];

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  All of them; takes the time of some thirty builds
      cargo xtask mutants
  Those of one crate, or one of them
      cargo xtask mutants brain
      cargo xtask mutants brain/03")]
pub(crate) struct Options {
    /// Only those whose name begins like one of these, such as `brain` or `brain/03`.
    names: Vec<String>,
    /// How many seeds each may take to be found.
    #[arg(long, default_value_t = SEEDS_MAX)]
    seeds: u64,
}

pub(crate) fn run(places: &Places, story: &Story, options: &Options) -> Result<()> {
    let all = patches(&places.root)?;
    let chosen: Vec<(&String, &Patch)> = all
        .iter()
        .filter(|(name, _)| {
            options.names.is_empty() || options.names.iter().any(|of| name.starts_with(of.as_str()))
        })
        .collect();
    ensure!(!chosen.is_empty(), "no mutant has such a name; they are in {FOLDER}");
    let tree = Tree::copy(places)?;
    story.step(format_args!("without any of them, {} seeds", options.seeds));
    match tree.simulate(story, options.seeds)? {
        Verdict::Kept => {}
        Verdict::Broken { seeds, property } => bail!(
            "{property:?} is broken at seed {} though nothing is planted: repair that first",
            seeds - 1
        ),
    }
    let mut survived = Vec::new();
    for (number, (name, patch)) in chosen.iter().enumerate() {
        story.step(format_args!("{name} ({} of {}): {}", number + 1, chosen.len(), patch.reason));
        let verdict = tree.with(patch, || tree.simulate(story, options.seeds));
        match verdict.with_context(|| format!("simulate {name}"))? {
            Verdict::Broken { seeds, property } => {
                story.good(format_args!("{name:<42} {property:<12} {seeds:>5}"));
            }
            Verdict::Kept => {
                story.bad(format_args!("{name:<42} not found in {} seeds", options.seeds));
                survived.push(name.as_str());
            }
        }
    }
    ensure!(survived.is_empty(), "these were not found: {}", survived.join(", "));
    story.good(format_args!("all {} were found", chosen.len()));
    Ok(())
}

/// Every patch by name, such as `brain/03-no-read-back`.
fn patches(root: &Path) -> Result<BTreeMap<String, Patch>> {
    let mut all = BTreeMap::new();
    for of in CRATES {
        let folder = root.join(FOLDER).join(of);
        let entries =
            fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "patch") {
                continue;
            }
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let text =
                fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
            let patch = text.parse().with_context(|| format!("understand {}", path.display()))?;
            all.insert(format!("{of}/{stem}"), patch);
        }
    }
    Ok(all)
}

/// What of the patches does not fit the tree any more, and what there is too little of.
pub(crate) fn findings(root: &Path) -> Result<Vec<String>> {
    let all = patches(root)?;
    let mut findings = Vec::new();
    for of in CRATES {
        let count = all.keys().filter(|name| name.starts_with(&format!("{of}/"))).count();
        if count < PATCHES_MIN {
            findings.push(format!("{FOLDER}/{of}: {count} patches, {PATCHES_MIN} are needed"));
        }
    }
    for (name, patch) in &all {
        if let Err(error) = patch.fits(root) {
            findings.push(format!("{FOLDER}/{name}.patch: {error:#}"));
        }
    }
    Ok(findings)
}
