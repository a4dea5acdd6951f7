//! Checks what a compiler does not: the arrows between crates, the habits of the repository, and whether
//! its documents keep up.
//!
//! Every finding names the place and the rule; all of them are shown at once.

mod arrows;
mod habits;
mod papers;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    place::{self, Places},
    run,
    say::Story,
};

pub(crate) fn check(places: &Places, story: &Story) -> Result<()> {
    let metadata = place::metadata(&places.root, &["--no-deps", "--locked"])
        .context("the lock file must fit the manifests: `cargo check` makes a new one")?;
    let files = tracked(&places.root)?;
    let mut findings = arrows::check(&arrows::crates(&metadata)?);
    findings.extend(habits::check(&places.root, &files)?);
    findings.extend(papers::check(&places.root, &files)?);
    for finding in &findings {
        story.bad(finding);
    }
    match findings.len() {
        0 => story.good("tidy: arrows, habits and documents are in order"),
        1 => bail!("tidy has one complaint"),
        many => bail!("tidy has {many} complaints"),
    }
    Ok(())
}

/// Everything git tracks or would track.
fn tracked(root: &Path) -> Result<Vec<PathBuf>> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let listed = run::output(&mut git).context("list the files of the repository")?;
    Ok(listed.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect())
}
