//! Subcommands of cargo that a task needs, of a pinned version, built into our cache.

use std::{path::PathBuf, process::Command};

use anyhow::Result;

use crate::{place::Places, run, say::Story};

/// The program `name` of this version: where it is, after it was built if it was not there.
pub(crate) fn subcommand(
    places: &Places,
    story: &Story,
    name: &str,
    version: &str,
) -> Result<PathBuf> {
    let root = places.tools().join(name);
    let program = root.join("bin").join(name);
    let said = run::output(Command::new(&program).arg("--version"));
    let is_right = said.is_ok_and(|said| said.split_whitespace().nth(1) == Some(version));
    if !is_right {
        story.step(format_args!("installing {name} {version}"));
        let mut cargo = places.cargo();
        cargo.args(["install", name, "--locked", "--version", version, "--root"]);
        run::shown(cargo.arg(&root).env_remove("CARGO_TARGET_DIR"))?;
    }
    Ok(program)
}
