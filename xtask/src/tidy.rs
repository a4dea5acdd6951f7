//! Checks what a compiler does not: the arrows between crates, the habits of the repository, whether
//! its documents keep up, and whether the defects that prove the simulator still fit the code.
//!
//! Every finding names the place and the rule; all of them are shown at once.

mod arrows;
mod habits;
mod papers;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    mutants,
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
    findings.extend(mutants::findings(&places.root)?);
    for finding in &findings {
        story.bad(finding);
    }
    match findings.len() {
        0 => story.good("tidy: arrows, habits, documents and mutants are in order"),
        1 => bail!("tidy has one complaint"),
        many => bail!("tidy has {many} complaints"),
    }
    Ok(())
}

/// Everything git tracks or would track; where git does not answer, everything that is there.
fn tracked(root: &Path) -> Result<Vec<PathBuf>> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    match run::output(&mut git) {
        Ok(listed) => {
            Ok(listed.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect())
        }
        // A machine may have a copy of the tree and no git.
        Err(_) => walk(root, Path::new("")),
    }
}

/// Every file below `folder`, which is relative to `root`, but what is built or copied.
fn walk(root: &Path, folder: &Path) -> Result<Vec<PathBuf>> {
    const MADE: [&str; 4] = ["target", ".git", "wit/deps", "wit/deps-p3"];
    let here = root.join(folder);
    let mut files = Vec::new();
    for entry in fs::read_dir(&here).with_context(|| format!("list {}", here.display()))? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        if MADE.iter().any(|made| path.ends_with(made)) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            files.extend(walk(root, &path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_git_everything_counts_but_what_is_built_or_copied() {
        let root = tempfile::tempdir().unwrap();
        for file in ["a.rs", "core/b.rs", "target/c.rs", "examples/x/target/d.rs", "wit/deps/e.wit"]
        {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let found = walk(root.path(), Path::new("")).unwrap();
        assert_eq!(found, ["a.rs", "core/b.rs"].map(PathBuf::from));
    }
}
